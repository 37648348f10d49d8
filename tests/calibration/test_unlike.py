"""Faces unlike those of training are told from what a judge's trunk sees."""

import numpy as np
import pytest
import torch

from facet.base.tables import read_faces
from facet.calibration import spoiled, unlike
from facet.editing.editor import Editor
from facet.judges.unlike import CELLS, Unlike, features
from tests.support.linear_system import LinearSystem, faces, planted

CPU = torch.device("cpu")


class Trunk:
    """A trunk that sees brightness on a grid of 8 x 8."""

    def trunk(self, x):
        return torch.nn.functional.avg_pool2d(x, x.shape[-1] // 8)


@pytest.fixture
def learnt(tmp_path, monkeypatch):
    """A score learnt from pictures of regions, spoiled by a white corner, and these pictures."""
    faces(tmp_path, count=1000)

    def corner(crop, rng):
        crop = crop.copy()
        crop[:6, :6] = 255
        return crop

    monkeypatch.setattr(unlike, "spoiled", corner)
    monkeypatch.setattr(unlike, "harmless", lambda crop, rng: crop)
    data, pixels = read_faces(tmp_path), np.load(tmp_path / "images.npy")
    editor = Editor(LinearSystem(), planted(), device=CPU)
    return editor, data, pixels, unlike.fit(editor, Trunk(), data, pixels, seed=0), corner


def sees(score, editor, crops):
    x = torch.from_numpy(crops).permute(0, 3, 1, 2) / 127.5 - 1
    return score.sees(Trunk(), x, editor.decode(editor.encode(x)))


def test_spoiled_pictures_are_told_and_few_others_are(learnt):
    editor, data, pixels, score, corner = learnt
    test = pixels[data.rows("test")]
    assert sees(score, editor, np.stack([corner(crop, None) for crop in test])).mean() > 0.9
    assert sees(score, editor, test).mean() < 0.03


def test_a_score_survives_being_written_and_read(learnt):
    score = learnt[3]
    again = Unlike.of(score.numbers)
    assert (again.weights == score.weights).all()
    assert again.bias == score.bias


def test_too_few_faces_teach_nothing(tmp_path):
    faces(tmp_path, count=100)
    editor = Editor(LinearSystem(), planted(), device=CPU)
    assert unlike.fit(editor, Trunk(), read_faces(tmp_path), np.load(tmp_path / "images.npy"), seed=0) is None


def test_features_hold_what_is_seen_and_how_the_reconstruction_differs():
    x = torch.rand(2, 3, 16, 16)
    own, differ = features(Trunk(), x, x).split(3 * CELLS**2, 1)
    assert own.mean() == pytest.approx(x.mean().item(), abs=1e-5)
    assert differ.abs().max() == 0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("spoil", [*dict.fromkeys(spoiled.SPOILS), spoiled.harmless, spoiled.spoiled])
def test_every_way_keeps_size_and_type_and_changes_something(spoil, channels):
    rng = np.random.default_rng(3)
    crop = rng.integers(40, 210, (64, 64, channels), np.uint8)
    for _ in range(5):
        result = spoil(crop, rng)
        assert result.shape == crop.shape
        assert result.dtype == np.uint8
        assert (result != crop).mean() > 0.02
