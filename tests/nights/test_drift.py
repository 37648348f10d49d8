"""Drift: nothing where nothing changed, however few or many dimensions; what was moved is found and named."""

import numpy as np

from facet.nights.drift import compare, stability


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
        found = compare(reference, latents, before, now)
        alerts += found.alert
        assert found.psi_mean < 0.05
    assert alerts <= 1


def test_what_moved_is_named_first():
    reference, before = people(0, 5000)
    latents, now = people(1, 300, shift=1.5, smiling=0.9)
    found = compare(reference, latents, before, now)
    assert found.alert
    assert [row["name"] for row in found.dimensions if row["shifted"]] == ["z7"]
    assert [row["name"] for row in found.attributes if row["shifted"]] == ["Smiling"]
    assert "z7" in str(found)
    assert "Smiling 49 -> 92 %" in str(found)


def test_too_few_pictures_say_nothing():
    reference, before = people(0, 5000)
    latents, now = people(1, 12, shift=9.0)
    found = compare(reference, latents, before, now)
    assert not found.alert
    assert "too few" in str(found)


def test_stability_of_a_known_shift():
    """A normal moved by its standard deviation has a PSI near 1 (the symmetric Kullback-Leibler divergence, binned)."""
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(100_000, 2))
    moved = rng.normal((1.0, 0.0), size=(100_000, 2))
    found = stability(reference, moved)
    assert 0.8 < found[0] < 1.0
    assert found[1] < 1e-3
