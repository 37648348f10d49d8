"""Kernel and Frechet distance, neighbours, precision and recall."""

import numpy as np
import pytest

from facet.metrics.frechet import frechet_distance, principal
from facet.metrics.kid import kid, kid_floor, mmd2
from facet.metrics.neighbours import memorisation, nearest, thumbnails
from facet.metrics.prdc import prdc


def normal(n: int, d: int, seed: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, (n, d))


def test_mmd2_of_two_points_each_is_the_hand_computed_value():
    x, y = np.array([[1.0], [0.0]]), np.array([[1.0], [-1.0]])
    # kernel (ab + 1)^3: k(1,0) = 1 within x; k(1,-1) = 0 within y; across 8, 0, 1, 1 -> mean 2.5
    assert mmd2(x, y) == pytest.approx(1 + 0 - 2 * 2.5)


def test_kid_grows_with_the_shift_and_its_floor_covers_zero():
    real = normal(800, 16, 1)
    near, far = (
        kid(real, normal(800, 16, 2, 0.1), seed=1, subsets=20),
        kid(real, normal(800, 16, 3, 0.5), seed=1, subsets=20),
    )
    assert 0 < near.value < far.value
    assert far.low > 0
    floor = kid_floor(real, seed=1, subsets=20)
    assert floor.low <= 0 <= floor.high


def test_kid_interval_covers_the_truth_as_often_as_it_says_when_subsets_overlap():
    covered = 0
    for seed in range(40):
        estimate = kid(normal(120, 4, 2 * seed), normal(120, 4, 2 * seed + 1), seed=1, subsets=20)
        covered += estimate.low <= 0 <= estimate.high
    assert covered >= 35


def test_kid_refuses_three_images():
    with pytest.raises(ValueError, match="at least 4 images"):
        kid(normal(3, 2, 1), normal(9, 2, 2), seed=1)


def test_frechet_distance_of_shifted_and_scaled_gaussians_is_their_formula():
    x = normal(500, 3, 1)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + np.array([2, 0, 0])) == pytest.approx(4, abs=1e-9)
    # one dimension: (s1 - s2)^2 of standard deviations 1 and 3 times that of x
    spread = x[:, :1].std(ddof=1)
    centred = x[:, :1] - x[:, :1].mean()
    assert frechet_distance(centred, 3 * centred) == pytest.approx((2 * spread) ** 2)


def test_frechet_uses_the_real_images_components_when_features_are_wide():
    real = normal(300, 10, 1) * np.array([5, 4] + [0.01] * 8)
    projected, other = principal(real, real + 1, dimensions=2)
    assert projected.shape == (300, 2)
    assert np.var(projected, axis=0, ddof=1) == pytest.approx(np.var(real[:, :2], axis=0, ddof=1), rel=0.05)
    assert np.linalg.norm(other.mean(0)) == pytest.approx(2**0.5, rel=0.1)


def test_nearest_finds_the_true_neighbours_in_order():
    distances, indices = nearest(np.array([[0.0, 0], [10, 0]]), np.array([[3.0, 4], [9, 0], [0, 1]]), 2)
    assert indices.tolist() == [[2, 0], [1, 0]]
    assert distances[0].tolist() == pytest.approx([1, 5])


def test_thumbnails_average_blocks_of_four():
    pixels = np.zeros((1, 8, 8, 1), np.uint8)
    pixels[0, :4, 4:] = 100
    pixels[0, 0, 0] = 16
    assert thumbnails(pixels).tolist() == [[1, 100, 0, 0]]


def test_copied_training_images_show_as_memorised():
    train, test = normal(200, 5, 1), normal(200, 5, 2)
    copied = memorisation(train[:100] + 1e-3, train, test, seed=1, pairs=3)
    fresh = memorisation(normal(100, 5, 3), train, test, seed=1)
    assert copied.ratio.high < 0.1
    assert fresh.ratio.low < 1 < fresh.ratio.high
    assert (copied.closest[:, 0] == copied.closest[:, 1]).all()


def test_prdc_of_two_samples_of_one_distribution_is_near_its_ideal():
    numbers = prdc(normal(400, 3, 1), normal(400, 3, 2), seed=1)
    assert numbers["precision"].value > 0.9
    assert numbers["recall"].value > 0.9
    assert numbers["density"].low < 1.05
    assert numbers["density"].high > 0.95
    assert numbers["coverage"].value > 0.9


def test_a_collapsed_sample_is_precise_but_covers_and_recalls_nothing():
    real = normal(300, 3, 1)
    collapsed = np.zeros((300, 3)) + normal(300, 3, 2) * 1e-3
    numbers = prdc(real, collapsed, seed=1)
    assert numbers["precision"].value == 1
    assert numbers["recall"].value < 0.05
    assert numbers["coverage"].value < 0.2
