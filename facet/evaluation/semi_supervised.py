"""The semi-supervised protocol of the introspective adversarial network's table 1 (Brock et al. 2017; after Radford et
al. 2016): a linear SVM on the encoder's features of 1,000 labelled training digits, the error on all test digits, again
and again. Beside it the same on raw pixels and on the features of the network before training.

The cost of the SVM is chosen anew for every labelled set, by a fifth of it held out (facet/metrics/svm.py); the three
kinds of features get the same labelled sets. Draws: `random` as the paper says, `balanced` as DCGAN's protocol has it.
The paper has 18.50 % +- 0.38 on SVHN."""

import functools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from facet.base import compute, images
from facet.base.progress import progress
from facet.base.tables import Faces
from facet.editing.directions import choose_rows
from facet.evaluation.digits import classes
from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row, concatenated, estimate_json, six_digits
from facet.metrics import svm
from facet.metrics.intervals import crossed_mean

PLACE = "Digit"  # of one digit a picture
LABELS = 1_000
FEWEST = 50  # training pictures, below which nothing is fitted
DRAWS = ("random", "balanced")
STATISTICS = 512  # training pictures that the untrained network's batch norms see

Features = Callable[[np.ndarray], np.ndarray]  # rows of images.npy (n,) -> features (n, F)


def semi_supervised_rows(exam: Exam, faces: Faces, module: ModuleType, model: Path, repeats: int) -> list[Row]:
    """Per kind of features and draw: the mean error, an interval over labelled sets and test digits, and the standard
    `deviation` between labelled sets. None if the pictures are not digits or the system offers no features."""
    names = classes(PLACE)
    if not repeats or not hasattr(exam.editor.system, "features") or not set(names) <= set(faces.meta.attributes):
        return []
    shown = faces.labels(names) > 0
    train, test = (rows[shown[rows].sum(1) == 1] for rows in (faces.rows("train"), exam.rows))
    y, y_test = (shown[rows].argmax(1) for rows in (train, test))
    if len(train) < FEWEST or not len(test):
        return []
    x = images.gather(exam.pixels, train[choose_rows(STATISTICS, len(train), exam.seed)])
    before = module.untrained(model, x, seed=exam.seed, device=exam.editor.device)
    kinds: dict[str, Features] = {
        "raw pixels": lambda rows: exam.pixels[rows].reshape(len(rows), -1),
        "untrained network": functools.partial(features, exam, before.features),
        "trained network": functools.partial(features, exam, exam.editor.system.features),
    }
    sets = {draw: labelled_sets(y, draw, repeats, exam.seed) for draw in DRAWS}
    used = np.unique(np.concatenate([places for places_of_draw in sets.values() for places in places_of_draw]))
    rows: list[Row] = []
    for kind, of in kinds.items():
        known, unknown = of(train[used]), of(test).astype(np.float32)
        for draw, repeated in sets.items():
            wrong = [
                errors(known[np.searchsorted(used, places)], y[places], unknown, y_test)
                for places in progress(repeated, len(repeated), f"SVMs on {kind}, {draw}")
            ]
            table = np.stack(wrong)  # (repeats, test pictures)
            rows.append(
                {
                    "features": kind,
                    "draw": draw,
                    "dimensions": known.shape[1],
                    "labels": len(repeated[0]),
                    "repeats": repeats,
                    "error": estimate_json(crossed_mean(table, seed=exam.seed, count=exam.resamples)),
                    "deviation": six_digits(float(table.mean(1).std(ddof=1))),
                }
            )
    return rows


def labelled_sets(y: np.ndarray, draw: str, repeats: int, seed: int) -> list[np.ndarray]:
    """Places in y (N,) of each repeat's labelled examples."""
    kind = DRAWS.index(draw)
    return [svm.labelled(y, LABELS, balanced=draw == "balanced", seed=(seed, 16, kind, i)) for i in range(repeats)]


def errors(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> np.ndarray:
    """Errors (n,) bool on the test examples of an SVM fitted to the labelled ones."""
    cost = svm.chosen_cost(x, y, classes=10)
    return np.asarray(svm.fit(x, y, classes=10, cost=cost).predict(x_test) != y_test)


@torch.no_grad()
def features(exam: Exam, of: Callable[[Tensor], Tensor], rows: np.ndarray) -> np.ndarray:
    """A network's features (n, F) of prepared pictures, float32, batch by batch."""
    parts = []
    for start in range(0, len(rows), exam.batch_size):
        x = images.gather(exam.pixels, rows[start : start + exam.batch_size]).to(exam.editor.device)
        with compute.autocast(exam.editor.device, exam.editor.precision):
            parts.append(of(x).float().cpu().numpy())
    return concatenated(parts)
