"""Calibration of a judge on validation images: temperatures, biases, thresholds, and which attributes it can judge."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.special import expit
from torch import nn

from facet.base import images
from facet.judges.judge import WHICH, Calibration, Which
from facet.metrics.classification import auroc, balanced_accuracy, balanced_weights

MIN_EXAMPLES = 10  # validation faces of each state, below which an attribute cannot be judged


@torch.no_grad()
def raw_logits(network: nn.Module, pixels: np.ndarray, rows: np.ndarray, device: torch.device) -> np.ndarray:
    """Uncalibrated outputs (rows, attributes), float64."""
    network.eval()
    parts = [
        network(images.gather(pixels, rows[first : first + 256]).to(device, memory_format=torch.channels_last)).float()
        for first in range(0, len(rows), 256)
    ]
    return torch.cat(parts).cpu().numpy().astype(np.float64)


def calibrate(scores: np.ndarray, labels: np.ndarray, real: np.ndarray, *, width: int) -> Calibration:
    """Temperature, bias and threshold of every attribute from validation logits and labels (n, attributes). Labels are
    values in [-1, 1] of the attributes that are `real` (attributes,)."""
    fits = [(soft_platt if real[k] else platt)(scores[:, k], labels[:, k]) for k in range(labels.shape[1])]
    logits = scores / [t for t, _ in fits] + [b for _, b in fits]
    thresholds = [threshold(expit(logits[:, k]), labels[:, k]) for k in range(labels.shape[1])]
    return Calibration(
        width=width,
        temperatures=tuple(t for t, _ in fits),
        biases=tuple(b for _, b in fits),
        thresholds=tuple(thresholds),
    )


def platt(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Temperature and bias such that sigmoid(score / temperature + bias) is the balanced probability of `present`.

    Platt 1999 with its smoothed targets, both states weighing half."""
    known = labels != 0
    score, label = scores[known], labels[known]
    weight = balanced_weights(label)
    if not (label > 0).any() or not (label < 0).any():
        return 1.0, 0.0
    present, absent = (label > 0).sum(), (label < 0).sum()
    return _logistic(score, np.where(label > 0, (present + 1) / (present + 2), 1 / (absent + 2)), weight)


def soft_platt(scores: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Temperature and bias such that sigmoid(score / temperature + bias) is the best estimate of (v + 1) / 2 for values
    v in [-1, 1] (n,); 0 is unknown."""
    known = values != 0
    if not known.any():
        return 1.0, 0.0
    return _logistic(scores[known], (values[known] + 1) / 2, np.full(known.sum(), 1 / known.sum()))


def _logistic(score: np.ndarray, target: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Temperature and bias of the least weighted cross entropy with targets in [0, 1], by Newton's method; six
    decimals."""
    design = np.stack([score, np.ones_like(score)], 1)
    solution = np.array([1.0, 0.0])
    for _ in range(100):
        p = expit(design @ solution)
        slope = design.T @ (weight * (p - target)) + 1e-4 * (solution - [1, 0])
        curve = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-4 * np.eye(2)
        move = np.linalg.solve(curve, slope)
        solution = solution - np.clip(move, -0.5, 0.5)
        if np.abs(move).max() < 1e-9:
            break
    slope = max(float(solution[0]), 0.05)  # the answer on an attribute the judge cannot see must not be inverted
    return round(1 / slope, 6), round(float(solution[1]), 6)


def threshold(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The threshold with the best balanced accuracy on validation, as close to 1/2 as half a standard error allows.

    Kept within .3 .. .7, the margins that make a face eligible for an edit."""
    candidates = np.arange(30, 71) / 100
    present, absent = probabilities[labels > 0], probabilities[labels < 0]
    if not len(present) or not len(absent):
        return 0.5
    hit = (present[:, None] >= candidates).mean(0)
    reject = (absent[:, None] < candidates).mean(0)
    score = (hit + reject) / 2
    best = score.argmax()
    error = math.sqrt(hit[best] * (1 - hit[best]) / len(present) + reject[best] * (1 - reject[best]) / len(absent)) / 2
    good = candidates[score >= score[best] - error / 2]
    return float(good[np.abs(good - 0.5).argmin()])


def not_judged(
    attributes: Sequence[str],
    scores: Mapping[Which, np.ndarray],
    calibrations: Mapping[Which, Calibration],
    labels: np.ndarray,
    *,
    min_balanced_accuracy: float,
    min_auroc: float,
) -> list[str]:
    """The reason why each attribute cannot be judged, from real validation images; "" if both judges see it well
    enough. `scores` are raw logits (n, attributes), as `labels`."""
    reasons = []
    for k in range(len(attributes)):
        label = labels[:, k]
        rarer = int(min((label > 0).sum(), (label < 0).sum()))
        reason = f"only {rarer} validation faces of the rarer state, {MIN_EXAMPLES} needed" * (rarer < MIN_EXAMPLES)
        for which in WHICH:
            answers = answered(scores[which], calibrations[which])[:, k]
            for name, value, needed in (
                ("balanced accuracy", balanced_accuracy(answers, label).value, min_balanced_accuracy),
                ("AUROC", auroc(scores[which][:, k], label).value, min_auroc),
            ):
                if not reason and not value >= needed:
                    reason = f"judge {which}: {name} {value:.3f} on validation, {needed:g} needed"
        reasons.append(reason)
    return reasons


def answered(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Answers (n, attributes), bool, from raw logits."""
    return np.asarray(expit(scores / calibration.temperatures + calibration.biases) >= calibration.thresholds)
