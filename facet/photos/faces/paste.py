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
from facet.photos.faces.dye import Dye
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
    maps = _Maps(change, placement, head)
    box = _clipped(_used_corners(maps.placement, maps.weight >= LEAST), photo.size)
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        return Pasted((0, 0, 0, 0), 0)
    region = photo.upright[top:bottom, left:right]  # a view: writing into it edits the photo
    source = region.copy()
    limits = None if mask is None else mask[top:bottom, left:right]
    one_tint = tint(colours.to_srgb(sample(photo.upright)))
    grain = _grain(colours.to_srgb(source)) if maps.redraws else None
    count = 0
    for rows in _bands(bottom - top, right - left):
        part = region[rows]
        band = maps.on((left, top + rows.start, right, top + rows.stop))
        if limits is not None:
            band = band.limited(limits[rows])
        own = source[rows] if band.flow is None else _moved(source, rows, band.flow, photo.mode)
        srgb = colours.to_srgb(own)  # (h, w, 3) uint8
        target = band.applied(srgb, None if grain is None else grain[rows])
        if one_tint is not None:
            target = tinted(srgb, target, one_tint)
        result = colours.recoloured(own, srgb, target)
        on = band.weight >= LEAST
        count += int(np.count_nonzero(on & differs(result, part)))
        np.copyto(part, result, where=on if part.ndim == 2 else on[:, :, None])
    return Pasted(box, count)


class _Maps:
    """The maps of a change, in the crop widened by BEYOND, and how to enlarge them."""

    def __init__(self, change: Change, placement: Placement, head: Head | None):
        side = len(change.weight)
        pad = padding(side)
        limit = _limit(side, pad, head)
        self.placement = placement.widened(pad / side)
        self.weight = beyond(change.weight, pad) * limit  # 0 where nothing changes
        self._dye = change.dye if isinstance(change, Carried) else None
        if self._dye is not None:
            self.weight = np.maximum(self.weight, self._dye.hair.matte.most)
        self.redraws = isinstance(change, Carried) and bool(change.new.any())
        parts = {"offset": change.offset, "slope": change.slope, "fade": change.fade}
        if isinstance(change, Carried) and self.redraws:
            parts["new"] = change.new
        if change.flow is not None:
            turn = placement.matrix[:, :2].T / side  # to pixels of the photo
            parts["flow"] = (change.flow @ turn).astype(np.float32)
        to_crop = self.placement.to_crop(side + 2 * pad)
        self._parts = {
            name: Enlarged(beyond(value, pad) * (limit if value.ndim == 2 else limit[:, :, None]), to_crop)
            for name, value in parts.items()
        }
        self._weight = Enlarged(self.weight, to_crop)
        self._hair = None if self._dye is None else Enlarged(self._dye.hair.matte.maps, to_crop)

    def on(self, box: tuple[int, int, int, int]) -> "_Band":
        """The change on a box (left, top, right, bottom) of the photo."""
        parts = {name: value.on(box) for name, value in self._parts.items()}
        hair = None if self._hair is None else Matte.from_maps(self._hair.on(box))
        return _Band(weight=self._weight.on(box), dye=self._dye, hair=hair, **parts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Band:
    """A change on a box of a photo: maps (h, w) or (h, w, C), see facet/photos/faces/change.py."""

    weight: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    fade: np.ndarray
    new: np.ndarray | None = None
    flow: np.ndarray | None = None  # pixels of the photo
    dye: Dye | None
    hair: Matte | None
    limits: np.ndarray | None = None  # share of the change that the user's mask lets through

    def limited(self, limits: np.ndarray) -> "_Band":
        """The change within the limits (h, w) in [0, 1] of a mask."""
        flow = None if self.flow is None else self.flow * limits[:, :, None]
        weight = np.where(limits >= LEAST, self.weight, 0)
        return dataclasses.replace(self, weight=weight, flow=flow, limits=limits)

    def applied(self, srgb: np.ndarray, grain: np.ndarray | None) -> np.ndarray:
        """Pixels (h, w, 3), already moved, as the change makes them; `grain` (h, w) is laid over what is redrawn."""
        grey = cv2.cvtColor(srgb, cv2.COLOR_RGB2GRAY)
        change = self.offset + (self.slope * grey)[:, :, None] - np.clip(self.fade, 0, 1)[:, :, None] * srgb
        if grain is not None and self.new is not None:
            change += (grain * self.new)[:, :, None]
        if self.dye is not None and self.hair is not None:
            change += self.dye.added(srgb, self.hair)
        return np.asarray(srgb + (change if self.limits is None else change * self.limits[:, :, None]))


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
    moving = np.maximum(np.abs(flow[:, :, 0]), np.abs(flow[:, :, 1])) >= STILL
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
