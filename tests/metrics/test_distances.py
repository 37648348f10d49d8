"""Kernel and Frechet distance, neighbours, precision and recall."""

import numpy as np
import pytest

from facet.metrics.frechet import frechet, frechet_distance, principal
from facet.metrics.kid import distance, kid, kid_floor
from facet.metrics.neighbours import memorisation, nearest, thumbnails
from facet.metrics.people import half_of_each, numbered
from facet.metrics.prdc import prdc


def normal(n: int, d: int, seed: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, (n, d))


def photos(
    people: int, each: int, seed: int, *, likeness: float = 0.8, shift: float = 0.0, d: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal features (n, d) of `each` photos of every person, with that correlation within a person, and the
    person on each."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    own = rng.normal(size=(people, d))[who]
    return likeness**0.5 * own + (1 - likeness) ** 0.5 * rng.normal(size=(len(who), d)) + shift, who


def test_kid_is_the_hand_computed_value():
    x, y = np.array([[1.0], [0.0], [2.0]]), np.array([[1.0], [-1.0], [0.0]])
    # kernel (ab + 1)^3: within x 1, 27, 1 -> 29/3; within y 0, 1, 1 -> 2/3; across 8+0+1 + 1+1+1 + 27-1+1 = 39 -> 39/9
    assert kid(x, y).value == pytest.approx(29 / 3 + 2 / 3 - 2 * 39 / 9)


def test_kid_averages_each_person_s_pictures_and_compares_nobody_with_themselves():
    x, y = np.array([[1.0], [3.0], [0.0], [2.0]]), np.array([[5.0], [1.0], [0.0], [1.0]])
    who, whose = np.array([0, 0, 1, 2]), np.array([0, 3, 4, 1])
    # within x: (01) 1, (02) (27 + 343) / 2 = 185, (12) 1; within y: (03) 216, (04) 1, (01) 216, (34) 1, (31) 8, (41) 1
    within = (1 + 185 + 1) / 3 + (216 + 1 + 216 + 1 + 8 + 1) / 6
    # across, not 0 with 0 nor 1 with 1: 0 with 3, 4, 1; 1 with 0, 3, 4; 2 with 0, 3, 4, 1
    across = (36 + 1 + 36) + (1 + 1 + 1) + (1331 + 27 + 1 + 27)
    assert kid(x, y, people=who, other_people=whose).value == pytest.approx(within - 2 * across / 10)


def test_kid_without_a_person_is_that_of_the_others():
    (x, who), (y, whose) = photos(6, 3, 1), photos(6, 2, 2)
    whose = whose + 3  # three people in both sets
    found = distance(x, y, people=who, other_people=whose)
    for person in range(9):
        mine, theirs = who != person, whose != person
        rest = distance(x[mine], y[theirs], people=who[mine], other_people=whose[theirs])
        assert found.without[person] == pytest.approx(rest.value)


def test_perfect_reconstructions_have_no_distance():
    x, who = photos(40, 5, 1)
    estimate = kid(x, x.copy(), people=who, other_people=who)
    assert estimate.low <= 0 <= estimate.high
    assert abs(estimate.value) < 1e-9


def test_near_reconstructions_have_no_distance_below_zero():
    """Comparing photos with their own reconstructions would make it negative."""
    x, who = photos(40, 5, 1)
    y = x + np.random.default_rng(2).normal(0, 0.3, x.shape)
    assert kid(x, y, people=who, other_people=who).value > 0


def test_photos_of_some_people_against_those_of_others_hold_zero_as_often_as_the_interval_says():
    held, wrong = 0, 0
    for seed in range(60):
        x, who = photos(60, 5, seed)
        floor = kid_floor(x, seed=seed, people=who)
        held += floor.low <= 0 <= floor.high
        alone = kid(x[who < 30], x[who >= 30])  # as if every photo showed another person
        wrong += not alone.low <= 0 <= alone.high
    assert held >= 54
    assert wrong >= 54  # so the photos of one person do matter here


def test_people_with_more_photos_than_others_leave_kid_unbiased():
    rng, values = np.random.default_rng(0), []
    for seed in range(60):
        sizes = rng.geometric(0.2, 80)
        own = rng.normal(size=(80, 4)) + np.log(sizes)[:, None] / 2  # the more photos, the further from the others
        who = np.repeat(np.arange(80), sizes)
        values.append(kid_floor(own[who] + rng.normal(0, 0.3, (len(who), 4)), seed=seed, people=who).value)
    assert abs(np.mean(values)) < 2.5 * np.std(values) / len(values) ** 0.5


def test_a_planted_shift_has_a_distance():
    (x, who), (y, whose) = photos(150, 5, 1), photos(150, 5, 2, shift=0.5)
    assert kid(x, y, people=who, other_people=whose + 150).low > 0
    edited = x + 0.5
    assert kid(x, edited, people=who, other_people=who).low > 0


def test_kid_grows_with_the_shift():
    real = normal(800, 16, 1)
    near, far = kid(real, normal(800, 16, 2, 0.1)), kid(real, normal(800, 16, 3, 0.5))
    assert 0 < near.value < far.value
    assert far.low > 0


def test_kid_refuses_pictures_of_two_people_and_pictures_without_a_person():
    with pytest.raises(ValueError, match="at least 3 people on each side, not of 2 and 9"):
        kid(normal(4, 2, 1), normal(9, 2, 2), people=np.array([0, 0, 1, 1]))
    with pytest.raises(ValueError, match="4 pictures need the person on each, not 3"):
        kid(normal(4, 2, 1), normal(9, 2, 2), people=np.array([0, 0, 1]))


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


def test_frechet_compares_nobody_with_themselves_and_its_interval_is_by_person():
    """Reconstructions that are perfect are as far from the photos of other people as those are from each other."""
    x, who = photos(80, 5, 1)
    perfect = frechet(x, x.copy(), seed=1, people=who, other_people=who)
    (other, whose), alone = photos(80, 5, 2), frechet(x, x.copy(), seed=1)
    floor = frechet(x, other, seed=1, people=who, other_people=whose + 80)
    assert floor.low < perfect.value < floor.high
    assert perfect.value > 3 * alone.value
    assert perfect.high - perfect.low > 1.5 * (alone.high - alone.low)


def test_frechet_refuses_too_few_people():
    with pytest.raises(ValueError, match="too few people"):
        frechet(normal(30, 2, 1), normal(30, 2, 2), seed=1, people=np.zeros(30))


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


def test_perfect_reconstructions_have_the_precision_and_recall_of_photos_of_others():
    (x, who), (other, whose) = photos(100, 5, 1, d=3), photos(100, 5, 2, d=3)
    perfect = prdc(x, x.copy(), seed=1, people=who, fake_people=who)
    floor = prdc(x, other, seed=1, people=who, fake_people=whose + 100)
    for name, estimate in perfect.items():
        assert estimate.low < floor[name].high, name
        assert floor[name].low < estimate.high, name
    assert floor["precision"].value > 0.85  # balls reach to other people; to the person's own photos they miss others


def test_prdc_intervals_are_by_person():
    (x, who), (other, whose) = photos(100, 5, 1, d=3), photos(100, 5, 2, d=3, shift=1.0)
    by_person = prdc(x, other, seed=1, people=who, fake_people=whose + 100)
    by_photo = prdc(x, other, seed=1)
    for name in ("precision", "recall", "coverage"):
        widths = [numbers[name].high - numbers[name].low for numbers in (by_person, by_photo)]
        assert widths[0] > 1.2 * widths[1], name


def test_prdc_refuses_too_few_people():
    with pytest.raises(ValueError, match="more than 5 pictures of other people"):
        prdc(normal(40, 2, 1), normal(40, 2, 2), seed=1, people=np.arange(40) % 2)


def test_people_are_numbered_across_both_sets_and_pictures_without_names_are_of_others():
    mine, theirs = numbered(np.array([7, -3, 7]), None, 3, 2)
    assert mine.tolist() == [1, 0, 1]
    assert theirs.tolist() == [2, 3]
    mine, theirs = numbered(np.array(["b", "a"]), np.array(["b", "c"]), 2, 2)
    assert (mine.tolist(), theirs.tolist()) == ([1, 0], [1, 2])


def test_halves_hold_half_of_the_people_of_each_set():
    half = half_of_each(np.array([0, 0, 1, 2, 3, 4, 5]), np.array([4, 5, 6, 7, 7]), np.random.default_rng(1))
    assert [half[:4].sum(), half[4:6].sum(), half[6:].sum()] == [2, 1, 1]
