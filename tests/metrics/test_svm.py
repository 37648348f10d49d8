"""The L2-SVM of few labels, against its own formula and by hand."""

import numpy as np
import pytest

from facet.metrics import svm


def clouds(count=90, spread=1.0, seed=0):
    """Three clouds in the plane, around (3, 0), (-3, 0) and (0, 3)."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 3
    centres = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0]])
    return centres[y] + spread * rng.standard_normal((count, 2)), y


def test_the_weights_are_where_the_squared_hinge_says_they_are(monkeypatch):
    monkeypatch.setattr(svm, "TOLERANCE", 1e-8)
    x, y = clouds()
    x = (x - x.mean(0)) / x.std(0)
    cost = 0.05
    found = svm.fit(x, y, classes=3, cost=cost)
    with_one = np.concatenate([x, np.ones((len(x), 1))], 1)
    for one in range(3):
        w = np.append(found.weights[:, one], found.bias[one])
        t = np.where(y == one, 1, -1)
        slack = np.maximum(0, 1 - t * (with_one @ w))
        gradient = w - 2 * cost * (slack * t) @ with_one
        np.testing.assert_allclose(gradient, 0, atol=1e-4)


def test_it_does_not_matter_in_which_unit_a_feature_comes():
    x, y = clouds(spread=2.0)
    new, _ = clouds(spread=2.0, seed=1)
    unit, origin = np.array([1000.0, 0.01]), np.array([7.0, -3.0])
    plain = svm.fit(x, y, classes=3, cost=0.01).predict(new)
    moved = svm.fit(x * unit + origin, y, classes=3, cost=0.01).predict(new * unit + origin)
    assert np.array_equal(plain, moved)
    assert (plain == y).mean() > 0.6


def test_a_feature_that_never_varies_is_no_error():
    x, y = clouds(spread=0.1)
    found = svm.fit(np.concatenate([x, np.full((len(x), 1), 5.0)], 1), y, classes=3, cost=0.01)
    assert np.isfinite(found.weights).all()
    assert (found.predict(np.concatenate([x, np.full((len(x), 1), 5.0)], 1)) == y).all()


def test_a_class_without_labels_is_never_the_answer():
    x, y = clouds(spread=2.0)  # many lie where no class has a positive score
    found = svm.fit(x, np.array([0, 2, 4])[y], classes=6, cost=1e-4)
    assert set(found.predict(x).tolist()) == {0, 2, 4}


def test_bytes_are_features_too():
    x, y = clouds(spread=0.5)
    pixels = np.clip(40 * x + 128, 0, 255).astype(np.uint8)
    assert (svm.fit(pixels, y, classes=3, cost=0.01).predict(pixels) == y).mean() > 0.95


def test_the_cost_is_chosen_on_labels_that_were_not_fitted(monkeypatch):
    x, y = np.arange(10.0)[:, None], np.arange(10) % 3
    wrong = {1e-4: 1, 1e-3: 0, 1e-2: 0}
    seen = []

    def fit(x, y, *, classes, cost):
        seen.append(x[:, 0].tolist())
        return type("Fitted", (), {"predict": lambda self, held: np.where(held[:, 0] < wrong[cost], -1, held[:, 0])})()

    monkeypatch.setattr(svm, "fit", fit)
    assert svm.chosen_cost(x, y, classes=3) == 1e-3  # the least of the two that are right on 0 and 1
    assert seen == [[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]] * 3


@pytest.mark.parametrize("balanced", [True, False])
def test_labelled_examples_are_drawn_once_each_and_by_seed(balanced):
    y = np.repeat([0, 1, 2], [60, 30, 10])
    one, again, other = (svm.labelled(y, 30, balanced=balanced, seed=(1, n)) for n in (0, 0, 1))
    assert len(set(one.tolist())) == 30
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.bincount(y[one]).tolist() == [10, 10, 10] or not balanced
    assert np.any(np.diff(y[one]) < 0)  # in random order: the first fifth is held out


def test_a_rare_class_bounds_a_balanced_draw():
    y = np.repeat([0, 1, 2], [60, 30, 4])
    assert np.bincount(y[svm.labelled(y, 30, balanced=True, seed=(1,))]).tolist() == [4, 4, 4]
