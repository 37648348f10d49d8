"""Calibration of judges on validation images."""

import numpy as np
import pytest
from scipy.special import expit

from facet.judges import calibration


def test_platt_recovers_temperature_and_bias_whatever_the_prevalence():
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(40_000) < 0.1, 1, -1)
    scores = rng.normal(size=40_000) + labels  # balanced log odds: 2 score
    temperature, bias = calibration.platt(3 * scores + 6, labels)
    assert temperature == pytest.approx(1.5, rel=0.05)
    assert bias == pytest.approx(-4, abs=0.2)


def test_an_attribute_with_one_state_only_keeps_neutral_calibration():
    fitted = calibration.calibrate(np.zeros((5, 1)), np.ones((5, 1)), np.zeros(1, bool), width=4)
    assert (fitted.temperatures, fitted.biases, fitted.thresholds) == ((1.0,), (0.0,), (0.5,))


def test_platt_of_values_makes_the_answer_the_value_to_be_expected():
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, 20_000).astype(np.float32)
    logit = np.log((1 + values) / (1 - values))
    values[:100] = 0  # unknown
    temperature, bias = calibration.soft_platt(3 * logit + 6, values)
    assert temperature == pytest.approx(3, rel=0.01)
    assert bias == pytest.approx(-2, abs=0.02)
    assert calibration.soft_platt(logit[:5], np.zeros(5)) == (1.0, 0.0)


def test_threshold_stays_near_a_half_unless_validation_says_otherwise():
    rng = np.random.default_rng(0)
    labels = np.repeat([1, -1], 500)
    p = expit(rng.normal(size=1000) + 1.5 * labels)
    assert abs(calibration.threshold(p, labels) - 0.5) < 0.08
    shifted = np.where(labels > 0, 0.66, 0.61)
    assert 0.61 < calibration.threshold(shifted, labels) <= 0.66


def test_an_attribute_neither_judge_can_see_is_marked_with_the_reason():
    truth = np.stack([np.repeat([1, -1], 50), np.repeat([1, -1], 50), np.array([1] * 3 + [-1] * 97)], 1)
    noise = np.random.default_rng(0).normal(size=100)
    scores = np.stack([truth[:, 0] * 5.0, noise, truth[:, 2] * 5.0], 1)
    fitted = calibration.calibrate(scores, truth, np.zeros(3, bool), width=4)
    reasons = calibration.not_judged(
        ("Bright", "Red", "Rare"),
        {"a": scores, "b": scores},
        {"a": fitted, "b": fitted},
        truth,
        min_balanced_accuracy=0.8,
        min_auroc=0.9,
    )
    assert reasons[0] == ""
    assert reasons[1].startswith("judge a: balanced accuracy 0.")
    assert reasons[2] == "only 3 validation faces of the rarer state, 10 needed"
