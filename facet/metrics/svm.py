"""A linear classifier from few labels, with which DCGAN and the introspective adversarial network evaluate features:
the L2-SVM, squared hinge loss, one class against the rest (Tang 2013, arXiv:1306.0239; protocol: Radford et al. 2016,
section 5.2; Brock et al. 2017, table 1).

Arrays: features x (n, F) of any number type, classes y (n,) as int 0..K-1, of which at least three occur."""

import dataclasses

import numpy as np

COSTS = (1e-4, 1e-3, 1e-2)  # candidates, chosen by held-out labels; for standardised features
HELD = 5  # one label in five is held out
TOLERANCE = 0.1  # liblinear's own for this solver; a hundredth of it moves errors by less than .001
MOST_PASSES = 20_000


@dataclasses.dataclass(frozen=True)
class Linear:
    """Scores x @ weights + bias (n, K); a class that was not among the labels has a score of minus infinity."""

    weights: np.ndarray  # (F, K) float32
    bias: np.ndarray  # (K,) float32

    def predict(self, x: np.ndarray) -> np.ndarray:
        """x (n, F) -> classes (n,)."""
        scores = x.astype(np.float32, copy=False) @ self.weights + self.bias
        return np.asarray(scores.argmax(1))


def fit(x: np.ndarray, y: np.ndarray, *, classes: int, cost: float, seed: int = 0) -> Linear:
    """min_w |w|^2 / 2 + cost * sum_i max(0, 1 - t_i w.x_i)^2 for each class: t_i is 1 in it and -1 outside, the bias
    the weight of a constant 1. Features are standardised first;
    the result applies to the original ones."""
    from sklearn.svm import LinearSVC  # takes seconds to import, so only if it is used

    x = x.astype(np.float64)
    mean, deviation = x.mean(0), x.std(0)
    deviation[deviation == 0] = 1.0
    svm = LinearSVC(C=cost, dual=True, tol=TOLERANCE, max_iter=MOST_PASSES, random_state=seed)
    svm.fit((x - mean) / deviation, y)
    weights, bias = np.zeros((x.shape[1], classes)), np.full(classes, -np.inf)
    weights[:, svm.classes_] = svm.coef_.T / deviation[:, None]
    bias[svm.classes_] = svm.intercept_ - mean @ weights[:, svm.classes_]
    return Linear(weights.astype(np.float32), bias.astype(np.float32))


def chosen_cost(x: np.ndarray, y: np.ndarray, *, classes: int) -> float:
    """The cost of COSTS with the fewest errors on the first fifth of the labels when fitted to the others, the lowest
    of equals. y in random order."""
    held = len(y) // HELD
    errors = [
        int((fit(x[held:], y[held:], classes=classes, cost=cost).predict(x[:held]) != y[:held]).sum()) for cost in COSTS
    ]
    return COSTS[int(np.argmin(errors))]


def labelled(y: np.ndarray, count: int, *, balanced: bool, seed: tuple[int, ...]) -> np.ndarray:
    """Indices into y of `count` examples in random order; `balanced`: equally many of each class, count // K or the
    size of the rarest class."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    if not balanced:
        return order[:count]
    members = [order[y[order] == one] for one in np.unique(y)]
    each = min(count // len(members), *(len(places) for places in members))
    return rng.permutation(np.concatenate([places[:each] for places in members]))
