"""Kernel distance between two sets of features (Binkowski et al. 2018, arXiv:1801.01401), between people.

Several photos of one person are alike, and an edit is like its photo. So every person counts once, by the mean of the
kernel over the person's pictures, and pictures of one person are never compared, within a set or across: the value is
an unbiased squared maximum mean discrepancy of "draw a person, then one picture of the person", for people with any
number of pictures. With one picture a person and nobody in both sets it is the usual U-statistic. The interval is
delete-a-person jackknife (Efron and Stein 1981), up to sqrt(2) too wide where the distance is 0; see
benchmarks/distance_coverage.py.

On judge A's features, so not comparable with KID on Inception features."""

import dataclasses

import numpy as np

from facet.metrics.intervals import Estimate, normal
from facet.metrics.people import People, halves, numbered

CHUNK = 512  # pictures compared at once with all others, so that memory stays flat
FEWEST = 3  # people in each set, so that two are left when one is left out
ROUNDING = 1e-12  # relative error of sums of kernels, which interval of equal sets must hold


@dataclasses.dataclass(frozen=True)
class Distance:
    """The distance of everyone, and without each of the people of either set."""

    value: float
    without: np.ndarray  # (people,)
    scale: float  # mean kernel, in the same unit
    n: int  # people in the smaller set

    def __sub__(self, other: "Distance") -> "Distance":
        """The difference of two distances in which the same people take part."""
        scale = max(self.scale, other.scale)
        return Distance(self.value - other.value, self.without - other.without, scale, min(self.n, other.n))

    def __rmul__(self, factor: float) -> "Distance":
        """The distance in a unit that is so many times smaller."""
        return Distance(factor * self.value, factor * self.without, factor * self.scale, self.n)

    def estimate(self) -> Estimate:
        """The value with its interval."""
        count = len(self.without)
        error = float(np.sqrt((count - 1) / count * ((self.without - self.without.mean()) ** 2).sum()))
        if error or self.value:
            error = max(error, ROUNDING * self.scale)
        return normal(self.value, error, self.n)


def kid(
    real: np.ndarray,
    other: np.ndarray,
    *,
    people: People = None,
    other_people: People = None,
) -> Estimate:
    """Features (n, d) and (m, d) and the person on each picture, (n,) and (m,) -> the distance with its interval.

    Without `people` every picture is of another person: generated samples, say."""
    return distance(real, other, people=people, other_people=other_people).estimate()


def distance(
    real: np.ndarray,
    other: np.ndarray,
    *,
    people: People = None,
    other_people: People = None,
) -> Distance:
    """As `kid`, in the form of which differences can be taken."""
    codes = numbered(people, other_people, len(real), len(other))
    both = 1 + max(code.max(initial=-1) for code in codes)
    x, y = (np.asarray(features, np.float64) for features in (real, other))
    sides = [np.bincount(code, minlength=both) > 0 for code in codes]  # (people,) who is in which set
    if min(side.sum() for side in sides) < FEWEST:
        raise ValueError(
            f"kernel distance needs pictures of at least {FEWEST} people on each side, not of {sides[0].sum()} and "
            f"{sides[1].sum()}"
        )
    total, without, scale = 0.0, np.zeros(both), 0.0
    for (a, in_a, code_a), (b, in_b, code_b), weight in (
        ((x, sides[0], codes[0]), (x, sides[0], codes[0]), 1),
        ((y, sides[1], codes[1]), (y, sides[1], codes[1]), 1),
        ((x, sides[0], codes[0]), (y, sides[1], codes[1]), -2),
    ):
        mean, means = _between_people(a, b, code_a, code_b, in_a, in_b)
        total, without, scale = total + weight * mean, without + weight * means, max(scale, abs(mean))
    return Distance(total, without, scale, int(min(side.sum() for side in sides)))


def kid_floor(real: np.ndarray, *, seed: int, people: People = None) -> Estimate:
    """Photos of a random half of the people against those of the other half: 0 should lie in the interval."""
    return floor_distance(real, seed=seed, people=people).estimate()


def floor_distance(real: np.ndarray, *, seed: int, people: People = None) -> Distance:
    """As `kid_floor`, in the form of which differences can be taken."""
    codes, _ = numbered(people, None, len(real), 0)
    first = halves(1 + codes.max(initial=-1), np.random.default_rng(seed))[codes]
    return distance(real[first], real[~first], people=codes[first], other_people=codes[~first])


def _between_people(
    a: np.ndarray, b: np.ndarray, code_a: np.ndarray, code_b: np.ndarray, in_a: np.ndarray, in_b: np.ndarray
) -> tuple[float, np.ndarray]:
    """The mean kernel over pairs of different people, each pair by its mean over pictures, and the same without each
    person, (people,)."""
    people = len(in_a)
    weight_a, weight_b = (1 / np.bincount(code, minlength=people)[code] for code in (code_a, code_b))
    rows, columns, own = np.zeros(people), np.zeros(people), np.zeros(people)
    for start in range(0, len(a), CHUNK):
        part = slice(start, start + CHUNK)
        pairs = kernel(a[part], b) * weight_a[part, None] * weight_b
        same = code_a[part, None] == code_b
        own += np.bincount(code_a[part], np.where(same, pairs, 0).sum(1), people)
        rows += np.bincount(code_a[part], pairs.sum(1), people)
        columns += np.bincount(code_b, pairs.sum(0), people)
    total, shared = rows.sum() - own.sum(), in_a & in_b
    pairs_of = in_a.sum() * in_b.sum() - shared.sum()
    left = total - (rows + columns - 2 * own)
    left_pairs = (in_a.sum() - in_a) * (in_b.sum() - in_b) - (shared.sum() - shared)
    return float(total / pairs_of), left / left_pairs


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Features (n, d) and (m, d) -> (n, m): (x.y / d + 1)^3."""
    inner = x @ y.T / x.shape[1] + 1
    cube: np.ndarray = inner * inner * inner  # numpy's ** 3 is a power per element, ten times slower
    return cube
