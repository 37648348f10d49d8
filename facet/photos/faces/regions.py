"""Where on a face an attribute acts: the map of its usual changes, which stage `attributes` learnt, and the hair."""

import dataclasses
import functools
from collections.abc import Collection, Mapping

import cv2
import numpy as np

from facet.photos.faces import dye, paste
from facet.photos.faces.dye import Hair
from facet.photos.faces.head import Head, head_regions
from facet.photos.faces.matting import Matte
from facet.photos.faces.ramps import smoothstep

# Shares of an attribute's strongest usual change: outside where it acts, inside, and least in each part of it.
ACTS, MAIN = (0.25, 0.5), 0.85
WIDE = 0.4  # share of the crop; an attribute that acts on more of it acts on the whole head
# Parts of the head (facet/photos/faces/head.py) to which attributes of the hair are held; others act anywhere on it.
HAIR = dict.fromkeys(("Straight_Hair", "Wavy_Hair"), ("hair",)) | dict.fromkeys(
    ("Bald", "Bangs", "Receding_Hairline", "Wearing_Hat"), ("hair", "scalp")
)
HAIR |= dict.fromkeys(dye.COLOURS, ("hair",))  # where the colours to dye it are not known
RIM = 0.015  # sides of a crop by which hair may reach beyond the mask of the head, which is coarse


@dataclasses.dataclass(frozen=True)
class Regions:
    """Where an edit acts on a crop."""

    acts: np.ndarray  # (F, F) float32 in [0, 1]: moved, recoloured, redrawn
    hair: Hair | None  # to be dyed


def regions(
    head: Head | None,
    side: int,
    usual: Mapping[str, np.ndarray | None],
    *,
    dyes: Collection[str] = (),
    covered: bool = False,
) -> Regions:
    """Where an edit acts on a crop of `side` pixels: attributes among `dyes` dye its hair, unless it is `covered`.

    `head` is the head in the crop widened by paste.BEYOND, None if the crop shows no face; `usual` holds each
    attribute's map of its usual changes (facet/editing/table.py), None if it is not known."""
    acts = np.zeros((side, side), np.float32)
    if head is None:
        return Regions(acts + 1, None)
    pad = paste.padding(side)
    inside = slice(pad, -pad)
    parts = {}
    if head.mesh is not None and any(name in HAIR for name in usual):
        parts = head_regions(head.mesh, head.person, head.pixels)
    for name, cells in usual.items():
        if parts and name in dyes:
            continue
        own = np.ones((side, side), np.float32) if cells is None else main_parts(cells, side)
        if parts and name in HAIR:
            own = own * functools.reduce(np.maximum, [parts[part] for part in HAIR[name]])[inside, inside]
        acts = np.maximum(acts, own)
    acts = acts * head.weights[inside, inside]
    if not parts or covered or not any(name in dyes for name in usual):
        return Regions(acts, None)
    hair = parts["hair"] * head.weights
    if hair[inside, inside].sum() < dye.LEAST * acts.size:
        return Regions(acts, None)
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(RIM * side) + 1,) * 2)
    limit = cv2.dilate(head.weights, reach) * paste.fade(len(hair), pad)
    matte = Matte.of(head.pixels, hair, limit, side)
    colours = dye.mean_colours(head.pixels, hair, parts["cheeks"])
    return Regions(acts * (1 - hair[inside, inside]), Hair(matte, colours, pad))


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
