"""Frechet distance between Gaussian fits of two sets of features (Heusel et al. 2017), on judge A's features.

Not comparable with FID on Inception features. Biased upwards by about d (d + 5) / (2 N) of the features' mean variance,
more with several photos a person, so it is always reported beside its floor: photos of other people. A photo and its
own edit are never compared: half of the people of one set against the other half of the other set."""

import numpy as np
from scipy.stats import t as student

from facet.metrics.intervals import LEVEL, Estimate
from facet.metrics.people import People, half_of_each, numbered

DIMENSIONS = 64  # principal components kept, so that a thousand images suffice
GROUPS = 10  # of people, of the jackknife
SPLITS = 4  # random halvings whose mean is taken


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Features (n, d) and (m, d) -> |mx - my|^2 + tr(Cx + Cy - 2 (Cx Cy)^(1/2)), in squared feature units."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    difference = x.mean(0) - y.mean(0)
    cov_x, cov_y = np.atleast_2d(np.cov(x, rowvar=False)), np.atleast_2d(np.cov(y, rowvar=False))
    values, vectors = np.linalg.eigh(cov_x)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # tr (Cx Cy)^(1/2) = sum of the square roots of the eigenvalues of Cx^(1/2) Cy Cx^(1/2), which is symmetric
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_y @ root), 0)).sum()
    return float(difference @ difference + np.trace(cov_x) + np.trace(cov_y) - 2 * cross)


def principal(real: np.ndarray, *others: np.ndarray, dimensions: int = DIMENSIONS) -> list[np.ndarray]:
    """Every set projected on the first principal components of the real one; unchanged if it has no more dimensions."""
    sets = [np.asarray(features, np.float64) for features in (real, *others)]
    if sets[0].shape[1] <= dimensions:
        return sets
    mean = sets[0].mean(0)
    _, vectors = np.linalg.eigh(np.cov(sets[0], rowvar=False))
    basis = vectors[:, ::-1][:, :dimensions]
    return [(features - mean) @ basis for features in sets]


def frechet(
    real: np.ndarray,
    other: np.ndarray,
    *,
    seed: int,
    people: People = None,
    other_people: People = None,
    dimensions: int = DIMENSIONS,
) -> Estimate:
    """The distance on the real features' principal components, between halves of the sets that share no person; people
    as for `kid`. The interval by a jackknife of ten groups of people, since a bootstrap would add the bias a second
    time."""
    x, y = principal(real, other, dimensions=dimensions)
    codes = numbered(people, other_people, len(x), len(y))
    rng = np.random.default_rng(seed)
    splits = [half_of_each(*codes, rng) for _ in range(SPLITS)]
    group = rng.permutation(len(splits[0])) % GROUPS

    def mean(kept: np.ndarray) -> float:
        parts = []
        for half in splits:
            for one in (half, ~half):
                sides = x[(one & kept)[codes[0]]], y[(~one & kept)[codes[1]]]
                if min(len(side) for side in sides) < 2:
                    raise ValueError(f"{len(x)} and {len(y)} pictures are of too few people for a Frechet distance")
                parts.append(frechet_distance(*sides))
        return float(np.mean(parts))

    value = mean(np.ones(len(group), bool))
    left_out = np.array([mean(group != g) for g in range(GROUPS)])
    error = float(np.sqrt((GROUPS - 1) / GROUPS * ((left_out - left_out.mean()) ** 2).sum()))
    half_width = float(student.ppf(0.5 + LEVEL / 2, GROUPS - 1)) * error
    return Estimate(value, max(0.0, value - half_width), value + half_width, min(len(x), len(y)))
