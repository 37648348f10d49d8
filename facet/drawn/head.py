"""The head as a lit height field, and its features: ears, cheeks and wrinkles, nose, eyes, brows, mouth."""

from __future__ import annotations

import numpy as np

from facet.drawn.person import LONG_STYLES
from facet.drawn.scene import SKULL_TOP, Pair, Scene, between, mix, times
from facet.drawn.shapes import (
    HEIGHT,
    WIDTH,
    Colour,
    Patch,
    Plane,
    bump,
    cover,
    ellipse,
    profile,
    smooth,
    strands,
    stroke,
)


def paint_ears(scene: Scene) -> None:
    t, m = scene.t, scene.m
    if t.style in LONG_STYLES and not m.hat and t.volume > 7:
        return
    for side in (-1, 1):
        u0 = side * (t.face_width + 1.0 - 4.5 * max(0.0, side * m.yaw))
        p = scene.patch(u0 - 8, u0 + 8, -9, 17)
        nx = np.clip((p.u - np.float32(u0)) * np.float32(1 / 9), -0.8, 0.8)
        colour = mix(scene.skin, (0.75, 0.3, 0.25), 0.10)
        planes = scene.lit(nx, np.full((1, 1), -0.1, np.float32), np.sqrt(1 - nx * nx), colour, 0)
        planes *= 1 - np.float32(0.3) * bump(p.u, p.v, u0 + side * 0.5, 4, 4.2, 8.5)
        p.paint(planes, cover(ellipse(p.u, p.v, u0, 4, 6.2, 11.5)))


def _hill(h: Plane, scene: Scene, x0: float, y0: float, rx: float, ry: float, height: float) -> None:
    """Raise the height field by a bump."""
    window = scene.feature_window(x0 - rx, x0 + rx, y0 - ry, y0 + ry)
    h[window] += np.float32(height) * bump(scene.x[window], scene.y[window], x0, y0, rx, ry)


def _hills(h: Plane, scene: Scene, x0: float, y0: float, rx: float, ry: float, height: float) -> None:
    """Raise the height field by a bump right of the nose and its mirror image."""
    window = scene.feature_window(-x0 - rx, x0 + rx, y0 - ry, y0 + ry)
    h[window] += np.float32(height) * bump(np.abs(scene.x[window]), scene.y[window], x0, y0, rx, ry)


def paint_head(scene: Scene) -> None:
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
    _hills(h, scene, t.eye_distance, -1, 14, 9, -4.2)
    _hills(h, scene, t.eye_distance + 1, 0, 10.5, 7, 2.6)
    _hills(h, scene, 18, -13, 15, 7, 2.2 * heavy)
    _hills(h, scene, 23.5, 19 - 3.0 * scene.smile, 14, 12, 3.2 + 3.6 * scene.smile - 1.4 * scene.old)
    if scene.old:
        _hills(h, scene, 27, 33, 9, 14, -3.0 * scene.old)
        _hills(h, scene, 22, 45, 11, 8, 3.0 * scene.old)
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


def paint_cheeks_and_lines(scene: Scene) -> None:
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
            weight = np.float32((0.55 * old + 0.2) * scene.lined)
            lines = stroke(y, x, (mouth + 2, scene.mouth_half + 1.5, mouth + 8, scene.mouth_half + 3.5, mouth + 15,
                                  scene.mouth_half + 3), 2.2)
            e, w = t.eye_distance, t.eye_width
            lines += stroke(x, y, (e - w, 5.5, e, 10.5, e + w, 6.0), 2.4)
            lines += stroke(x, y, (e - w + 2, 8.5, e + 1, 14.0, e + w + 2, 9.0), 1.5) * np.float32(0.6)
            for k in (-1, 0, 1):
                lines += stroke(x, y, (e + w + 1, 0.5 + 2 * k, e + w + 5, 0.8 + 3.4 * k, e + w + 9, 1.5 + 5 * k), 1.5)
            p.glaze(crease, np.minimum(lines, 1) * weight)
    if old:
        forehead = scene.features(-30, 30, -46, -12)
        lines = np.zeros_like(forehead.u)
        for k, y0 in enumerate((-20.5, -25.5, -30.5)):
            across = (-24 + 2 * k, y0 + 1.0, 1.0 * k, y0 - 0.5, 24 - 2 * k, y0 + 1.2)
            lines += stroke(forehead.u, forehead.v, across, 2.0)
        for side in (-1, 1):
            frown = (-19, side * 2.4, -15, side * 2.6, -10, side * 3.2)
            lines += stroke(forehead.v, forehead.u, frown, 1.6) * np.float32(0.45)
        forehead.glaze(crease, np.minimum(lines, 1) * np.float32((0.35 + 0.4 * old) * scene.lined))


def paint_nose(scene: Scene) -> None:
    t, m, tip = scene.t, scene.m, scene.nose_tip
    lean = 4.5 * m.yaw
    w = t.nose_width
    p = scene.features(-20 + min(lean, 0), 20 + max(lean, 0), tip - 12, tip + 11)
    x, y = p.u - np.float32(lean), p.v
    p.glaze((0.72, 0.60, 0.58), bump(x, y, -9 * m.light[0], tip + 3.5, w + 4, 6.5) * np.float32(0.62 * m.contrast))
    side = np.abs(x)
    wing = stroke(y, side, (tip - 4.5, w + 0.6, tip, w + 2.3, tip + 3.5, w - 0.6), 1.8)
    p.glaze((0.55, 0.42, 0.38), wing * np.float32(0.55))
    p.paint(times(scene.skin, 0.24), cover(ellipse(side, y, w * 0.47, tip + 2.2, 2.6, 1.35), 1.4) * np.float32(0.85))
    under = stroke(x, y, (-w * 0.8, tip + 2.0, 0, tip + 4.4, w * 0.8, tip + 2.0), 1.8)
    p.glaze((0.6, 0.48, 0.45), under * np.float32(0.5))
    p.shine((1, 1, 1), bump(x, y, 2.2 * m.light[0], tip - 3.5, 3.4, 3.0) * np.float32(0.13))


def paint_eyes(scene: Scene) -> None:
    with scene.pair(scene.t.eye_distance - 14, scene.t.eye_distance + 16, -14, 9) as pair:
        _both_eyes(scene, pair)


def _both_eyes(scene: Scene, p: Pair) -> None:
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
    white: Plane = np.float32(0.92) - np.float32(0.30) * smooth(above, 2.6, 0.0)
    white -= np.float32(0.16) * np.minimum(r2, 1)
    p.paint(p.tones(white, (1.0, 0.965, 0.945)), opened)
    e_side = e * side - np.float32(2.4 * m.gaze + 1.2 * m.yaw)               # from the pupil, to the right
    radius = 4.5 if t.male else 4.8
    iris = ellipse(e_side, y, 0, -0.5, radius, radius)
    p.paint(times(t.eye_rgb, 0.42), cover(iris) * opened)
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
    dark: Colour = (0.07, 0.05, 0.05) if m.makeup or not t.male else times(scene.skin, 0.22)
    p.paint(dark, lash * (reach > 0) * np.float32(0.95))
    if m.makeup:
        wing = stroke(e, y, (w * 0.7, -1.8, w * 1.1, -2.2, w * 1.5, -4.2), 2.0)
        under = stroke(e, y, (-w * 0.6, low, 0.3, low + 0.5, w, 0.2), 1.4)
        p.paint(dark, np.minimum(wing + np.float32(0.6) * under, 1))


def paint_brows(scene: Scene) -> None:
    t = scene.t
    width, arch, e = t.brow_width, t.brow_arch, t.eye_distance
    raised = 1.0 * scene.smile + (0.5 if t.male else 2.0)
    inner = e - (13.0 if t.bushy else 11.5)
    with scene.pair(inner - 1, e + 17, -25, -4) as p:
        x, y = p.u, p.v + np.float32(raised)
        shape = stroke(x, y, (inner, -10.2, e, -10.6 - arch, e + 15.5, -8.8), width * 1.15)
        hairs = strands(x * np.float32(2.2) + y * np.float32(1.3), 40.0)
        own = {"gray": 0.15, "blond": 0.45}.get(t.hair, 0.55)
        colour = mix(times(t.hair_rgb, 0.62), (0.13, 0.08, 0.06), own)
        strength = np.clip(np.float32(0.96 if t.bushy else 0.82) + np.float32(0.12) * hairs, 0, 1)
        p.paint(colour, shape * strength * (np.float32(0.55) + np.float32(0.45) * smooth(x, inner, inner + 5)))


def _lip_colour(scene: Scene) -> Colour:
    if scene.m.lipstick:
        return scene.m.lipstick_rgb
    skin = scene.skin
    natural = (skin[0] * 0.88, skin[1] * 0.66, skin[2] * 0.68)
    return mix(natural, skin, 0.35) if scene.t.male else natural


def paint_mouth(scene: Scene) -> None:
    t, m, y0, half = scene.t, scene.m, scene.mouth_y, scene.mouth_half
    p = scene.features(-half - 5, half + 5, y0 - 16, y0 + 20)
    x, y = p.u - np.float32(1.5 * m.yaw), p.v
    r = x * np.float32(1 / half)
    r2 = r * r
    within = np.maximum(1 - r2, 0)
    full = within * (1 + np.float32(0.35) * r2)
    grin = scene.grin
    lift = 6.6 * m.smile
    line = np.float32(y0 + 0.45 * lift) - np.float32(lift) * r2
    gap = m.opening * between(9.0, 7.2, grin)
    rise = np.float32(1 - grin) * full + np.float32(grin) * (within * np.float32(0.4))
    inner_up = line - np.float32(0.30 * gap) * rise
    inner_low = line + np.float32(0.80 * gap) * full
    cupid = 1 - np.float32(0.42) * bump(r, r, 0, 0, 0.30, 1.0)
    thin = between(1.0, 0.85, grin)
    upper = np.float32(4.0 * t.lip_fullness * thin) * within * cupid
    lower = np.float32(5.0 * t.lip_fullness * thin) * full
    outer_up, outer_low = inner_up - upper, inner_low + lower

    p.glaze((0.68, 0.55, 0.52), bump(x, y, 0, y0 + 10 + 0.8 * gap, 11, 4.5) * np.float32(0.5))
    corner = bump(np.abs(x), y, half + 0.6, y0 - 0.55 * lift, 3.6, 3.2)
    p.glaze((0.5, 0.38, 0.35), corner * np.float32(0.55 + 0.25 * scene.smile))

    colour = _lip_colour(scene)
    lips = cover(np.minimum(y - outer_up, outer_low - y), 1.3) * (within > 0)
    body = (y - inner_low) / np.maximum(lower, 1)                            # 0..1 across the lower lip
    light = np.where(y < line, np.float32(0.80), np.float32(1.06) - np.float32(0.30) * np.clip(body, 0, 1))
    sheen = bump(x, y, 2.5 * m.light[0], y0 + 0.45 * lift + 0.8 * gap + 2.2 * t.lip_fullness, 6.5, 2.0)
    planes = p.tones(light, colour)
    planes += sheen * np.float32(0.22 if m.lipstick else 0.10)
    p.paint(planes, lips * np.float32(1.0 if m.lipstick else 0.88))

    apart = min(gap / 3.5, 1.0)                                              # below 1 the lips hardly part
    if m.opening:
        mouth = cover(np.minimum(y - inner_up, inner_low - y)) * (within > 0) * np.float32(apart)
        p.paint((0.20, 0.05, 0.06), mouth)
        p.paint((0.70, 0.30, 0.32), bump(x, y, 0, y0 + 0.45 * lift + 0.8 * gap + 1, half * 0.65, 4.5) * mouth)
        tooth = np.float32(between(2.6, 4.8, grin))
        rows = cover(np.minimum(inner_up + tooth * np.minimum(within * 2.2, 1) - y, 99)) * mouth
        shade = np.float32(0.96) - np.float32(0.30) * np.minimum(r2, 1)
        shade -= np.float32(0.10) * smooth(y - inner_up, 1.6, 0.0)
        p.paint(p.tones(shade, (1.0, 0.97, 0.92)), rows)
        p.glaze((0.45, 0.35, 0.35), cover(0.4 - np.abs(y - inner_up)) * (within > 0) * np.float32(0.5 * apart))
    if apart < 1:
        seam = cover(np.float32(0.75) - np.abs(y - line), 1.2) * (within > 0)
        p.glaze((0.38, 0.22, 0.22), seam * np.float32(0.85 * (1 - apart)))
