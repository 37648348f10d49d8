"""Paste the change of a face's crop into the photo at full resolution.

The maps of a change (facet/photos/faces/change.py) are smooth because the network is small, so they are enlarged, while
the pixels they move and recolour stay the photo's own. Hair does not end at the crop's border, so the change continues
a little beyond it, fading, as far as the head goes. What is redrawn gets the photo's own grain. Where the weight is 0
no pixel changes."""

import dataclasses
import functools
from collections.abc import Iterator

import cv2
import numpy as np

from facet.photos.faces.align import Placement
from facet.photos.faces.change import Carried, Change
from facet.photos.faces.head import Head
from facet.photos.faces.matting import Matte
from facet.photos.faces.ramps import smoothstep
from facet.photos.faces.tint import sample, tint, tinted
from facet.photos.file.colour import Colours
from facet.photos.file.photo import Photo

BEYOND = 0.2  # width outside the crop over which the change fades out, in sides of the crop
GRAIN = 1.5  # sigma in pixels of the photo between grain and what is drawn
COARSEST = 2.5  # grain kept, in its robust standard deviations; more is structure
FINER = 4  # resolution of intermediate maps, in multiples of the crop's
LEAST = 1 / 510  # smallest weight with an effect: half a level of the strongest change
STILL = 1 / 64  # pixels of the photo; shorter movements are none
BAND = 1 << 20  # pixels of the photo changed at a time, so that memory does not grow with its size


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
    head: Head | None = None,
) -> Pasted:
    """Paste the change of one crop into `photo.pixels`, in place.

    `mask`, weights (H, W) in [0, 1] of the upright photo, limits the change; so does `head`, in the crop widened by
    BEYOND. Without a head the change ends at the crop's border."""
    side = len(change.weight)
    pad = padding(side)
    size = side + 2 * pad
    wide = placement.widened(pad / side)
    limit = _limit(side, pad, head)
    weight = beyond(change.weight, pad) * limit
    dye = change.dye if isinstance(change, Carried) else None
    if dye is not None:
        weight = np.maximum(weight, dye.hair.matte.most)
    box = _clipped(_used_corners(wide, weight >= LEAST), photo.size)
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        return Pasted((0, 0, 0, 0), 0)
    flow = np.zeros((side, side, 2), np.float32)
    if change.flow is not None:
        flow = (change.flow @ (placement.matrix[:, :2].T / side)).astype(np.float32)  # pixels of the photo
    to_crop = wide.to_crop(size)
    colour = Enlarged(beyond(np.dstack([change.offset, change.slope]), pad) * limit[:, :, None], to_crop)
    rest = Enlarged(np.dstack([beyond(np.dstack([flow, change.fade]), pad) * limit[:, :, None], weight]), to_crop)
    new = None
    if isinstance(change, Carried) and change.new.any():
        new = Enlarged(beyond(change.new, pad) * limit, to_crop)
    hair = None if dye is None else Enlarged(dye.hair.matte.maps, to_crop)
    region = photo.upright[top:bottom, left:right]  # a view: writing into it edits the photo
    source = region.copy()
    one_tint = tint(colours.to_srgb(sample(photo.upright)))
    grain = None if new is None else _grain(colours.to_srgb(source))
    count = 0
    for rows in _bands(bottom - top, right - left):
        part = region[rows]
        band = (left, top + rows.start, right, top + rows.stop)
        added, others = colour.on(band), rest.on(band)
        texture = None if new is None or grain is None else grain[rows] * new.on(band)
        on = others[:, :, 3] >= LEAST
        if mask is not None:
            limits = mask[top:bottom, left:right][rows]
            added, others = added * limits[:, :, None], others * limits[:, :, None]
            texture = None if texture is None else texture * limits
            on &= limits >= LEAST
        own = _moved(source, rows, others[:, :, :2], photo.mode) if change.flow is not None else source[rows]
        srgb = colours.to_srgb(own)  # (h, w, 3) uint8
        target = srgb * (1 - np.clip(others[:, :, 2:3], 0, 1))
        target += added[:, :, :3] + (added[:, :, 3] * cv2.cvtColor(srgb, cv2.COLOR_RGB2GRAY))[:, :, None]
        if texture is not None:
            target += texture[:, :, None]
        if dye is not None and hair is not None:
            dyed = dye.added(srgb, Matte.from_maps(hair.on(band)))
            target += dyed if mask is None else dyed * limits[:, :, None]
        if one_tint is not None:
            target = tinted(srgb, target, one_tint)
        result = colours.recoloured(own, srgb, target)
        count += int(np.count_nonzero(on & differs(result, part)))
        np.copyto(part, result, where=on if part.ndim == 2 else on[:, :, None])
    return Pasted(box, count)


def padding(side: int) -> int:
    """Pixels around a crop of `side` pixels over which a change may go on."""
    return int(np.ceil(BEYOND * side))


def _limit(side: int, pad: int, head: Head | None) -> np.ndarray:
    """The share (S, S) of a change that may go on, in a crop of `side` pixels padded by `pad` pixels."""
    size = side + 2 * pad
    if head is None:
        limit = np.zeros((size, size), np.float32)
        limit[pad:-pad, pad:-pad] = 1
        return limit
    weights = head.weights
    if len(weights) != size:
        weights = cv2.resize(weights, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(fade(size, pad) * weights)


def _grain(srgb: np.ndarray) -> np.ndarray:
    """The photo's grain, and the texture of its compression: (H, W) float32 levels of luma, uint8 (H, W, 3) given."""
    luma = cv2.cvtColor(srgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = luma - cv2.GaussianBlur(luma, (0, 0), GRAIN)
    most = COARSEST * 1.4826 * float(np.median(np.abs(fine[::4, ::4])))
    return np.clip(fine, -most, most)


def _bands(height: int, width: int) -> Iterator[slice]:
    """Slices of rows with about BAND pixels each."""
    step = max(1, BAND // max(width, 1))
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


class Enlarged:
    """Maps (S, S) or (S, S, C) of a crop at the size of a photo; beyond the crop its border is repeated."""

    def __init__(self, value: np.ndarray, to_crop: np.ndarray):
        """`to_crop` (2, 3) maps points of the photo to pixels of the maps.

        For large factors a cubic runs to FINER times the crop's resolution and a linear interpolation from there: four
        times as fast."""
        self._to_crop, self._by = to_crop, cv2.INTER_CUBIC
        channels = value.shape[2] if value.ndim == 3 else 1
        # OpenCV's cubic takes four channels at once
        self._parts = [value[..., i : i + 4] for i in range(0, channels, 4)] if channels > 4 else [value]
        if abs(np.linalg.det(to_crop[:, :2])) * FINER < 1:
            self._parts = [
                cv2.resize(part, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_CUBIC) for part in self._parts
            ]
            self._to_crop, self._by = to_crop * FINER, cv2.INTER_LINEAR

    def on(self, box: tuple[int, int, int, int]) -> np.ndarray:
        """The maps at every pixel of a box (left, top, right, bottom) of the photo."""
        left, top, right, bottom = box
        start = self._to_crop @ (left + 0.5, top + 0.5, 1) - 0.5
        matrix = np.hstack([self._to_crop[:, :2], start[:, None]])
        parts = [
            cv2.warpAffine(
                part,
                matrix,
                (right - left, bottom - top),
                flags=self._by | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for part in self._parts
        ]
        return np.asarray(parts[0] if len(parts) == 1 else np.dstack(parts))


def _moved(source: np.ndarray, rows: slice, flow: np.ndarray, mode: str) -> np.ndarray:
    """Rows of the source (H, W) or (H, W, C) with the pixels that `flow` (h, W, 2) points to; alpha stays."""
    own = source[rows]
    moving = np.abs(flow).max(2) >= STILL
    if not moving.any():
        return own
    down, along = np.indices(own.shape[:2], np.float32)
    result = cv2.remap(
        source, along + flow[:, :, 0], down + rows.start + flow[:, :, 1], cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE
    )
    if mode in ("LA", "RGBA"):
        result[:, :, -1] = own[:, :, -1]
    return np.where(moving if own.ndim == 2 else moving[:, :, None], result, own)


def differs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A bool array (H, W), true at pixels in which two images (H, W) or (H, W, C) differ."""
    differ = a != b
    return differ if differ.ndim == 2 else functools.reduce(np.logical_or, np.moveaxis(differ, 2, 0))


def beyond(value: np.ndarray, pad: int) -> np.ndarray:
    """Pad maps of the crop by `pad` pixels that repeat its border."""
    return np.asarray(cv2.copyMakeBorder(value, pad, pad, pad, pad, cv2.BORDER_REPLICATE))


@functools.cache
def fade(size: int, pad: int) -> np.ndarray:
    """(size, size): 1 in the crop, falling to 0 over `pad` pixels around it."""
    index = np.arange(size)
    outside = np.maximum(np.maximum(pad - index, index - (size - 1 - pad)), 0) / pad
    return smoothstep(1 - np.maximum.outer(outside, outside))


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
