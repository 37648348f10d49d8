"""Strengths read from success curves."""

import numpy as np
import pytest

from facet.calibration.curves import monotone, strengths_at, success_by_strength


def test_a_curve_is_made_monotone_and_strengths_are_read_off_between_its_points():
    np.testing.assert_allclose(monotone(np.array([0, 0.6, 0.4, 1.0])), [0, 0.5, 0.5, 1.0])
    strengths = strengths_at(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5, 0.9]))
    assert strengths[50] == pytest.approx(1.0)
    assert strengths[80] == pytest.approx(1.75)
    assert strengths[90] == pytest.approx(2.0)
    assert strengths[95] is None


def test_nothing_is_read_beyond_the_peak_of_a_curve():
    strengths = strengths_at(np.arange(5.0), np.array([0.0, 0.4, 0.9, 0.5, 0.1]))
    assert strengths[80] == pytest.approx(1.8)
    assert strengths[95] is None


def test_a_face_counts_from_its_first_success_on():
    first = np.array([0.5, 1.0, np.inf, 0.5])
    assert success_by_strength(first, np.array([0.0, 0.5, 1.0])).tolist() == [0, 0.5, 0.75]
