"""Directions and read-outs from labelled latents."""

import dataclasses

import numpy as np
import pytest

from facet.editing.directions import ESTIMATORS, EstimatorSettings, LatentStatistics, Sample, readouts


def correlated(n=4000, seed=0):
    """Latents z = A u + noise with two correlated attributes, each moving its own dimension by 2."""
    rng = np.random.default_rng(seed)
    first = rng.random(n) < 0.5
    second = np.where(first, rng.random(n) < 0.8, rng.random(n) < 0.2)
    labels = np.where(np.stack([first, second], axis=1), 1, -1).astype(np.int8)
    latents = rng.standard_normal((n, 5)) * 0.5
    latents[:, :2] += labels
    statistics = LatentStatistics.empty(2, 5)
    statistics.add(latents, labels)
    return latents, labels, statistics, Sample(latents, labels)


def test_sums_of_shards_are_the_sums_of_the_whole():
    latents, labels, whole, _ = correlated()
    parts = [LatentStatistics.empty(2, 5) for _ in range(3)]
    for part, rows in zip(parts, np.array_split(np.arange(len(latents)), 3), strict=True):
        part.add(latents[rows], labels[rows])
    merged = parts[0] + parts[1] + parts[2]
    for one, other in zip(dataclasses.astuple(merged), dataclasses.astuple(whole), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_mean_difference_is_the_difference_of_the_class_means():
    latents, labels, statistics, sample = correlated()
    vectors, errors = ESTIMATORS["mean_difference"](statistics, sample, EstimatorSettings(0.0))
    has, lacks = latents[labels[:, 0] > 0], latents[labels[:, 0] < 0]
    np.testing.assert_allclose(vectors[0], has.mean(0) - lacks.mean(0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(errors[0], np.sqrt(has.var(0) / len(has) + lacks.var(0) / len(lacks)), rtol=1e-6)


def test_least_squares_takes_a_correlated_attribute_out_of_the_effect():
    _, _, statistics, sample = correlated()
    mean, _ = ESTIMATORS["mean_difference"](statistics, sample, EstimatorSettings(0.0))
    joint, errors = ESTIMATORS["least_squares"](statistics, sample, EstimatorSettings(0.0))
    assert mean[0, 1] > 1  # a smile brings glasses along
    np.testing.assert_allclose(joint, 2 * np.eye(2, 5), atol=5 * errors.max())
    assert errors.max() < 0.03


def test_least_squares_agrees_with_a_regression_and_its_textbook_errors():
    latents, labels, statistics, sample = correlated(n=300)
    joint, errors = ESTIMATORS["least_squares"](statistics, sample, EstimatorSettings(0.0))
    design = np.column_stack([np.ones(300), labels > 0])
    effects, _, _, _ = np.linalg.lstsq(design, latents, rcond=None)
    residual = ((latents - design @ effects) ** 2).sum(0) / (300 - 3)
    np.testing.assert_allclose(joint, effects[1:], atol=1e-9)
    np.testing.assert_allclose(
        errors, np.sqrt(np.outer(np.diag(np.linalg.inv(design.T @ design))[1:], residual)), rtol=1e-6
    )


def test_faces_with_an_unknown_label_are_left_out_of_a_mean_difference():
    latents, labels, _, _ = correlated(n=500)
    labels[::3, 0] = 0
    statistics = LatentStatistics.empty(2, 5)
    statistics.add(latents, labels)
    vectors, _ = ESTIMATORS["mean_difference"](statistics, Sample(latents, labels), EstimatorSettings(0.0))
    known = labels[:, 0] != 0
    expected = latents[labels[:, 0] > 0].mean(0) - latents[labels[:, 0] < 0].mean(0)
    np.testing.assert_allclose(vectors[0], expected, atol=1e-9)
    assert statistics.positives[0] + statistics.negatives[0] == known.sum()


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"conditional"}))
def test_strength_one_of_every_estimator_is_the_class_gap_along_its_direction(name):
    _, _, statistics, sample = correlated()
    vectors, errors = ESTIMATORS[name](statistics, sample, EstimatorSettings(1e-6))
    assert np.isfinite(errors).all()
    assert errors.max() < 0.5
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    gap = (statistics.gaps()[0] * units).sum(1)
    if name == "least_squares":  # the attribute's own share of the gap
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 2, rtol=0.05)
    else:
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), gap, rtol=1e-6)


def test_a_conditional_direction_goes_from_absent_to_present_in_its_own_entry_alone():
    _, _, statistics, sample = correlated()
    vectors, errors = ESTIMATORS["conditional"](statistics, sample, EstimatorSettings(0.0, np.array([3, 4])))
    assert vectors.tolist() == [[0, 0, 0, 2, 0], [0, 0, 0, 0, 2]]
    assert not errors.any()


@pytest.mark.parametrize("name", ["svm", "logistic"])
def test_standard_errors_of_normals_match_their_spread_over_fresh_samples(name):
    fits = [ESTIMATORS[name](*correlated(n=400, seed=seed)[2:], EstimatorSettings(0.0)) for seed in range(25)]
    spread = np.std([vectors for vectors, _ in fits], axis=0)[:, 2:]  # across the direction, where nothing is scaled
    reported = np.mean([errors for _, errors in fits], axis=0)[:, 2:]
    np.testing.assert_allclose(reported, spread, rtol=0.6)


def test_a_read_out_tells_the_state_from_the_latent_alone():
    latents, labels, statistics, sample = correlated()
    readout = readouts(statistics, sample)[1]
    logits = latents @ readout.weights + readout.bias
    assert ((logits > 0) == (labels[:, 1] > 0)).mean() > 0.95
    assert readout.absent < 0 < readout.present
