"""Differences between groups of people: numbers in the four cells of Male x Young, by the labels."""

from collections.abc import Sequence

import numpy as np

from facet.evaluation.edits import success
from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row, concatenated, estimate_json, six_digits
from facet.evaluation.trials import TARGET, TriedCase
from facet.metrics import subgroups as metric

AXES = ("Male", "Young")


def subgroup_rows(exam: Exam, cases: Sequence[TriedCase], faces: np.ndarray, psnr: np.ndarray) -> list[Row]:
    """PSNR of reconstructions and success of on and off edits in each cell, the gap between the best and the worst, and
    how often a random regrouping has as large a gap (p).

    Each case's success is taken relative to its own mean, so that no cell is judged on easier edits; edits of Male and
    Young themselves are left out."""
    if any(name not in exam.judge.attributes for name in AXES):
        return []
    first, second = (exam.labels[:, exam.column(name)] for name in AXES)
    cell = metric.cells(first, second, AXES)
    rows = _rows(exam, "psnr", psnr, cell[faces], exam.people[faces])
    counted = [tried for tried in cases if tried.case.attribute not in AXES]
    successes = [success(exam, tried.case, tried.trials[TARGET].y).astype(np.float64) for tried in counted]
    overall = float(np.mean([part.mean() for part in successes])) if successes else 0.0
    values = concatenated([part - part.mean() + overall for part in successes])
    shown = concatenated([tried.case.faces for tried in counted]).astype(np.int64)
    return rows + _rows(exam, "success", values, cell[shown], exam.people[shown])


def _rows(exam: Exam, measure: str, values: np.ndarray, cell: np.ndarray, people: np.ndarray) -> list[Row]:
    if not (cell != "").any():
        return []
    gap = metric.gap(values, cell, seed=exam.seed, clusters=people, count=exam.resamples)
    rows: list[Row] = [
        {"measure": measure, "group": name, "value": estimate_json(estimate)} for name, estimate in gap.groups.items()
    ]
    p = six_digits(gap.p) if np.isfinite(gap.p) else None
    return [*rows, {"measure": measure, "group": "gap", "value": estimate_json(gap.gap), "p": p}]
