"""Precision, recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020) in judge A's features.

Balls reach to the k-th nearest neighbour within a set. Intervals are over the counted images, the balls held fixed."""

import numpy as np

from facet.metrics.intervals import Estimate, bootstrap_mean, wilson
from facet.metrics.neighbours import CHUNK, nearest

NEIGHBOURS = 5
MOST = 5_000  # images of each side; the pairs grow with its square


def prdc(real: np.ndarray, fake: np.ndarray, *, seed: int, k: int = NEIGHBOURS) -> dict[str, Estimate]:
    """Features (n, d) and (m, d) -> `precision`, `recall`, `density`, `coverage`; random 5,000 of each at most.

    precision: share of fakes inside some real ball; recall: share of reals inside some fake ball; density: mean number
    of real balls around a fake, over k; coverage: share of reals with a fake inside their ball."""
    rng = np.random.default_rng(seed)
    real, fake = (x if len(x) <= MOST else x[np.sort(rng.permutation(len(x))[:MOST])] for x in (real, fake))
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"{k} neighbours need more than {k} images on each side, not {len(real)} and {len(fake)}")
    real_radius = nearest(real, real, k + 1)[0][:, k]  # the first neighbour is the image itself
    fake_radius = nearest(fake, fake, k + 1)[0][:, k]
    precise = np.zeros(len(fake), bool)
    density = np.zeros(len(fake))
    recalled = np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for first in range(0, len(fake), CHUNK):
        part = slice(first, first + CHUNK)
        squared = (fake[part] ** 2).sum(1)[:, None] + (real**2).sum(1) - 2 * fake[part] @ real.T
        distance = np.sqrt(np.maximum(squared, 0))  # (fakes, reals)
        inside_real = distance <= real_radius
        precise[part] = inside_real.any(1)
        density[part] = inside_real.sum(1) / k
        covered |= inside_real.any(0)
        recalled |= (distance <= fake_radius[part, None]).any(0)
    return {
        "precision": wilson(int(precise.sum()), len(precise)),
        "recall": wilson(int(recalled.sum()), len(recalled)),
        "density": bootstrap_mean(density, seed=seed),
        "coverage": wilson(int(covered.sum()), len(covered)),
    }
