"""Drift: no alert without a change, however many dimensions there are; what changed is named."""

import numpy as np
import pytest

from facet.nights.drift import compare, stability

pytestmark = pytest.mark.slow


def people(seed: int, count: int, *, shift: float = 0.0, smiling: float = 0.5):
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(count, 40))
    latents[:, 7] += shift
    labels = {"Smiling": np.where(rng.random(count) < smiling, 1, -1), "Male": np.where(rng.random(count) < 0.4, 1, -1)}
    return latents, labels


def test_the_same_people_again_are_no_drift():
    reference, before = people(0, 5000)
    alerts = 0
    for seed in range(1, 21):
        latents, now = people(seed, 100)
        drift = compare(reference, latents, before, now)
        alerts += drift.alert
        assert drift.psi_mean < 0.05
    assert alerts <= 1


def test_what_moved_is_named_first():
    reference, before = people(0, 5000)
    latents, now = people(1, 300, shift=1.5, smiling=0.9)
    drift = compare(reference, latents, before, now)
    assert drift.alert
    assert [row["name"] for row in drift.dimensions if row["shifted"]] == ["z7"]
    assert [row["name"] for row in drift.attributes if row["shifted"]] == ["Smiling"]
    assert "z7" in str(drift)
    assert "Smiling 49 -> 92 %" in str(drift)


def test_too_few_pictures_say_nothing():
    reference, before = people(0, 5000)
    latents, now = people(1, 12, shift=9.0)
    drift = compare(reference, latents, before, now)
    assert not drift.alert
    assert "too few" in str(drift)


def test_stability_of_a_known_shift():
    """A normal moved by its standard deviation has a PSI near 1 (the symmetric Kullback-Leibler divergence, binned)."""
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(100_000, 2))
    moved = rng.normal((1.0, 0.0), size=(100_000, 2))
    psi = stability(reference, moved)
    assert 0.8 < psi[0] < 1.0
    assert psi[1] < 1e-3
