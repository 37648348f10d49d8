"""Paints a Person back to front: background, shoulders, head, features, hair, glasses, hat, film."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facet.drawn.hair import paint_beard, paint_hair, paint_hair_behind, paint_mustache, paint_shadow_of_hair
from facet.drawn.head import (
    paint_brows,
    paint_cheeks_and_lines,
    paint_ears,
    paint_eyes,
    paint_head,
    paint_mouth,
    paint_nose,
)
from facet.drawn.person import Person
from facet.drawn.scene import COLUMNS, ROWS, Scene
from facet.drawn.shapes import EYE_COLUMN, EYE_ROW, GRAIN, HEIGHT, WIDTH, bump
from facet.drawn.worn import paint_glasses, paint_hat, paint_shoulders

_VIGNETTE = 1 - ((COLUMNS / 89) ** 2 + (ROWS / 111) ** 2) * np.float32(0.05)


def draw(person: Person) -> NDArray[np.uint8]:
    """A person -> uint8 (218, 178, 3) RGB, aligned like CelebA: eyes near row 111, columns 70 and 108."""
    scene = Scene(person)
    _background(scene)
    paint_hair_behind(scene)
    paint_shoulders(scene)
    paint_ears(scene)
    paint_head(scene)
    paint_beard(scene)
    paint_cheeks_and_lines(scene)
    paint_nose(scene)
    paint_eyes(scene)
    paint_mouth(scene)
    paint_mustache(scene)
    paint_shadow_of_hair(scene)
    paint_brows(scene)
    paint_hair(scene)
    paint_glasses(scene)
    paint_hat(scene)
    return _develop(scene)


def _background(scene: Scene) -> None:
    m, rgb = scene.m, scene.canvas.rgb
    dx, dy = np.cos(m.background_angle), np.sin(m.background_angle)
    t = np.clip(COLUMNS * np.float32(dx / 210) + ROWS * np.float32(dy / 210) + np.float32(0.5), 0, 1)
    light = np.zeros((HEIGHT, WIDTH), np.float32)
    for u, v, radius, brightness in m.blobs:
        rows = slice(max(0, int(EYE_ROW + v - radius)), min(HEIGHT, int(EYE_ROW + v + radius) + 1))
        columns = slice(max(0, int(EYE_COLUMN + u - radius)), min(WIDTH, int(EYE_COLUMN + u + radius) + 1))
        light[rows, columns] += np.float32(brightness) * bump(COLUMNS[:, columns], ROWS[rows], u, v, radius, radius)
    for plane, far, near in zip(rgb, *m.background, strict=True):
        np.multiply(t, np.float32(near - far), out=plane)
        plane += light
        plane += np.float32(far)


def _develop(scene: Scene) -> NDArray[np.uint8]:
    """Canvas -> uint8 (218, 178, 3): exposure, colour of the light, vignette, film grain."""
    m, rgb = scene.m, scene.canvas.rgb
    top, left = m.grain
    for plane, tint in zip(rgb, m.tint, strict=True):
        plane *= _VIGNETTE * np.float32(255 * m.exposure * tint)
    rgb += GRAIN[:, top:top + HEIGHT, left:left + WIDTH]
    np.clip(rgb, 0, 255, out=rgb)
    return np.ascontiguousarray(rgb.astype(np.uint8).transpose(1, 2, 0))
