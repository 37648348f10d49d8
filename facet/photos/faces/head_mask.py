"""Which pixels of a photo belong to a head: an ellipse around it, by where the model's training pictures have eyes and
mouth, and colours that are more frequent in the ellipse than around it. A decoder that has seen few faces changes the
background, too; without this the crop's square would show there."""

import functools

import cv2
import numpy as np
from scipy.ndimage import uniform_filter

# half axes of a head with its hair, and how far its middle lies above that of eyes and mouth: in distances from between
# the eyes to between the corners of the mouth
WIDE, HIGH, UP = 1.6, 2.0, 0.3
CORE, INSIDE, OUTSIDE, GONE = 0.55, 0.9, 1.3, 1.5  # in half axes: all face; mostly head; background; end
BITS = 4  # of each of red, green and blue, by which colours are told apart
FOREIGN, OWN = 0.05, 0.35  # share of the head in a colour's frequency, from which it begins to count, counts in full


@functools.cache
def distance(template: tuple[float, ...], size: int, pad: int) -> np.ndarray:
    """(size + 2 pad)²: how far each pixel of a crop and of the `pad` pixels around it lies from the middle of the head,
    in half axes. `template`: x and y of eyes, nose and corners of the mouth, shares of the crop."""
    points = np.reshape(template, (5, 2)) * size + pad
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    unit = max(float(np.linalg.norm(mouth - eyes)), 1.0)
    middle = (eyes + mouth) / 2 - (0, UP * unit)
    at = np.arange(size + 2 * pad) + 0.5
    found = np.hypot.outer((at - middle[1]) / (HIGH * unit), (at - middle[0]) / (WIDE * unit))
    return found.astype(np.float32)


def belongs(around: np.ndarray, away: np.ndarray) -> np.ndarray:
    """How much (0 to 1) pixels (S, S, 3), uint8 sRGB, belong to a head from whose middle they are so far `away`."""
    red, green, blue = np.moveaxis(around >> (8 - BITS), 2, 0).astype(np.intp)
    colour = (red << 2 * BITS) + (green << BITS) + blue
    inside, outside = (_frequencies(colour[part]) for part in (away < INSIDE, away > OUTSIDE))
    share = cv2.GaussianBlur((inside / (inside + outside))[colour], (0, 0), 0.8)
    own = smoothstep((share - FOREIGN) / (OWN - FOREIGN))
    own[away < CORE] = 1
    return own * smoothstep((GONE - away) / (GONE - 1))


def _frequencies(colours: np.ndarray) -> np.ndarray:
    """How frequent each colour is, its neighbours counted in."""
    bins = 1 << BITS
    found = np.bincount(colours, minlength=bins**3).reshape(bins, bins, bins).astype(np.float32)
    found = uniform_filter(found, 3, mode="constant")
    return np.asarray(found / max(float(found.sum()), 1.0) + 1e-5).ravel()


def smoothstep(t: np.ndarray) -> np.ndarray:
    """0 up to 0, 1 from 1 on, smooth between; float32."""
    t = np.clip(t, 0, 1, dtype=np.float32)
    return np.asarray(t * t * (3 - 2 * t))
