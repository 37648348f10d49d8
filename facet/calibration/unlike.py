"""What tells faces unlike those of training: learnt from training crops, as they are and spoiled."""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from facet.base import images
from facet.base.tables import Faces
from facet.calibration.spoiled import harmless, spoiled
from facet.editing.directions import choose_rows
from facet.editing.editor import Editor
from facet.judges.judge import Judge
from facet.judges.unlike import Unlike, features

FACES = 1200  # training crops, each as it is, in a harmless variant, and spoiled
CHECKED = 800  # validation crops, as they are and in a harmless variant, that set the threshold
REFUSED = 0.01  # share of these that may be taken for unlike
FEWEST = 200  # training crops, and validation crops, below which nothing is learnt
STRENGTH = 0.003  # C of the logistic regression: weak, because there are more features than faces
BATCH = 64

Variant = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def fit(editor: Editor, judge: Judge, faces: Faces, pixels: np.ndarray, *, seed: int) -> Unlike | None:
    """The score by which judge A and the system tell a face unlike those of training; None if there are too few crops.

    `pixels` is images.npy, (N, S, S, C) uint8."""
    train, valid = (
        rows[choose_rows(count, len(rows), seed)]
        for rows, count in ((faces.rows("train"), FACES), (faces.rows("valid"), CHECKED))
    )
    if min(len(train), len(valid)) < FEWEST:
        return None
    rng = np.random.default_rng(seed)

    def seen(rows: np.ndarray, variant: Variant | None = None) -> np.ndarray:
        crops = np.asarray(pixels[rows])
        if variant is not None:
            crops = np.stack([variant(crop, rng) for crop in crops])
        return _features(editor, judge, crops)

    usual = np.concatenate([seen(train), seen(train, harmless)])
    odd = seen(train, spoiled)
    scaler = StandardScaler().fit(usual)
    labels = np.r_[np.zeros(len(usual)), np.ones(len(odd))]
    model = LogisticRegression(C=STRENGTH, max_iter=500)
    model.fit(scaler.transform(np.concatenate([usual, odd])), labels)
    weights = (model.coef_[0] / scaler.scale_).astype(np.float32)
    held_out = np.concatenate([seen(valid), seen(valid, harmless)]) @ weights
    return Unlike(weights, float(-np.quantile(held_out, 1 - REFUSED)))


def _features(editor: Editor, judge: Judge, crops: np.ndarray) -> np.ndarray:
    """Features (N, d) of crops (N, S, S, C) uint8."""
    parts = []
    for start in range(0, len(crops), BATCH):
        x = images.to_tensor(crops[start : start + BATCH]).to(editor.device)
        with torch.no_grad():
            parts.append(features(judge, x, editor.decode(editor.encode(x))).cpu().numpy())
    return np.concatenate(parts)
