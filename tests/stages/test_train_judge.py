"""Stage `train_judge` on images that plainly show their attributes."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facet.base import images
from facet.base.tables import read_faces
from facet.judges.judge import WHICH, Judge
from facet.metrics.classification import balanced_accuracy
from stages import train_judge
from tests.support import tiny
from tests.support.small_judges import graded, judge_params, trained_judges


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_judges(tmp_path_factory.mktemp("judges"))


def test_both_judges_see_what_is_plain_to_see(trained: Path):
    faces, pixels = read_faces(trained / "prepared"), images.open_images(trained / "prepared")
    rows = faces.rows("test")
    for which in WHICH:
        judge = Judge.load(trained / "judges", which, "cpu")
        answers = judge.predict(images.gather(pixels, rows)).numpy()
        for k in range(2):
            assert balanced_accuracy(answers[:, k], faces.labels()[rows][:, k]).value > 0.9


def test_a_second_run_writes_the_same_bytes(trained: Path, tmp_path: Path):
    again = dataclasses.replace(
        judge_params(trained), judges=tmp_path / "judges", card=tmp_path / "card.json", history=tmp_path / "h.csv"
    )
    train_judge.run(again)
    for first, second in (
        *(
            (trained / "judges" / name, again.judges / name)
            for name in ("a.safetensors", "b.safetensors", "judges.json")
        ),
        (trained / "judges.json", again.card),
        (trained / "judges.csv", again.history),
    ):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_card_names_every_attribute_with_intervals_and_a_verdict(trained: Path):
    card = json.loads((trained / "judges.json").read_text())
    assert set(card["attributes"]) == set(tiny.ATTRIBUTES)
    entry = card["attributes"]["Bright"]
    assert entry["judged"]
    assert entry["reason"] == ""
    for which in WHICH:
        for name in ("auroc", "balanced_accuracy", "calibration_error"):
            assert entry[which][name]["low"] <= entry[which][name]["value"] <= entry[which][name]["high"]
    assert entry["agreement"]["n"] == 40


def test_history_holds_both_losses_below_that_of_a_coin(trained: Path):
    history = pd.read_csv(trained / "judges.csv")
    assert list(history.columns) == ["step", "images_seen", "loss_a", "loss_b"]
    assert history["loss_a"].iloc[-1] < np.log(2)
    assert history["loss_b"].iloc[-1] < np.log(2)


@pytest.mark.slow
def test_a_judge_tells_the_value_of_a_real_valued_attribute(tmp_path: Path):
    graded(tmp_path / "prepared")
    train_judge.run(judge_params(tmp_path, steps=150, flip=False))
    faces, pixels = read_faces(tmp_path / "prepared"), images.open_images(tmp_path / "prepared")
    rows = faces.rows("test")
    values = faces.descriptions()[rows]
    known = values[:, 0] != 0
    card = json.loads((tmp_path / "judges.json").read_text())["attributes"]
    for which in WHICH:
        judge = Judge.load(tmp_path / "judges", which, "cpu")
        judged = 2 * judge.probabilities(images.gather(pixels, rows)).numpy()[:, 0] - 1
        error = np.abs(judged - values[:, 0])[known].mean()
        assert error < 0.15  # of a range of 2
        entry = card["Bright"][which]
        assert entry["absolute_error"]["value"] == pytest.approx(error, rel=1e-4)
        assert entry["absolute_error"]["n"] == known.sum()
        assert entry["spearman"]["value"] > 0.9
        assert entry["constant_error"]["low"] > entry["absolute_error"]["high"]
        assert entry["auroc"]["value"] > 0.9
        assert entry["calibration_error"] is None
        assert "spearman" not in card["Red"][which]
        assert card["Red"][which]["calibration_error"]["value"] is not None
