"""Head mask: the pixels of a photo that belong to a head.

An ellipse around the head, placed by the eyes and mouth of the model's training pictures, and colours that are more
frequent inside the ellipse than around it. A decoder trained on few faces also changes the background; without the
mask the square of the crop would be visible there."""

import functools

import cv2
import numpy as np
from scipy.ndimage import uniform_filter

# Half axes of a head with its hair, and the height of its centre above the middle of eyes and mouth, in distances from
# the middle of the eyes to the middle of the mouth.
WIDE, HIGH, UP = 1.6, 2.0, 0.3
CORE, INSIDE, OUTSIDE, GONE = 0.55, 0.9, 1.3, 1.5  # in half axes: all face; mostly head; background; end of the mask
BITS = 4  # per channel when colours are counted
FOREIGN, OWN = 0.05, 0.35  # a colour's frequency inside / (inside + outside): 0 weight, full weight


@functools.cache
def distance(template: tuple[float, ...], size: int, pad: int) -> np.ndarray:
    """(size + 2 pad)²: distance of each pixel of a crop, padded by `pad` pixels, from the centre of the head, in half
    axes. `template` holds x and y of eyes, nose and corners of the mouth, as shares of the crop."""
    points = np.reshape(template, (5, 2)) * size + pad
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    unit = max(float(np.linalg.norm(mouth - eyes)), 1.0)
    middle = (eyes + mouth) / 2 - (0, UP * unit)
    at = np.arange(size + 2 * pad) + 0.5
    away = np.hypot.outer((at - middle[1]) / (HIGH * unit), (at - middle[0]) / (WIDE * unit))
    return away.astype(np.float32)


def head_weights(around: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Weights (S, S) in [0, 1] of uint8 sRGB pixels (S, S, 3) at distances `away` (S, S) from a head's centre."""
    red, green, blue = np.moveaxis(around >> (8 - BITS), 2, 0).astype(np.intp)
    colour = (red << 2 * BITS) + (green << BITS) + blue
    inside, outside = (frequencies(colour[part]) for part in (away < INSIDE, away > OUTSIDE))
    share = cv2.GaussianBlur((inside / (inside + outside))[colour], (0, 0), 0.8)
    own = smoothstep((share - FOREIGN) / (OWN - FOREIGN))
    own[away < CORE] = 1
    return own * smoothstep((GONE - away) / (GONE - 1))


def frequencies(colours: np.ndarray) -> np.ndarray:
    """The frequency of each colour, smoothed over its neighbours."""
    bins = 1 << BITS
    counts = np.bincount(colours, minlength=bins**3).reshape(bins, bins, bins).astype(np.float32)
    counts = uniform_filter(counts, 3, mode="constant")
    return np.asarray(counts / max(float(counts.sum()), 1.0) + 1e-5).ravel()


def smoothstep(t: np.ndarray) -> np.ndarray:
    """0 for t <= 0, 1 for t >= 1, 3 t^2 - 2 t^3 between; float32."""
    t = np.clip(t, 0, 1, dtype=np.float32)
    return np.asarray(t * t * (3 - 2 * t))
