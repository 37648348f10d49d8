"""What an edit did to a photo, from its pixels before and after, uint8 (H, W, 3), and from features of its head.

Lengths are shares of the face's larger side in pixels (`face`), so that a photo and its enlargement agree."""

import dataclasses

import cv2
import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from facet.metrics.intervals import UNDEFINED, Estimate, normal
from facet.metrics.kid import kid

LEVELS = 4  # by which a channel must change for a pixel to count as changed
AROUND = 0.02  # of the face: how far what changed reaches beyond the changed pixels
PERSON = 0.5  # least weight of a pixel in the person
BEYOND = 0.05  # of the face: how far the person may reach beyond its mask, which is coarse
FLAT = 1.0  # levels a pixel: gradients below it count as this much
FEW = 30  # fewer changed pixels say nothing
LEAST_KERNEL = 20  # people in each half for a kernel distance
DRAWS = 500  # of a bootstrap


@dataclasses.dataclass(frozen=True)
class Damage:
    """What an edit did to one photo; NaN where it changed too little to say."""

    changed: float  # share of the photo's pixels
    sharpness: float  # variance of the Laplacian in what changed, after over before
    seam: float  # gradient across the edge of what changed, after over before
    background: int  # pixels outside the person that differ at all
    background_levels: int  # the largest of their differences
    grey: bool  # red, green and blue are alike everywhere


def damage(before: np.ndarray, after: np.ndarray, person: np.ndarray, face: float) -> Damage:
    """All measures of one photo; `person` (H, W) in [0, 1] is its person mask."""
    difference = np.abs(after.astype(int) - before).max(2)
    changed = difference >= LEVELS
    outside = ~grown(person >= PERSON, BEYOND * face)
    few = changed.sum() < FEW
    return Damage(
        changed=float(changed.mean()),
        sharpness=np.nan if few else sharpness_kept(before, after, grown(changed, AROUND * face)),
        seam=np.nan if few else seam(before, after, changed),
        background=int((difference[outside] > 0).sum()),
        background_levels=int(difference[outside].max(initial=0)),
        grey=bool((after == after[..., :1]).all()),
    )


def grown(mask: np.ndarray, radius: float) -> np.ndarray:
    """A mask (H, W) grown by a disc of `radius` pixels, at least one."""
    reach = max(1, round(radius))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc) > 0)


def luma(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> float32 (H, W) in levels."""
    return np.asarray(pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))


def sharpness_kept(before: np.ndarray, after: np.ndarray, where: np.ndarray) -> float:
    """Variance of the Laplacian of luma inside a mask (H, W), after over before: below 1 is blur."""
    first, second = (float(cv2.Laplacian(luma(pixels), cv2.CV_32F)[where].var()) for pixels in (before, after))
    return second / first if first > 0 else np.nan


def seam(before: np.ndarray, after: np.ndarray, changed: np.ndarray) -> float:
    """Mean gradient of luma across the edge of the changed pixels (H, W), after over before: above 1 is a seam.

    The border of the photo is no edge. NaN if there is no edge."""
    mask = changed.astype(np.uint8)
    square = np.ones((3, 3), np.uint8)
    edge = (cv2.dilate(mask, square) - cv2.erode(mask, square)).astype(bool)
    edge[[0, -1]] = edge[:, [0, -1]] = False
    if not edge.any():
        return np.nan
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2)
    across = np.stack(_gradient(smooth))[:, edge]
    across /= np.maximum(np.linalg.norm(across, axis=0), 1e-6)
    first, second = (
        float(np.abs((np.stack(_gradient(luma(pixels)))[:, edge] * across).sum(0)).mean()) for pixels in (before, after)
    )
    return max(second, FLAT) / max(first, FLAT)


def _gradient(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of (H, W) along x and y, a pixel."""
    x, y = (cv2.Sobel(values, cv2.CV_32F, a, 1 - a, scale=1 / 8) for a in (1, 0))
    return np.asarray(x), np.asarray(y)


def told_apart(untouched: np.ndarray, edited: np.ndarray, people: np.ndarray, *, seed: int) -> Estimate:
    """How well a classifier tells edited photos from the same photos untouched: AUC, .5 if not at all.

    Features (n, d) of both and the person of each pair. Logistic regression is trained on half of the people and asked
    about the others, both ways round; the value is the mean of the two. The interval resamples people."""
    unique = np.unique(people)
    n = len(people)
    if len(unique) < 8:
        return Estimate(np.nan, np.nan, np.nan, n)
    first = half_of(people, seed=seed)
    scores = np.empty((2, n))  # of untouched and edited
    for train in (first, ~first):
        x, y = np.concatenate([untouched[train], edited[train]]), np.repeat([0, 1], train.sum())
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=500)).fit(x, y)
        for kind, features in enumerate((untouched, edited)):
            scores[kind, ~train] = model.decision_function(features[~train])
    rng = np.random.default_rng(seed)
    sides = [[np.flatnonzero(people == person) for person in np.unique(people[side])] for side in (first, ~first)]

    def value(chosen: list[np.ndarray]) -> float:
        return float(np.mean([auc(scores[0, which], scores[1, which]) for which in chosen]))

    draws = [
        value([np.concatenate([side[i] for i in rng.integers(len(side), size=len(side))]) for side in sides])
        for _ in range(DRAWS)
    ]
    # Not the draws' percentiles: a person drawn twice is compared with himself more often, which shifts them up.
    whole = normal(value([np.concatenate(side) for side in sides]), float(np.std(draws, ddof=1)), n)
    return dataclasses.replace(whole, low=max(0.0, whole.low), high=min(1.0, whole.high))


def kernel_distance(
    untouched: np.ndarray, edited: np.ndarray, people: np.ndarray, *, seed: int
) -> tuple[Estimate, Estimate]:
    """Kernel distance between untouched photos of half of the people and edited ones of the others; and its floor, that
    between the same people's untouched photos. Features (n, d) of both and the person of each pair.

    Every person counts once, however many pairs show them (facet/metrics/kid.py)."""
    first = half_of(people, seed=seed)
    if min(len(np.unique(people[one])) for one in (first, ~first)) < LEAST_KERNEL:
        return UNDEFINED, UNDEFINED
    whose = {"people": people[first], "other_people": people[~first]}
    return kid(untouched[first], edited[~first], **whose), kid(untouched[first], untouched[~first], **whose)


def half_of(people: np.ndarray, *, seed: int) -> np.ndarray:
    """Which of the pairs, by the person of each (n,), belong to a random half of the people: bool (n,)."""
    unique = np.unique(people)
    return np.isin(people, np.random.default_rng(seed).permutation(unique)[: len(unique) // 2])


def auc(negative: np.ndarray, positive: np.ndarray) -> float:
    """P(a positive scores above a negative), ties half."""
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.mean() - (len(positive) + 1) / 2) / len(negative))


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """The threshold from which on a score (n,) counts as present, with the largest balanced accuracy on `labels`."""
    order = np.argsort(scores, kind="stable")
    present = labels[order] > 0
    lost = np.append(0, np.cumsum(present)) / max(1, present.sum())  # present below a threshold before each score
    won = np.append(0, np.cumsum(~present)) / max(1, (~present).sum())  # absent below it
    ordered = scores[order]
    cut = int(np.argmax(won - lost))
    if cut in (0, len(ordered)):
        return float(ordered[min(cut, len(ordered) - 1)])
    return float((ordered[cut - 1] + ordered[cut]) / 2)


def distance_at(distances: np.ndarray, rate: float) -> float:
    """The identity distance below which `rate` of these pairs of different people (n,) would be accepted."""
    return float(np.quantile(distances, rate))
