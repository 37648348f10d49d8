"""Paste the change of a face's crop into the photo at full resolution.

In the crop Y = X + a D + b (Xhat - X) (facet/editing/compositing.py). a D, b and b Xhat are smooth because the network
is small, so they are enlarged, while X stays the photo's own pixels. D follows the photo's edges through a guided
filter (He et al. 2013) whose coefficients are computed in the crop and enlarged (fast guided filter, He and Sun 2015,
arXiv:1505.00996). Hair does not end at the crop's border, so the change continues a little beyond it, fading, as long
as the photo keeps its colour. Where a is 0 no pixel changes."""

import dataclasses
import functools

import cv2
import numpy as np

from facet.photos.faces import head_mask
from facet.photos.faces.align import Placement
from facet.photos.file.colour import Colours
from facet.photos.file.photo import Photo

BEYOND = 0.2  # width outside the crop over which the change fades out, in sides of the crop
FEATHER = 0.05  # width inside the crop over which the reconstruction fades out, in sides of the crop
ALIKE = 20.0  # difference in levels of colours that may still belong together
RADIUS, EDGE = 2, 12.0  # guided filter: pixels of the crop, and levels of contrast that count as an edge
FINER = 4  # resolution of intermediate maps, in multiples of the crop's
LEAST = 1 / 510  # smallest weight with an effect: half a level of the strongest change


@dataclasses.dataclass(frozen=True)
class Change:
    """The change of one crop: arrays (S, S, C) in levels 0..255 and weights (S, S) in 0..1, float32."""

    photo: np.ndarray  # X, the crop itself
    change: np.ndarray  # D = G(z') - G(z)
    reconstruction: np.ndarray  # Xhat = G(z)
    a: np.ndarray  # weight of the change
    b: np.ndarray  # weight of the reconstruction


@dataclasses.dataclass(frozen=True)
class Pasted:
    """The box of a photo that a paste changed, and the number of pixels in it that changed."""

    box: tuple[int, int, int, int]  # left, top, right, bottom of the upright photo
    pixels: int


def paste(
    photo: Photo,
    colours: Colours,
    placement: Placement,
    change: Change,
    mask: np.ndarray | None = None,
    template: tuple[float, ...] | None = None,
) -> Pasted:
    """Paste the change of one crop into `photo.pixels`, in place.

    `mask`, weights (H, W) in [0, 1] of the upright photo, limits the change. `template` is the place of the face in
    the crop (facet/photos/faces/head_mask.py), or None if the crop shows no face."""
    pad = int(np.ceil(BEYOND * len(change.a)))
    size = len(change.a) + 2 * pad
    placement = placement.widened(pad / len(change.a))
    a = beyond(change.a, pad) * _fade(size, pad)
    used = a >= LEAST
    face = np.zeros(used.shape, bool)  # pixels that always belong to the face
    if template is None:
        face[pad:-pad, pad:-pad] = True
    else:
        away = head_mask.distance(template, len(change.a), pad)
        face[away < head_mask.CORE] = True
    if used[~face].any():
        around = _around(photo, colours, placement, size)
        a *= continuity(around, change.photo)
        if template is not None:
            a *= head_mask.head_weights(around, away)
        used = a >= LEAST
    box = _clipped(_used_corners(placement, used), photo.size)
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        return Pasted((0, 0, 0, 0), 0)
    region = photo.upright[top:bottom, left:right]  # a view: writing into it edits the photo
    to_crop = placement.to_crop(size)
    index = np.hstack([to_crop[:, :2], (to_crop @ (left + 0.5, top + 0.5, 1) - 0.5)[:, None]])
    b = np.minimum(beyond(change.b, pad) * _window(size, pad), a)
    slope, rest = guided(change)
    added = a[:, :, None] * beyond(np.dstack([rest, slope]), pad)
    added[:, :, :3] += b[:, :, None] * beyond(change.reconstruction, pad)
    added = _enlarged(added, index, region)
    weights = _enlarged(np.dstack([a, b]), index, region)
    on = weights[:, :, 0] >= LEAST
    srgb = colours.to_srgb(region)  # (h, w, 3) uint8
    target = srgb.astype(np.float32)
    difference = added[:, :, 3] * cv2.cvtColor(target, cv2.COLOR_RGB2GRAY)
    difference = added[:, :, :3] + difference[:, :, None]
    if b.max() >= LEAST:
        difference -= np.clip(weights[:, :, 1:], 0, 1) * target
    if mask is not None:
        difference *= mask[top:bottom, left:right, None]
        on &= mask[top:bottom, left:right] >= LEAST
    target += difference
    result = colours.recoloured(region, srgb, target)
    changed = on & differs(result, region)
    np.copyto(region, result, where=on if region.ndim == 2 else on[:, :, None])
    return Pasted(box, int(np.count_nonzero(changed)))


def differs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A bool array (H, W), true at pixels in which two images (H, W) or (H, W, C) differ."""
    differ = a != b
    return differ if differ.ndim == 2 else functools.reduce(np.logical_or, np.moveaxis(differ, 2, 0))


def guided(change: Change) -> tuple[np.ndarray, np.ndarray]:
    """Fit D = slope * luma + rest by a guided filter of D's luma: slope (S, S) and rest (S, S, 3).

    When pasted, luma is that of the photo, so D takes on its edges. Colour, and detail that the filter misses, stay in
    the rest."""
    kernel = (2 * RADIUS + 1,) * 2

    def mean(value: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.blur(value, kernel, borderType=cv2.BORDER_REFLECT))

    guide = cv2.cvtColor(change.photo, cv2.COLOR_RGB2GRAY)
    target = cv2.cvtColor(change.change, cv2.COLOR_RGB2GRAY)
    middle, aim = mean(guide), mean(target)
    together, variance = mean(guide * target) - middle * aim, mean(guide * guide) - middle * middle
    slope = mean(together / (variance + EDGE**2))
    return slope, change.change - (slope * guide)[:, :, None]


def _enlarged(value: np.ndarray, index: np.ndarray, part: np.ndarray, by: int = cv2.INTER_CUBIC) -> np.ndarray:
    """Enlarge maps (S, S) or (S, S, C) of the crop to every pixel of a part of the photo; the border is repeated.

    For large factors the cubic runs to FINER times the crop's resolution and a linear interpolation from there: four
    times as fast."""
    height, width = part.shape[:2]
    if by == cv2.INTER_CUBIC and abs(np.linalg.det(index[:, :2])) * FINER < 1:
        value = cv2.resize(value, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_CUBIC)
        index, by = index * FINER + np.array([0, 0, (FINER - 1) / 2]), cv2.INTER_LINEAR
    flags = by | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(value, index, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def beyond(value: np.ndarray, pad: int) -> np.ndarray:
    """Pad maps of the crop by `pad` pixels that repeat its border."""
    return np.asarray(cv2.copyMakeBorder(value, pad, pad, pad, pad, cv2.BORDER_REPLICATE))


def continuity(around: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """Weights in [0, 1] around a crop (S, S, C): how well the colours of `around`, the same part of the photo with
    padding on all sides, continue from the crop's border without a break. 1 inside the crop."""
    pad = (len(around) - len(crop)) // 2
    difference = around - beyond(crop, pad)
    weights = np.exp(np.einsum("ijk,ijk->ij", difference, difference) / np.float32(-6 * ALIKE**2))
    weights[pad:-pad, pad:-pad] = 1
    for side in (weights[:, pad::-1], weights[:, -pad - 1 :], weights[pad::-1].T, weights[-pad - 1 :].T):  # outwards
        np.minimum.accumulate(side, axis=1, out=side)
    return weights


def _around(photo: Photo, colours: Colours, placement: Placement, size: int) -> np.ndarray:
    """The photo under a crop at `size` x `size` pixels, uint8 sRGB (size, size, 3); a quick approximation."""
    left, top, right, bottom = _clipped(placement.corners, photo.size)
    if right <= left or bottom <= top:
        return np.zeros((size, size, 3), np.uint8)
    part = np.ascontiguousarray(photo.upright[top:bottom, left:right])
    step = placement.side / size
    small = cv2.resize(
        part, (max(round((right - left) / step), 1), max(round((bottom - top) / step), 1)), interpolation=cv2.INTER_AREA
    )
    scale = np.array([right - left, bottom - top]) / small.shape[1::-1]
    turn = placement.to_crop(size)
    matrix = turn[:, :2] * scale
    shift = turn @ (*(scale / 2 + (left, top)), 1) - 0.5
    there = np.hstack([matrix, shift[:, None]])
    return np.asarray(
        cv2.warpAffine(
            colours.to_srgb(small), there, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    )


@functools.cache
def _fade(size: int, pad: int) -> np.ndarray:
    """(size, size): 1 in the crop, falling to 0 over `pad` pixels around it."""
    index = np.arange(size)
    outside = np.maximum(np.maximum(pad - index, index - (size - 1 - pad)), 0) / pad
    return head_mask.smoothstep(1 - np.maximum.outer(outside, outside))


@functools.cache
def _window(size: int, pad: int) -> np.ndarray:
    """(size, size): 1 in the crop, falling to 0 towards its border."""
    index = np.arange(size)
    inside = np.minimum(index, index[::-1]) - pad + 0.5
    return head_mask.smoothstep(np.minimum.outer(inside, inside) / (FEATHER * (size - 2 * pad)))


def _used_corners(placement: Placement, used: np.ndarray) -> np.ndarray:
    """The corners (4, 2) in the photo of the used part of the crop and the two pixels around it a cubic reaches."""
    size = len(used)
    rows, columns = np.flatnonzero(used.any(1)), np.flatnonzero(used.any(0))
    if not len(rows):
        return np.zeros((4, 2))
    top, bottom = max(rows[0] - 2, 0) / size, min(rows[-1] + 3, size) / size
    left, right = max(columns[0] - 2, 0) / size, min(columns[-1] + 3, size) / size
    square = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return np.asarray(square @ placement.matrix[:, :2].T + placement.matrix[:, 2])


def _clipped(corners: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The upright box of the photo around these corners."""
    low = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int), size)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
