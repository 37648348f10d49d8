"""Edits judged from logits: eligible faces, success, side effects, methods at equal success."""

import math

import numpy as np
import pytest

from facet.metrics import success

HALF = np.full(3, 0.5)


def test_only_faces_the_judge_is_sure_of_and_the_label_confirms_are_eligible():
    before = np.array([0.29, 0.31, 0.1, 0.9, 0.1])
    labels = np.array([-1, -1, 1, -1, 0])
    assert success.eligible(before, labels, on=True).tolist() == [True, False, False, False, False]
    assert success.eligible(1 - before, -labels, on=False).tolist() == [True, False, False, False, False]


def test_certain_logits_do_not_overflow():
    assert success.probability(np.array([-1e4, 0, 1e4])).tolist() == [0, 0.5, 1]


def test_the_target_what_excludes_it_and_what_cannot_be_judged_are_never_side_effects():
    columns = success.side_effect_columns("A", tuple("ABCDE"), [True, True, True, False, True], ["B", "X"])
    assert columns.tolist() == [False, False, True, False, True]


def test_side_effects_compare_with_the_judges_own_answer_on_the_photo():
    before = np.array([[True, True, False], [True, True, False]])
    after = np.array([[False, True, False], [False, False, True]])
    others = np.array([False, True, True])
    assert success.outcome(before, after, 0, False, others).side_effects.tolist() == [0, 1]
    assert success.outcome(before, after[None], 0, False, others).side_effects.shape == (1, 2)


def test_an_edit_succeeds_where_the_judge_sees_the_target():
    before, after = np.array([[True], [True]]), np.array([[False], [True]])
    assert success.outcome(before, after, 0, False, np.zeros(1, bool)).success.tolist() == [True, False]
    assert success.outcome(before, after[None], 0, True, np.zeros(1, bool)).success.tolist() == [[False, True]]


def test_with_nothing_to_count_side_effects_are_undefined():
    answers = np.ones((2, 3), bool)
    assert np.isnan(success.outcome(answers, answers, 0, True, np.zeros(3, bool)).side_effects).all()


def test_matched_strength_lies_between_the_two_strengths_around_80_percent():
    assert success.strength_at(np.array([0, 1, 2]), np.array([0, 0.6, 1])) == pytest.approx(1.5)
    assert success.strength_at(np.array([0.5, 1]), np.array([0.9, 1])) == 0.5
    assert math.isnan(success.strength_at(np.array([0, 1]), np.array([0, 0.7])))


def test_values_between_strengths_are_linear():
    values = np.array([[0.0, 0], [1, 10], [3, 20]])
    assert success.at_strength(values, np.array([0, 1, 2]), 1.5).tolist() == [2, 15]
    assert success.at_strength(values, np.array([0, 1, 2]), 0).tolist() == [0, 0]
    assert success.at_strength(values, np.array([0, 1, 2]), 2).tolist() == [3, 20]


def test_area_under_a_straight_rise_is_a_half():
    assert success.area_under(np.array([0, 1, 3]), np.array([0, 1 / 3, 1])) == pytest.approx(0.5)


def test_curve_reads_preservation_where_success_is_80_percent():
    strengths = np.array([0.0, 1, 2])
    seen = np.zeros((3, 100), bool)
    seen[1, :60] = True
    seen[2, :] = True
    side_effects = np.stack([np.zeros(100), np.full(100, 0.1), np.full(100, 0.3)])
    curve = success.curve(success.Outcome(seen, side_effects), strengths, seed=1, count=200)
    assert [estimate.value for estimate in curve.success] == [0, 0.6, 1]
    assert curve.strength.value == pytest.approx(1.5)
    assert curve.matched.value == pytest.approx(0.8)
    assert curve.matched.low < 0.8 < curve.matched.high
    assert curve.reached == 1
    assert curve.area.value == pytest.approx((0.3 + 0.8) / 2)
    assert curve.to_json()["matched_preservation"]["n"] == 100


def test_an_edit_that_never_succeeds_has_no_matched_preservation():
    curve = success.curve(
        success.Outcome(np.zeros((2, 30), bool), np.zeros((2, 30))), np.array([0.0, 1]), seed=1, count=50
    )
    assert curve.reached == 0
    assert curve.to_json()["matched_preservation"] == {"value": None, "low": None, "high": None, "n": 30}


def test_no_eligible_face_gives_an_empty_curve_not_a_crash():
    curve = success.curve(success.Outcome(np.zeros((2, 0), bool), np.zeros((2, 0))), np.array([0.0, 1]), seed=1)
    assert curve.to_json()["success"][0]["n"] == 0


def test_entanglement_row_is_in_standard_deviations_of_real_photos():
    rng = np.random.default_rng(0)
    before = rng.normal(0, 2, (300, 3))
    after = before + np.array([4.0, 1.0, 0.0]) + rng.normal(0, 0.5, (300, 3))
    row = success.entanglement_row(before, after, HALF, np.full(3, 2.0), seed=1, count=500)
    assert [estimate.value for estimate in row.shift] == pytest.approx([2, 0.5, 0], abs=0.05)
    assert row.changed[0].value > row.changed[1].value > row.changed[2].value
