"""Photos of people held out, whole and in variants, each with the place of its face.

whole     the photo as it is, 250 x 250
tight     cut around the face
turned    turned by up to TURN degrees either way, and cut so that no corner is empty
small     reduced until the face is SMALL pixels wide
grey      red, green and blue alike
enlarged  ENLARGED times as large by Lanczos; it stands in for large portraits and is none: it
          has no detail to lose, so its sharpness says little"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.photo_quality.outside import Outside, find_head
from facet.base import images
from facet.base.errors import InputError
from facet.base.params import need
from facet.photos.faces import align
from facet.photos.faces.align import Placement
from facet.pictures.crops import crop
from facet.pictures.decode import decode

SETS = ("whole", "tight", "turned", "small", "grey", "enlarged")
TURN = 25.0  # degrees
SMALL = 60  # pixels
ENLARGED = 3
TIGHT = 0.72  # of a head: the square that the tight cut keeps
FIRST_GUESS = 0.88  # of the photo's side: a head in the middle of one of LFW's photos
SURE = 15.0  # least logit of the mesh that there is a face; untouched photos have about 40


@dataclasses.dataclass(frozen=True)
class Sample:
    """One photo of one person in one set."""

    name: str  # of the photo: its image_id
    person: int
    pixels: np.ndarray  # (H, W, 3) uint8
    head: Placement  # for the networks from outside
    face: Placement  # for judge B: the crop that it was trained on, carried along from the whole photo
    labels: Mapping[str, int]  # by attribute: -1 absent, 0 not known, 1 present


def held_out(root: Path, split: str = "test") -> pd.DataFrame:
    """The usable photos of a split of a project: image_id, identity, attributes as -1, 0, 1."""
    path = need(root / "data" / "prepared" / "faces.parquet", "prepare")
    faces = pd.read_parquet(path)
    faces = faces[(faces["split"] == split) & (faces["status"] == "ok")]
    if faces.empty or faces["identity"].isna().any():
        raise InputError(
            f"{path} has no {split} photos whose people are known; use profile lfw-photos with split: identity"
        )
    return faces.reset_index(drop=True)


def choose(faces: pd.DataFrame, attributes: Sequence[str], count: int, *, seed: int) -> pd.DataFrame:
    """One photo each of `count` people, so that rare states of attributes are there as well.

    Again and again takes the photo that shows most of the states that fewer than a quarter of the chosen have."""
    faces = faces.sample(frac=1, random_state=seed).reset_index(drop=True)
    labels = faces[list(attributes)].to_numpy()
    states = np.hstack([labels > 0, labels < 0]).astype(int)
    free, have = np.ones(len(faces), bool), np.zeros(states.shape[1], int)
    rows: list[int] = []
    people = faces["identity"].to_numpy()
    while len(rows) < count and free.any():
        wanted = (states * (have < count / 4)).sum(1)
        row = int(np.argmax(np.where(free, wanted, -1)))
        rows.append(row)
        have += states[row]
        free &= people != people[row]
    return faces.iloc[rows].reset_index(drop=True)


def read(source: Path, name: str) -> np.ndarray:
    """A photo of the folder `source`: (H, W, 3) uint8."""
    path = source / name
    if not path.is_file():
        raise InputError(f"{path} is missing; --source names the folder that `source` read")
    return decode(path.read_bytes())


def whole(
    outside: Outside, pixels: np.ndarray, row: "pd.Series[int]", crop_name: str, attributes: Sequence[str]
) -> Sample | None:
    """The sample of a photo as it is; None if the mesh finds no face in its middle."""
    height, width = pixels.shape[:2]
    side = FIRST_GUESS * min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    head, sure = find_head(outside, pixels, align.from_box((left, top, left + side, top + side)))
    if sure < SURE:
        return None
    face = align.from_framed(crop(crop_name), width, height, 64)
    labels = {name: int(row[name]) for name in attributes}
    return Sample(str(row["image_id"]), int(row["identity"]), pixels, head, face, labels)


def variant(sample: Sample, name: str, *, seed: int) -> Sample:
    """The variant `name` of a whole photo; `seed` decides about the turn, with the photo's name."""
    pixels = sample.pixels
    height, width = pixels.shape[:2]
    if name == "whole":
        return sample
    if name == "grey":
        return dataclasses.replace(sample, pixels=np.repeat(images.luma(pixels), 3, 2))
    if name == "tight":
        return _tight(sample)
    if name == "turned":
        return _turned(sample, np.random.default_rng([seed, *sample.name.encode()]).uniform(-TURN, TURN))
    if name == "small":
        face = sample.head.side / 2 * 0.85  # a face is about .85 as wide as it is high
        scale = SMALL / face
        size = (round(width * scale), round(height * scale))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return _moved(sample, cv2.resize(pixels, size, interpolation=way), np.diag([size[0] / width, size[1] / height]))
    if name == "enlarged":
        large = Image.fromarray(pixels).resize((width * ENLARGED, height * ENLARGED), Image.Resampling.LANCZOS)
        return _moved(sample, np.array(large), np.eye(2) * ENLARGED)
    raise InputError(f"there is no set {name!r}; choose of {', '.join(SETS)}")


def _tight(sample: Sample) -> Sample:
    height, width = sample.pixels.shape[:2]
    corners = sample.head.widened((TIGHT - 1) / 2).corners
    middle, half = corners.mean(0), TIGHT * sample.head.side / 2
    left, top = np.clip(np.round(middle - half).astype(int), 0, None)
    right, bottom = np.minimum(np.round(middle + half).astype(int), (width, height))
    cut = np.ascontiguousarray(sample.pixels[top:bottom, left:right])
    return _moved(sample, cut, np.eye(2), (-left, -top))


def _turned(sample: Sample, degrees: float) -> Sample:
    height, width = sample.pixels.shape[:2]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    side = (
        int(min(width, height) / (abs(cos) + abs(sin))) - 6
    )  # the largest square inside, less the reach of cubic interpolation
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = np.full(2, side / 2) - turn @ (width / 2, height / 2)
    # from pixel indices to pixel indices: centres are half a pixel from corners
    index = np.hstack([turn, (shift + turn.sum(1) / 2 - 0.5)[:, None]])
    pixels = cv2.warpAffine(sample.pixels, index, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return _moved(sample, pixels, turn, shift)


def _moved(
    sample: Sample, pixels: np.ndarray, turn: np.ndarray, shift: Sequence[float] | np.ndarray = (0, 0)
) -> Sample:
    """The sample with other pixels, to which `turn` (2, 2) and `shift` (2,) map the old ones."""
    head, face = (
        Placement(np.hstack([turn @ place.matrix[:, :2], (turn @ place.matrix[:, 2] + shift)[:, None]]))
        for place in (sample.head, sample.face)
    )
    return dataclasses.replace(sample, pixels=pixels, head=head, face=face)
