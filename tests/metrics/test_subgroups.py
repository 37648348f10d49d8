"""Gaps between groups of people."""

import numpy as np
import pytest

from facet.metrics import subgroups
from facet.metrics.subgroups import cells, exchanged, gap


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


def test_photos_of_a_few_people_make_no_difference_between_groups(monkeypatch):
    """Values belong to people: 20 photos of each of 20 people are 20 observations, not 400."""
    monkeypatch.setattr(subgroups, "PERMUTATIONS", 99)
    by_person, by_photo = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(20), 20)
        values, groups = rng.normal(size=20)[who], np.array(["a", "b"])[who % 2]
        by_person.append(gap(values, groups, seed=1, clusters=who, count=10).p)
        by_photo.append(gap(values, groups, seed=1, count=10).p)
    assert sum(p < 0.05 for p in by_person) <= 6
    assert sum(p < 0.05 for p in by_photo) >= 30


def test_a_difference_between_people_has_a_small_p():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(40), 5)
    values, groups = rng.normal(size=40)[who] + 2 * (who % 2), np.array(["a", "b"])[who % 2]
    assert gap(values, groups, seed=1, clusters=who, count=10).p < 0.01


def test_people_exchange_their_groups_as_a_whole():
    codes, people = np.array([0, 1, 0, 2, 2, 2]), np.array([5, 9, 5, 7, 7, 7])
    seen = set()
    for seed in range(50):
        taken = exchanged(codes, people, np.random.default_rng(seed))
        parts = tuple(tuple(taken[people == person].tolist()) for person in (5, 7, 9))
        seen.add(parts)
        assert all(len(set(part)) == 1 for part in parts)
        assert {part[0] for part in parts} == {0, 1, 2}
    assert len(seen) == 6


def test_a_group_of_a_few_faces_is_shown_but_cannot_make_the_gap():
    values = np.array([1.0] * 30 + [1.5] * 30 + [9.0] * 3)
    found = gap(values, np.array(["a"] * 30 + ["b"] * 30 + ["tiny"] * 3), seed=1, count=50)
    assert found.gap.value == 0.5
    assert found.groups["tiny"].n == 3


def test_one_group_alone_has_no_gap():
    assert gap(np.ones(30), np.array(["a"] * 30), seed=1).to_json()["gap"]["value"] is None
