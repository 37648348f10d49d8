"""Colours of hair are learnt on training faces that clearly have them."""

import dataclasses

import numpy as np
import pytest

from facet.base.tables import read_faces
from facet.calibration import hair_colours
from facet.calibration.hair_colours import colours_of, with_hair_colours
from facet.editing.table import Colours
from facet.photos import scenes
from facet.photos.faces import align
from facet.photos.faces.detect import detector
from tests.support.linear_system import LinearJudge, faces, planted

LANDMARKS = (0.36, 0.42, 0.64, 0.42, 0.5, 0.6, 0.39, 0.71, 0.62, 0.71)


class Knowing(LinearJudge):
    """Says what the first pixel of a picture says."""

    def probabilities(self, x):
        return ((x[:, 0, 0, 0] + 1) / 2)[:, None].expand(-1, len(self.attributes))


@pytest.fixture
def learnt(tmp_path, monkeypatch):
    """The table, its training rows, and pictures whose red says what the judge sees."""
    faces(tmp_path, count=120)
    monkeypatch.setattr(hair_colours, "colours_of", lambda crop, landmarks: Colours(crop[0, 0] + 0.0, crop[1, 1] + 0.0))
    table = planted()
    table = dataclasses.replace(table, meta=dataclasses.replace(table.meta, landmarks=LANDMARKS))
    return table, read_faces(tmp_path)


def learn(table, data, pixels):
    return with_hair_colours(table, data, pixels, Knowing(), seed=0, batch_size=16)


def pictures(data, name, present=250, absent=5):
    """Pictures whose red is high where the label says so."""
    labels = data.labels([name])[:, 0]
    pixels = np.zeros((len(labels), 16, 16, 3), np.uint8)
    pixels[:, 0, 0, 0] = np.where(labels > 0, present, absent)
    pixels[:, 1, 1] = 99
    return pixels


def test_clear_cases_with_and_without_give_the_two_colours(learnt):
    table, data = learnt
    pixels = pictures(data, "Blond_Hair")
    found = learn(table, data, pixels)
    present, absent = found.chosen("Blond_Hair").colours
    assert present.hair[0] == 250
    assert absent.hair[0] == 5
    assert present.skin == pytest.approx((99, 99, 99))
    assert found.chosen("Smiling").colours is None


def test_faces_of_which_the_judge_is_not_sure_do_not_count(learnt):
    table, data = learnt
    found = learn(table, data, pictures(data, "Blond_Hair", present=150))
    assert found.chosen("Blond_Hair").colours is None


def test_without_faces_in_the_crops_nothing_is_learnt(learnt):
    table, data = learnt
    blind = dataclasses.replace(table, meta=dataclasses.replace(table.meta, landmarks=None))
    assert learn(blind, data, pictures(data, "Blond_Hair")) is blind
    grey = pictures(data, "Blond_Hair")[..., :1]
    assert learn(table, data, grey) is table


def test_a_head_s_colours_are_those_of_its_hair_and_cheeks():
    pixels = scenes.compose(4, 6, (700, 600), (200.0, 260.0)).pixels
    (face,) = detector().find(pixels)
    placement = align.from_landmarks(LANDMARKS, face.points)
    crop = align.sampled(pixels, placement, 64)
    found = colours_of(crop, LANDMARKS)
    above, cheek = face.points[:2].mean(0) - (0, 0.9 * face.height / 2), face.points[[0, 3]].mean(0)
    for colour, (x, y) in ((found.hair, above), (found.skin, cheek)):
        near = pixels[round(y) - 8 : round(y) + 8, round(x) - 8 : round(x) + 8].mean((0, 1))
        assert colour == pytest.approx(near, abs=25)
    assert colours_of(np.full((64, 64, 3), 128, np.uint8), LANDMARKS) is None
