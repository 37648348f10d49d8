"""Accuracy of a classifier of two states: AUROC, balanced accuracy and calibration error, with intervals.

Labels are int (n,): +1 present, -1 absent, 0 unknown (left out). Sources: DeLong et al. 1988 by the mid-ranks of Sun
and Xu 2014, by person Obuchowski 1997 (AUROC); Naeini et al. 2015 (expected calibration error)."""

import math

import numpy as np
from scipy.stats import rankdata

from facet.metrics.intervals import (
    RESAMPLES,
    UNDEFINED,
    Estimate,
    bootstrap,
    mean_of_independent,
    quantile_of_normal,
    share,
    wilson,
)
from facet.metrics.people import People, numbered

BINS = 10


def auroc(scores: np.ndarray, labels: np.ndarray, *, people: People = None) -> Estimate:
    """P(score of a positive > score of a negative), ties half; DeLong's interval on the logit scale, unitless 0..1.

    With the person on each image the variance is that of people (Obuchowski 1997). At a value of 0 or 1 it is 0; the
    Wilson interval of the rarer class, of as many people, stands in."""
    positive = np.asarray(scores, np.float64)[labels > 0]
    negative = np.asarray(scores, np.float64)[labels < 0]
    m, n = len(positive), len(negative)
    if m == 0 or n == 0:
        return UNDEFINED
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / n  # share of negatives below each positive
    below = 1 - (ranks[m:] - rankdata(negative)) / m  # share of positives above each negative
    value = float(above.mean())
    if people is None:
        variance = (above.var(ddof=1) / m if m > 1 else 0.0) + (below.var(ddof=1) / n if n > 1 else 0.0)
        fewest = min(m, n)
    else:
        on_positive, on_negative = np.asarray(people)[labels > 0], np.asarray(people)[labels < 0]
        variance = _variance_by_person((above - value) / m, (below - value) / n, on_positive, on_negative)
        fewest = min(len(np.unique(on_positive)), len(np.unique(on_negative)))
    if variance <= 0 or not 0 < value < 1:
        bound = wilson(round(value * fewest), fewest)
        return Estimate(value, min(value, bound.low), max(value, bound.high), m + n)
    centre = math.log(value / (1 - value))
    half = quantile_of_normal() * math.sqrt(variance) / (value * (1 - value))
    # not SciPy's expit, whose last bit differs: reports hold the interval in full precision
    low, high = 1 / (1 + np.exp(-np.array([centre - half, centre + half])))
    return Estimate(value, float(low), float(high), m + n)


def _variance_by_person(
    positive: np.ndarray, negative: np.ndarray, on_positive: np.ndarray, on_negative: np.ndarray
) -> float:
    """Variance of the sum of all parts, of positives (m,) and negatives (n,), which vary together within a person."""
    codes = np.concatenate(numbered(on_positive, on_negative, len(positive), len(negative)))
    sums = np.bincount(codes, np.concatenate([positive, negative]))
    return float(sums @ sums) * len(sums) / max(len(sums) - 1, 1)


def balanced_accuracy(predicted: np.ndarray, labels: np.ndarray, *, people: People = None) -> Estimate:
    """(recall of positives + recall of negatives) / 2; the interval joins the intervals of both shares, by person if
    given."""
    predicted = np.asarray(predicted, bool)
    positive, negative = labels > 0, labels < 0
    if not positive.any() or not negative.any():
        return UNDEFINED
    return mean_of_independent(
        [
            share(right[one], None if people is None else np.asarray(people)[one])
            for right, one in ((predicted, positive), (~predicted, negative))
        ]
    )


def top_one(scores: np.ndarray, labels: np.ndarray) -> Estimate:
    """Share of images whose largest score (n, classes) is that of the one class present; Wilson interval.

    Images without exactly one class present are left out."""
    one = (labels > 0).sum(1) == 1
    right = scores[one].argmax(1) == labels[one].argmax(1)
    return wilson(int(right.sum()), len(right))


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Weights (n,) that sum to 1: half for all present together, half for all absent, 0 for unknown."""
    positive, negative = labels > 0, labels < 0
    return positive / (2 * max(1, positive.sum())) + negative / (2 * max(1, negative.sum()))


def calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, *, seed: int, people: People = None, count: int = RESAMPLES
) -> Estimate:
    """Expected calibration error over 10 equal bins, both states weighing half: sum_b w_b |mean p - share present|.

    0..1; balanced because the judges' probabilities refer to a population with as many present as absent."""
    known = labels != 0
    probabilities, labels = np.asarray(probabilities, np.float64)[known], np.asarray(labels)[known]
    if not (labels > 0).any() or not (labels < 0).any():
        return UNDEFINED
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    present = (labels > 0).astype(np.float64)

    def error(indices: np.ndarray) -> float:
        weights = balanced_weights(labels[indices])
        gap = weights * (probabilities[indices] - present[indices])
        return float(np.abs(np.bincount(bins[indices], gap, BINS)).sum())

    clusters = None if people is None else np.asarray(people)[known]
    return bootstrap(error, len(labels), seed=seed, clusters=clusters, count=count)
