"""A person on a canvas: head and feature coordinates, light, and the outlines of head and hair.

Lengths are pixels of the 178x218 frame in head coordinates: u right, v down, from the point between the eyes. Features
live in (x, y), the same coordinates turned with the head (`yaw`, `pitch`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facet.drawn.person import GRIN, LONG_STYLES, SERIOUS, Moment, Person, Traits
from facet.drawn.shapes import (
    EYE_COLUMN,
    EYE_ROW,
    HEIGHT,
    WIDTH,
    Canvas,
    Colour,
    Patch,
    Plane,
    dome,
    indices,
    outline,
    profile,
)

SKULL_TOP = -54.0                               # v of the crown without hair
COLUMNS = (np.arange(WIDTH, dtype=np.float32) - np.float32(EYE_COLUMN))[None, :]
ROWS = (np.arange(HEIGHT, dtype=np.float32) - np.float32(EYE_ROW))[:, None]


class Scene:
    """A person, the canvas and everything several layers need: feature coordinates, the head's outline, the hair's."""

    def __init__(self, person: Person):
        self.t: Traits = person.traits
        self.m: Moment = person.moment
        t, m = self.t, self.m
        self.canvas = Canvas(roll=m.roll, scale=m.scale, du=m.du - 5 * m.yaw, dv=m.dv)
        u, v = self.canvas.u, self.canvas.v
        q = u * np.float32(1 / (t.face_width + 4))
        self.turn = 12.0 * m.yaw
        self.x: Plane = u - np.float32(self.turn) * np.maximum(1 - q * q, 0)
        self.y: Plane = v - np.float32(m.pitch)
        self.at = indices(v)
        self.chin = t.chin + 2.5 * m.opening
        self.nose_tip = t.nose_length
        self.mouth_y = 0.635 * t.chin
        self.old = t.old
        self.lined = min(t.old / 0.55, 1.0)                                 # wrinkles come in before they deepen
        smile = max(m.smile, 0.0)
        self.smile = smile
        self.grin = min(max((m.smile - SERIOUS) / (GRIN - SERIOUS), 0.0), 1.0)
        self.mouth_half = t.mouth_width + 4.6 * smile - 1.6 * m.opening * (1 - self.grin)
        self.face, self.face_cos = outline(profile(self._face_profile))
        self.skin = t.skin
        self.hair = HairOutline(t, m)

    def _face_profile(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half width of head without hair along v."""
        width, jaw = self.t.face_width, self.t.jaw
        skull = (width - 0.8) * dome(v, SKULL_TOP, -4.0, 2.2)
        t = np.clip((v + 4) / (self.chin + 4), 0, None)
        cheeks = 0.8 * np.clip(1 - ((v - 6) / 14) ** 2, 0, 1)
        taper = 1 - (0.30 - 0.20 * jaw) * np.clip(t, 0, 1) ** 2
        power = 3.6 + 1.7 * jaw
        lower = (width - 0.8 + cheeks) * taper * np.sqrt(np.clip(1 - np.clip(t, 0, 1) ** power, 0, None))
        lower = np.where(t > 1, -8 * (v - self.chin), lower)
        return np.where(v < -4, skull, lower)

    def patch(self, u0: float, u1: float, v0: float, v1: float) -> Patch:
        """A patch in head coordinates."""
        return self.canvas.patch(u0, u1, v0, v1)

    def features(self, x0: float, x1: float, y0: float, y1: float) -> Patch:
        """A patch in feature coordinates: its u, v are x, y."""
        rows, columns = self.feature_window(x0, x1, y0, y1)
        return Patch(self.canvas.rgb[:, rows, columns], self.x[rows, columns], self.y[rows, columns])

    def pair(self, x0: float, x1: float, y0: float, y1: float) -> Pair:
        """Both mirror images of a rectangle x0 < x1 right of the nose, as one patch; x grows outwards in each."""
        left, right = (self.feature_window(*x, y0, y1) for x in ((-x1, -x0), (x0, x1)))
        height = max(w[0].stop - w[0].start for w in (left, right))
        width = max(w[1].stop - w[1].start for w in (left, right))
        return Pair(self, (_sized(left, height, width, inner=1), _sized(right, height, width, inner=0)))

    def turned(self, x: float) -> float:
        """Feature x -> head u, nearly."""
        reach = self.t.face_width + 4
        u = x + self.turn * max(1 - (x / reach) ** 2, 0)
        return x + self.turn * max(1 - (u / reach) ** 2, 0)

    def feature_window(self, x0: float, x1: float, y0: float, y1: float) -> tuple[slice, slice]:
        """Rows and columns of a rectangle in feature coordinates."""
        pitch = self.m.pitch
        return self.canvas.window(self.turned(x0) - 0.5, self.turned(x1) + 0.5, y0 + pitch, y1 + pitch)

    def lit(self, nx: Plane, ny: Plane, nz: Plane, colour: Colour, gloss: float) -> NDArray[np.float32]:
        """Unit normals (h, w) -> (3, h, w): a warm-shadowed soft material of a colour under the scene's light."""
        lx, ly, lz = map(np.float32, self.m.light)
        t = nz * lz
        t += nx * lx
        t += ny * ly
        t += np.float32(0.25)
        t *= np.float32(0.8)
        t.clip(np.float32(0), np.float32(1), out=t)
        hz = lz + 1
        norm = np.float32(1 / float(np.sqrt(lx * lx + ly * ly + hz * hz)))
        s = np.maximum(nx * (lx * norm) + ny * (ly * norm) + nz * (hz * norm), 0)
        s *= s
        s *= s
        s *= s
        s *= s
        s *= np.float32(gloss)
        planes = np.empty((3, *t.shape), np.float32)
        for plane, value, depth in zip(planes, colour, (0.56, 0.68, 0.70), strict=True):
            dark = 1 - depth * self.m.contrast
            np.multiply(t, np.float32(value * (1.07 - dark)), out=plane)
            plane += np.float32(value * dark)
            plane += s
        return planes


class Pair(Patch):
    """Two windows as one patch (3, 2, h, w): `u` is x to the outside, `v` is y, `side` (2, 1, 1) is -1 and 1.

    It is a copy; leaving the `with` block puts it back."""

    def __init__(self, scene: Scene, windows: tuple[tuple[slice, slice], ...]):
        self.scene, self.windows = scene, windows
        self.side = np.array([-1, 1], np.float32)[:, None, None]
        super().__init__(np.stack([scene.canvas.rgb[:, rows, columns] for rows, columns in windows], axis=1),
                         np.stack([scene.x[w] for w in windows]) * self.side, np.stack([scene.y[w] for w in windows]))

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *error: object) -> None:
        for k, (rows, columns) in enumerate(self.windows):
            self.scene.canvas.rgb[:, rows, columns] = self.rgb[:, k]


def _sized(window: tuple[slice, slice], height: int, width: int, *, inner: int) -> tuple[slice, slice]:
    """Grow a window down, and away from the nose: to the left if `inner` is 1."""
    rows, columns = window
    bottom = min(rows.start + height, HEIGHT)
    left = max(columns.stop - width, 0) if inner else min(columns.start, WIDTH - width)
    return slice(bottom - height, bottom), slice(left, left + width)


def _wave(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return (0.8 * np.sin(v / 4.9) + 0.35 * np.sin(v / 2.9 + 1)) * np.clip((v + 46) / 20, 0, 1)


WAVE = profile(_wave)                           # waves of wavy hair, about [-1, 1]


class HairOutline:
    """Silhouette of the hair and its opening around the face, as profiles along v."""

    def __init__(self, t: Traits, m: Moment):
        width, style = t.face_width, t.style
        long = style in LONG_STYLES
        rises = {"buzz": 1.5, "fringe": 1.0, "receding": 0.35 * t.volume, "quiff": t.volume + 3, "updo": 3.0}
        rise = -1.0 if m.hat else rises.get(style, t.volume)
        sides = {"buzz": 0.8, "fringe": 3.0, "receding": 2.8, "updo": 1.5, "short": 2.5 + 0.25 * t.volume}
        side = sides.get(style, 3.0)
        if long:
            side = 5.5 + 0.55 * t.volume
        self.long = long
        self.top = SKULL_TOP - rise
        end = {"bob": 44.0 + t.volume, "updo": -2.0}.get(style, 130.0 if long else 9.0)
        flare = 6.0 if long else 0.0
        wavy = 3.2 if t.wavy and long else 0.0

        def outer(v: NDArray[np.float64]) -> NDArray[np.float64]:
            cap = (width + side) * dome(v, self.top, -10.0, 2.3)
            if long:
                down = width + side + flare * np.clip((v + 10) / 60, 0, 1)
            else:
                down = width + side - (side - 0.6) * np.clip((v + 12) / 14, 0, 1)
            half = np.where(v < -10, cap, down) + wavy * _wave(v)
            ending = np.clip((v - end + 10) / 10, 0, None)
            return np.where(ending <= 1, half - (8 if long else 2) * ending**3, -8 * (v - end))

        self.line = {"buzz": -42.0, "receding": -49.0}.get(style, -41.0)
        power = 2.6
        if m.bangs == "full":
            self.line, power = -18.5, 7.0
        elif m.bangs == "side":
            self.line, power = -26.0, 3.5
        temple = {"receding": -1.5, "buzz": -1.0, "short": -1.5, "quiff": -1.5}.get(style, -2.5)

        def opening(v: NDArray[np.float64]) -> NDArray[np.float64]:
            if style == "fringe":
                return np.where(v < -24, 200.0, width - 4.0 + 0.25 * np.clip(v, 0, None))
            brow = (width + temple) * dome(v, self.line, -4.0, power)
            if long:
                cheek = 1.0 * np.clip((v - 50) / 20, 0, 1) - 2.5 * np.clip(1 - ((v - 18) / 26) ** 2, 0, 1)
                cheek += 0.6 * wavy * _wave(v + 3) * np.clip((v - 4) / 10, 0, 1)
            else:
                cheek = np.clip(v + 4, 0, None) * (0.30 if t.male else 2.0)
            return np.where(v < -4, brow, width + temple + cheek)

        self.outer, self.outer_cos = outline(profile(outer))
        self.opening, self.opening_cos = outline(profile(opening))


def between(a: float, b: float, t: float) -> float:
    """a where t is 0, b where it is 1, exactly."""
    return (1 - t) * a + t * b


def times(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def mix(a: Colour, b: Colour, t: float) -> Colour:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t
