"""Where a drawn person's landmarks are, from the drawing itself."""

import numpy as np

from facet.drawn.person import Person
from facet.drawn.scene import Scene


def landmarks_of(person: Person) -> np.ndarray:
    """Eyes, tip of the nose and corners of the mouth (5, 2) of a person's portrait of 178 x 218 pixels."""
    scene = Scene(person)
    eye, corner = scene.t.eye_distance, scene.mouth_half
    mouth, lean = scene.mouth_y - 0.55 * 6.6 * scene.m.smile, scene.m.yaw
    wanted = [(-eye, 0.0), (eye, 0.0), (4.5 * lean, scene.nose_tip - 2)]
    wanted += [(1.5 * lean - corner, mouth), (1.5 * lean + corner, mouth)]
    rows, columns = zip(
        *(np.unravel_index(np.argmin((scene.x - x) ** 2 + (scene.y - y) ** 2), scene.x.shape) for x, y in wanted),
        strict=True,
    )
    return np.stack([columns, rows], 1) + 0.5
