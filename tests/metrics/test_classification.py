"""AUROC, balanced accuracy, calibration."""

import numpy as np
import pytest

from facet.metrics.classification import auroc, balanced_accuracy, balanced_weights, calibration_error, top_one
from facet.metrics.intervals import wilson


def test_auroc_counts_pairs_in_the_right_order_and_ties_half():
    # positives 3 and 1 against negatives 2, 1, 0: 3 beats three; 1 beats one and ties one
    estimate = auroc(np.array([3, 1, 2, 1, 0]), np.array([1, 1, -1, -1, -1]))
    assert estimate.value == pytest.approx((3 + 1.5) / 6)
    assert estimate.n == 5


def test_unknown_labels_are_left_out_of_auroc():
    assert auroc(np.array([2, 1, 9]), np.array([1, -1, 0])).n == 2


def test_delong_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    labels = np.repeat([1, -1], [40, 120])
    covered = 0
    for _ in range(300):
        estimate = auroc(rng.normal(size=160) + 1.5 * (labels > 0), labels)
        covered += estimate.low <= 0.8556 <= estimate.high  # Phi(1.5 / sqrt 2)
    assert 0.91 <= covered / 300 <= 0.985


def test_perfect_auroc_of_few_faces_keeps_a_wide_interval():
    estimate = auroc(np.array([2, 3, 0, 1]), np.array([1, 1, -1, -1]))
    assert estimate.value == 1
    assert estimate.low < 0.5


def test_balanced_accuracy_is_the_mean_of_both_recalls():
    labels = np.array([1, 1, -1, -1, -1, -1, 0])
    predicted = np.array([1, 0, 0, 0, 0, 1, 1], bool)
    assert balanced_accuracy(predicted, labels).value == pytest.approx((1 / 2 + 3 / 4) / 2)


def test_one_class_alone_has_no_balanced_accuracy():
    assert balanced_accuracy(np.ones(3, bool), np.ones(3)).to_json()["value"] is None


def test_accuracies_of_one_photo_a_person_are_those_of_photos():
    rng = np.random.default_rng(0)
    labels = rng.choice([-1, 1], 60)
    scores = labels + rng.normal(0, 1.5, 60)
    for measure, answers in ((auroc, scores), (balanced_accuracy, scores > 0)):
        photos, people = measure(answers, labels), measure(answers, labels, people=np.arange(60))
        assert (people.value, people.n) == (photos.value, photos.n)
        assert (people.low, people.high) == pytest.approx((photos.low, photos.high), abs=2e-3)


def test_ten_like_photos_of_each_person_make_accuracies_no_surer():
    rng = np.random.default_rng(0)
    labels = rng.choice([-1, 1], 60)
    scores = labels + rng.normal(0, 1.5, 60)
    who = np.repeat(np.arange(60), 10)
    for measure, answers in ((auroc, scores), (balanced_accuracy, scores > 0)):
        once, blind = measure(answers, labels), measure(np.repeat(answers, 10), np.repeat(labels, 10))
        aware = measure(np.repeat(answers, 10), np.repeat(labels, 10), people=who)
        assert (aware.low, aware.high) == pytest.approx((once.low, once.high), abs=5e-3)
        assert blind.high - blind.low < 0.5 * (once.high - once.low)


def test_a_perfect_auroc_leaves_the_doubt_of_as_many_people():
    labels = np.repeat([1, -1], 50)
    estimate = auroc(labels.astype(float), labels, people=np.repeat(np.arange(20), 5))
    assert estimate.low == pytest.approx(wilson(10, 10).low)


def test_the_largest_score_names_the_class_and_pictures_of_none_or_two_are_left_out():
    labels = np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [-1, -1, -1], [1, 1, -1]])
    scores = np.array([[0.1, -5, -5], [2, 1, 0], [0, 0, 9], [1, 0, 0], [1, 0, 0]])
    estimate = top_one(scores, labels)
    assert (estimate.value, estimate.n) == (pytest.approx(2 / 3), 3)
    assert estimate.low < 0.3


def test_balanced_weights_give_each_state_half():
    assert balanced_weights(np.array([1, -1, -1, -1, 0])).tolist() == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6, 0])


def test_calibration_error_of_certain_answers_is_the_balanced_error_rate():
    labels = np.array([1, 1, -1, -1, -1, -1])
    probabilities = np.array([1.0, 0, 0, 0, 0, 1])
    # bin 0: weight 1/4 of positives missed; bin 9: 1/8 of negatives hit
    assert calibration_error(probabilities, labels, seed=1, count=10).value == pytest.approx(1 / 4 + 1 / 8)


def test_calibrated_probabilities_have_a_small_error():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    labels = np.where(rng.random(20_000) < p, 1, -1)
    assert calibration_error(p, labels, seed=1, count=10).value < 0.02
