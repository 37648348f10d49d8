"""Strokes of the brush before a judge whose every answer is known: what shows is told from what merely rises, and from
what any stroke does."""

import types

import numpy as np
import pytest
import torch

from facet.evaluation import strokes
from facet.evaluation.strokes import FOREHEAD, PLACES, elsewhere
from facet.metrics.intervals import share
from facet.pictures import crops
from tests.support.linear_system import LinearSystem

NAMES = ("Bangs", "Black_Hair")
CERTAIN = -2.0  # logit of a face that certainly lacks an attribute
CROP = crops.crop("face120")


class Reader:
    """Reads both attributes' logits off the first two pixels."""

    attributes = NAMES
    thresholds = torch.full((2,), 0.5)

    def logits(self, x):
        return x[:, 0, 0, :2]


def exam(count=32, unsure=()):
    x = torch.full((count, 3, 4, 4), CERTAIN)
    x[list(unsure)] = -0.1
    people = np.arange(count)

    def batches(faces):
        for start in range(0, len(faces), 5):
            part = slice(start, min(start + 5, len(faces)))
            yield part, x[faces[part]], None

    def means(faces, columns):
        return {name: types.SimpleNamespace(to_json=lambda v=v: plain(v)) for name, v in columns.items()}

    table = types.SimpleNamespace(meta=types.SimpleNamespace(crop="face120"))
    return types.SimpleNamespace(
        editor=types.SimpleNamespace(system=LinearSystem(), table=table),
        judge=Reader(), column=NAMES.index, labels=np.full((count, 2), -1), logits=x[:, 0, 0, :2].numpy(), seed=1,
        answers=lambda logits: logits >= 0, batches=batches, people=people, means=means,
        share=lambda faces, flags: share(flags, people[faces]),
    )  # fmt: skip


def plain(values):
    known = values[np.isfinite(values)]
    return {"value": float(known.mean()) if len(known) else None, "low": None, "high": None, "n": len(known)}


def paints(monkeypatch, rise):
    """A brush that raises both logits by rise(stroke), and counts its strokes."""
    places = []

    def paint(editor, x, given, mode):
        places.append((given[0].x, given[0].y, given[0].size, given[0].colour))
        y = x.clone()
        y[:, 0, 0, :2] += rise(given[0])
        return types.SimpleNamespace(y=y, mask=torch.ones_like(x[:, :1]))

    monkeypatch.setattr(strokes.brush, "paint", paint)
    return places


def shown(rows, name="Bangs", deed=FOREHEAD.name):
    (row,) = [row for row in rows if (row["deed"], row["attribute"]) == (deed, name)]
    return [row[key]["value"] for key in ("seen", "control", "above")]


def at_forehead(stroke):
    own = FOREHEAD.stroke(CROP)
    return (stroke.x, stroke.y) == (own.x, own.y)


@pytest.mark.parametrize(
    ("rise", "expected"),
    [
        (lambda stroke: 0.5, [0, 0, 0]),  # a rise that shows nothing is no success
        (lambda stroke: 3.0, [1, 1, 0]),  # any stroke anywhere does the same
        (lambda stroke: 3.0 if at_forehead(stroke) else 0.5, [1, 0, 1]),
    ],
)
def test_a_stroke_counts_if_the_judge_sees_it_and_more_than_after_one_elsewhere(monkeypatch, rise, expected):
    paints(monkeypatch, rise)
    rows = strokes.stroke_rows(exam(), 20)
    assert shown(rows) == shown(rows, "Bangs or Black_Hair") == expected
    assert rows[0]["seen"]["n"] == rows[0]["control"]["n"] == 20


def test_faces_on_which_the_judge_is_not_sure_take_no_part(monkeypatch):
    paints(monkeypatch, lambda stroke: 0.5)
    rows = strokes.stroke_rows(exam(count=10, unsure=range(7)), 20)
    assert (rows[0]["seen"]["n"], rows[0]["seen"]["value"]) == (3, 0)


def test_control_strokes_have_the_same_brush_and_lie_clear_of_it_within_the_crop(monkeypatch):
    places = paints(monkeypatch, lambda stroke: 0.0)
    strokes.stroke_rows(exam(), 32)
    own = FOREHEAD.stroke(CROP)
    others = {place for place in places if place[2:] == (own.size, own.colour)} - {(own.x, own.y, own.size, own.colour)}
    assert len(others) == PLACES
    for x, y, size, _ in others:
        assert size / 2 <= x <= 1 - size / 2
        assert size / 2 <= y <= 1 - size / 2
        assert max(abs(x - own.x), abs(y - own.y)) >= size - 1e-9


def test_the_same_seed_gives_the_same_places():
    assert elsewhere(FOREHEAD, CROP, 1) == elsewhere(FOREHEAD, CROP, 1) != elsewhere(FOREHEAD, CROP, 2)
