"""Photo-like scenes with drawn people, for trying the photo editor.

A drawn portrait (facet/drawn) is rotated, enlarged and placed in a larger picture, so the positions of eyes, nose and
mouth are known. Scene i depends on (seed, i) alone."""

import csv
import dataclasses
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facet import drawn
from facet.photos.faces.landmarks import COLUMNS

SIZE = (1600, 1200)  # width, height
FACES = (80, 600)  # smallest and largest height of a face, forehead to chin, in pixels of the scene
FACE = 130  # height of a face in a portrait of 218 rows
FEATURES = np.array(
    [(70.0, 111.0), (108.0, 111.0), (89.0, 132.0), (74.0, 147.0), (105.0, 147.0)]
)  # landmarks of drawn people
TURN = 20.0  # largest rotation to either side, in degrees
QUALITY = 92


@dataclasses.dataclass(frozen=True)
class Scene:
    """A picture with one drawn person, and the person's place in it."""

    pixels: np.ndarray  # (H, W, 3) uint8
    person: drawn.Person
    matrix: np.ndarray  # (2, 3), from the portrait's 178 x 218 frame to the scene
    face: float  # height of the face, forehead to chin, in pixels

    @property
    def landmarks(self) -> np.ndarray:
        """Eyes, nose and corners of the mouth (5, 2), at their mean position over drawn people."""
        points: np.ndarray = FEATURES @ self.matrix[:, :2].T + self.matrix[:, 2]
        return points


def compose(seed: int, index: int, size: tuple[int, int] = SIZE, faces: tuple[float, float] = FACES) -> Scene:
    """Compose scene `index` of a seed."""
    dice = np.random.default_rng((seed, index))
    person = drawn.sample(seed, index)
    portrait = drawn.draw(person).astype(np.float32)
    width, height = size
    face = float(np.exp(dice.uniform(*np.log(faces))))
    scale, turn = face / FACE, np.deg2rad(dice.uniform(-TURN, TURN))
    across = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    reach = 0.62 * face
    middle = np.array([dice.uniform(reach, width - reach), dice.uniform(reach, height - reach)])
    matrix = np.hstack([across, (middle - across @ (89, 122))[:, None]])
    scene = _room(dice, width, height)
    enlarged = _placed(portrait, matrix, size)
    weight = _placed(_oval(), matrix, size)[:, :, None]
    scene += weight * (enlarged - scene)
    scene += dice.normal(0, 2.0, scene.shape).astype(np.float32)
    return Scene(np.clip(np.rint(scene), 0, 255).astype(np.uint8), person, matrix, face)


def _placed(value: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An array in the portrait's frame, warped into a scene of `size` (width, height)."""
    index = matrix.copy()
    index[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5
    border = cv2.BORDER_REPLICATE if value.ndim == 3 else cv2.BORDER_CONSTANT
    return np.asarray(cv2.warpAffine(value, index, size, flags=cv2.INTER_CUBIC, borderMode=border))


def _oval() -> np.ndarray:
    """Weights (218, 178) that fade out the corners of a portrait."""
    rows, columns = np.mgrid[0:218, 0:178].astype(np.float32)
    away = np.sqrt(((columns - 88.5) / 88.5) ** 2 + ((rows - 112) / 106) ** 2)
    return np.asarray(np.clip((1.0 - away) / 0.12, 0, 1), np.float32)


def _room(dice: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A wall with light, objects and texture."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    low, high = dice.uniform(40, 160, 3), dice.uniform(90, 230, 3)
    t = (columns * dice.uniform(-1, 1) / width + rows * dice.uniform(0.3, 1) / height)[:, :, None]
    scene = (low + (high - low) * t).astype(np.float32)
    for _ in range(int(dice.integers(6, 16))):
        left, top = dice.uniform(0, width), dice.uniform(0, height)
        wide, tall = dice.uniform(0.03, 0.3, 2) * (width, height)
        colour = tuple(dice.uniform(20, 240, 3).tolist())
        if dice.random() < 0.5:
            cv2.rectangle(scene, (int(left), int(top)), (int(left + wide), int(top + tall)), colour, -1, cv2.LINE_AA)
        else:
            cv2.circle(scene, (int(left), int(top)), int(min(wide, tall)), colour, -1, cv2.LINE_AA)
    scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), float(dice.uniform(0.5, 4))))
    coarse = cv2.resize(dice.normal(0, 9, (height // 8, width // 8)).astype(np.float32), (width, height))
    return scene + coarse[:, :, None]


def write(folder: Path, *, count: int, seed: int) -> None:
    """Write scenes 0 to `count` - 1 of a seed as JPEG into `folder`, and their landmarks as landmarks.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "landmarks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", *COLUMNS])
        for index in range(count):
            scene, name = compose(seed, index), f"scene-{index:04d}.jpg"
            Image.fromarray(scene.pixels).save(folder / name, quality=QUALITY)
            table.writerow([name, *(f"{value:.2f}" for value in scene.landmarks.ravel())])
