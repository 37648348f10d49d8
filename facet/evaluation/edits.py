"""The effect of edits on test faces: success, score shift, side effects, how much of the picture changes.

Notation as in `trials`. The report's keys say `flips` for side effects, `off_target` for attributes whose change counts
as one."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from facet.editing.spec import Change, Spec
from facet.editing.table import TARGET_LEVEL
from facet.evaluation import matched
from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row, concatenated, estimate_json, estimates_json, exact_estimate
from facet.evaluation.trials import CONTROLS, LEVEL, MAIN, NAMED, TARGET, TriedCase
from facet.metrics import success as metric
from facet.metrics.intervals import (
    UNDEFINED,
    Estimate,
    bootstrap,
    holm,
    mean_of_independent,
    quantile_of_normal,
)
from facet.metrics.success import Case

ZERO_FACES = 16  # of a case, for the edit of strength 0


def success(exam: Exam, case: Case, logits: np.ndarray) -> np.ndarray:
    """`success` of the outcome that judge B's logits (n, K) show: (n,) bool."""
    return exam.outcome(case, logits).success


def side_effects(exam: Exam, case: Case, logits: np.ndarray) -> np.ndarray:
    """`side_effects` of the outcome that judge B's logits (n, K) show: (n,)."""
    return exam.outcome(case, logits).side_effects


def edit_rows(exam: Exam, cases: Sequence[TriedCase]) -> list[Row]:
    """One row per attribute, direction and named setting."""
    return [_edit_row(exam, tried, name) for tried in cases for name in NAMED if name in tried.trials]


def _edit_row(exam: Exam, tried: TriedCase, name: str) -> Row:
    case, trial = tried.case, tried.trials[name]
    details, reencoded = trial.details, trial.reencoded
    assert details is not None
    direction = exam.editor.table.chosen(case.attribute)
    column, sign = exam.column(case.attribute), case.sign
    meta, level = exam.editor.table.meta, TARGET_LEVEL if name == TARGET else int(name[1:])
    strength = direction.unit(case.on, level, meta.max_strength)
    if name == TARGET:
        strength = direction.target(case.on, meta.max_strength, meta.margin)
    on_y, on_e = exam.outcome(case, trial.y), exam.outcome(case, details.e)
    success_a = details.other == case.on
    shown = ~success(exam, case, tried.r)  # reconstructions that still show the source state
    before, r, e, y = (logits[:, column] for logits in (exam.logits[case.faces], tried.r, details.e, trial.y))
    columns = {
        "flips": on_y.side_effects,
        "flips_decoded": on_e.side_effects,
        "shift": sign * (y - before),
        "shift_reconstruction": sign * (r - before),
        "shift_edit": sign * (e - r),
        "change": details.change,
        "mask": details.mask,
    }
    if reencoded is not None:
        columns |= {"latent_drift": reencoded.drift, "undo": reencoded.undo}
    return {
        "attribute": case.attribute,
        "direction": case.word,
        "setting": name,
        "estimator": direction.estimator,
        "strength": float(f"{strength:.6g}"),
        "reached": (direction.add if case.on else direction.remove)[level] is not None,
        "success": estimate_json(exam.share(case.faces, on_y.success)),
        "success_decoded": estimate_json(exam.share(case.faces, on_e.success)),
        "success_a": estimate_json(exam.share(case.faces, success_a)),
        "agreement": estimate_json(exam.share(case.faces, success_a == on_y.success)),
        "success_where_shown": estimate_json(exam.share(case.faces[shown], on_y.success[shown])),
        "lost_in_reconstruction": estimate_json(exam.share(case.faces, ~shown)),
        "outside_max": estimate_json(exact_estimate(float(details.outside.max(initial=0)), len(case.faces))),
        **estimates_json(exam.means(case.faces, columns)),
    }


def curve_rows(exam: Exam, cases: Sequence[TriedCase]) -> list[Row]:
    """One row per attribute, direction and strength, the same faces at all of them; strength 0 is the photo."""
    rows = []
    for tried in cases:
        case = tried.case
        points = sorted({factor: name for name, factor in tried.factors.items() if name.startswith("x")}.items())
        for factor, name in points:
            logits = tried.trials[name].y
            outcome = exam.outcome(case, logits)
            numbers = exam.means(
                case.faces,
                {
                    "flips": outcome.side_effects,
                    "shift": case.sign * (logits - exam.logits[case.faces])[:, exam.column(case.attribute)],
                },
            )
            rows.append(
                {
                    "attribute": case.attribute,
                    "direction": case.word,
                    "strength": factor,
                    "success": estimate_json(exam.share(case.faces, outcome.success)),
                    **estimates_json(numbers),
                }
            )
    return rows


def entanglement_rows(exam: Exam, cases: Sequence[TriedCase]) -> list[Row]:
    """The effect of an edit at the calibrated strength on every judged attribute, additions and removals together.

    `shift`: mean change of the logit in the direction of the edit, over its standard deviation on real test photos.
    `flips`: share of faces whose answer changed. `sure`: the shift differs from 0 by Holm's test over all cells whose
    change is a side effect; the attribute's own cell and those of attributes that exclude it are not tested."""
    names = list(exam.judged)
    columns = [exam.column(name) for name in names]
    cells: list[Row] = []
    p_values = []
    for name in names:
        own = [tried for tried in cases if tried.case.attribute == name]
        if not own:
            continue
        # a removal seen backwards is an addition
        pairs = [(exam.logits[tried.case.faces], tried.trials[MAIN].y)[:: tried.case.sign] for tried in own]
        before, after = (np.concatenate(side)[:, columns] for side in zip(*pairs, strict=True))
        row = metric.entanglement_row(
            before,
            after,
            exam.thresholds[columns],
            exam.logits.std(0)[columns],
            seed=exam.seed,
            clusters=exam.people[np.concatenate([tried.case.faces for tried in own])],
            count=exam.resamples,
        )
        counts = exam.others(name)[columns]
        p_values.append(
            [_p_of_no_shift(shift) if counted else np.nan for shift, counted in zip(row.shift, counts, strict=True)]
        )
        cells += [
            {
                "attribute": name,
                "other": other,
                "off_target": bool(counts[j]),
                "shift": estimate_json(row.shift[j]),
                "flips": estimate_json(row.changed[j]),
            }
            for j, other in enumerate(names)
        ]
    for cell, sure in zip(cells, holm(np.array(p_values)).ravel(), strict=True):
        cell["sure"] = bool(sure)
    return cells


def _p_of_no_shift(shift: Estimate) -> float:
    """Two-sided p of "the mean is 0" by the bootstrap's standard error: counting resamples could not go below 1 in
    their number, too coarse for Holm's test over hundreds of cells."""
    error = (shift.high - shift.low) / (2 * quantile_of_normal())
    return math.erfc(abs(shift.value) / max(error, 1e-12) / math.sqrt(2))


def control_rows(exam: Exam, cases: Sequence[TriedCase]) -> list[Row]:
    """Edits that should have no effect, and the ceiling of success, per attribute and direction.

    random, shuffled: success of steps of equal length in directions unrelated to the attribute. ceiling: how often
    judge B sees the target state on real test photos that have it. zero: largest difference in levels of an edit of
    strength 0 to the photo (mode `decode`: to the reconstruction)."""
    rows = []
    for tried in cases:
        case = tried.case
        row: Row = {"attribute": case.attribute, "direction": case.word, "ceiling": estimate_json(_ceiling(exam, case))}
        for control in CONTROLS:
            outcome = exam.outcome(case, tried.trials[control].y)
            row[control] = estimate_json(exam.share(case.faces, outcome.success))
            row[f"{control}_flips"] = estimate_json(exam.means(case.faces, {"": outcome.side_effects})[""])
        row["zero"] = estimate_json(_zero(exam, case))
        rows.append(row)
    return rows


def _zero(exam: Exam, case: Case) -> Estimate:
    """The largest change of an edit of strength 0."""
    for _, x, latent in exam.batches(case.faces[:ZERO_FACES]):
        r = exam.editor.decode(latent)
        result = exam.editor.apply_to(x, latent, r, Spec((Change(case.attribute, add=0.0),)), exam.mode)
        base = r if exam.mode == "decode" else x
        return exact_estimate(float((result.y - base).abs().max()) * LEVEL, len(x))
    return UNDEFINED


def side_effect_rows(exam: Exam, cases: Sequence[TriedCase], setting: str) -> list[Row]:
    """How often the answer on each attribute changes by edits of others at one setting."""
    changes: dict[str, list[np.ndarray]] = {name: [] for name in exam.judged}
    people: dict[str, list[np.ndarray]] = {name: [] for name in exam.judged}
    for tried in cases:
        if setting not in tried.trials:
            continue
        changed = exam.answers(tried.trials[setting].y) != exam.answers(exam.logits[tried.case.faces])
        for column in np.flatnonzero(exam.others(tried.case.attribute)).tolist():
            name = exam.judge.attributes[column]
            if name in changes:
                changes[name].append(changed[:, column])
                people[name].append(tried.case.faces)
    rows = []
    for name, parts in changes.items():
        faces = concatenated(people[name]).astype(np.int64)
        rows.append(
            {
                "attribute": name,
                **estimates_json(exam.means(faces, {"flipped_by_others": concatenated(parts).astype(np.float64)})),
            }
        )
    return rows


def summary_rows(exam: Exam, cases: Sequence[TriedCase]) -> list[Row]:
    """Means over all attributes and directions, weighted equally; intervals resample people. Edits are those to the
    target (on, off). `flips_matched`: at 80 % success, or at the strongest edit tried where it is never reached;
    `unmatched`: the share of attributes and directions of which that holds."""
    numbers = {
        "success": over_cases(exam, cases, TARGET, success),
        "success_add": over_cases(exam, [tried for tried in cases if tried.case.on], TARGET, success),
        "success_remove": over_cases(exam, [tried for tried in cases if not tried.case.on], TARGET, success),
        "flips": over_cases(exam, cases, TARGET, side_effects),
        "success_s80": over_cases(exam, cases, MAIN, success),
        "flips_s80": over_cases(exam, cases, MAIN, side_effects),
        "random": over_cases(exam, cases, "random", success),
        "shuffled": over_cases(exam, cases, "shuffled", success),
        **matched.means(exam, cases),
    }
    ceilings = [_ceiling(exam, tried.case) for tried in cases]
    numbers["ceiling"] = mean_of_independent([ceiling for ceiling in ceilings if ceiling.n] or [UNDEFINED])
    return [{"name": name, "value": estimate_json(value)} for name, value in numbers.items()]


def over_cases(
    exam: Exam, cases: Sequence[TriedCase], setting: str, measure: Callable[[Exam, Case, np.ndarray], np.ndarray]
) -> Estimate:
    """The mean over cases of each case's mean; people resampled over all cases at once."""
    parts = [measure(exam, tried.case, tried.trials[setting].y).astype(np.float64) for tried in cases]
    number = np.concatenate([np.full(len(part), i) for i, part in enumerate(parts)] or [np.zeros(0)]).astype(np.int64)
    values, people = (
        concatenated(parts),
        exam.people[concatenated([tried.case.faces for tried in cases]).astype(np.int64)],
    )
    keep = np.isfinite(values)
    number, values, people = number[keep], values[keep], people[keep]
    if not len(values):
        return UNDEFINED

    def mean(indices: np.ndarray) -> float:
        size = np.bincount(number[indices], minlength=len(parts))
        total = np.bincount(number[indices], values[indices], len(parts))
        return float((total[size > 0] / size[size > 0]).mean())

    return bootstrap(mean, len(values), seed=exam.seed, clusters=people, count=exam.resamples)


def _ceiling(exam: Exam, case: Case) -> Estimate:
    """Share of real test photos in the target state on which judge B sees it."""
    column = exam.column(case.attribute)
    real = np.flatnonzero(exam.labels[:, column] == (1 if case.on else -1))
    return exam.share(real, exam.answers(exam.logits)[real, column] == case.on)
