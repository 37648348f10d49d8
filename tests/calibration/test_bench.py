"""Edits of the linear system before a judge that sees each attribute in its own region."""

import dataclasses

import numpy as np
import pytest
import torch

from facet.calibration.bench import Bench, CalibrationCase
from facet.editing.compositing import Gates
from facet.editing.editor import Editor
from tests.support.linear_system import ATTRIBUTES, DIMS, LinearJudge, LinearSystem, planted

CPU = torch.device("cpu")


@pytest.fixture
def bench():
    return Bench(Editor(LinearSystem(), planted(), device=CPU), LinearJudge(), mode="add", batch_size=2)


def case(smiles: list[float]) -> CalibrationCase:
    """Faces that should smile, at these latents of Smiling; all other attributes are absent."""
    latent = torch.zeros(len(smiles), DIMS)
    latent[:, : len(ATTRIBUTES)] = -1.0
    latent[:, 0] = torch.tensor(smiles)
    x = LinearSystem().decode(latent)
    before = (LinearJudge().probabilities(x) >= LinearJudge.thresholds).numpy()
    return CalibrationCase("Smiling", True, np.arange(len(smiles)), x, latent, x, before)


def test_each_face_succeeds_first_at_the_strength_that_takes_it_across(bench):
    faces = case([-0.4, -0.6, -3.0])  # strength 1 is a step of 2
    shift = bench.shift(faces, "least_squares")
    assert bench.first_successes(faces, shift, [0.25, 0.5, 1.0], Gates()).tolist() == [0.25, 0.5, np.inf]


def test_a_direction_that_takes_glasses_along_has_side_effects_on_all_other_attributes_but_its_own(bench):
    faces = case([-1.0, -1.0, -1.0])
    shift = bench.shift(faces, "least_squares").clone()
    shift[1:, 1] = 2.0  # glasses appear on two of the three
    outcome = bench.at(faces, shift, 1.0, Gates())
    assert outcome.success.all()
    np.testing.assert_allclose(outcome.side_effects, [0, 1 / 3, 1 / 3], rtol=1e-6)


def test_attributes_that_exclude_the_edited_one_or_cannot_be_judged_are_no_side_effects():
    class Blind(LinearJudge):
        judged = (True, False, True, True)

    bench = Bench(Editor(LinearSystem(), planted(), device=CPU), Blind(), mode="add", batch_size=8)
    faces = dataclasses.replace(case([-1.0]), attribute="Black_Hair")
    shift = torch.zeros(1, DIMS)
    shift[:, 1:4] = 2.0  # glasses, black hair, blond hair
    outcome = bench.at(faces, shift, 1.0, Gates())
    assert outcome.success.all()
    assert outcome.side_effects.tolist() == [0.0]
