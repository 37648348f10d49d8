"""The judges' card: how well each judge sees each attribute on real test images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facet.base import images
from facet.base.tables import Faces
from facet.judges.judge import WHICH, Judge, Which, digit_classes
from facet.metrics.classification import auroc, balanced_accuracy, calibration_error, top_one
from facet.metrics.graded import absolute_error, rank_correlation
from facet.metrics.intervals import share

RESAMPLES = 500  # bootstrap resamples of the calibration error


def card(
    judges: Mapping[Which, Judge], faces: Faces, pixels: np.ndarray, reasons: Sequence[str], *, seed: int
) -> dict[str, Any]:
    """The card as JSON. `reasons` says why each attribute is not judged, "" if it is."""
    rows = faces.rows("test")
    truth, people = faces.descriptions()[rows], faces.people()[rows]
    logits = {
        which: np.concatenate(
            [
                judge.logits(images.gather(pixels, rows[i : i + 256])).double().cpu().numpy()
                for i in range(0, len(rows), 256)
            ]
        )
        for which, judge in judges.items()
    }
    # not SciPy's expit, whose last bit differs: calibration errors are reported in full precision
    probabilities = {which: 1 / (1 + np.exp(-value)) for which, value in logits.items()}
    answers = {which: probabilities[which] >= judges[which].thresholds.double().cpu().numpy() for which in WHICH}
    attributes = {}
    for k, name in enumerate(faces.meta.attributes):
        labels = truth[:, k]
        agree = answers["a"][:, k] == answers["b"][:, k]
        entry: dict[str, Any] = {
            "judged": not reasons[k],
            "reason": reasons[k],
            "prevalence": share(labels[labels != 0] > 0, people[labels != 0]).to_json(),
            "agreement": share(agree, people).to_json(),
        }
        for which in WHICH:
            entry[which] = {
                "auroc": auroc(logits[which][:, k], labels, people=people).to_json(),
                "balanced_accuracy": balanced_accuracy(answers[which][:, k], labels, people=people).to_json(),
                "calibration_error": calibration_error(
                    probabilities[which][:, k], labels, seed=seed, people=people, count=RESAMPLES
                ).to_json(),
                "threshold": judges[which].thresholds[k].item(),
            }
            if name in faces.meta.ranges:
                entry[which] |= value_accuracy(2 * probabilities[which][:, k] - 1, labels, people, seed)
        attributes[name] = entry
    return {
        "crop": faces.meta.crop,
        "size": faces.meta.size,
        "source": faces.meta.source,
        "images": {split: len(faces.rows(split)) for split in ("train", "valid", "test")},
        "attributes": attributes,
    } | digits_card(logits, truth, faces.meta.attributes)


def digits_card(logits: Mapping[Which, np.ndarray], truth: np.ndarray, attributes: Sequence[str]) -> dict[str, Any]:
    """`digits`: how often each judge names the digit of a test picture, per place; empty if there are no digits."""
    places = {
        place: {which: top_one(logits[which][:, columns], truth[:, columns]).to_json() for which in WHICH}
        for place, columns in digit_classes(attributes).items()
    }
    return {"digits": places} if places else {}


def value_accuracy(judged: np.ndarray, values: np.ndarray, people: np.ndarray, seed: int) -> dict[str, Any]:
    """Rank correlation and absolute error of judged values (n,) against the values (n,) in [-1, 1] of a real-valued
    attribute; 0 is unknown.

    `constant_error`, the floor, is the error of answering the median for everybody. There is no probability of being
    present, so `calibration_error` is null."""
    known = values != 0
    bootstrap: dict[str, Any] = {"seed": seed, "clusters": people[known], "count": RESAMPLES}
    judged, true = judged[known], values[known].astype(np.float64)
    median = np.full(len(true), np.median(true) if len(true) else 0.0)
    return {
        "calibration_error": None,
        "spearman": rank_correlation(judged, true, **bootstrap).to_json(),
        "absolute_error": absolute_error(judged, true, **bootstrap).to_json(),
        "constant_error": absolute_error(median, true, **bootstrap).to_json(),
    }
