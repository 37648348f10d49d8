"""Paints a Person: background, shoulders, a head lit as a height field, features, hair, hat and glasses, back to front.

Lengths are pixels of the 178x218 frame in head coordinates: u right, v down, from the point between the eyes. Features
live in (x, y), the same coordinates turned with the head (`yaw`, `pitch`). Light comes from the unit vector
`moment.light`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.drawn.person import LONG_STYLES, Moment, Person, Traits
from stages.drawn.shapes import (
    EYE_COLUMN,
    EYE_ROW,
    GRAIN,
    HEIGHT,
    WIDTH,
    Canvas,
    Colour,
    Patch,
    Plane,
    box,
    bump,
    cover,
    dome,
    ellipse,
    indices,
    outline,
    profile,
    smooth,
    strands,
    stroke,
)

SKULL_TOP = -54.0
_COLUMNS = (np.arange(WIDTH, dtype=np.float32) - np.float32(EYE_COLUMN))[None, :]
_ROWS = (np.arange(HEIGHT, dtype=np.float32) - np.float32(EYE_ROW))[:, None]
_VIGNETTE = 1 - ((_COLUMNS / 89) ** 2 + (_ROWS / 111) ** 2) * np.float32(0.05)


def draw(person: Person) -> NDArray[np.uint8]:
    """A person -> uint8 (218, 178, 3) RGB, aligned like CelebA: eyes near row 111, columns 70 and 108."""
    scene = Scene(person)
    _background(scene)
    _hair_behind(scene)
    _shoulders(scene)
    _ears(scene)
    _head(scene)
    _beard(scene)
    _cheeks_and_lines(scene)
    _nose(scene)
    _eyes(scene)
    _mouth(scene)
    _mustache(scene)
    _shadow_of_hair(scene)
    _brows(scene)
    _hair(scene)
    _glasses(scene)
    _hat(scene)
    return _develop(scene)


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
        self.old = 0.0 if t.young else 0.55 + 0.45 * (t.age - 54) / 26
        smile = max(m.smile, 0.0)
        self.smile = smile
        self.mouth_half = t.mouth_width + 4.6 * smile - (1.6 * m.opening if m.smile < 0.5 else 0)
        self.face, self.face_cos = outline(profile(self._face_profile))
        self.skin = t.skin
        self.hair = Hair(t, m)

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
        t = np.clip((nx * lx + ny * ly + nz * lz + np.float32(0.25)) * np.float32(0.8), 0, 1)
        hz = lz + 1
        norm = np.float32(1 / float(np.sqrt(lx * lx + ly * ly + hz * hz)))
        s = np.maximum(nx * (lx * norm) + ny * (ly * norm) + nz * (hz * norm), 0)
        s *= s
        s *= s
        s *= s
        s = s * s * np.float32(gloss)
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


def _times(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _mix(a: Colour, b: Colour, t: float) -> Colour:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def _hill(h: Plane, scene: Scene, x0: float, y0: float, rx: float, ry: float, height: float) -> None:
    """Raise the height field by a bump."""
    window = scene.feature_window(x0 - rx, x0 + rx, y0 - ry, y0 + ry)
    h[window] += np.float32(height) * bump(scene.x[window], scene.y[window], x0, y0, rx, ry)


# Behind the head


def _background(scene: Scene) -> None:
    m, rgb = scene.m, scene.canvas.rgb
    dx, dy = np.cos(m.background_angle), np.sin(m.background_angle)
    t = np.clip(_COLUMNS * np.float32(dx / 210) + _ROWS * np.float32(dy / 210) + np.float32(0.5), 0, 1)
    light = np.zeros((HEIGHT, WIDTH), np.float32)
    for u, v, radius, brightness in m.blobs:
        rows = slice(max(0, int(EYE_ROW + v - radius)), min(HEIGHT, int(EYE_ROW + v + radius) + 1))
        columns = slice(max(0, int(EYE_COLUMN + u - radius)), min(WIDTH, int(EYE_COLUMN + u + radius) + 1))
        light[rows, columns] += np.float32(brightness) * bump(_COLUMNS[:, columns], _ROWS[rows], u, v, radius, radius)
    for plane, far, near in zip(rgb, *m.background, strict=True):
        np.multiply(t, np.float32(near - far), out=plane)
        plane += light
        plane += np.float32(far)


def _shoulders(scene: Scene) -> None:
    t, m, canvas = scene.t, scene.m, scene.canvas
    rows = slice(int(canvas.row + 36), HEIGHT)
    u = _COLUMNS + np.float32(EYE_COLUMN - canvas.column)
    v = _ROWS[rows] + np.float32(EYE_ROW - canvas.row)
    u, v = np.broadcast_arrays(u, v)
    patch = Patch(canvas.rgb[:, rows], u, v)
    side = np.abs(u)

    # Neck, with the shadow the chin throws on it.
    half = 27.0 if t.male else 20.5
    base = np.maximum(v - 62, 0)
    neck = np.float32(half) + base * base * np.float32(0.03)
    nx = np.clip(u / neck, -1, 1) * np.float32(0.85)
    nz = np.sqrt(1 - nx * nx)
    planes = scene.lit(nx, np.full_like(nx, 0.12), nz, scene.skin, 0.03)
    chin_shadow = smooth(v, scene.chin + 26, scene.chin - 4) * np.float32(0.42)
    planes *= 1 - chin_shadow
    tendon = bump(side, v, 9, 76, 5, 22) * np.float32(0.05 + 0.12 * scene.old)
    planes *= 1 - tendon
    patch.paint(planes, cover(neck - side))

    # Clothes: a slope from the neck to the shoulders, and a collar line.
    spread = np.maximum(side - np.float32(half - 2), 0)
    top = scene.chin + (16.0 if t.male else 20.0)
    slope = np.float32(top) + spread * np.float32(0.16) + spread * spread * np.float32(0.0030)
    if m.collar == "v":
        edge = np.maximum(slope, np.float32(top + 24) - side * np.float32(1.0))
    elif m.collar == "crew":
        edge = np.maximum(slope, np.float32(top + 9) - side * side * np.float32(0.012))
    else:
        edge = np.maximum(slope - 4, np.float32(top + 16) - side * np.float32(0.9))
    inside = (v - edge) * np.float32(0.8)
    nx = np.clip(u * np.float32(1 / 95), -1, 1) * np.float32(0.9)
    ny = np.clip((v - slope) * np.float32(-0.05), -0.6, 0) - np.float32(0.1)
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.05))
    planes = scene.lit(nx, ny, nz, m.cloth, 0.02)
    planes *= 1 - np.float32(0.12) * smooth(np.abs(inside - 3), 1.5, 0.5)
    if m.collar == "shirt":
        flap = cover(np.minimum(inside, 13 - inside)) * (side < half + 10)
        planes += flap * np.float32(0.10)
    patch.glaze((0.6, 0.55, 0.55), cover(inside + 4, 7) * np.float32(0.5) * cover(neck - side))
    patch.paint(planes, cover(inside))


def _ears(scene: Scene) -> None:
    t, m = scene.t, scene.m
    if t.style in LONG_STYLES and not m.hat and t.volume > 7:
        return
    for side in (-1, 1):
        u0 = side * (t.face_width + 1.0 - 4.5 * max(0.0, side * m.yaw))
        p = scene.patch(u0 - 8, u0 + 8, -9, 17)
        nx = np.clip((p.u - np.float32(u0)) * np.float32(1 / 9), -0.8, 0.8)
        planes = scene.lit(nx, np.full_like(nx, -0.1), np.sqrt(1 - nx * nx), _mix(scene.skin, (0.75, 0.3, 0.25), 0.10), 0)
        planes *= 1 - np.float32(0.3) * bump(p.u, p.v, u0 + side * 0.5, 4, 4.2, 8.5)
        p.paint(planes, cover(ellipse(p.u, p.v, u0, 4, 6.2, 11.5)))


# The head


def _head(scene: Scene) -> None:
    """The face as a height field over an egg, with bare skin."""
    t = scene.t
    window = scene.canvas.window(-t.face_width - 2, t.face_width + 2, SKULL_TOP - 2, scene.chin + 3)
    h = np.zeros((HEIGHT, WIDTH), np.float32)
    heavy = 1.25 if t.male else 1.0
    tip, nose, mouth = scene.nose_tip, t.nose_width, scene.mouth_y
    lean = 4.5 * scene.m.yaw
    _hill(h, scene, lean * 0.3, 4, 7.0, 17, 2.7 * heavy)
    _hill(h, scene, lean * 0.7, tip - 6, nose * 1.0, 13, 3.6)
    _hill(h, scene, lean, tip - 2, nose * 0.95, 8, 4.2)
    _hill(h, scene, 0, mouth + 2, 19, 13, 3.2)
    _hill(h, scene, 0, scene.chin - 7, 13, 10, 3.0 + 2.2 * t.jaw)
    _hill(h, scene, 0, mouth + 9.5, 10, 4, -1.5)
    _hill(h, scene, 0, -33, 32, 22, 3.4)
    for side in (-1, 1):
        _hill(h, scene, side * nose + lean * 0.8, tip, 5.2, 5.2, 2.6)
        _hill(h, scene, side * t.eye_distance, -1, 14, 9, -4.2)
        _hill(h, scene, side * (t.eye_distance + 1), 0, 10.5, 7, 2.6)
        _hill(h, scene, side * 18, -13, 15, 7, 2.2 * heavy)
        _hill(h, scene, side * 23.5, 19 - 3.0 * scene.smile, 14, 12, 3.2 + 3.6 * scene.smile - 1.4 * scene.old)
        if scene.old:
            _hill(h, scene, side * 27, 33, 9, 14, -3.0 * scene.old)
            _hill(h, scene, side * 22, 45, 11, 8, 3.0 * scene.old)
    inner = h[window]
    gx, gy = np.zeros_like(inner), np.zeros_like(inner)
    gx[:, 1:-1] = inner[:, 2:] - inner[:, :-2]
    gy[1:-1] = inner[2:] - inner[:-2]

    u, v, at = scene.canvas.u[window], scene.canvas.v[window], scene.at[window]
    half = scene.face[at]
    q = np.clip(u / np.maximum(half, 1), -1, 1)
    nx = q * (np.float32(0.52) + np.float32(0.42) * q * q)
    ny_table = profile(lambda v: np.where(v < -8, -0.85 * np.clip((-8 - v) / 42, 0, 1) ** 1.6,
                                          0.8 * np.clip((v - 34) / (scene.chin - 30), 0, 1) ** 2))
    ny = ny_table[at]
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.06))
    nx = nx - gx * np.float32(0.62) * nz
    ny = ny - gy * np.float32(0.62) * nz
    norm = 1 / np.sqrt(nx * nx + ny * ny + nz * nz)
    planes = scene.lit(nx * norm, ny * norm, nz * norm, scene.skin, 0.09 if t.pale else 0.15)
    rim = np.abs(q)
    planes *= 1 - np.float32(0.16) * smooth(rim, 0.78, 1.0)
    alpha = cover((half - np.abs(u)) * scene.face_cos[at])
    Patch(scene.canvas.rgb[:, window[0], window[1]], u, v).paint(planes, alpha)


def _cheeks_and_lines(scene: Scene) -> None:
    t, m, old, smile = scene.t, scene.m, scene.old, scene.smile
    blush = (0.16 + 0.30 * t.blush) * (0.35 if t.pale else 1.0)
    blush = min(blush + (0.55 if m.makeup else 0.0) + 0.12 * smile, 1.0)
    rouge: Colour = (1.0, 0.70, 0.71) if m.makeup else (1.0, 0.78, 0.76)
    crease: Colour = (0.62, 0.50, 0.46)
    tip, mouth = scene.nose_tip, scene.mouth_y
    with scene.pair(7, 42, -3, 54) as p:
        x, y = p.u, p.v
        p.glaze(rouge, bump(x, y, 24, 20 - 2 * smile, 15, 13) * np.float32(blush))
        # The fold from nose to mouth: smiling and age deepen it.
        fold = min(0.12 + 0.55 * smile + 0.75 * old, 1.0)
        end_x, end_y = scene.mouth_half + 4.5, mouth + 1 - 3 * smile
        mid_x = (t.nose_width + end_x) / 2 + 2.2 + 1.5 * smile
        line = stroke(y, x, (tip - 4, t.nose_width + 2.5, (tip + end_y) / 2 - 1, mid_x, end_y + 5, end_x),
                      2.2 + 1.5 * old)
        p.glaze(crease, line * np.float32(fold * 0.8))
        if old:
            weight = np.float32(0.55 * old + 0.2)
            lines = stroke(y, x, (mouth + 2, scene.mouth_half + 1.5, mouth + 8, scene.mouth_half + 3.5, mouth + 15,
                                  scene.mouth_half + 3), 2.2)
            e, w = t.eye_distance, t.eye_width
            lines += stroke(x, y, (e - w, 5.5, e, 10.5, e + w, 6.0), 2.4)
            lines += stroke(x, y, (e - w + 2, 8.5, e + 1, 14.0, e + w + 2, 9.0), 1.5) * np.float32(0.6)
            for k in (-1, 0, 1):
                lines += stroke(x, y, (e + w + 1, 0.5 + 2 * k, e + w + 5, 0.8 + 3.4 * k, e + w + 9, 1.5 + 5 * k), 1.5)
            p.glaze(crease, np.minimum(lines, 1) * weight)
    if old:
        p = scene.features(-30, 30, -46, -12)
        lines = np.zeros_like(p.u)
        for k, y0 in enumerate((-20.5, -25.5, -30.5)):
            lines += stroke(p.u, p.v, (-24 + 2 * k, y0 + 1.0, 1.0 * k, y0 - 0.5, 24 - 2 * k, y0 + 1.2), 2.0)
        for side in (-1, 1):
            lines += stroke(p.v, p.u, (-19, side * 2.2, -15, side * 2.6, -10, side * 3.4), 1.8)
        p.glaze(crease, np.minimum(lines, 1) * np.float32(0.35 + 0.4 * old))


def _nose(scene: Scene) -> None:
    t, m, tip = scene.t, scene.m, scene.nose_tip
    lean = 4.5 * m.yaw
    w = t.nose_width
    p = scene.features(-20 + min(lean, 0), 20 + max(lean, 0), tip - 12, tip + 11)
    x, y = p.u - np.float32(lean), p.v
    p.glaze((0.72, 0.60, 0.58), bump(x, y, -9 * m.light[0], tip + 3.5, w + 4, 6.5) * np.float32(0.62 * m.contrast))
    side = np.abs(x)
    wing = stroke(y, side, (tip - 4.5, w + 0.6, tip, w + 2.3, tip + 3.5, w - 0.6), 1.8)
    p.glaze((0.55, 0.42, 0.38), wing * np.float32(0.55))
    p.paint(_times(scene.skin, 0.24), cover(ellipse(side, y, w * 0.47, tip + 2.2, 2.6, 1.35), 1.4) * np.float32(0.85))
    p.glaze((0.6, 0.48, 0.45), stroke(x, y, (-w * 0.8, tip + 2.0, 0, tip + 4.4, w * 0.8, tip + 2.0), 1.8) * np.float32(0.5))
    p.shine((1, 1, 1), bump(x, y, 2.2 * m.light[0], tip - 3.5, 3.4, 3.0) * np.float32(0.13))


def _eyes(scene: Scene) -> None:
    with scene.pair(scene.t.eye_distance - 14, scene.t.eye_distance + 16, -14, 9) as pair:
        _paint_eyes(scene, pair)


def _paint_eyes(scene: Scene, p: Pair) -> None:
    t, m, side = scene.t, scene.m, p.side
    e0, w = t.eye_distance, t.eye_width
    e, y = p.u - np.float32(e0), p.v                                        # e grows outwards
    y = y + e * np.float32(t.eye_tilt / w)
    r = e * np.float32(1 / w)
    r2 = r * r
    up = t.eye_height * (1.12 - 0.10 * scene.smile - 0.18 * scene.old)
    low = t.eye_height * (0.78 - 0.34 * scene.smile)
    arch = np.maximum(1 - r2, -0.6)
    above = y + np.float32(up) * arch * (1 - np.float32(0.18) * r)          # > 0 below the upper lid
    below = np.float32(low) * arch - y                                      # > 0 above the lower lid
    slope = 1 / np.sqrt(1 + r2 * np.float32((2 * up / w) ** 2))
    above, below = above * slope, below * slope
    opened = cover(np.minimum(above, below))

    # Lids: eyeshadow, the crease above, the soft edge below.
    lid = bump(e, y, 1.0, -up - 2.5, w + 6, 8.0) * (y < 1)
    if m.makeup:
        p.paint(m.shadow_rgb, np.minimum(lid * np.float32(1.7), 1) * np.float32(0.78))
    else:
        p.glaze((0.80, 0.70, 0.68), lid * np.float32(0.35))
    crease = stroke(e, y, (-w * 0.9, -1.2, 0.3, -up - 3.0, w * 1.12, -1.0), 1.5)
    p.glaze((0.5, 0.38, 0.36), crease * np.float32(0.6))
    p.glaze((0.6, 0.48, 0.45), stroke(e, y, (-w, 0.6, 0, low + 0.9, w, 0.6), 1.5) * np.float32(0.55))

    # The ball: shaded white, iris, pupil, highlight.
    white = np.float32(0.92) - np.float32(0.30) * smooth(above, 2.6, 0.0) - np.float32(0.16) * np.minimum(r2, 1)
    p.paint(p.tones(white, (1.0, 0.965, 0.945)), opened)
    e_side = e * side - np.float32(2.4 * m.gaze + 1.2 * m.yaw)               # from the pupil, to the right
    radius = 4.5 if t.male else 4.8
    iris = ellipse(e_side, y, 0, -0.5, radius, radius)
    p.paint(_times(t.eye_rgb, 0.42), cover(iris) * opened)
    p.paint(t.eye_rgb, cover(iris - 0.9, 1.2) * opened)
    p.shine(t.eye_rgb, bump(e_side, y, 0, 1.8, 3.4, 2.6) * opened * np.float32(0.7))
    p.paint((0.03, 0.025, 0.03), cover(ellipse(e_side, y, 0, -0.5, 2.1, 2.1)) * opened)
    p.glaze((0.45, 0.40, 0.42), smooth(above, 2.4, 0.2) * opened * np.float32(0.75))
    p.paint((1.0, 1.0, 1.0), cover(ellipse(e_side, y, 1.7 if m.light[0] > 0 else -1.7, -2.0, 1.25, 1.25)))

    # Lashes.
    thick = 1.5 if t.male else 2.3
    thick += 1.3 if m.makeup else 0
    reach = np.maximum(1.15 - np.abs(r - np.float32(0.04)), 0)
    lash = cover(np.float32(thick / 2) * np.minimum(reach * 3, 1) * (1 + np.float32(0.35) * r) - np.abs(above + 0.4))
    dark: Colour = (0.07, 0.05, 0.05) if m.makeup or not t.male else _times(scene.skin, 0.22)
    p.paint(dark, lash * (reach > 0) * np.float32(0.95))
    if m.makeup:
        wing = stroke(e, y, (w * 0.7, -1.8, w * 1.1, -2.2, w * 1.5, -4.2), 2.0)
        p.paint(dark, np.minimum(wing + np.float32(0.6) * stroke(e, y, (-w * 0.6, low, 0.3, low + 0.5, w, 0.2), 1.4), 1))


def _brows(scene: Scene) -> None:
    t = scene.t
    width, arch, e = t.brow_width, t.brow_arch, t.eye_distance
    raised = 1.0 * scene.smile + (0.5 if t.male else 2.0)
    inner = e - (13.0 if t.bushy else 11.5)
    with scene.pair(inner - 1, e + 17, -25, -4) as p:
        x, y = p.u, p.v + np.float32(raised)
        shape = stroke(x, y, (inner, -10.2, e, -10.6 - arch, e + 15.5, -8.8), width * 1.15)
        hairs = strands(x * np.float32(2.2) + y * np.float32(1.3), 40.0)
        own = {"gray": 0.15, "blond": 0.45}.get(t.hair, 0.55)
        colour = _mix(_times(t.hair_rgb, 0.62), (0.13, 0.08, 0.06), own)
        strength = np.clip(np.float32(0.96 if t.bushy else 0.82) + np.float32(0.12) * hairs, 0, 1)
        p.paint(colour, shape * strength * (np.float32(0.55) + np.float32(0.45) * smooth(x, inner, inner + 5)))


def _lip_colour(scene: Scene) -> Colour:
    if scene.m.lipstick:
        return scene.m.lipstick_rgb
    skin = scene.skin
    natural = (skin[0] * 0.88, skin[1] * 0.66, skin[2] * 0.68)
    return _mix(natural, skin, 0.35) if scene.t.male else natural


def _mouth(scene: Scene) -> None:
    t, m, y0, half = scene.t, scene.m, scene.mouth_y, scene.mouth_half
    p = scene.features(-half - 5, half + 5, y0 - 16, y0 + 20)
    x, y = p.u - np.float32(1.5 * m.yaw), p.v
    r = x * np.float32(1 / half)
    r2 = r * r
    within = np.maximum(1 - r2, 0)
    full = within * (1 + np.float32(0.35) * r2)
    smiling = m.smile > 0.5
    lift = 6.6 * m.smile
    line = np.float32(y0 + 0.45 * lift) - np.float32(lift) * r2
    gap = m.opening * (7.2 if smiling else 9.0)
    inner_up = line - np.float32(0.30 * gap) * (full if not smiling else within * np.float32(0.4))
    inner_low = line + np.float32(0.80 * gap) * full
    cupid = 1 - np.float32(0.42) * bump(r, r, 0, 0, 0.30, 1.0)
    upper = np.float32(4.0 * t.lip_fullness * (0.85 if smiling else 1)) * within * cupid
    lower = np.float32(5.0 * t.lip_fullness * (0.85 if smiling else 1)) * full
    outer_up, outer_low = inner_up - upper, inner_low + lower

    p.glaze((0.68, 0.55, 0.52), bump(x, y, 0, y0 + 10 + 0.8 * gap, 11, 4.5) * np.float32(0.5))
    corner = np.abs(x)
    p.glaze((0.5, 0.38, 0.35), bump(corner, y, half + 0.6, y0 - 0.55 * lift, 3.6, 3.2) * np.float32(0.55 + 0.25 * scene.smile))

    colour = _lip_colour(scene)
    lips = cover(np.minimum(y - outer_up, outer_low - y), 1.3) * (within > 0)
    body = (y - inner_low) / np.maximum(lower, 1)                            # 0..1 across the lower lip
    light = np.where(y < line, np.float32(0.80), np.float32(1.06) - np.float32(0.30) * np.clip(body, 0, 1))
    sheen = bump(x, y, 2.5 * m.light[0], y0 + 0.45 * lift + 0.8 * gap + 2.2 * t.lip_fullness, 6.5, 2.0)
    planes = p.tones(light, colour)
    planes += sheen * np.float32(0.22 if m.lipstick else 0.10)
    p.paint(planes, lips * np.float32(1.0 if m.lipstick else 0.88))

    if m.opening:
        mouth = cover(np.minimum(y - inner_up, inner_low - y)) * (within > 0)
        p.paint((0.20, 0.05, 0.06), mouth)
        p.paint((0.70, 0.30, 0.32), bump(x, y, 0, y0 + 0.45 * lift + 0.8 * gap + 1, half * 0.65, 4.5) * mouth)
        tooth = np.float32(4.8 if smiling else 2.6)
        rows = cover(np.minimum(inner_up + tooth * np.minimum(within * 2.2, 1) - y, 99)) * mouth
        shade = np.float32(0.96) - np.float32(0.30) * np.minimum(r2, 1) - np.float32(0.10) * smooth(y - inner_up, 1.6, 0.0)
        p.paint(p.tones(shade, (1.0, 0.97, 0.92)), rows)
        p.glaze((0.45, 0.35, 0.35), cover(0.4 - np.abs(y - inner_up)) * (within > 0) * np.float32(0.5))
    else:
        seam = cover(np.float32(0.75) - np.abs(y - line), 1.2) * (within > 0)
        p.glaze((0.38, 0.22, 0.22), seam * np.float32(0.85))


# Hair of the face


def _beard_colour(scene: Scene) -> Colour:
    t = scene.t
    return _mix(_times(t.hair_rgb, 0.92 if t.hair == "gray" else 0.72), (0.10, 0.07, 0.06), 0.0 if t.hair == "gray" else 0.2)


def _whiskers(scene: Scene, p: Patch) -> NDArray[np.float32]:
    """Colours (3, h, w) of beard: short strands that fan out of the mouth."""
    pattern = strands(p.u * np.float32(1.7) + p.u * p.v * np.float32(0.012), scene.m.strand)
    lit = np.clip(p.u * np.float32(scene.m.light[0] / 45), -0.25, 0.25)
    tone = np.float32(0.95) + np.float32(0.32) * pattern + lit
    return p.tones(tone, _beard_colour(scene))


def _beard(scene: Scene) -> None:
    m, chin, mouth = scene.m, scene.chin, scene.mouth_y
    if m.beard not in ("goatee", "full"):
        return
    p = scene.features(-48, 48, 2, chin + 8)
    x, y = p.u, p.v
    side = np.abs(x)
    ragged = strands(x * np.float32(1.5), m.strand) * np.float32(1.2)
    if m.beard == "goatee":
        patch_of_hair = np.maximum(ellipse(x, y, 0, mouth + 17.0, 15.0, 13.5), box(x, y, 0, mouth + 8, 4, 5, 2))
        alpha = cover(patch_of_hair + ragged, 2.6)
    else:
        window = scene.feature_window(-48, 48, 2, chin + 8)
        u, v = scene.canvas.u[window], scene.canvas.v[window]
        at = indices(v - smooth(v, 20, 50) * np.float32(4))
        jaw = (scene.face[at] + np.float32(1.2) - np.abs(u)) * scene.face_cos[at]
        line = np.float32(scene.nose_tip + 7) - side * side * np.float32(0.013) + np.maximum(16 - side, 0) * np.float32(0.25)
        alpha = cover(np.minimum(jaw, (y - line) * np.float32(0.8)) + ragged, 3.0)
    p.paint(_whiskers(scene, p), alpha * np.float32(0.95))


def _mustache(scene: Scene) -> None:
    m, mouth = scene.m, scene.mouth_y
    if m.beard not in ("mustache", "full"):
        return
    half = scene.mouth_half
    p = scene.features(-half - 8, half + 8, scene.nose_tip - 2, mouth + 8)
    x, y = p.u, p.v
    middle = scene.nose_tip + 8.2 - 1.2 * scene.smile
    side = np.abs(x)
    y = y - x * x * np.float32(0.010 - 0.008 * scene.smile)
    shape = np.minimum(ellipse(side, y, half * 0.42, middle, half * 0.72, 4.9), np.float32(99))
    alpha = cover(shape + strands(x * 2, m.strand) * np.float32(0.9), 1.8)
    p.paint(_whiskers(scene, p), alpha * np.float32(0.97))


# Hair of the head


def _wave(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return (0.8 * np.sin(v / 4.9) + 0.35 * np.sin(v / 2.9 + 1)) * np.clip((v + 46) / 20, 0, 1)


_WAVE = profile(_wave)


def _waves(scene: Scene, at: NDArray[np.int32], u: Plane) -> Plane:
    """Waves in [-1, 1] along the hair, out of step left and right."""
    shift = int(abs(scene.t.parting) * 60)
    return _WAVE[np.minimum(at + shift * (u > 0), len(_WAVE) - 1)]


class Hair:
    """Silhouette of the hair and its opening around the face, as profiles along v."""

    def __init__(self, t: Traits, m: Moment):
        width, style = t.face_width, t.style
        long = style in LONG_STYLES
        rise = {"buzz": 1.5, "fringe": 1.0, "receding": 0.35 * t.volume, "quiff": t.volume + 3, "updo": 3.0}.get(style, t.volume)
        rise = -1.0 if m.hat else rise
        side = {"buzz": 0.8, "fringe": 3.0, "receding": 2.2, "updo": 1.5, "short": 2.5 + 0.25 * t.volume}.get(style, 3.0)
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

        self.line = {"buzz": -42.0, "receding": -51.0}.get(style, -41.0)
        power = 2.6
        if m.bangs == "full":
            self.line, power = -18.5, 7.0
        elif m.bangs == "side":
            self.line, power = -26.0, 3.5
        temple = {"receding": 1.0, "buzz": -1.0, "short": -1.5, "quiff": -1.5}.get(style, -2.5)

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


def _hair_planes(scene: Scene, u: Plane, v: Plane, at: NDArray[np.int32], half: Plane) -> NDArray[np.float32]:
    """Colours (3, h, w) of lit hair: strands follow the style, a gloss band runs around the head."""
    t, m = scene.t, scene.m
    parted = scene.hair.long and m.bangs != "full"
    part = np.float32(9 * t.parting)
    if parted:
        # From the parting around the face and down: the distance from the face's middle.
        high = np.minimum(v + 4, 0) * np.float32(0.85)
        across = np.sqrt(u * u + high * high) + np.float32(120) * (u > part)
    elif t.style in ("short", "quiff", "receding") and not m.bangs:
        across = u * np.float32(0.75) + v * np.float32(0.6 if t.parting > 0 else -0.6)
    else:
        across = (u - part) * (80 / np.maximum(np.minimum(v, 0) + 84, 13))
    if t.wavy:
        wave = _waves(scene, at, u)
        across = across + wave * np.float32(4.5)
    pattern = strands(across, m.strand)
    nx = np.clip(u / np.maximum(half, 8), -1, 1)
    tone = np.float32(0.86) + np.float32(0.30) * pattern + nx * np.float32(0.30 * m.light[0] / 0.7)
    tone -= np.float32(0.22) * nx * nx * nx * nx
    tone += np.clip((v + 30) * np.float32(-0.004), -0.12, 0.12)
    if t.wavy:
        tone += np.float32(0.20) * wave
    band = (v + np.float32(47) - u * u * np.float32(0.010) + pattern * 3 - u * np.float32(6 * m.light[0] / 40)) * np.float32(1 / 9)
    gloss = np.maximum(1 - band * band, 0) * (np.float32(0.65) + np.float32(0.5) * pattern)
    if scene.hair.long:
        band = (v - np.float32(38) + pattern * 5) * np.float32(1 / 20)
        gloss = gloss + np.maximum(1 - band * band, 0) * np.float32(0.35)
    if parted:
        tone -= np.float32(0.42) * cover(1.0 - np.abs(u - part), 1.5) * (v < scene.hair.line)
    glow = 0.07 if t.hair == "black" else 0.10
    if t.style == "buzz":
        glow *= 0.4
    tone = np.maximum(tone, 0.25)
    planes = np.empty((3, *tone.shape), np.float32)
    for plane, value in zip(planes, t.hair_rgb, strict=True):
        np.multiply(tone, np.float32(value), out=plane)
        plane += gloss * np.float32(glow + 0.16 * value)
    return planes


def _hair_behind(scene: Scene) -> None:
    """Long hair behind the neck, or a bun."""
    t, m = scene.t, scene.m
    if t.style == "updo" and not m.hat:
        u0, v0 = 5 * t.parting, SKULL_TOP - 9
        p = scene.patch(u0 - 18, u0 + 18, v0 - 14, v0 + 16)
        swirl = strands((p.u - np.float32(u0)) * np.float32(1.2) + p.v * np.float32(1.5), m.strand)
        ball = ellipse(p.u, p.v, u0, v0, 16, 12)
        tone = np.float32(0.72) + np.float32(0.25) * swirl + np.clip(ball, 0, 8) * np.float32(0.035)
        p.paint(p.tones(tone, t.hair_rgb), cover(ball + swirl))
    if not scene.hair.long:
        return
    reach = float(scene.hair.outer.max()) + 1
    p = scene.patch(-reach, reach, -8, 112)
    at = scene.at[scene.canvas.window(-reach, reach, -8, 112)]
    alpha = cover((scene.hair.outer[at] - np.abs(p.u)) * scene.hair.outer_cos[at])
    tone = np.float32(0.50) + np.float32(0.14) * strands(p.u, m.strand)
    p.paint(p.tones(tone, t.hair_rgb), alpha)


def _opening_distance(scene: Scene, window: tuple[slice, slice]) -> Plane:
    """Signed distance to the hair's opening around the face, positive on the face."""
    t, m, hair = scene.t, scene.m, scene.hair
    x, v, at = scene.x[window], scene.canvas.v[window], scene.at[window]
    if m.bangs == "side":
        slant = 0.34 if t.parting < 0 else -0.34
        at = indices(v + np.clip(x + np.float32(10 if slant > 0 else -10), -40, 40) * np.float32(slant) * (v < -6))
    elif not m.bangs and t.style != "fringe":
        # Men's hairlines rise beside the forehead; parted hair falls to both sides like a curtain.
        rise = 0.14 if t.male and not hair.long else -0.16 if hair.long else 0.04
        at = indices(v + np.abs(x - np.float32(9 * t.parting if hair.long else 0)) * np.float32(rise) * (v < -8))
    return (hair.opening[at] - np.abs(x)) * hair.opening_cos[at]


def _shadow_of_hair(scene: Scene) -> None:
    t, m = scene.t, scene.m
    if t.style in ("bald", "fringe", "buzz") or m.hat:
        return
    window = scene.canvas.window(-t.face_width, t.face_width, SKULL_TOP, 30)
    d = _opening_distance(scene, window)
    alpha = cover(4.5 - d, 9) * cover(d + 2) * np.float32(0.42)
    if not scene.hair.long:
        alpha *= smooth(scene.canvas.v[window], 4, -6)
    Patch(scene.canvas.rgb[:, window[0], window[1]], d, d).glaze((0.62, 0.50, 0.48), alpha)


def _hair(scene: Scene) -> None:
    t, m, hair = scene.t, scene.m, scene.hair
    if t.style == "bald" or (m.hat and not hair.long):
        return
    bottom = 112.0 if hair.long else 14.0
    reach = float(hair.outer.max()) + 3
    window = scene.canvas.window(-reach, reach, hair.top - 3, bottom)
    u, v, at = scene.canvas.u[window], scene.canvas.v[window], scene.at[window]
    half = hair.outer[at]
    lean = u
    if t.style == "quiff":
        lean = u + np.clip((v + 40) * np.float32(0.25 * (1 if t.parting > 0 else -1)), -5, 0 if t.parting > 0 else 5)
    ragged = strands(u * np.float32(0.8) + v * np.float32(0.25), m.strand + 77)
    d_out = (half - np.abs(lean)) * hair.outer_cos[at] + ragged * np.float32(0.9)
    d_in = _opening_distance(scene, window) + strands(scene.x[window] * np.float32(1.1), m.strand) * np.float32(1.5 if m.bangs else 0.9)
    soft = 1.5 if t.style in ("buzz", "fringe", "receding") else 1.1
    alpha = cover(d_out) * cover(-d_in, soft)
    if t.style == "buzz":
        alpha = alpha * np.float32(0.86)
    planes = _hair_planes(scene, u, v, at, half)
    planes *= 1 - np.float32(0.30) * smooth(-d_in, 5.0, 0.0) * np.float32(1.0 if hair.long or m.bangs else 0.5)
    Patch(scene.canvas.rgb[:, window[0], window[1]], u, v).paint(planes, alpha)


# Things worn


def _glasses(scene: Scene) -> None:
    t, m = scene.t, scene.m
    if not m.glasses:
        return
    e = t.eye_distance + (1.0 if m.glasses == "square" else 0.6)
    rx, ry = {"round": (13.2, 12.6), "square": (15.2, 10.6), "aviator": (15.0, 12.4)}[m.glasses]
    p = scene.features(-48, 48, -18, 18)
    x, y = p.u, p.v - 1.5
    side = np.abs(x)
    if m.glasses == "round":
        lens = ellipse(side, y, e, 0, rx, ry)
    elif m.glasses == "square":
        lens = box(side, y, e, 0, rx, ry, 4.5)
    else:
        lens = box(side + (y + 4) * np.float32(0.12), y, e, 0.5, rx - 1, ry - 0.5, 9.0)
    inside = cover(lens)
    rim = cover(np.float32(m.rim / 2) - np.abs(lens + np.float32(m.rim / 2 - 0.4)))
    if m.dark:
        fade = np.clip((y + 13) * np.float32(1 / 30), 0, 1) * np.float32(0.10)
        tone = np.float32(0.05) + fade
        p.paint(p.tones(tone, (1.1, 1.0, 1.15)), inside * np.float32(0.96))
        p.shine((0.8, 0.9, 1.0), bump(side, y, e - 4, -5, 7, 3.5) * inside * np.float32(0.22))
    else:
        p.shine((0.9, 0.95, 1.0), inside * np.float32(0.035))
        glare = cover(2.2 - np.abs((x - np.float32(0)) * np.float32(0.6) + y + 2 - np.float32(0.6 * e) * np.sign(x))) * (y < 2)
        p.shine((1, 1, 1), glare * cover(lens - 2.5) * np.float32(0.16))
    p.glaze((0.55, 0.48, 0.46), cover(1.4 - np.abs(lens + np.float32(m.rim / 2) + 1.4), 2.5) * (y > 0) * np.float32(0.35))
    bridge = stroke(x, y, (-e + rx - 1.5, -1.5, 0, -4.2, e - rx + 1.5, -1.5), m.rim + 1.2)
    temple = cover(np.float32(m.rim * 0.45 + 0.3) - np.abs(y + 3.0)) * cover(side - np.float32(e + rx - 0.5)) * (
        np.abs(scene.canvas.u[scene.feature_window(-48, 48, -18, 18)]) < t.face_width + 0.5)
    frame = np.minimum(np.maximum(np.maximum(rim, bridge), temple), 1)
    light = 1 + np.float32(0.5) * smooth(y, 0, -10)
    p.paint(p.tones(light, m.rim_rgb), frame)


def _felt(scene: Scene, u: Plane, v: Plane, half: float, top: float, colour: Colour) -> NDArray[np.float32]:
    """Cloth over a dome of a half width, lit."""
    nx = np.clip(u * np.float32(1 / half), -1, 1) * np.float32(0.92)
    ny = np.clip((np.float32(top + 26) - v) * np.float32(-1 / 34), -0.8, 0.2)
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.05))
    return scene.lit(nx, ny, nz, colour, 0.03)


def _hat(scene: Scene) -> None:
    t, m = scene.t, scene.m
    if not m.hat:
        return
    width = t.face_width
    p = scene.features(-30, 30, -34, -2)
    p.glaze((0.55, 0.46, 0.46), smooth(p.v, -6, -21) * cover(np.float32(width) - np.abs(p.u), 12) * np.float32(0.55))
    reach = width + 30
    window = scene.canvas.window(-reach, reach, -80, -8)
    u, v, x = scene.canvas.u[window], scene.canvas.v[window], scene.x[window]
    at = scene.at[window]
    p = Patch(scene.canvas.rgb[:, window[0], window[1]], u, v)
    if m.hat == "beanie":
        half = width + 6.0
        shape, cosine = outline(profile(lambda v: np.where(v < -26, half * dome(v, -71, -34, 2.3), -8 * (v + 26))))
        body = (shape[at] - np.abs(u)) * cosine[at]
        planes = _felt(scene, u, v, half, -71, m.hat_rgb)
        knit = strands(u * (60 / np.maximum(v + 100, 30)) * np.float32(1.1), 0) * np.float32(0.16)
        planes *= 1 + knit
        p.paint(planes, cover(body))
        bent = v - u * u * np.float32(0.0022)
        cuff = np.minimum(box(u, bent, 0, -32, half + 1.2, 7.5, 4), 99)
        ribs = np.float32(0.13) * (np.abs(np.mod(u, 5) - np.float32(2.5)) - np.float32(1.25))
        planes = _felt(scene, u, v, half + 2, -55, _mix(m.hat_rgb, (0.95, 0.95, 0.95), 0.16))
        planes *= 1 + ribs
        p.glaze((0.5, 0.5, 0.5), cover(cuff + 3, 6) * np.float32(0.4) * (bent < -32))
        p.paint(planes, cover(cuff))
    elif m.hat == "cap":
        half = width + 3.5
        shape, cosine = outline(profile(lambda v: np.where(v < -28, half * dome(v, -68, -29, 2.2), -8 * (v + 28))))
        planes = _felt(scene, u, v, half, -68, m.hat_rgb)
        seam = cover(0.6 - np.abs(x)) + cover(0.6 - np.abs(np.abs(x) - np.float32(24) * np.clip((v + 70) * np.float32(1 / 34), 0, 1)))
        planes *= 1 - np.float32(0.25) * np.minimum(seam, 1) * (v < -35)
        badge = ellipse(x, v, 0, -47, 8, 6.5)
        p.paint(planes, cover((shape[at] - np.abs(u)) * cosine[at]))
        p.paint(_mix(m.hat_rgb, (1, 1, 1), 0.75), cover(badge) * np.float32(0.9))
        bent = v + x * x * np.float32(-0.0036)
        brim = np.minimum(ellipse(x, bent, 0, -31, 36, 10.5), bent + 35)
        light = np.float32(0.92) - np.float32(0.5) * smooth(bent, -29, -20.5)
        shade = _times(m.hat_rgb, 0.80)
        p.glaze((0.5, 0.5, 0.5), cover(brim + 3, 6) * np.float32(0.35))
        p.paint(p.tones(light, shade), cover(brim))
    else:
        half = width - 3.0
        shape, cosine = outline(profile(lambda v: np.where(
            v < -30, (half + 0.12 * (v + 30)) * dome(v, -73, -57, 3.0), -8 * (v + 30))))
        dent = bump(u, v, 0, -71, 14, 7)
        planes = _felt(scene, u, v, half, -77, m.hat_rgb)
        planes *= 1 - np.float32(0.35) * dent
        p.paint(planes, cover((shape[at] - np.abs(u)) * cosine[at]))
        bent = v + u * u * np.float32(0.0017)
        band = np.minimum(np.minimum(np.float32(half) + np.float32(0.5) - np.abs(u), -33 - bent), bent + 44)
        luma = sum(m.hat_rgb) / 3
        p.paint((0.12, 0.11, 0.12) if luma > 0.35 else (0.80, 0.76, 0.66), cover(band) * np.float32(0.92))
        brim = ellipse(u, bent, 0, -30, width + 25, 8.0)
        light = np.float32(1.08) - np.float32(0.55) * smooth(bent, -34, -22) + u * np.float32(0.004 * m.light[0])
        p.glaze((0.5, 0.5, 0.5), cover(brim + 3, 6) * np.float32(0.3))
        p.paint(p.tones(light, m.hat_rgb), cover(brim))


def _develop(scene: Scene) -> NDArray[np.uint8]:
    """Canvas -> uint8 (218, 178, 3): exposure, colour of the light, vignette, film grain."""
    m, rgb = scene.m, scene.canvas.rgb
    top, left = m.grain
    for plane, tint in zip(rgb, m.tint, strict=True):
        plane *= _VIGNETTE * np.float32(255 * m.exposure * tint)
    rgb += GRAIN[:, top:top + HEIGHT, left:left + WIDTH]
    np.clip(rgb, 0, 255, out=rgb)
    return np.ascontiguousarray(rgb.astype(np.uint8).transpose(1, 2, 0))
