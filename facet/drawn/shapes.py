"""Anti-aliased primitives on float32 planes: signed distances and bumps of coordinates -> coverage in [0, 1].

Arrays only ever meet + - * / sqrt, minimum and maximum, which IEEE 754 rounds exactly; exp, sin and pow, whose last
bit depends on the processor, stay in tables and scalars that are rounded to float32 before a pixel sees them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]                     # (H, W)
Colour = tuple[float, float, float]             # RGB, each in [0, 1]

HEIGHT, WIDTH = 218, 178                        # pixels, the CelebA frame
EYE_ROW, EYE_COLUMN = 111.0, 89.0               # the point between the eyes
TABLE_STEP = 4                                  # profile entries per pixel
TABLE_LOW, TABLE_HIGH = -90, 120                 # range of a profile, in pixels

_ticks = np.arange(TABLE_LOW * TABLE_STEP, TABLE_HIGH * TABLE_STEP) / TABLE_STEP   # float64


_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


def cover(distance: Plane, softness: float = 1.0) -> Plane:
    """Signed distance (H, W) in pixels, positive inside -> coverage in [0, 1] over an edge of `softness` pixels."""
    t = distance * np.float32(1 / softness)
    t += _HALF
    return t.clip(_ZERO, _ONE, out=t)


def smooth(x: Plane, low: float, high: float) -> Plane:
    """Hermite step: 0 where x <= low, 1 where x >= high (or the reverse if low > high), smooth between."""
    t = x - np.float32(low)
    t *= np.float32(1 / (high - low))
    t.clip(_ZERO, _ONE, out=t)
    return t * t * (3 - 2 * t)


def bump(x: Plane, y: Plane, x0: float, y0: float, rx: float, ry: float) -> Plane:
    """A soft hill of height 1 at (x0, y0), zero outside the ellipse of radii rx, ry: (1 - r^2)^2."""
    dx, dy = x - np.float32(x0), y - np.float32(y0)
    dx *= np.float32(1 / rx)
    dy *= np.float32(1 / ry)
    dx *= dx
    dy *= dy
    t = dx + dy
    np.subtract(_ONE, t, out=t)
    np.maximum(t, _ZERO, out=t)
    t *= t
    return t


def ellipse(x: Plane, y: Plane, x0: float, y0: float, rx: float, ry: float) -> Plane:
    """Approximate signed distance in pixels to an ellipse, positive inside."""
    dx, dy = x - np.float32(x0), y - np.float32(y0)
    dx *= np.float32(1 / rx)
    dy *= np.float32(1 / ry)
    dx *= dx
    dy *= dy
    t = np.sqrt(dx + dy)
    np.subtract(_ONE, t, out=t)
    t *= np.float32(min(rx, ry))
    return t


def oval(x: Plane, y: Plane, x0: float, y0: float, rx: float, ry: float) -> Plane:
    """`ellipse` for very unequal radii: true to the pixel near the edge, also at the tips."""
    dx, dy = (x - np.float32(x0)) * np.float32(1 / rx), (y - np.float32(y0)) * np.float32(1 / ry)
    r = np.sqrt(dx * dx + dy * dy)
    dx *= np.float32(1 / rx)
    dy *= np.float32(1 / ry)
    return (1 - r) * r / np.maximum(np.sqrt(dx * dx + dy * dy), np.float32(1e-3))


def box(x: Plane, y: Plane, x0: float, y0: float, rx: float, ry: float, radius: float) -> Plane:
    """Signed distance in pixels to a box of half sides rx, ry with rounded corners, positive inside."""
    dx = np.abs(x - np.float32(x0)) - np.float32(rx - radius)
    dy = np.abs(y - np.float32(y0)) - np.float32(ry - radius)
    ox, oy = np.maximum(dx, 0), np.maximum(dy, 0)
    return np.float32(radius) - np.sqrt(ox * ox + oy * oy) - np.minimum(np.maximum(dx, dy), 0)


def stroke(x: Plane, y: Plane, points: tuple[float, float, float, float, float, float], width: float) -> Plane:
    """Coverage of a quadratic curve y = f(x) through three points (x0, y0, x1, y1, x2, y2), x0 < x1 < x2 or reversed.

    `width` in pixels is the full width at x1; the ends taper to nothing."""
    x0, y0, x1, y1, x2, y2 = points
    d01, d12 = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    bend = (d12 - d01) / (x2 - x0)
    slope = d01 + bend * (x1 - x0)                                   # at x1
    t = x - np.float32(x1)
    distance = t * np.float32(bend)
    gradient = distance * 2
    gradient += np.float32(slope)
    distance += np.float32(slope)
    distance *= t
    distance += np.float32(y1)
    np.subtract(y, distance, out=distance)
    np.abs(distance, out=distance)
    gradient *= gradient
    gradient += _ONE
    distance /= np.sqrt(gradient, out=gradient)
    t -= np.float32((x0 + x2) / 2 - x1)
    t *= np.float32(2 / abs(x2 - x0))
    t *= t
    np.subtract(_ONE, t, out=t)
    inside = t > 0
    np.maximum(t, _ZERO, out=t)
    taper = np.sqrt(t, out=t)
    taper *= np.float32(width / 2)
    taper -= distance
    taper += _HALF
    taper.clip(_ZERO, _ONE, out=taper)
    taper *= inside
    return taper


def profile(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Plane:
    """A function of one head coordinate in pixels -> its table, to be read with `indices`."""
    return function(_ticks).astype(np.float32)


def indices(v: Plane) -> NDArray[np.int32]:
    """Coordinates (H, W) in pixels -> positions in a `profile`, clipped to its range."""
    at = v * np.float32(TABLE_STEP)
    at -= np.float32(TABLE_LOW * TABLE_STEP)
    return at.clip(_ZERO, np.float32(len(_ticks) - 1), out=at).astype(np.int32)


def outline(half_width: Plane) -> tuple[Plane, Plane]:
    """Half widths along v (a profile; negative outside the shape) -> the profile and the cosine of its slope.

    (half_width[i] - |u|) * cosine[i] is then nearly a signed distance in pixels."""
    slope = np.zeros_like(half_width)
    np.subtract(half_width[2:], half_width[:-2], out=slope[1:-1])
    slope *= np.float32(TABLE_STEP / 2)
    slope.clip(np.float32(-8), np.float32(8), out=slope)
    return half_width, (1 / np.sqrt(1 + slope * slope)).astype(np.float32)


def dome(v: NDArray[np.float64], top: float, base: float, power: float = 2.0) -> NDArray[np.float64]:
    """Relative half width of a dome: 0 at `top`, 1 from `base` on, negative outside (8 per pixel of relative slope)."""
    t = np.clip((base - v) / (base - top), 0, None)
    inside = np.maximum(1 - t**power, 0) ** (1 / power)
    return np.where(t <= 1, inside, -0.2 * (t - 1) * abs(base - top))


def _smooth_noise(rng: np.random.Generator, size: int, cells: int) -> NDArray[np.float64]:
    """Periodic value noise (size,) with `cells` knots, roughly in [-1, 1]."""
    knots = rng.random(cells) * 2 - 1
    at = np.arange(size) * cells / size
    low = at.astype(int)
    t = at - low
    t = t * t * (3 - 2 * t)
    return knots[low] * (1 - t) + knots[(low + 1) % cells] * t


def _strands(size: int = 2048) -> Plane:
    rng = np.random.default_rng(20160101)
    octaves = [(24, 0.5), (96, 0.8), (256, 0.7), (512, 0.45)]
    table = sum((weight * _smooth_noise(rng, size, cells) for cells, weight in octaves), np.zeros(size))
    return (table / np.abs(table).max()).astype(np.float32)


def _grain(size: int = 512) -> NDArray[np.float32]:
    rng = np.random.default_rng(20160102)
    sheet = rng.random((4, 3, size, size)).sum(0) - 2                # nearly normal, standard deviation 0.577
    sheet = sheet.mean(0, keepdims=True) * 1.4 + sheet * 0.45        # mostly grey, a little coloured
    return (sheet * (2.0 / sheet.std()) + 0.5).astype(np.float32)


STRANDS = _strands()                           # (2048,) in [-1, 1], periodic: brightness of strands side by side
GRAIN = _grain()                               # (3, 512, 512) in 1/255: deviation 2, mean 0.5 as truncation follows


def strands(across: Plane, offset: float) -> Plane:
    """Coordinate across the hair (H, W) in pixels -> strand brightness in [-1, 1]; 4 table entries a pixel."""
    at = across * np.float32(4)
    at += np.float32(4 * offset)
    return STRANDS[at.astype(np.int32) & (len(STRANDS) - 1)]


class Patch:
    """A window of the canvas and the head coordinates of its pixels: u right, v down, in pixels from between the eyes.

    `rgb` (3, h, w) is a view: painting a patch paints the canvas."""

    def __init__(self, rgb: NDArray[np.float32], u: Plane, v: Plane):
        self.rgb, self.u, self.v = rgb, u, v

    def tones(self, tone: Plane, colour: Colour) -> NDArray[np.float32]:
        """Brightness (h, w) times a colour -> (3, h, w)."""
        planes = np.empty((3, *tone.shape), np.float32)
        for plane, value in zip(planes, colour, strict=True):
            np.multiply(tone, np.float32(value), out=plane)
        return planes

    def paint(self, colour: Colour | NDArray[np.float32], alpha: Plane) -> None:
        """Lay an opaque colour, or (3, h, w) colours (used up), over the patch with coverage alpha (h, w)."""
        if isinstance(colour, tuple):
            for channel, value in zip(self.rgb, colour, strict=True):
                change = np.float32(value) - channel
                change *= alpha
                channel += change
        else:
            colour -= self.rgb
            colour *= alpha
            self.rgb += colour

    def glaze(self, colour: Colour, alpha: Plane) -> None:
        """Multiply by a colour where alpha is 1: shadows, blush, stubble."""
        for channel, value in zip(self.rgb, colour, strict=True):
            factor = alpha * np.float32(value - 1)
            factor += _ONE
            channel *= factor

    def shine(self, colour: Colour, alpha: Plane) -> None:
        """Add light of a colour, times alpha (h, w)."""
        for channel, value in zip(self.rgb, colour, strict=True):
            channel += alpha * np.float32(value)


class Canvas:
    """A frame (3, 218, 178) of float32 RGB in [0, 1] and the pose of the head on it.

    `roll` in radians clockwise, `scale` in pixels a unit, (`du`, `dv`) moves the head in pixels."""

    def __init__(self, *, roll: float, scale: float, du: float, dv: float):
        self.rgb = np.zeros((3, HEIGHT, WIDTH), np.float32)
        self.column, self.row = EYE_COLUMN + du, EYE_ROW + dv
        self.cos, self.sin, self.scale = math.cos(roll), math.sin(roll), scale
        x = (np.arange(WIDTH, dtype=np.float32) - np.float32(self.column))[None, :]
        y = (np.arange(HEIGHT, dtype=np.float32) - np.float32(self.row))[:, None]
        c, s = np.float32(self.cos / scale), np.float32(self.sin / scale)
        self.u: Plane = x * c + y * s
        self.v: Plane = y * c - x * s

    def window(self, u0: float, u1: float, v0: float, v1: float) -> tuple[slice, slice]:
        """Rows and columns of the smallest window that holds the head rectangle u0..u1, v0..v1."""
        u, v, wide, high = (u0 + u1) / 2, (v0 + v1) / 2, abs(u1 - u0) / 2, abs(v1 - v0) / 2
        column = self.column + self.scale * (u * self.cos - v * self.sin)
        row = self.row + self.scale * (u * self.sin + v * self.cos)
        across = self.scale * (wide * abs(self.cos) + high * abs(self.sin))   # half the sides of the upright box
        down = self.scale * (wide * abs(self.sin) + high * abs(self.cos))
        return (slice(max(0, math.floor(row - down) - 1), min(HEIGHT, math.ceil(row + down) + 2)),
                slice(max(0, math.floor(column - across) - 1), min(WIDTH, math.ceil(column + across) + 2)))

    def patch(self, u0: float, u1: float, v0: float, v1: float) -> Patch:
        """The patch over the head rectangle u0..u1, v0..v1."""
        rows, columns = self.window(u0, u1, v0, v1)
        return Patch(self.rgb[:, rows, columns], self.u[rows, columns], self.v[rows, columns])
