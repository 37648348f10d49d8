"""Hair behind the neck, on the head and of the beard, and its shadow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facet.drawn.scene import SKULL_TOP, WAVE, Scene, mix, times
from facet.drawn.shapes import Colour, Patch, Plane, box, cover, ellipse, indices, smooth, strands


def _beard_colour(scene: Scene) -> Colour:
    if scene.t.hair == "gray":
        return times(scene.t.hair_rgb, 0.92)
    return mix(times(scene.t.hair_rgb, 0.72), (0.10, 0.07, 0.06), 0.2)


def _whiskers(scene: Scene, p: Patch) -> NDArray[np.float32]:
    """Colours (3, h, w) of a beard: short strands that fan out from the mouth."""
    pattern = strands(p.u * np.float32(1.7) + p.u * p.v * np.float32(0.012), scene.m.strand)
    lit = np.clip(p.u * np.float32(scene.m.light[0] / 45), -0.25, 0.25)
    tone = np.float32(0.95) + np.float32(0.32) * pattern + lit
    return p.tones(tone, _beard_colour(scene))


def paint_beard(scene: Scene) -> None:
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
        line = np.float32(scene.nose_tip + 7) - side * side * np.float32(0.013)
        line += np.maximum(16 - side, 0) * np.float32(0.25)
        alpha = cover(np.minimum(jaw, (y - line) * np.float32(0.8)) + ragged, 3.0)
    p.paint(_whiskers(scene, p), alpha * np.float32(0.95))


def paint_mustache(scene: Scene) -> None:
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


def _waves(scene: Scene, at: NDArray[np.int32], u: Plane) -> Plane:
    """Waves in [-1, 1] along the hair, with different phases left and right."""
    shift = int(abs(scene.t.parting) * 60)
    return WAVE[np.minimum(at + shift * (u > 0), len(WAVE) - 1)]


def _hair_planes(scene: Scene, u: Plane, v: Plane, at: NDArray[np.int32], half: Plane) -> NDArray[np.float32]:
    """Colours (3, h, w) of lit hair, with strands that follow the style and a gloss band around the head."""
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
    band = v + np.float32(47) - u * u * np.float32(0.010) - u * np.float32(0.15 * m.light[0]) + pattern * 3
    band *= np.float32(1 / 9)
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


def paint_hair_behind(scene: Scene) -> None:
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
    u, v, at = scene.canvas.u[window], scene.canvas.v[window], scene.at[window]
    q = u * np.float32(1 / (t.face_width + 4))
    bulge = np.maximum(1 - q * q, 0)
    x = u - np.float32(scene.turn) * bulge * bulge                           # turned, but never off the head
    if m.bangs == "side":
        slant = 0.34 if t.parting < 0 else -0.34
        at = indices(v + np.clip(x + np.float32(10 if slant > 0 else -10), -40, 40) * np.float32(slant) * (v < -6))
    elif not m.bangs and t.style != "fringe":
        # Men's hairlines rise beside the forehead; parted hair falls to both sides like a curtain.
        rise = 0.14 if t.male and not hair.long else -0.16 if hair.long else 0.04
        at = indices(v + np.abs(x - np.float32(9 * t.parting if hair.long else 0)) * np.float32(rise) * (v < -8))
    half = hair.opening[at]
    if not hair.long and t.style != "fringe":
        half = np.minimum(half, scene.face[scene.at[window]] - np.float32(1.5))     # no gap between skull and hair
    return (half - np.abs(x)) * hair.opening_cos[at]


def _face_cover(scene: Scene, window: tuple[slice, slice]) -> Plane:
    at = scene.at[window]
    return cover((scene.face[at] - np.abs(scene.canvas.u[window])) * scene.face_cos[at])


def paint_shadow_of_hair(scene: Scene) -> None:
    t, m = scene.t, scene.m
    if t.style in ("bald", "fringe", "buzz") or m.hat:
        return
    window = scene.canvas.window(-t.face_width, t.face_width, SKULL_TOP, 30)
    d = _opening_distance(scene, window)
    alpha = cover(4.5 - d, 9) * cover(d + 2) * np.float32(0.42)
    if not scene.hair.long:
        alpha *= smooth(scene.canvas.v[window], 4, -6)
        alpha *= _face_cover(scene, window)
    Patch(scene.canvas.rgb[:, window[0], window[1]], d, d).glaze((0.62, 0.50, 0.48), alpha)


def paint_hair(scene: Scene) -> None:
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
    d_in = _opening_distance(scene, window)
    d_in += strands(scene.x[window] * np.float32(1.1), m.strand) * np.float32(1.5 if m.bangs else 0.9)
    soft = 1.5 if t.style in ("buzz", "fringe", "receding") else 1.1
    alpha = cover(d_out) * cover(-d_in, soft)
    if t.style == "buzz":
        alpha = alpha * np.float32(0.86)
    planes = _hair_planes(scene, u, v, at, half)
    planes *= 1 - np.float32(0.30) * smooth(-d_in, 5.0, 0.0) * np.float32(1.0 if hair.long or m.bangs else 0.5)
    Patch(scene.canvas.rgb[:, window[0], window[1]], u, v).paint(planes, alpha)
