"""The colours that hair has with and without each attribute of its colour, on training faces."""

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from facet.base.tables import Faces
from facet.calibration.bench import AttributeJudge, probabilities_of
from facet.editing.directions import choose_rows
from facet.editing.table import AttributeTable, Colours
from facet.photos.faces import dye
from facet.photos.faces.align import from_box
from facet.photos.faces.detect import Face
from facet.photos.faces.head import Head, head_regions

SIZE = 128  # pixels at which heads are looked at
LOOKED_AT = 400  # faces of each attribute and state at which the judge looks
TRIED, CASES = 120, 30  # the most of them whose hair is searched, and whose colours are taken
CLEAR = 0.8  # probability by judge A from which on a face is a clear case
FEWEST = 10  # faces below which their colours say nothing


def with_hair_colours(
    table: AttributeTable, faces: Faces, pixels: np.ndarray, judge: AttributeJudge, *, seed: int, batch_size: int
) -> AttributeTable:
    """The table with `colours` of the attributes that are colours of hair: the mean over the training faces that are
    most clearly with, and without, each; as it is if the crops show no faces.

    `pixels` is images.npy, (N, S, S, C) uint8."""
    landmarks = table.meta.landmarks
    names = [name for name in table.attributes if name in dye.COLOURS and name in judge.attributes]
    if landmarks is None or not names or pixels.shape[-1] != 3:
        return table
    train = faces.rows("train")
    covering = faces.labels([name for name in dye.COVERING if name in faces.meta.attributes])[train]
    train = train[(covering <= 0).all(1)]
    seen: dict[int, Colours | None] = {}

    def of(row: int) -> Colours | None:
        if row not in seen:
            seen[row] = colours_of(pixels[row], landmarks)
        return seen[row]

    found: dict[str, tuple[Colours, Colours]] = {}
    for name in names:
        labels = faces.labels([name])[train, 0]
        states = []
        for state in (1, -1):
            rows = train[labels == state]
            rows = rows[choose_rows(LOOKED_AT, len(rows), seed)]
            rows = _clearest(judge, name, state, pixels, rows, batch_size)[:TRIED]
            known = (one for row in rows.tolist() if (one := of(row)) is not None)
            states.append(list(itertools.islice(known, CASES)))
        if min(map(len, states)) >= FEWEST:
            present, absent = (_mean(state) for state in states)
            found[name] = present, absent
    directions = (dataclasses.replace(d, colours=found.get(d.attribute)) for d in table.directions)
    return dataclasses.replace(table, directions=tuple(directions))


def colours_of(crop: np.ndarray, landmarks: Sequence[float]) -> Colours | None:
    """The colours of the head in a crop (S, S, 3) uint8; None if it shows no face, or too little hair."""
    large = cv2.resize(np.asarray(crop), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    head = Head.of(large, from_box((0, 0, SIZE, SIZE)), Face.of(np.reshape(landmarks, (5, 2)) * SIZE), SIZE)
    if head.mesh is None:
        return None
    parts = head_regions(head.mesh, head.person, large)
    hair = parts["hair"] * head.weights
    return dye.mean_colours(large, hair, parts["cheeks"]) if hair.mean() >= dye.LEAST else None


def _clearest(
    judge: AttributeJudge, name: str, state: int, pixels: np.ndarray, rows: np.ndarray, batch_size: int
) -> np.ndarray:
    """The rows of which the judge is sure that they are in a state, the surest first."""
    present = probabilities_of(judge, pixels, rows, batch_size)[:, judge.attributes.index(name)]
    sure = present if state > 0 else 1 - present
    order = np.argsort(-sure, kind="stable")
    return np.asarray(rows[order[sure[order] >= CLEAR]])


def _mean(colours: Sequence[Colours]) -> Colours:
    return Colours(np.mean([one.hair for one in colours], 0), np.mean([one.skin for one in colours], 0))
