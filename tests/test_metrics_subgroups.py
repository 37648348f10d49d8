"""Gaps between groups of people, and what a latent knows."""

import numpy as np
import pytest

from stages.metrics.representation import latent_auroc
from stages.metrics.subgroups import cells, gap


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


def test_latents_that_hold_the_attribute_score_high_and_noise_scores_a_half():
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(400) < 0.3, 1, -1)
    z = rng.normal(size=(400, 5))
    assert latent_auroc(z, labels, seed=1).low < 0.5 < latent_auroc(z, labels, seed=1).high
    z[:, 2] += 2 * labels
    assert latent_auroc(z, labels, seed=1).value > 0.95


def test_a_latent_that_only_names_the_person_scores_no_better_than_chance_across_people():
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(40), 10)
    labels = np.where(rng.random(40) < 0.5, 1, -1)[person]
    z = np.eye(40)[person] * 5
    assert latent_auroc(z, labels, seed=1).value > 0.95
    assert latent_auroc(z, labels, seed=1, clusters=person).value < 0.7


def test_an_attribute_with_four_faces_is_undefined():
    assert latent_auroc(np.zeros((20, 2)), np.array([1] * 4 + [-1] * 16), seed=1).n == 0
