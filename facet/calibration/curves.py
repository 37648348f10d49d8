"""Success curves over strengths, and the strengths at which they reach each level."""

import math
from collections.abc import Sequence

import numpy as np

from facet.editing.table import LEVELS, Strengths
from facet.metrics.success import strength_at


def monotone(success: Sequence[float] | np.ndarray) -> np.ndarray:
    """The nearest curve that never falls (isotonic regression), by pooling adjacent violators with equal weights.

    Not scikit-learn's: it averages in another order, and the last bit of the strengths would differ."""
    blocks: list[tuple[float, int]] = []
    for value in success:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return np.concatenate([np.full(count, value) for value, count in blocks])


def strengths_at(strengths: np.ndarray, success: np.ndarray) -> Strengths:
    """The strength at which the rising part of the curve `success` over ascending `strengths` first reaches each of
    LEVELS, linear between its points; None if it never does. Beyond its peak an edit breaks the face, so that part of
    the curve is ignored."""
    curve = monotone(success[: int(np.argmax(success)) + 1])
    reached = {level: strength_at(strengths, curve, level / 100) for level in LEVELS}
    return {level: strength if math.isfinite(strength) else None for level, strength in reached.items()}


def success_by_strength(first: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Share of faces that show the target by each strength, from each face's lowest successful strength (n,)."""
    return (first[:, None] <= strengths[None]).mean(0)
