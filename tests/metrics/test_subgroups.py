"""Gaps between groups of people."""

import numpy as np
import pytest

from facet.metrics.subgroups import cells, gap


def test_cells_name_both_attributes_and_drop_unknown_ones():
    names = cells(np.array([1, -1, 0]), np.array([-1, -1, 1]), ("Male", "Young"))
    assert names.tolist() == ["Male, not Young", "not Male, not Young", ""]


def test_gap_is_the_largest_difference_between_group_means():
    values = np.array([1.0] * 30 + [3.0] * 30 + [2.0] * 30 + [9.0])
    groups = np.array(["a"] * 30 + ["b"] * 30 + ["c"] * 30 + [""])
    found = gap(values, groups, seed=1, count=50)
    assert found.gap.value == 2
    assert found.groups["b"].value == 3
    assert found.p == pytest.approx(1 / 1001)


def test_random_groups_have_a_gap_but_no_small_p():
    rng = np.random.default_rng(0)
    found = gap(rng.normal(size=200), rng.choice(["a", "b"], 200), seed=1, count=50)
    assert found.gap.value > 0
    assert found.p > 0.05


def test_a_group_of_a_few_faces_is_shown_but_cannot_make_the_gap():
    values = np.array([1.0] * 30 + [1.5] * 30 + [9.0] * 3)
    found = gap(values, np.array(["a"] * 30 + ["b"] * 30 + ["tiny"] * 3), seed=1, count=50)
    assert found.gap.value == 0.5
    assert found.groups["tiny"].n == 3


def test_one_group_alone_has_no_gap():
    assert gap(np.ones(30), np.array(["a"] * 30), seed=1).to_json()["gap"]["value"] is None
