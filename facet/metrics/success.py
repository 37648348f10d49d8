"""How well edits work, from a judge's calibrated logits: success, score shift, off-target flips, matched success.

Names of arrays: `before` (N, K) logits of the photos; `after` (N, K) logits of the edited photos, or (S, N, K) over the
strengths (S,), ascending; `labels` (N, K) of -1, 0, +1; `thresholds` (K,) on the probability; `k` the edited attribute,
`direction` +1 to add it and -1 to remove it. Definitions: AttGAN's protocol made comparable, see the report's notes."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from facet.metrics.intervals import RESAMPLES, UNDEFINED, Estimate, mean_draws, percentile, wilson

ABSENT, PRESENT = 0.3, 0.7  # probabilities that make a face eligible for adding and for removing
MATCHED = 0.8  # the success at which methods are compared


def probability(logits: np.ndarray) -> np.ndarray:
    """Logits -> probabilities, without overflow."""
    return 0.5 * (1 + np.tanh(np.asarray(logits, np.float64) / 2))


def predicted(logits: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Answers (…, K), bool: probability at or above the threshold."""
    return probability(logits) >= np.asarray(thresholds, np.float64)


def eligible(before: np.ndarray, labels: np.ndarray, k: int, direction: int) -> np.ndarray:
    """(N,) bool: faces whose attribute k can be flipped in `direction`: the judge sees the source state with margin
    (p <= .3 to add, p >= .7 to remove) and the label agrees."""
    p = probability(before[:, k])
    if direction > 0:
        return (p <= ABSENT) & (labels[:, k] < 0)
    return (p >= PRESENT) & (labels[:, k] > 0)


def flipped(after: np.ndarray, thresholds: np.ndarray, k: int, direction: int) -> np.ndarray:
    """(N,) or (S, N) bool: the judge's answer on the edited photo is the wanted state of attribute k."""
    return predicted(after, thresholds)[..., k] == (direction > 0)


def counted(judged: Sequence[bool], k: int, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """(K,) bool: the attributes whose flips are off target when k is edited: those the judges can see, without k and
    without the members of its exclusive groups, which have to change with it."""
    counts = np.array(judged, bool)
    counts[k] = False
    for group in groups:
        if k in group:
            counts[list(group)] = False
    return counts


def off_target(before: np.ndarray, after: np.ndarray, thresholds: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(N,) or (S, N): share of the counted attributes whose answer differs from the one on the photo itself."""
    if not np.any(counts):
        return np.full(after.shape[:-1], math.nan)
    changed = predicted(after, thresholds) != predicted(before, thresholds)
    return changed[..., counts].mean(-1)


def strength_at(strengths: np.ndarray, curve: np.ndarray, level: float = MATCHED) -> float:
    """The least strength at which the success curve (S,) reaches `level`, linear between strengths; NaN if never."""
    reached = np.flatnonzero(np.asarray(curve) >= level)
    if not len(reached):
        return math.nan
    i = int(reached[0])
    if i == 0:
        return float(strengths[0])
    share = (level - curve[i - 1]) / (curve[i] - curve[i - 1])
    return float(strengths[i - 1] + share * (strengths[i] - strengths[i - 1]))


def at_strength(values: np.ndarray, strengths: np.ndarray, strength: float) -> np.ndarray:
    """Values (S, …) over the strengths, linear between them, at one strength: (…)."""
    i = int(np.clip(np.searchsorted(strengths, strength), 1, len(strengths) - 1))
    share = (strength - strengths[i - 1]) / (strengths[i] - strengths[i - 1])
    blended: np.ndarray = (1 - share) * values[i - 1] + share * values[i]
    return blended


def area_under(strengths: np.ndarray, curve: np.ndarray) -> float:
    """Mean height of a success curve (S,) over its range of strengths, trapezoids: 0..1."""
    return float(np.trapezoid(curve, strengths) / (strengths[-1] - strengths[0]))


@dataclasses.dataclass(frozen=True)
class Curve:
    """One edit over all strengths, the same faces at each: success and preservation, and both at matched success."""

    strengths: np.ndarray  # (S,)
    success: list[Estimate]  # (S,)
    preservation: list[Estimate]  # (S,) 1 - mean share of off-target flips
    area: Estimate  # mean height of the success curve
    strength: Estimate  # where success reaches the matched level; undefined if it never does
    matched: Estimate  # preservation there
    reached: float  # share of resamples that reach it; below 1 the two intervals above hold only for those

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
    flips: np.ndarray,
    spill: np.ndarray,
    strengths: np.ndarray,
    *,
    seed: int,
    level: float = MATCHED,
    clusters: np.ndarray | None = None,
    count: int = RESAMPLES,
) -> Curve:
    """`flips` (S, N) from `flipped` and `spill` (S, N) from `off_target`, of eligible faces only -> the curve.

    The bootstrap resamples faces (or identities) and keeps each face's whole curve together."""
    strengths = np.asarray(strengths, np.float64)
    n = flips.shape[1]
    if n == 0:
        empty = [UNDEFINED] * len(strengths)
        return Curve(strengths, empty, empty, UNDEFINED, UNDEFINED, UNDEFINED, 0.0)
    rates, kept = flips.mean(1), 1 - spill.mean(1)
    drawn_rates, drawn_kept = _curve_draws(flips, spill, seed=seed, clusters=clusters, count=count)
    drawn_at = np.array([strength_at(strengths, draw, level) for draw in drawn_rates])
    drawn_matched = np.array([_height(kept_, strengths, at) for kept_, at in zip(drawn_kept, drawn_at, strict=True)])
    at = strength_at(strengths, rates, level)
    areas = np.array([area_under(strengths, draw) for draw in drawn_rates])
    return Curve(
        strengths=strengths,
        success=[wilson(int(row.sum()), n) for row in flips],
        preservation=[percentile(kept[s], drawn_kept[:, s], n) for s in range(len(strengths))],
        area=percentile(area_under(strengths, rates), areas, n),
        strength=percentile(at, drawn_at, n) if math.isfinite(at) else _undefined(n),
        matched=percentile(_height(kept, strengths, at), drawn_matched, n) if math.isfinite(at) else _undefined(n),
        reached=float(np.isfinite(drawn_at).mean()),
    )


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the entanglement matrix: what editing attribute k does to every attribute (K,)."""

    shift: list[Estimate]  # mean logit change over that attribute's spread on real photos (standard deviations)
    flips: list[Estimate]  # share of faces whose answer changes


def entanglement_row(
    before: np.ndarray,
    after: np.ndarray,
    thresholds: np.ndarray,
    spread: np.ndarray,
    *,
    seed: int,
    clusters: np.ndarray | None = None,
    count: int = RESAMPLES,
) -> Row:
    """Logits of the same faces before and after an edit at matched success -> its row; `spread` (K,) is the standard
    deviation of each logit over real photos. Answers are compared with the judge's own on the photo, not the label."""
    n, attributes = before.shape
    if n == 0:
        return Row([UNDEFINED] * attributes, [UNDEFINED] * attributes)
    shifts = (np.asarray(after, np.float64) - before) / np.maximum(spread, 1e-9)
    draws = mean_draws(shifts, seed=seed, clusters=clusters, count=count)
    changed = predicted(after, thresholds) != predicted(before, thresholds)
    return Row(
        shift=[percentile(shifts[:, j].mean(), draws[:, j], n) for j in range(attributes)],
        flips=[wilson(int(changed[:, j].sum()), n) for j in range(attributes)],
    )


def _curve_draws(
    flips: np.ndarray, spill: np.ndarray, *, seed: int, clusters: np.ndarray | None, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Bootstrap draws (B, S) of success and of preservation, from the same resamples."""
    both = np.concatenate([flips, 1 - spill]).T.astype(np.float64)  # (N, 2S)
    draws = mean_draws(both, seed=seed, clusters=clusters, count=count)
    return draws[:, : len(flips)], draws[:, len(flips) :]


def _height(values: np.ndarray, strengths: np.ndarray, strength: float) -> float:
    return float(at_strength(values, strengths, strength)) if math.isfinite(strength) else math.nan


def _undefined(n: int) -> Estimate:
    return Estimate(math.nan, math.nan, math.nan, n)
