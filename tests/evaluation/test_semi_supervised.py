"""The semi-supervised protocol on pictures of which a perfect encoder knows the digit, and raw pixels little."""

import dataclasses
import types

import numpy as np
import pandas as pd
import pytest
import torch

from facet import systems
from facet.base.errors import InputError
from facet.base.tables import Faces, FacesMeta
from facet.evaluation import semi_supervised
from facet.evaluation.digits import classes
from facet.systems import ian
from stages import evaluate
from tests.support import small

SIZE, COUNT = 8, 600
NAMES = classes("Digit")


class Knowing:
    """Features are the brightness of the corner pixel, which tells the digit, as one of ten."""

    y_dim = 0

    def features(self, x):
        digit = ((x[:, 0, 0, 0] + 1) * 127.5 / 20).round().long()
        return torch.nn.functional.one_hot(digit, 10).float()


class Module:
    """A system's module: the untrained network sees nothing but noise; keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def untrained(self, folder, x, *, seed, device):
        self.asked.append((folder, len(x), seed))
        noise = torch.Generator().manual_seed(1)
        return types.SimpleNamespace(features=lambda x: torch.rand(len(x), 10, generator=noise))


@pytest.fixture
def data():
    """Faces and pixels: the digit times 20 in a corner, noise elsewhere."""
    rng = np.random.default_rng(0)
    digits = rng.integers(10, size=COUNT)
    pixels = rng.integers(0, 256, (COUNT, SIZE, SIZE, 1), dtype=np.uint8)
    pixels[:, 0, 0, 0] = 20 * digits
    table = pd.DataFrame({name: np.where(digits == k, 1, -1).astype(np.int8) for k, name in enumerate(NAMES)})
    table["row"] = np.arange(COUNT)
    table["split"] = np.array(["train", "train", "test"])[np.arange(COUNT) % 3]
    meta = FacesMeta(source="mnist", crop="whole", size=SIZE, channels=1, attributes=NAMES, split_hash="h")
    return Faces(table, meta), pixels


def exam_of(faces, pixels, system=None):
    editor = types.SimpleNamespace(system=system or Knowing(), device=torch.device("cpu"), precision="fp32")
    return types.SimpleNamespace(
        editor=editor, pixels=pixels, rows=faces.rows("test"), seed=3, batch_size=64, resamples=50
    )


def test_features_that_know_the_digit_beat_pixels_and_an_untrained_network(data):
    module = Module()
    rows = semi_supervised.semi_supervised_rows(exam_of(*data), data[0], module, "folder", 3)
    found = {(row["features"], row["draw"]): row for row in rows}
    assert len(found) == 6
    for draw in ("random", "balanced"):
        assert found["trained network", draw]["error"]["value"] == 0
        assert found["trained network", draw]["deviation"] == 0
        assert found["untrained network", draw]["error"]["value"] > 0.8  # chance
        assert found["raw pixels", draw]["error"]["value"] > 0.3
        assert found["raw pixels", draw]["deviation"] > 0
        assert found["raw pixels", draw]["dimensions"] == SIZE * SIZE
    assert all(row["repeats"] == 3 and row["error"]["n"] == COUNT // 3 for row in rows)
    assert found["raw pixels", "random"]["labels"] == 400  # all there are
    assert found["raw pixels", "balanced"]["labels"] < 400
    assert module.asked == [("folder", 400, 3)]


def test_all_features_meet_the_same_labelled_sets_and_are_tried_on_every_test_picture(data, monkeypatch):
    seen = []

    def errors(x, y, x_test, y_test):
        seen.append((y.tolist(), len(x), len(x_test), y_test.tolist()))
        return np.arange(len(y_test)) % 4 == 0

    monkeypatch.setattr(semi_supervised, "errors", errors)
    monkeypatch.setattr(semi_supervised, "LABELS", 100)
    rows = semi_supervised.semi_supervised_rows(exam_of(*data), data[0], Module(), "folder", 2)
    assert len(seen) == 12
    assert seen[:4] == seen[4:8] == seen[8:]
    assert seen[0] != seen[1]
    assert {(count, tests) for _, count, tests, _ in seen} == {(100, 200)}
    shown = data[1][data[0].rows("test"), 0, 0, 0] // 20
    assert seen[0][3] == shown.tolist()
    assert [row["error"]["value"] for row in rows] == [0.25] * 6


def test_features_stay_with_their_labels(data, monkeypatch):
    """The labelled pictures' corner pixels say the labels that the SVM is given."""
    monkeypatch.setattr(semi_supervised, "LABELS", 60)

    def errors(x, y, x_test, y_test):
        if x.shape[1] == SIZE * SIZE:
            assert (x[:, 0] // 20).tolist() == y.tolist()
            assert (x_test[:, 0] // 20).tolist() == y_test.tolist()
        return np.zeros(len(y_test), bool)

    monkeypatch.setattr(semi_supervised, "errors", errors)
    assert semi_supervised.semi_supervised_rows(exam_of(*data), data[0], Module(), "folder", 2)


def test_two_runs_give_the_same_numbers(data):
    class Noisy(Knowing):
        def features(self, x):
            return x.flatten(1)[:, :3]

    first, again = (
        semi_supervised.semi_supervised_rows(exam_of(*data, Noisy()), data[0], Module(), "folder", 2) for _ in range(2)
    )
    assert first == again
    assert first[-1]["error"]["value"] > 0


def test_faces_systems_without_features_no_repeats_and_too_few_digits_have_no_such_section(data):
    faces, pixels = data
    few = Faces(faces.table.head(60), faces.meta)
    assert semi_supervised.semi_supervised_rows(exam_of(few, pixels), few, Module(), "folder", 2) == []
    named = Faces(faces.table, dataclasses.replace(faces.meta, attributes=("Smiling",)))
    without = types.SimpleNamespace(y_dim=0)
    assert semi_supervised.semi_supervised_rows(exam_of(faces, pixels), named, Module(), "folder", 2) == []
    assert semi_supervised.semi_supervised_rows(exam_of(faces, pixels, without), faces, Module(), "folder", 2) == []
    assert semi_supervised.semi_supervised_rows(exam_of(faces, pixels), faces, Module(), "folder", 0) == []


def test_a_deviation_needs_two_repeats():
    with pytest.raises(InputError, match="semi_supervised 1: expected 0"):
        evaluate.check(types.SimpleNamespace(mode="replace", semi_supervised=1))


@pytest.mark.slow
def test_ian_s_features_of_house_numbers_go_through_the_protocol(data, tmp_path):
    """32 x 32 pixels in colour, as SVHN has them."""
    faces, _ = data
    pixels = np.random.default_rng(1).integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
    made = systems.Data(crop="whole", size=32, channels=3, attributes=NAMES, split_hash="h")
    cpu = torch.device("cpu")
    trainer = ian.GanTrainer(small.gan_settings("ian", attribute=0.0), made, seed=3, device=cpu, precision="fp32")
    trainer.save(tmp_path / "model")
    exam = exam_of(faces, pixels, systems.load(tmp_path / "model", cpu))
    rows = semi_supervised.semi_supervised_rows(exam, faces, ian, tmp_path / "model", 2)
    assert [row["dimensions"] for row in rows] == [32 * 32 * 3] * 2 + [16] * 4
    assert all(row["error"]["value"] > 0.8 for row in rows)  # noise has no digit to be found
