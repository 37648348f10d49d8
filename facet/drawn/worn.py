"""Things worn: clothes on neck and shoulders, glasses, hats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facet.drawn.scene import COLUMNS, ROWS, Scene, mix, times
from facet.drawn.shapes import (
    EYE_COLUMN,
    EYE_ROW,
    HEIGHT,
    Colour,
    Patch,
    Plane,
    box,
    bump,
    cover,
    dome,
    ellipse,
    outline,
    oval,
    profile,
    smooth,
    strands,
    stroke,
)


def paint_shoulders(scene: Scene) -> None:
    t, m, canvas = scene.t, scene.m, scene.canvas
    half = 27.0 if t.male else 20.5
    rows = slice(int(canvas.row + 36), HEIGHT)
    u = COLUMNS + np.float32(EYE_COLUMN - canvas.column)
    v = ROWS[rows] + np.float32(EYE_ROW - canvas.row)

    # Neck, with the shadow the chin throws on it.
    columns = slice(int(canvas.column - half - 24), int(canvas.column + half + 24))
    x = u[:, columns]
    side = np.abs(x)
    base = np.maximum(v - 62, 0)
    neck = np.float32(half) + base * base * np.float32(0.03)
    nx = np.clip(x / neck, -1, 1) * np.float32(0.85)
    planes = scene.lit(nx, np.full((1, 1), 0.12, np.float32), np.sqrt(1 - nx * nx), scene.skin, 0.03)
    shade = 1 - smooth(v, scene.chin + 26, scene.chin - 4) * np.float32(0.42)
    shade = shade * (1 - bump(side, v, 9, 76, 5, 22) * np.float32(0.05 + 0.12 * scene.old))
    shade *= 1 - smooth(v, scene.chin + 5, scene.chin + 24) * np.float32(0.10)
    planes *= shade
    Patch(canvas.rgb[:, rows, columns], x, v).paint(planes, cover(neck - side))

    # Clothes: a slope from the neck to the shoulders, and a collar line.
    side = np.abs(u)
    patch = Patch(canvas.rgb[:, rows], u, v)
    spread = np.maximum(side - np.float32(half - 2), 0)
    top = t.chin + (16.0 if t.male else 20.0)
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
    patch.paint(planes, cover(inside))


def paint_glasses(scene: Scene) -> None:
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
        diagonal = (side - np.float32(e)) * np.sign(x) * np.float32(0.6) + y + 2
        glare = cover(np.float32(2.2) - np.abs(diagonal)) * (y < 2)
        p.shine((1, 1, 1), glare * cover(lens - 2.5) * np.float32(0.16))
    shadow = cover(1.4 - np.abs(lens + np.float32(m.rim / 2) + 1.4), 2.5) * (y > 0)
    p.glaze((0.55, 0.48, 0.46), shadow * np.float32(0.35))
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


def paint_hat(scene: Scene) -> None:
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
    near = cover(np.float32(width + (7 if scene.hair.long else -1)) - np.abs(u), 4)
    if m.hat == "beanie":
        half = width + 6.0
        shape, cosine = outline(profile(lambda v: np.where(v < -26, half * dome(v, -71, -34, 2.3), -8 * (v + 26))))
        body = (shape[at] - np.abs(u)) * cosine[at]
        planes = _felt(scene, u, v, half, -71, m.hat_rgb)
        knit = strands(u * (np.float32(66) / np.maximum(v + np.float32(100), np.float32(30))), 0) * np.float32(0.16)
        planes *= 1 + knit
        p.paint(planes, cover(body))
        bent = v - u * u * np.float32(0.0022)
        cuff = np.minimum(box(u, bent, 0, -32, half + 1.2, 7.5, 4), 99)
        ribs = np.float32(0.13) * (np.abs(np.mod(u, 5) - np.float32(2.5)) - np.float32(1.25))
        p.glaze((0.5, 0.5, 0.5), cover(cuff + 3, 6) * near * np.float32(0.4) * (bent > -32))
        planes = _felt(scene, u, v, half + 2, -55, mix(m.hat_rgb, (0.95, 0.95, 0.95), 0.16))
        planes *= 1 + ribs
        p.paint(planes, cover(cuff))
    elif m.hat == "cap":
        half = width + 3.5
        shape, cosine = outline(profile(lambda v: np.where(v < -28, half * dome(v, -68, -29, 2.2), -8 * (v + 28))))
        planes = _felt(scene, u, v, half, -68, m.hat_rgb)
        panel = np.float32(24) * np.clip((v + 70) * np.float32(1 / 34), 0, 1)
        seam = cover(np.float32(0.6) - np.abs(x)) + cover(np.float32(0.6) - np.abs(np.abs(x) - panel))
        planes *= 1 - np.float32(0.25) * np.minimum(seam, 1) * (v < -35)
        badge = ellipse(x, v, 0, -47, 8, 6.5)
        p.paint(planes, cover((shape[at] - np.abs(u)) * cosine[at]))
        p.paint(mix(m.hat_rgb, (1, 1, 1), 0.75), cover(badge) * np.float32(0.9))
        bent = v + x * x * np.float32(-0.0036)
        brim = np.minimum(oval(x, bent, 0, -31, 36, 10.5), bent + 35)
        light = np.float32(0.92) - np.float32(0.5) * smooth(bent, -29, -20.5)
        shade = times(m.hat_rgb, 0.80)
        p.glaze((0.5, 0.5, 0.5), cover(brim + 3, 6) * near * np.float32(0.35))
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
        brim = oval(u, bent, 0, -30, width + 25, 8.0)
        light = np.float32(1.08) - np.float32(0.55) * smooth(bent, -34, -22) + u * np.float32(0.004 * m.light[0])
        p.glaze((0.5, 0.5, 0.5), cover(brim + 3, 6) * near * np.float32(0.3))
        p.paint(p.tones(light, m.hat_rgb), cover(brim))
