"""Agreement of judged real numbers with the true ones, or with those that were set: rank correlation (Spearman 1904),
mean absolute error, and monotonicity."""

import numpy as np
from scipy.stats import rankdata

from facet.metrics.intervals import RESAMPLES, Estimate, bootstrap, bootstrap_mean


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation of the ranks of x and y (..., n) over the last axis, ties at their mean rank, -1..1; 0 if either
    side is constant."""
    a, b = (rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2 for values in np.broadcast_arrays(x, y))
    size = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.asarray((a * b).sum(-1) / np.where(size > 0, size, 1.0))


def rank_correlation(
    judged: np.ndarray, true: np.ndarray, *, seed: int, clusters: np.ndarray | None = None, count: int = RESAMPLES
) -> Estimate:
    """`spearman` of n judged and n true values."""
    return bootstrap(
        lambda indices: float(spearman(judged[indices], true[indices])),
        len(true),
        seed=seed,
        clusters=clusters,
        count=count,
    )


def absolute_error(
    judged: np.ndarray, true: np.ndarray, *, seed: int, clusters: np.ndarray | None = None, count: int = RESAMPLES
) -> Estimate:
    """Mean |judged - true| of n values, in their unit."""
    return bootstrap_mean(np.abs(judged - true), seed=seed, clusters=clusters, count=count)


def never_falls(judged: np.ndarray) -> np.ndarray:
    """(n,) bool: the values (n, s), judged while another was raised s - 1 times, never fall."""
    return np.asarray((np.diff(judged, axis=-1) >= 0).all(-1))


def rising(judged: np.ndarray) -> np.ndarray:
    """The share of the s - 1 steps at which the values (n, s) rise: (n,), 0..1."""
    return np.asarray((np.diff(judged, axis=-1) > 0).mean(-1))
