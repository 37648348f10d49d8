"""Edits compared at equal success: otherwise a weak edit always wins.

Each attribute and direction is read off its curves at the strength at which 80 % of the test faces succeed, linear
between strengths. One that never gets there counts at the strongest edit tried, not at all would favour a system that
fails where editing is hard. Its side effects are then those of an edit that is still too weak: a lower bound."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row, estimate_json, six_digits
from facet.evaluation.trials import TriedCase
from facet.metrics import success as metric
from facet.metrics.intervals import UNDEFINED, Estimate, percentile, resampled
from facet.metrics.success import Outcome


@dataclasses.dataclass(frozen=True)
class Swept:
    """One case at all strengths of the curves, 0 (the photo) first."""

    tried: TriedCase
    strengths: np.ndarray  # (S,)
    outcome: Outcome  # (S, n)


def swept(exam: Exam, tried: TriedCase) -> Swept:
    """The outcomes of a case over the strengths of the curves."""
    points = sorted((factor, name) for name, factor in tried.factors.items() if name.startswith("x"))
    logits = np.stack([exam.logits[tried.case.faces]] + [tried.trials[name].y for _, name in points])
    strengths = np.array([0.0] + [factor for factor, _ in points])
    return Swept(tried, strengths, exam.outcome(tried.case, logits))


def matched_rows(exam: Exam, cases: Sequence[TriedCase]) -> list[Row]:
    """The strength at which each curve reaches 80 % on the test faces, and `preservation`, 1 - side effects, at that
    strength; people are resampled. `success_strongest` and `preservation_strongest`: at the strongest edit tried, which
    is all that there is if the curve never reaches 80 % (`reaches` is false).

    `area` is the mean height of the success curve, `reached` the share of resamples that get to 80 %."""
    rows = []
    for tried in cases:
        one, case = swept(exam, tried), tried.case
        curve = metric.curve(
            one.outcome, one.strengths, seed=exam.seed, clusters=exam.people[case.faces], count=exam.resamples
        )
        rows.append(
            {
                "attribute": case.attribute,
                "direction": case.word,
                "success": metric.MATCHED,
                "reaches": bool(np.isfinite(curve.strength.value)),
                "strength": estimate_json(curve.strength),
                "preservation": estimate_json(curve.matched),
                "success_strongest": estimate_json(curve.success[-1]),
                "preservation_strongest": estimate_json(curve.preservation[-1]),
                "area": estimate_json(curve.area),
                "reached": six_digits(curve.reached),
            }
        )
    return rows


def means(exam: Exam, cases: Sequence[TriedCase]) -> dict[str, Estimate]:
    """`flips_matched`: side effects at equal success, mean over all cases; `unmatched`: the share of cases that never
    reach it. Intervals resample people over all cases at once."""
    all_swept = [one for one in (swept(exam, tried) for tried in cases) if len(one.tried.case.faces)]
    if not all_swept:
        return dict.fromkeys(("flips_matched", "unmatched"), UNDEFINED)
    # (faces of all cases, 2 S): success and side effects at every strength
    table = np.concatenate([np.concatenate([one.outcome.success, one.outcome.side_effects]).T for one in all_swept])
    people = exam.people[np.concatenate([one.tried.case.faces for one in all_swept])]
    starts = np.cumsum([0, *(len(one.tried.case.faces) for one in all_swept[:-1])])

    def numbers(times: np.ndarray) -> tuple[float, float]:
        """Both means where face i is drawn `times[i]` times."""
        sizes = np.add.reduceat(times, starts)
        drawn = sizes > 0
        curves = np.add.reduceat(table * times[:, None], starts)[drawn] / sizes[drawn, None]
        found = [
            at_equal_success(one.strengths, *np.split(curve, 2))
            for one, curve in zip(itertools.compress(all_swept, drawn), curves, strict=True)
        ]
        side_effects = np.array([flips for flips, _ in found])
        known = side_effects[np.isfinite(side_effects)]
        return float(known.mean()) if len(known) else math.nan, float(np.mean([not reaches for _, reaches in found]))

    draws = [
        numbers(np.bincount(chosen, minlength=len(table)).astype(np.float64))
        for chosen in resampled(len(table), seed=exam.seed, clusters=people, count=exam.resamples)
    ]
    values = numbers(np.ones(len(table)))
    return {
        name: percentile(value, np.array(drawn), len(table))
        for name, value, drawn in zip(("flips_matched", "unmatched"), values, zip(*draws, strict=True), strict=True)
    }


def at_equal_success(strengths: np.ndarray, success: np.ndarray, side_effects: np.ndarray) -> tuple[float, bool]:
    """Side effects where the curve `success` (S,) reaches 80 %, and True; those of the strongest edit, and False, if it
    never does."""
    strength = metric.strength_at(strengths, success)
    if not np.isfinite(strength):
        return float(side_effects[-1]), False
    return float(metric.at_strength(side_effects, strengths, strength)), True
