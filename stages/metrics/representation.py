"""How much a latent knows of an attribute: AUROC of a logistic regression on it (Preechakul et al. 2022)."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from stages.metrics.classification import auroc
from stages.metrics.intervals import UNDEFINED, Estimate

FOLDS = 5


def latent_auroc(z: np.ndarray, labels: np.ndarray, *, seed: int, clusters: np.ndarray | None = None) -> Estimate:
    """Latents (n, d) and labels (n,) of -1, 0 (left out), +1 -> AUROC of out-of-fold scores, five folds.

    With `clusters` (identities) no person is in two folds. Latents are standardised by their training folds; folds'
    scores are centred, since each has its own intercept. Undefined where a state has fewer than five faces."""
    known = labels != 0
    z, labels = np.asarray(z, np.float64)[known], np.asarray(labels)[known]
    groups = None if clusters is None else np.asarray(clusters)[known]
    if min((labels > 0).sum(), (labels < 0).sum()) < FOLDS:
        return UNDEFINED
    if groups is None:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(z, labels)
    else:
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(z, labels, groups)
    scores = np.full(len(labels), np.nan)
    for train, test in folds:
        if len(np.unique(labels[train])) < 2:
            continue
        mean, spread = z[train].mean(0), z[train].std(0) + 1e-9
        model = LogisticRegression(C=1.0, solver="newton-cholesky", max_iter=100)
        model.fit((z[train] - mean) / spread, labels[train])
        scores[test] = (z[test] - mean) / spread @ model.coef_[0]
    scored = np.isfinite(scores)
    return auroc(scores[scored], labels[scored])
