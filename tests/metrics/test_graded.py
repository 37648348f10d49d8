"""How judged numbers follow true ones."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from facet.metrics.graded import absolute_error, never_falls, rank_correlation, rising, spearman


def test_spearman_is_that_of_scipy_ties_included():
    rng = np.random.default_rng(0)
    x, y = rng.integers(6, size=(4, 30)), rng.normal(size=(4, 30))
    expected = [spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(spearman(x, y), expected)


def test_one_curve_is_compared_with_many():
    judged = np.array([[0.1, 0.2, 5.0], [3.0, 2.0, 1.0]])
    assert spearman(judged, np.array([-1, 0, 1])).tolist() == [1, -1]


def test_what_never_moves_follows_nothing():
    assert spearman(np.zeros((2, 5)), np.arange(5)).tolist() == [0, 0]


def test_a_judge_that_knows_the_order_only_has_rank_correlation_one_and_an_error():
    true = np.linspace(-1, 1, 50)
    judged = true**3
    assert rank_correlation(judged, true, seed=1, count=20).value == pytest.approx(1)
    error = absolute_error(judged, true, seed=1, count=20)
    assert error.value == pytest.approx(np.abs(true - true**3).mean())
    assert error.low < error.value < error.high


def test_whole_people_are_resampled():
    true = np.repeat(np.random.default_rng(0).uniform(-1, 1, 20), 30)
    judged = np.repeat(np.random.default_rng(1).uniform(-1, 1, 20), 30)
    alone = rank_correlation(judged, true, seed=1, count=100)
    people = rank_correlation(judged, true, seed=1, count=100, clusters=np.repeat(np.arange(20), 30))
    assert people.high - people.low > 3 * (alone.high - alone.low)


def test_a_curve_that_rests_never_falls_but_does_not_rise_there():
    judged = np.array([[0.0, 0.0, 1.0, 2.0], [0.0, 1.0, 0.9, 2.0]])
    assert never_falls(judged).tolist() == [True, False]
    assert rising(judged) == pytest.approx([2 / 3, 2 / 3])
