"""Values go on smoothly beyond where they are known."""

import numpy as np
import pytest

from facet.photos.faces.continuation import continued

SIDE = 40


def test_known_values_stay_and_unknown_ones_are_those_nearby():
    values = np.zeros((SIDE, SIDE, 2), np.float32)
    values[:, :10], values[:, -10:] = (10, 1), (30, 3)
    known = np.zeros((SIDE, SIDE), np.float32)
    known[:, :10] = known[:, -10:] = 1
    result = continued(values, known, (12, 4, 1), (0, 0), 0.25)
    assert result[:, :9] == pytest.approx(values[:, :9], abs=0.5)
    assert result[20, 12, 0] < 15
    assert 15 < result[20, 20, 0] < 25
    assert np.diff(result[20, :, 0]).min() > -0.1


def test_where_nothing_is_known_the_start_stands():
    result = continued(
        np.ones((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), np.float32), (8, 2), (7, 8, 9), 0.25
    )
    assert (result == (7, 8, 9)).all()
