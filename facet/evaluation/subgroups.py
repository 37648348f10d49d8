"""Whether the system serves some people worse: numbers in the four cells of Male x Young, by the labels."""

from collections.abc import Sequence

import numpy as np

from facet.evaluation.edits import TARGET, Tried, success
from facet.evaluation.exam import Exam, Row, concatenated, short, tell
from facet.metrics import subgroups as metric

AXES = ("Male", "Young")


def subgroup_rows(exam: Exam, tried: Sequence[Tried], faces: np.ndarray, psnr: np.ndarray) -> list[Row]:
    """PSNR of reconstructions and success of on and off edits in each cell, the gap between the best and the worst, and
    how often a random regrouping gaps as much (p).

    Each case's success is taken about its own mean, so that no cell is judged on easier edits; edits of Male and Young
    themselves are left out."""
    if any(name not in exam.judge.attributes for name in AXES):
        return []
    first, second = (exam.labels[:, exam.column(name)] for name in AXES)
    cell = metric.cells(first, second, AXES)
    rows = _rows(exam, "psnr", psnr, cell[faces], exam.people[faces])
    cases = [one for one in tried if one.case.attribute not in AXES]
    found = [success(exam, one.case, one.outcomes[TARGET].y).astype(np.float64) for one in cases]
    overall = float(np.mean([part.mean() for part in found])) if found else 0.0
    values = concatenated([part - part.mean() + overall for part in found])
    shown = concatenated([one.case.faces for one in cases]).astype(np.int64)
    return rows + _rows(exam, "success", values, cell[shown], exam.people[shown])


def _rows(exam: Exam, measure: str, values: np.ndarray, cell: np.ndarray, people: np.ndarray) -> list[Row]:
    if not (cell != "").any():
        return []
    gap = metric.gap(values, cell, seed=exam.seed, clusters=people, count=exam.resamples)
    rows: list[Row] = [
        {"measure": measure, "group": name, "value": tell(estimate)} for name, estimate in gap.groups.items()
    ]
    p = short(gap.p) if np.isfinite(gap.p) else None
    return [*rows, {"measure": measure, "group": "gap", "value": tell(gap.gap), "p": p}]
