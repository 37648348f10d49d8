"""What an edit does to one crop of a photo, as maps of the crop that can be enlarged to any size.

With M the photo whose pixels are moved by `flow`, the result is (1 - fade) M + slope luma(M) + offset. Two ways lead to
such maps: `composited`, the compositing of the published systems (facet/editing/compositing.py), and `carried`, which
moves the photo's own pixels first, recolours what is left along the photo's edges, redraws only what is new, and adds
a dye of hair (facet/photos/faces/dye.py)."""

import dataclasses
import functools

import cv2
import numpy as np

from facet.photos.faces import guided
from facet.photos.faces.continuation import continued
from facet.photos.faces.dye import Dye
from facet.photos.faces.movement import movement
from facet.photos.faces.ramps import smoothstep

RADIUS, EDGE = 2, 12.0  # guided filter: pixels of the system's crop, and levels of contrast that count as an edge
STEEPEST = (-0.6, 0.2)  # of `carried`: detail may fade more than it may grow, which looks like noise
FULL = 12.0  # levels of change from which on an edit is carried back whole
SPREAD = 1.0  # sigma of the change's weight, in pixels of the system's crop
BORDER = 0.12  # width inside the crop over which movement and redrawing fade out, in sides of the crop
FEATHER = 0.05  # the same for the reconstruction in the compositing of the published systems
NEW = (10.0, 20.0)  # levels of fine structure that neither movement nor recolouring explains: none, all redrawn
KNOWN = 0.25  # share of a neighbourhood in which the light must be known to count in full
LIGHT = (12.0, 6.0, 3.0, 1.5)  # sigmas of the light that a reconstruction misses, in pixels of the system's crop
REACH = 3  # pixels of the system's crop that are redrawn around something new, so that nothing old shows beside it
SHADOW, DEEPER = 30.0, 0.4  # levels by which an edit may darken in full, and the share of what is beyond
FINE = 4.0  # sigma between fine structure and light, in pixels of the system's crop


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """Maps (S, S) of one crop, float32, S any size; values in levels 0..255, weights in 0..1."""

    photo: np.ndarray  # (S, S, 3), the crop itself
    weight: np.ndarray  # 0 where nothing changes
    slope: np.ndarray
    offset: np.ndarray  # (S, S, 3)
    fade: np.ndarray  # share of the photo's own pixels that is replaced
    flow: np.ndarray | None = None  # (S, S, 2) pixels of this crop, x before y: where the photo's pixels come from


@dataclasses.dataclass(frozen=True, kw_only=True)
class Carried(Change):
    """A change as `carried` makes it."""

    new: np.ndarray  # share of what neither movement nor recolouring explains
    edited: np.ndarray  # (S, S, 3), the decoded edit in the photo's light
    dye: Dye | None = None


def composited(
    photo: np.ndarray, reconstruction: np.ndarray, edited: np.ndarray, a: np.ndarray, b: np.ndarray
) -> Change:
    """Y = X + a D + b (Xhat - X), D = edited - reconstruction, as maps: pictures (S, S, 3), weights (S, S).

    D follows the photo's edges through a guided filter (He et al. 2013) whose coefficients are computed in the crop
    and enlarged (fast guided filter, He and Sun 2015, arXiv:1505.00996)."""
    b = np.minimum(b * window(len(b), FEATHER), a)
    slope, rest = recolouring(photo, edited - reconstruction, RADIUS)
    return Change(
        photo=photo,
        weight=a,
        slope=a * slope,
        offset=a[:, :, None] * rest + b[:, :, None] * reconstruction,
        fade=b,
    )


def carried(
    photo: np.ndarray, reconstruction: np.ndarray, edited: np.ndarray, acts: np.ndarray, dye: Dye | None = None
) -> Carried:
    """Movement, recolouring, new things and dye, from a crop of the photo (F, F, 3) and decoded pictures (S, S, 3).

    `acts` (F, F) in [0, 1] holds the change to where the attributes act. The maps have the photo crop's size F."""
    size, small = len(photo), len(edited)
    before = _resized(reconstruction, size)
    edited = _unexaggerated(reconstruction, edited)
    away = np.abs(edited - reconstruction).mean(2)
    weight = np.minimum(cv2.GaussianBlur(away, (0, 0), SPREAD) / FULL, 1)
    weight, after = (_resized(value, size) for value in (weight, edited))
    weight = np.clip(weight, 0, 1) * acts
    inside = window(size, BORDER)
    flow = np.zeros((size, size, 2), np.float32)
    if acts.any():
        flow = movement(_shape(reconstruction, size), _shape(edited, size), weight * inside)
    own, before = (moved(picture, flow) for picture in (photo, before)) if flow.any() else (photo, before)
    left = after - before  # what movement does not explain
    slope, rest = recolouring(own, left, round(RADIUS * size / small), STEEPEST)
    new = _resized(_new(_resized(left, small)), size).clip(0, 1) * acts * inside
    # what is redrawn gets the light that the reconstruction misses, as far as its surroundings show it
    error = _resized(own - before, small)
    light = continued(error, 1 - _resized(new, small), LIGHT, error.mean((0, 1)), KNOWN)
    return Carried(
        photo=photo,
        weight=weight,
        slope=weight * slope,
        offset=weight[:, :, None] * rest,
        fade=np.zeros_like(weight),
        flow=flow,
        new=new,
        edited=after + _resized(light, size),
        dye=dye,
    )


def quick(photo: np.ndarray, reconstruction: np.ndarray, edited: np.ndarray, acts: np.ndarray) -> np.ndarray:
    """About what `carried` makes of the crop itself at a small part of its cost, without dye: pictures (S, S, 3),
    region (F, F)."""
    acts = _resized(acts, len(photo))[:, :, None]
    return np.clip(photo + acts * (_unexaggerated(reconstruction, edited) - reconstruction), 0, 255)


def _unexaggerated(reconstruction: np.ndarray, edited: np.ndarray) -> np.ndarray:
    """The edit (S, S, 3) in levels, without most of what it darkens by more than SHADOW: strong edits go beyond what
    the decoder learnt, and paint folds of the skin as black patches."""
    deep = np.minimum(cv2.cvtColor(edited - reconstruction, cv2.COLOR_RGB2GRAY) + SHADOW, 0)
    return np.asarray(edited - ((1 - DEEPER) * deep)[:, :, None])


def _new(left: np.ndarray) -> np.ndarray:
    """Weights (S, S) in [0, 1] of what has a fine structure in a change (S, S, 3) that movement does not explain, and
    of its surroundings, so that nothing old shows beside it."""
    fine = np.abs(left - cv2.GaussianBlur(left, (0, 0), FINE)).mean(2)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * REACH + 1,) * 2)
    fine = cv2.GaussianBlur(cv2.dilate(cv2.GaussianBlur(fine, (0, 0), SPREAD), kernel), (0, 0), REACH)
    return smoothstep((fine - NEW[0]) / (NEW[1] - NEW[0]))


def redrawn(change: Carried, picture: np.ndarray | None = None) -> Carried:
    """A change that `carried` made, with what is new taken from a picture (S, S, 3) in levels, by default from the
    decoded edit."""
    picture = change.edited if picture is None else picture
    kept = 1 - change.new
    return dataclasses.replace(
        change,
        slope=change.slope * kept,
        offset=change.offset * kept[:, :, None] + picture * change.new[:, :, None],
        fade=change.new,
    )


def applied(change: Change) -> np.ndarray:
    """The change made to its own crop: (S, S, 3) float32 levels."""
    own = change.photo if change.flow is None else moved(change.photo, change.flow)
    grey = cv2.cvtColor(own, cv2.COLOR_RGB2GRAY)
    result = own + (change.slope * grey)[:, :, None] + change.offset - change.fade[:, :, None] * own
    if isinstance(change, Carried) and change.dye is not None:
        result += change.dye.on_crop(own)
    return np.clip(result, 0, 255)


def moved(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The picture (H, W, C) with the pixels that `flow` (H, W, 2) points to; pixels with no flow keep their value."""
    columns, rows = _grid(*picture.shape[:2])
    return np.asarray(
        cv2.remap(picture, columns + flow[:, :, 0], rows + flow[:, :, 1], cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)
    )


@functools.lru_cache(maxsize=8)
def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices((height, width), np.float32)
    return columns, rows


def recolouring(
    photo: np.ndarray, change: np.ndarray, radius: int, steepest: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[np.ndarray, np.ndarray]:
    """Fit change = slope * luma(photo) + rest by a guided filter of the change's luma: slope (S, S), rest (S, S, 3).

    When pasted, luma is that of the photo, so the change takes on its edges. Colour, and detail that the filter misses,
    stay in the rest. The slope stays within `steepest`."""
    mean = guided.box(radius)
    guide = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    slope = guided.slope(guide, cv2.cvtColor(change, cv2.COLOR_RGB2GRAY), mean, EDGE)
    slope = np.clip(mean(slope), *steepest)
    return slope, change - (slope * guide)[:, :, None]


@functools.cache
def window(size: int, width: float) -> np.ndarray:
    """(size, size): 1 in the middle, falling to 0 over `width` sides towards the border."""
    index = np.arange(size)
    inside = np.minimum(index, index[::-1]) + 0.5
    return smoothstep(np.minimum.outer(inside, inside) / (width * size))


def _resized(value: np.ndarray, size: int) -> np.ndarray:
    """Maps (S, S) or (S, S, C) at another size."""
    by = cv2.INTER_CUBIC if size > len(value) else cv2.INTER_AREA
    return np.asarray(cv2.resize(value, (size, size), interpolation=by))


def _shape(picture: np.ndarray, size: int) -> np.ndarray:
    """The fine part of the luma of (S, S, 3) levels, about 128, as uint8 (size, size): new light is no movement."""
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    fine = _resized(luma - cv2.GaussianBlur(luma, (0, 0), FINE), size)
    return np.asarray(np.clip(fine + 128, 0, 255).astype(np.uint8))
