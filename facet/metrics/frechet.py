"""Frechet distance between Gaussian fits of two sets of features (Heusel et al. 2017), on judge A's features.

Not comparable with FID on Inception features. Biased upwards by about d (d + 5) / (2 N) of the features' mean variance,
so it is always reported beside its floor: two halves of the real images."""

import numpy as np

from facet.metrics.intervals import Estimate, normal

DIMENSIONS = 64  # principal components kept, so that a thousand images suffice
GROUPS = 10  # of the jackknife


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


def frechet(real: np.ndarray, other: np.ndarray, *, seed: int, dimensions: int = DIMENSIONS) -> Estimate:
    """The distance on the real features' principal components; the interval by a jackknife of ten groups, since a
    bootstrap would add the bias a second time."""
    x, y = principal(real, other, dimensions=dimensions)
    n = min(len(x), len(y))
    value = frechet_distance(x, y)
    rng = np.random.default_rng(seed)
    group_x, group_y = rng.permutation(len(x)) % GROUPS, rng.permutation(len(y)) % GROUPS
    left_out = np.array([frechet_distance(x[group_x != g], y[group_y != g]) for g in range(GROUPS)])
    error = float(np.sqrt((GROUPS - 1) / GROUPS * ((left_out - left_out.mean()) ** 2).sum()))
    estimate = normal(value, error, n)
    return Estimate(estimate.value, max(0.0, estimate.low), estimate.high, n)
