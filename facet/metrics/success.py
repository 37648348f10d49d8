"""Success and side effects of edits, read off a judge's answers, and methods compared at equal success.

Success: the judge sees the target state of the edited attribute. Side effects: the share of other attributes whose
answer differs from the judge's own on the photo (not from the label). Judge A's calibration and judge B's exam both
count by these functions.

Arrays: logits and answers (n, K) of a judge on n faces, or (S, n, K) over the strengths (S,), ascending; `labels` of
-1, 0 (unknown), +1; `thresholds` (K,) on the probability. Definitions: AttGAN's protocol made comparable, see the
report's notes."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from facet.metrics.intervals import RESAMPLES, UNDEFINED, Estimate, mean_draws, percentile, share

ABSENT, PRESENT = 0.3, 0.7  # probabilities up to and from which a face is eligible for adding and for removing
MATCHED = 0.8  # success at which methods are compared
TOLERANCE = 1e-9  # by which a success curve may miss a level: averages of shares are not exact


@dataclasses.dataclass(frozen=True)
class Case:
    """Faces that certainly lack an attribute and should get it (`on`), or certainly have it and should lose it."""

    attribute: str
    on: bool
    faces: np.ndarray  # (n,) row numbers of the faces

    @property
    def word(self) -> str:
        """The direction as reports name it."""
        return "add" if self.on else "remove"

    @property
    def sign(self) -> int:
        """+1 if the edit should raise the attribute's logit, -1 if it should lower it."""
        return 1 if self.on else -1


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The effect of an edit on each of n faces, (n,) or (S, n)."""

    success: np.ndarray  # bool: the judge sees the target
    side_effects: np.ndarray  # share of the other judged attributes whose answer changed, 0..1; NaN if there is none


def probability(logits: np.ndarray) -> np.ndarray:
    """Probabilities (float64) from logits, without overflow."""
    return np.asarray(expit(np.asarray(logits, np.float64)))


def predicted(logits: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Answers (…, K), bool: probability at or above the threshold."""
    return probability(logits) >= np.asarray(thresholds, np.float64)


def eligible(probabilities: np.ndarray, labels: np.ndarray, on: bool) -> np.ndarray:
    """(n,) bool: faces on which an edit to `on` can be judged. The judge sees the source state with a margin
    (probability <= .3 to add, >= .7 to remove) and the label agrees. Both arguments (n,), of the edited attribute."""
    if on:
        return np.asarray((probabilities <= ABSENT) & (labels < 0))
    return np.asarray((probabilities >= PRESENT) & (labels > 0))


def side_effect_columns(
    attribute: str, attributes: Sequence[str], judged: Sequence[bool], exclusive: Sequence[str]
) -> np.ndarray:
    """(K,) bool: the attributes whose change counts as a side effect of an edit of `attribute`: those the judge can
    see, without the attribute itself and without the `exclusive` ones, which have to change with it."""
    return np.array(judged, bool) & ~np.isin(np.array(attributes), [attribute, *exclusive])


def outcome(before: np.ndarray, after: np.ndarray, column: int, on: bool, others: np.ndarray) -> Outcome:
    """Compare answers `after` (n, K) or (S, n, K) with the target of one column and, in the columns `others` (K,) bool,
    with the answers `before` (n, K) on the photos."""
    if np.any(others):
        side_effects = (after != before)[..., others].mean(-1)
    else:
        side_effects = np.full(after.shape[:-1], math.nan)
    return Outcome(after[..., column] == on, side_effects)


def strength_at(strengths: np.ndarray, curve: np.ndarray, level: float = MATCHED) -> float:
    """The lowest strength at which the success curve (S,) reaches `level`, linear between strengths; NaN if never."""
    reached = np.flatnonzero(np.asarray(curve) >= level - TOLERANCE)
    if not len(reached):
        return math.nan
    i = int(reached[0])
    if i == 0:
        return float(strengths[0])
    part = (level - curve[i - 1]) / (curve[i] - curve[i - 1])
    return float(strengths[i - 1] + part * (strengths[i] - strengths[i - 1]))


def at_strength(values: np.ndarray, strengths: np.ndarray, strength: float) -> np.ndarray:
    """Values (S, …) over the strengths, linear between them, at one strength: (…)."""
    i = int(np.clip(np.searchsorted(strengths, strength), 1, len(strengths) - 1))
    part = (strength - strengths[i - 1]) / (strengths[i] - strengths[i - 1])
    blended: np.ndarray = (1 - part) * values[i - 1] + part * values[i]
    return blended


def area_under(strengths: np.ndarray, curve: np.ndarray) -> float:
    """Mean height of a success curve (S,) over its range of strengths, trapezoids: 0..1."""
    return float(np.trapezoid(curve, strengths) / (strengths[-1] - strengths[0]))


@dataclasses.dataclass(frozen=True)
class Curve:
    """One edit over all strengths, the same faces at each: success and preservation, and both at matched success."""

    strengths: np.ndarray  # (S,)
    success: list[Estimate]  # (S,)
    preservation: list[Estimate]  # (S,) 1 - mean side effects
    area: Estimate  # mean height of the success curve
    strength: Estimate  # at which success reaches the matched level; undefined if it never does
    matched: Estimate  # preservation at that strength
    reached: float  # share of resamples that reach the level; below 1 the two intervals above hold only for those

    def to_json(self) -> dict[str, object]:
        return {
            "strengths": [float(s) for s in self.strengths],
            "success": [estimate.to_json() for estimate in self.success],
            "preservation": [estimate.to_json() for estimate in self.preservation],
            "area": self.area.to_json(),
            "matched_strength": self.strength.to_json(),
            "matched_preservation": self.matched.to_json(),
            "reached": self.reached,
        }


def curve(
    outcome: Outcome,
    strengths: np.ndarray,
    *,
    seed: int,
    level: float = MATCHED,
    clusters: np.ndarray | None = None,
    count: int = RESAMPLES,
) -> Curve:
    """The curve of an outcome (S, n) on eligible faces.

    The bootstrap resamples faces (or identities) and keeps each face's whole curve together."""
    strengths = np.asarray(strengths, np.float64)
    n = outcome.success.shape[1]
    if n == 0:
        empty = [UNDEFINED] * len(strengths)
        return Curve(strengths, empty, empty, UNDEFINED, UNDEFINED, UNDEFINED, 0.0)
    rates, preservation = outcome.success.mean(1), 1 - outcome.side_effects.mean(1)
    both = np.concatenate([outcome.success, 1 - outcome.side_effects]).T.astype(np.float64)  # (n, 2S)
    draws = mean_draws(both, seed=seed, clusters=clusters, count=count)
    drawn_rates, drawn_preservation = draws[:, : len(strengths)], draws[:, len(strengths) :]
    drawn_at = np.array([strength_at(strengths, draw, level) for draw in drawn_rates])
    drawn_matched = np.array(
        [_height(heights, strengths, at) for heights, at in zip(drawn_preservation, drawn_at, strict=True)]
    )
    at = strength_at(strengths, rates, level)
    areas = np.array([area_under(strengths, draw) for draw in drawn_rates])
    undefined = Estimate(math.nan, math.nan, math.nan, n)
    return Curve(
        strengths=strengths,
        success=[share(row, clusters) for row in outcome.success],
        preservation=[percentile(preservation[s], drawn_preservation[:, s], n) for s in range(len(strengths))],
        area=percentile(area_under(strengths, rates), areas, n),
        strength=percentile(at, drawn_at, n) if math.isfinite(at) else undefined,
        matched=percentile(_height(preservation, strengths, at), drawn_matched, n) if math.isfinite(at) else undefined,
        reached=float(np.isfinite(drawn_at).mean()),
    )


@dataclasses.dataclass(frozen=True)
class EntanglementRow:
    """One row of the entanglement matrix: the effect of editing one attribute on every attribute (K,)."""

    shift: list[Estimate]  # mean logit change over that attribute's spread on real photos (standard deviations)
    changed: list[Estimate]  # share of faces whose answer changes


def entanglement_row(
    before: np.ndarray,
    after: np.ndarray,
    thresholds: np.ndarray,
    spread: np.ndarray,
    *,
    seed: int,
    clusters: np.ndarray | None = None,
    count: int = RESAMPLES,
) -> EntanglementRow:
    """The row from logits (n, K) of the same faces before and after an edit at matched success; `spread` (K,) is the
    standard deviation of each logit over real photos. Answers are compared with the judge's own on the photo."""
    n, attributes = before.shape
    if n == 0:
        return EntanglementRow([UNDEFINED] * attributes, [UNDEFINED] * attributes)
    shifts = (np.asarray(after, np.float64) - before) / np.maximum(spread, 1e-9)
    draws = mean_draws(shifts, seed=seed, clusters=clusters, count=count)
    changed = predicted(after, thresholds) != predicted(before, thresholds)
    return EntanglementRow(
        shift=[percentile(shifts[:, j].mean(), draws[:, j], n) for j in range(attributes)],
        changed=[share(changed[:, j], clusters) for j in range(attributes)],
    )


def _height(values: np.ndarray, strengths: np.ndarray, strength: float) -> float:
    return float(at_strength(values, strengths, strength)) if math.isfinite(strength) else math.nan
