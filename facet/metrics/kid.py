"""Kernel distance between two sets of features (Binkowski et al. 2018, arXiv:1801.01401), on judge A's features.

Not comparable with KID on Inception features; unbiased at any number of images, so the headline for small runs."""

import numpy as np

from facet.metrics.intervals import Estimate, normal

SUBSETS, SUBSET = 100, 1_000


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Features (n, d) and (m, d) -> unbiased squared maximum mean discrepancy, kernel (x.y / d + 1)^3."""
    n, m = len(x), len(y)
    kxx, kyy, kxy = kernel(x, x), kernel(y, y), kernel(x, y)
    within_x = (kxx.sum() - np.trace(kxx)) / (n * (n - 1))
    within_y = (kyy.sum() - np.trace(kyy)) / (m * (m - 1))
    return float(within_x + within_y - 2 * kxy.mean())


def kid(real: np.ndarray, other: np.ndarray, *, seed: int, subsets: int = SUBSETS, subset: int = SUBSET) -> Estimate:
    """Mean MMD^2 over `subsets` pairs of subsets of min(`subset`, n / 2) features.

    The interval: the spread over subsets scaled by sqrt(m / n) (subsampling, Politis and Romano 1994). The usual
    spread / sqrt(subsets) forgets that subsets overlap and is far too narrow when m is near n."""
    real, other = np.asarray(real, np.float64), np.asarray(other, np.float64)
    n = min(len(real), len(other))
    size = min(subset, n // 2)
    if size < 2:
        raise ValueError(f"kernel distance needs at least 4 images on each side, not {n}")
    rng = np.random.default_rng(seed)
    draws = np.array(
        [
            mmd2(real[rng.choice(len(real), size, replace=False)], other[rng.choice(len(other), size, replace=False)])
            for _ in range(subsets)
        ]
    )
    spread = float(draws.std(ddof=1)) * max(size / n, 1 / subsets) ** 0.5
    return normal(float(draws.mean()), spread, n)


def kid_floor(real: np.ndarray, *, seed: int, subsets: int = SUBSETS, subset: int = SUBSET) -> Estimate:
    """Two random halves of the real features against each other: 0 should lie in the interval."""
    order = np.random.default_rng(seed).permutation(len(real))
    half = len(real) // 2
    return kid(real[order[:half]], real[order[half:]], seed=seed + 1, subsets=subsets, subset=subset)


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Features (n, d) and (m, d) -> (n, m): (x.y / d + 1)^3."""
    inner = x @ y.T / x.shape[1] + 1
    cube: np.ndarray = inner * inner * inner  # numpy's ** 3 is a power per element, ten times slower
    return cube
