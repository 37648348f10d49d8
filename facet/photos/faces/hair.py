"""Which pixels of a crop are hair: by the colours along the outline of the head and on the cheeks, and by the place."""

import cv2
import numpy as np
from scipy.ndimage import uniform_filter

from facet.photos.faces import guided
from facet.photos.faces.ramps import smoothstep

BITS = 4  # per channel when colours are counted
ALIKE = 5.0  # CIELAB distance below which the outline of the head has the colour of skin: there is no hair
LIGHTER = 12.0  # levels; hair and skin that differ less in brightness are told apart by colour alone
MOST = (3.0, 2.0)  # log odds that colour and brightness, each, count at most
# Log odds of hair before its colour is seen, on the face and the forehead, along the head's outline, and elsewhere:
# where hair and skin are ALIKE, and where they differ by PLAIN. Colours tell a plain fringe, the place all others.
FACE, CROWN, BESIDE, PLAIN = (-6.0, -1.0), (4.0, 1.0), (1.5, 0.0), 30.0
STRANGE = (2e-5, 1e-4)  # frequencies in hair and elsewhere of a colour that neither shows: clothes, most probably
PATCHY = 0.6  # mean weight of the crown below which hair is not told from skin, so that none is found
NARROW = 0.5  # log odds that a pixel needs to be hair by half
RADIUS, EDGE = 1 / 42, 8.0  # guided filter of the odds: sides of the crop, levels of contrast that count as an edge


def hair(crop: np.ndarray, around: np.ndarray, face: np.ndarray, crown: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Weights (S, S) float32 in [0, 1] of the hair in a crop (S, S, 3) uint8 sRGB.

    `around` (S, S) in [0, 1] says where hair may be, which is less likely on the `face` (S, S) in [0, 1]; `crown`
    (S, S) bool where it most probably is if there is any, and `skin` (S, S) bool where there is none for certain."""
    crown = crown & ~skin
    if not crown.any() or not skin.any() or (apart := _distance(crop, crown, skin)) < ALIKE:
        return np.zeros(crop.shape[:2], np.float32)
    on_face, on_crown, elsewhere = (np.interp(apart, (ALIKE, PLAIN), place) for place in (FACE, CROWN, BESIDE))
    odds = np.where(face > 0.5, on_face, np.where(crown, on_crown, elsewhere)).astype(np.float32)
    odds += _by_colour(crop, crown, skin) + _by_brightness(crop, crown, skin)
    weights = smoothstep((_along_edges(odds, crop) - NARROW) / 4 + 0.5)
    weights = _joined(weights * around, crown)
    return weights if weights[crown].mean() > PATCHY else np.zeros_like(weights)


def _distance(crop: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """CIELAB distance between the median colours of two parts (S, S) bool."""
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return float(np.linalg.norm(np.median(lab[first], 0) - np.median(lab[second], 0)))


def _by_colour(crop: np.ndarray, hair: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Log odds (S, S) of hair against skin, from how frequent a pixel's colour is in either (S, S) bool."""
    red, green, blue = np.moveaxis(crop >> (8 - BITS), 2, 0).astype(np.intp)
    colour = (red << 2 * BITS) + (green << BITS) + blue
    mine, others = (_frequencies(colour[where])[colour] for where in (hair, skin))
    return np.clip(np.log((mine + STRANGE[0]) / (others + STRANGE[1])), -MOST[0], MOST[0]).astype(np.float32)


def _frequencies(colours: np.ndarray) -> np.ndarray:
    """The frequency of each colour, smoothed over its neighbours."""
    bins = 1 << BITS
    counts = np.bincount(colours, minlength=bins**3).reshape(bins, bins, bins).astype(np.float32)
    counts = uniform_filter(counts, 3, mode="constant")
    return np.asarray(counts / max(float(counts.sum()), 1.0)).ravel()


def _by_brightness(crop: np.ndarray, hair: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Log odds (S, S) of hair against skin by brightness, between the medians of both and beyond; 0 if those are alike.

    A forehead that shines has colours that the cheeks lack, and hair in the shade some that the outline lacks."""
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    own, others = float(np.median(luma[hair])), float(np.median(luma[skin]))
    if abs(own - others) < LIGHTER:
        return np.zeros_like(luma)
    return np.clip(4 * (luma - (own + others) / 2) / (own - others), -MOST[1], MOST[1])


def _along_edges(odds: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """Odds (S, S) smoothed within the edges of the crop's luma."""
    mean = guided.box(max(round(RADIUS * len(crop)), 1))
    guide = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = guided.slope(guide, odds, mean, EDGE)
    return mean(slope) * guide + mean(mean(odds) - slope * mean(guide))


def _joined(weights: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Weights (S, S) without the parts that do not touch the seeds."""
    _, labels = cv2.connectedComponents((weights > 0.3).astype(np.uint8))
    kept = np.isin(labels, np.unique(labels[seeds & (labels > 0)])) & (labels > 0)
    reach = max(round(len(weights) / 64), 1)
    grown = cv2.dilate(kept.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8))
    return weights * cv2.GaussianBlur(grown.astype(np.float32), (0, 0), reach / 2)
