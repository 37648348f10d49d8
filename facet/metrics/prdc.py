"""Precision, recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020) in judge A's features.

Balls reach to the k-th nearest picture of another person within a set: several photos of one person would make them too
small. A photo and its own edit are never compared: half of the people of one set against the other half of the other
set, and the other way round. Intervals are by person, the balls held fixed."""

import numpy as np

from facet.metrics.intervals import Estimate, bootstrap_mean, share
from facet.metrics.neighbours import CHUNK
from facet.metrics.people import People, half_of_each, numbered

NEIGHBOURS = 5
MOST = 5_000  # images of each side; the pairs grow with its square


def prdc(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    seed: int,
    people: People = None,
    fake_people: People = None,
    k: int = NEIGHBOURS,
) -> dict[str, Estimate]:
    """Features (n, d) and (m, d) -> `precision`, `recall`, `density`, `coverage`; random 5,000 of each at most; people
    as for `kid`.

    precision: share of fakes inside some real ball; recall: share of reals inside some fake ball; density: mean number
    of real balls around a fake, over k; coverage: share of reals with a fake inside their ball."""
    rng = np.random.default_rng(seed)
    codes = numbered(people, fake_people, len(real), len(fake))
    (real, real_codes), (fake, fake_codes) = (
        _at_most(np.asarray(x, np.float64), code, rng) for x, code in zip((real, fake), codes, strict=True)
    )
    half = half_of_each(real_codes, fake_codes, rng)
    recalled, covered = np.zeros((2, len(real)), bool)
    precise, density = np.zeros(len(fake), bool), np.zeros(len(fake))
    for one in (half, ~half):
        mine, theirs = one[real_codes], ~one[fake_codes]
        found = _inside(real[mine], fake[theirs], real_codes[mine], fake_codes[theirs], k)
        precise[theirs], recalled[mine], density[theirs], covered[mine] = found
    return {
        "precision": share(precise, fake_codes),
        "recall": share(recalled, real_codes),
        "density": bootstrap_mean(density, seed=seed, clusters=fake_codes),
        "coverage": share(covered, real_codes),
    }


def _at_most(x: np.ndarray, codes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Features and people of a random MOST pictures."""
    if len(x) <= MOST:
        return x, codes
    chosen = np.sort(rng.permutation(len(x))[:MOST])
    return x[chosen], codes[chosen]


def _inside(
    real: np.ndarray, fake: np.ndarray, real_people: np.ndarray, fake_people: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Precise fakes, recalled reals, density at fakes, covered reals, of two sets without a common person."""
    real_radius, fake_radius = _radius(real, real_people, k), _radius(fake, fake_people, k)
    precise, density = np.zeros(len(fake), bool), np.zeros(len(fake))
    recalled, covered = np.zeros((2, len(real)), bool)
    for start in range(0, len(fake), CHUNK):
        part = slice(start, start + CHUNK)
        distance = _distances(fake[part], real)  # (fakes, reals)
        inside_real = distance <= real_radius
        precise[part] = inside_real.any(1)
        density[part] = inside_real.sum(1) / k
        covered |= inside_real.any(0)
        recalled |= (distance <= fake_radius[part, None]).any(0)
    return precise, recalled, density, covered


def _radius(x: np.ndarray, people: np.ndarray, k: int) -> np.ndarray:
    """Distance (n,) from each picture to the k-th nearest of another person."""
    radii = []
    for start in range(0, len(x), CHUNK):
        part = slice(start, start + CHUNK)
        distance = _distances(x[part], x)
        distance[people[part, None] == people] = np.inf
        radii.append(
            np.sort(distance, axis=1)[:, :k][:, -1] if distance.shape[1] >= k else np.full(len(distance), np.inf)
        )
    radius = np.concatenate(radii) if radii else np.zeros(0)
    if not len(radius) or not np.isfinite(radius).all():
        raise ValueError(f"{k} neighbours need more than {k} pictures of other people in every half of {2 * len(x)}")
    return radius


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    squared = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
    return np.asarray(np.sqrt(np.maximum(squared, 0)))
