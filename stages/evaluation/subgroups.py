"""Whether the system serves some people worse: numbers in the four cells of Male x Young."""

from collections.abc import Sequence

import numpy as np

from stages.evaluation.edits import TARGET, Tried, success
from stages.evaluation.exam import Exam, Row, tell
from stages.metrics.intervals import Estimate, percentile, resampled

AXES = ("Male", "Young")
CELLS = ("female, old", "female, young", "male, old", "male, young")
MIN_FACES = 3  # of a case in every cell, for it to count in the comparison of successes


def cells(exam: Exam) -> np.ndarray | None:
    """The cell (t,) of each test face, -1 where a label is unknown; None where the attributes are not both there."""
    if any(name not in exam.judge.attributes for name in AXES):
        return None
    male, young = (exam.labels[:, exam.column(name)] for name in AXES)
    return np.where((male == 0) | (young == 0), -1, 2 * (male > 0) + (young > 0))


def subgroup_rows(exam: Exam, tried: Sequence[Tried], faces: np.ndarray, psnr: np.ndarray) -> list[Row]:
    """PSNR of reconstructions and success of on/off edits in each cell, and the gap between the best and the worst.

    Success is the mean over the edits that have enough faces in every cell, so that no cell is judged on easier edits;
    edits of Male and Young themselves are left out. The gap of equal cells is above 0 by chance: see its interval."""
    cell = cells(exam)
    if cell is None:
        return []
    rows = []
    for what, values in (("psnr", _psnr(exam, cell, faces, psnr)), ("success", _success(exam, cell, tried))):
        if values is None:
            continue
        each, gap = values
        rows += [{"measure": what, "group": name, "value": tell(one)} for name, one in zip(CELLS, each, strict=True)]
        rows.append({"measure": what, "group": "gap", "value": tell(gap)})
    return rows


def _psnr(exam: Exam, cell: np.ndarray, faces: np.ndarray, psnr: np.ndarray) -> tuple[list[Estimate], Estimate] | None:
    own = cell[faces]
    return _compare(exam, own, np.zeros(len(own), np.int64), psnr, exam.people[faces])


def _success(exam: Exam, cell: np.ndarray, tried: Sequence[Tried]) -> tuple[list[Estimate], Estimate] | None:
    groups, cases, values, people = [], [], [], []
    for number, one in enumerate(tried):
        own = cell[one.case.faces]
        counts = np.bincount(own[own >= 0], minlength=len(CELLS))
        if one.case.attribute in AXES or counts.min() < MIN_FACES or TARGET not in one.outcomes:
            continue
        groups.append(own)
        cases.append(np.full(len(own), number))
        values.append(success(exam, one.case, one.outcomes[TARGET].y))
        people.append(exam.people[one.case.faces])
    if not groups:
        return None
    _, case = np.unique(np.concatenate(cases), return_inverse=True)
    return _compare(exam, np.concatenate(groups), case, np.concatenate(values).astype(float), np.concatenate(people))


def _compare(
    exam: Exam, group: np.ndarray, case: np.ndarray, values: np.ndarray, people: np.ndarray
) -> tuple[list[Estimate], Estimate] | None:
    known = group >= 0
    group, case, values, people = group[known], case[known], values[known], people[known]
    counts = np.bincount(group, minlength=len(CELLS))
    if counts.min(initial=0) == 0:
        return None
    count = int(case.max()) + 1
    slot = case * len(CELLS) + group

    def cell_means(indices: np.ndarray) -> np.ndarray:
        size = np.bincount(slot[indices], minlength=count * len(CELLS)).reshape(count, -1)
        total = np.bincount(slot[indices], values[indices], count * len(CELLS)).reshape(count, -1)
        full = (size > 0).all(1)
        if not full.any():
            return np.full(len(CELLS), np.nan)
        found: np.ndarray = (total[full] / size[full]).mean(0)
        return found

    draws = np.stack(
        [cell_means(i) for i in resampled(len(values), seed=exam.seed, clusters=people, count=exam.resamples)]
    )
    found = cell_means(np.arange(len(values)))
    each = [percentile(float(found[k]), draws[:, k], int(counts[k])) for k in range(len(CELLS))]
    return each, percentile(float(np.ptp(found)), np.ptp(draws, axis=1), len(values))
