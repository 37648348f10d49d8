"""Numbers with intervals: every metric reports {value, low, high, n}.

Sources: Wilson 1927 (score interval); Kish 1965 (design effect); Efron and Tibshirani 1993, chapter 13 (percentile
bootstrap), with whole clusters resampled if several images show one person; Owen 2007 (pigeonhole bootstrap); Holm 1979
(stepwise correction); Zou and Donner 2008 (MOVER)."""

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy.stats import norm

LEVEL = 0.95  # of every interval in the reports
RESAMPLES = 2_000
CHUNK = 4_000_000  # indices drawn at once, so that memory stays flat


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A value, its two-sided 95 % interval, and the number of observations behind it; NaN if undefined."""

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, float | int | None]:
        """NaN and infinity become null, so that the report shows "not defined" and stays valid JSON."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {name: float(x) if math.isfinite(x) else None for name, x in numbers.items()} | {"n": int(self.n)}


UNDEFINED = Estimate(math.nan, math.nan, math.nan, 0)


def quantile_of_normal(level: float = LEVEL) -> float:
    """z with P(|N(0,1)| <= z) = level."""
    return float(norm.ppf(0.5 + level / 2))


def wilson(successes: float, n: float, level: float = LEVEL) -> Estimate:
    """Share successes / n with Wilson's score interval, also for fractions of observations; undefined for n = 0."""
    if n == 0:
        return UNDEFINED
    z = quantile_of_normal(level)
    value = successes / n
    centre = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    low = max(0.0, centre - half) if successes > 0 else 0.0  # exactly, where rounding leaves 1e-17
    high = min(1.0, centre + half) if successes < n else 1.0
    return Estimate(value, low, high, int(n))


def share(flags: np.ndarray, clusters: np.ndarray | None = None, level: float = LEVEL) -> Estimate:
    """Share of true `flags` (n,). With `clusters` (n,), the person on each photo say, Wilson's interval for as many
    independent observations as vary that much (n over the design effect, Kish 1965), at most n; if all flags agree, for
    the number of clusters."""
    flags = np.asarray(flags, bool)
    n, successes = len(flags), int(flags.sum())
    if clusters is None or n == 0:
        return wilson(successes, n, level)
    _, codes = np.unique(clusters, return_inverse=True)
    groups, value = int(codes.max()) + 1, successes / n
    if groups == 1 or successes in (0, n):
        effective = float(groups)
    else:
        sums = np.bincount(codes, flags - value)
        variance = float(sums @ sums) / n**2 * groups / (groups - 1) * (n - 1) / n
        effective = min(float(n), value * (1 - value) / variance) if variance > 0 else float(n)
    bound = wilson(value * effective, effective, level)
    return Estimate(value, bound.low, bound.high, n)


def normal(value: float, standard_error: float, n: int, level: float = LEVEL) -> Estimate:
    """value +- z * standard error."""
    half = quantile_of_normal(level) * standard_error
    return Estimate(value, value - half, value + half, n)


def mean_of_independent(parts: list[Estimate]) -> Estimate:
    """Mean of independent estimates; the interval recovers each one's variance from its own limits (MOVER)."""
    count = len(parts)
    value = sum(part.value for part in parts) / count
    below = math.sqrt(sum((part.value - part.low) ** 2 for part in parts)) / count
    above = math.sqrt(sum((part.high - part.value) ** 2 for part in parts)) / count
    return Estimate(value, value - below, value + above, sum(part.n for part in parts))


def resampled(n: int, *, seed: int, clusters: np.ndarray | None = None, count: int = RESAMPLES) -> Iterator[np.ndarray]:
    """`count` bootstrap samples as indices into 0..n-1; with `clusters` (n,) whole clusters are drawn."""
    rng = np.random.default_rng(seed)
    if clusters is None:
        for _ in range(count):
            yield rng.integers(n, size=n)
        return
    order, starts = by_cluster(clusters)
    members = np.split(order, starts[1:])
    for _ in range(count):
        yield np.concatenate([members[group] for group in rng.integers(len(members), size=len(members))])


def percentile(value: float, draws: np.ndarray, n: int, level: float = LEVEL) -> Estimate:
    """Percentile interval of bootstrap `draws`; draws that are NaN (a resample without positives, say) are left out."""
    draws = np.asarray(draws, np.float64)
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return Estimate(value, math.nan, math.nan, n)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(value), float(low), float(high), n)


def bootstrap(
    statistic: Callable[[np.ndarray], float],
    n: int,
    *,
    seed: int,
    clusters: np.ndarray | None = None,
    count: int = RESAMPLES,
) -> Estimate:
    """`statistic` of indices (m,) into the n observations, on all of them and on `count` resamples."""
    if n == 0:
        return UNDEFINED
    draws = np.array([statistic(indices) for indices in resampled(n, seed=seed, clusters=clusters, count=count)])
    return percentile(statistic(np.arange(n)), draws, n)


def mean_draws(
    values: np.ndarray, *, seed: int, clusters: np.ndarray | None = None, count: int = RESAMPLES
) -> np.ndarray:
    """Bootstrap means of `values` (n,) or (n, k): (count,) or (count, k). Equal seeds give paired draws."""
    values = np.asarray(values, np.float64)
    if clusters is None:
        sums, sizes = values, np.ones(len(values))
    else:
        order, starts = by_cluster(clusters)
        sums = np.add.reduceat(values[order], starts, axis=0)
        sizes = np.diff(np.append(starts, len(values))).astype(np.float64)
    groups = len(sizes)
    step = max(1, CHUNK // (groups * max(1, int(np.prod(values.shape[1:])))))
    rng = np.random.default_rng(seed)
    draws = []
    for first in range(0, count, step):
        picks = rng.integers(groups, size=(min(step, count - first), groups))
        size = sizes[picks].sum(1)
        draws.append(sums[picks].sum(1) / size.reshape(-1, *([1] * (values.ndim - 1))))
    return np.concatenate(draws)


def bootstrap_mean(
    values: np.ndarray, *, seed: int, clusters: np.ndarray | None = None, count: int = RESAMPLES
) -> Estimate:
    """Mean of `values` (n,) with its bootstrap interval, by cluster if given."""
    values = np.asarray(values, np.float64)
    if not len(values):
        return UNDEFINED
    return percentile(float(values.mean()), mean_draws(values, seed=seed, clusters=clusters, count=count), len(values))


def crossed_mean(values: np.ndarray, *, seed: int, count: int = RESAMPLES) -> Estimate:
    """Mean of a table `values` (r, c) whose rows and columns are both drawn at random, such as training sets by test
    examples. Every resample draws rows and columns anew, so intervals are rather wide (Owen 2007); n counts columns."""
    rows, columns = values.shape
    table = values.astype(np.float32)
    rng = np.random.default_rng(seed)
    draws = np.empty(count)
    for i in range(count):
        times = np.bincount(rng.integers(columns, size=columns), minlength=columns).astype(np.float32)
        draws[i] = (table @ times)[rng.integers(rows, size=rows)].mean() / columns
    return percentile(float(values.mean()), draws, columns)


def paired_difference(
    first: np.ndarray, second: np.ndarray, *, seed: int, clusters: np.ndarray | None = None, count: int = RESAMPLES
) -> Estimate:
    """Mean of first - second over the same n observations, resampled in pairs."""
    if len(first) != len(second):
        raise ValueError(f"pairs need equal lengths, not {len(first)} and {len(second)}")
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return bootstrap_mean(difference, seed=seed, clusters=clusters, count=count)


def holm(p_values: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Rejected hypotheses (bool, any shape) by Holm 1979 at familywise error 1 - level; NaN entries are not tested."""
    p_values = np.asarray(p_values, np.float64)
    flat = p_values.ravel()
    order = np.argsort(flat, kind="stable")
    order = order[np.isfinite(flat[order])]
    rejected = np.zeros(flat.shape, bool)
    for done, index in enumerate(order):
        if flat[index] > (1 - level) / (len(order) - done):
            break
        rejected[index] = True
    return rejected.reshape(p_values.shape)


def by_cluster(clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices sorted by cluster, and the start of each cluster."""
    clusters = np.asarray(clusters)
    order = np.argsort(clusters, kind="stable")
    ordered = clusters[order]
    return order, np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
