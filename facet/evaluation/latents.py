"""The training latents as a Gaussian, directions from shuffled labels, and the attributes read from test latents."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facet.base.errors import InputError
from facet.base.tables import Faces, latents_meta, read_latents
from facet.editing.directions import ESTIMATORS, EstimatorSettings, LatentStatistics, Sample, choose_rows
from facet.editing.editor import Editor
from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row, estimate_json
from facet.metrics.classification import auroc, balanced_accuracy

RIDGE = 1e-3  # of least squares on shuffled labels, whose length is not used
SAMPLE_FACES = 5_000  # for the estimators that need rows


@dataclasses.dataclass(frozen=True)
class Population:
    """The training latents: their Gaussian (the aggregate posterior), and directions from shuffled labels."""

    mean: np.ndarray  # (d,)
    covariance: np.ndarray  # (d, d)
    count: int
    shuffled: dict[str, Tensor]  # attribute -> (d,), by the estimator that its edits use

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents (count, d) from the Gaussian."""
        values, vectors = np.linalg.eigh(self.covariance)
        root = torch.from_numpy(vectors * np.sqrt(np.clip(values, 0, None))).float()
        noise = torch.randn(count, len(self.mean), generator=generator)
        return noise @ root.T + torch.from_numpy(self.mean).float()


def population(folder: Path, faces: Faces, editor: Editor, *, seed: int) -> Population:
    """One pass over the training latents; labels shuffled as whole rows, so that they keep their own correlations."""
    meta = latents_meta(folder)
    names = editor.table.attributes
    train = faces.rows("train")
    labels = faces.labels(names)
    shuffled = labels.copy()
    shuffled[train] = labels[np.random.default_rng(seed).permutation(train)]
    in_train, in_sample = np.zeros(len(labels), bool), np.zeros(len(labels), bool)
    in_train[train] = True
    in_sample[train[choose_rows(SAMPLE_FACES, len(train), seed)]] = True
    statistics, start = LatentStatistics.empty(len(names), meta["z_dim"] + meta["y_dim"]), 0
    rows: list[np.ndarray] = []
    for shard in read_latents(folder, ("z", "y") if meta["y_dim"] else ("z",)):
        z = np.concatenate([shard["z"], shard["y"]], 1) if "y" in shard else shard["z"]
        place = slice(start, start + len(z))
        if place.stop > len(labels):
            break
        statistics.add(z[in_train[place]], shuffled[place][in_train[place]])
        rows.append(z[in_sample[place]])
        start += len(z)
    if start != len(labels):
        raise InputError(f"{folder} does not hold one latent for each of {len(labels)} images; run `dvc repro encode`")
    sample = Sample(np.concatenate(rows), shuffled[in_sample])
    return Population(
        statistics.mean, statistics.covariance, statistics.n, _directions(names, editor, statistics, sample)
    )


def _directions(
    names: Sequence[str], editor: Editor, statistics: LatentStatistics, sample: Sample
) -> dict[str, Tensor]:
    used = {name: editor.table.chosen(name).estimator for name in names}
    # `conditional` does not depend on labels: it gets another attribute's entry instead of its own
    entries = None
    if editor.system.y_dim:
        own = [editor.system.attributes.index(name) for name in names]
        entries = editor.system.z_dim + np.array(own[1:] + own[:1])
    settings = EstimatorSettings(RIDGE, entries)
    vectors = {
        estimator: ESTIMATORS[estimator](statistics, sample, settings)[0] for estimator in sorted(set(used.values()))
    }
    return {name: torch.from_numpy(vectors[used[name]][k].astype(np.float32)) for k, name in enumerate(names)}


def latent_rows(exam: Exam) -> list[Row]:
    """Accuracy of a logistic regression, fitted to training latents, for each attribute on test latents (the measure of
    Preechakul et al. 2022 for their autoencoder)."""
    rows = []
    for name in exam.editor.table.attributes:
        scores = exam.editor.logits(exam.latents, name).cpu().numpy()
        labels = exam.labels[:, exam.column(name)]
        rows.append(
            {
                "attribute": name,
                "auroc": estimate_json(auroc(scores, labels, people=exam.people)),
                "balanced_accuracy": estimate_json(balanced_accuracy(scores > 0, labels, people=exam.people)),
            }
        )
    return rows
