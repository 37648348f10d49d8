"""Where on a face an attribute acts: the map of its usual changes, which stage `attributes` learnt, and the hair."""

import dataclasses
import functools
from collections.abc import Mapping

import cv2
import numpy as np

from facet.photos.faces import paste
from facet.photos.faces.head import Head, head_regions
from facet.photos.faces.ramps import smoothstep

# Shares of an attribute's strongest usual change: outside where it acts, inside, and least in each part of it.
ACTS, MAIN = (0.25, 0.5), 0.85
WIDE = 0.4  # share of the crop; an attribute that acts on more of it acts on the whole head
# Parts of the head (facet/photos/faces/head.py) to which attributes of the hair are held; others act anywhere on it.
HAIR = dict.fromkeys(("Straight_Hair", "Wavy_Hair"), ("hair",)) | dict.fromkeys(
    ("Bald", "Bangs", "Receding_Hairline", "Wearing_Hat"), ("hair", "scalp")
)
COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")  # dye the hair
COVERING = ("Bald", "Wearing_Hat")  # leave none to dye


@dataclasses.dataclass(frozen=True)
class Regions:
    """Where an edit acts on a crop: weights (F, F) float32 in [0, 1]."""

    acts: np.ndarray  # moved, recoloured, redrawn
    hair: np.ndarray  # dyed


def regions(
    head: Head | None, crop: np.ndarray, usual: Mapping[str, np.ndarray | None], *, covered: bool = False
) -> Regions:
    """Where an edit acts on a crop (F, F, 3) uint8 sRGB; hair is not dyed if it is `covered`.

    `head` is the head in the crop widened by paste.BEYOND, None if the crop shows no face; `usual` holds each
    attribute's map of its usual changes (facet/editing/table.py), None if it is not known."""
    side = len(crop)
    acts, hair = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    if head is None:
        return Regions(acts + 1, hair)
    head = head.inner(paste.padding(side))
    parts = {}
    if head.mesh is not None and any(name in HAIR or name in COLOURS for name in usual):
        parts = head_regions(head.mesh, head.person, crop)
    for name, cells in usual.items():
        if parts and name in COLOURS:
            hair = hair if covered else parts["hair"]
            continue
        own = np.ones((side, side), np.float32) if cells is None else main_parts(cells, side)
        if parts and name in HAIR:
            own = own * functools.reduce(np.maximum, [parts[part] for part in HAIR[name]])
        acts = np.maximum(acts, own)
    return Regions(acts * head.weights, hair * head.weights)


def main_parts(cells: np.ndarray, side: int) -> np.ndarray:
    """A map of usual changes, uint8 (R, R), as weights (side, side): its main parts, without holes; 1 if they are most
    of the crop."""
    share = cells.astype(np.float32) / 255
    if (share > ACTS[0]).mean() > WIDE:
        return np.ones((side, side), np.float32)
    _, parts = cv2.connectedComponents((share > ACTS[0]).astype(np.uint8))
    main = np.isin(parts, np.unique(parts[share >= MAIN])) & (parts > 0)
    whole = cv2.GaussianBlur(cv2.morphologyEx(share * main, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), (0, 0), 0.7)
    large = np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_CUBIC))
    return smoothstep((large - ACTS[0]) / (ACTS[1] - ACTS[0]))
