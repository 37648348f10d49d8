"""What each encoder keeps of test photos: the table of Photoshop 2.0's figure 9 with intervals, floors and the paper's
own numbers, and what the judges still see in the reconstructions.

L2 and L1 are sums over S x S x C values in [-1, 1] (facts of the paper: 64 x 64 x 3); 1 - SSIM on [0, 1]."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facet import systems
from facet.base import checkpoints, compute, images
from facet.base.errors import InputError
from facet.evaluation.exam import Exam, Row, means, tell, told
from facet.metrics import neighbours
from facet.metrics import reconstruction as metric
from facet.metrics.classification import auroc, balanced_accuracy
from facet.systems import System

PAPER = (  # Photoshop 2.0, figure 9: encoder, trained on, L2, L1, 1 - SSIM; 202,599 faces, its own test split
    ("FC", "L2", 721.280, 2192.837, 0.305),
    ("Deep Conv", "L2", 580.059, 1949.630, 0.266),
    ("Transfer", "SSIM", 1082.709, 2586.792, 0.268),
    ("Transfer", "L1", 744.001, 2137.577, 0.303),
    ("Transfer", "L2", 697.754, 2140.374, 0.305),
    ("Extended Transfer", "L2", 692.799, 2110.645, 0.302),
)
MIN_AUROC, MIN_BALANCED = 0.90, 0.80  # below either, an attribute is not judged on reconstructions
BLOCK = 4  # pixels a side of the means by which the nearest training face is found
CHUNK = 4096  # training photos in memory at once

Reconstruct = Callable[[Tensor, int], Tensor]  # photos and the place of the first one -> reconstructions


@dataclasses.dataclass(frozen=True)
class Measured:
    """Numbers per face (n,) of one way to reconstruct."""

    columns: dict[str, np.ndarray]
    logits: np.ndarray | None  # (n, K) of judge B on the reconstructions


def measure(exam: Exam, places: np.ndarray, reconstruct: Reconstruct, *, judge: bool) -> Measured:
    """Reconstruct the test faces at `places` batch by batch and compare."""
    found: dict[str, list[np.ndarray]] = {}
    logits = []
    for part, x, _ in exam.batches(places):
        y = reconstruct(x, part.start)
        for name, values in compare(x, y).items():
            found.setdefault(name, []).append(values.double().cpu().numpy())
        if judge:
            logits.append(exam.judge.logits(y).cpu().numpy())
    return Measured(
        {name: np.concatenate(values) for name, values in found.items()}, np.concatenate(logits) if judge else None
    )


def compare(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Photos and reconstructions (N, C, S, S) in [-1, 1] -> numbers per face (N,)."""
    found = metric.measure(x, y)
    return {
        "l2": found["l2_sum"],
        "l1": found["l1_sum"],
        "ssim_loss": 1 - found["ssim"],
        "ssim_loss_luma": 1 - found["ssim_luma"],
        "ssim_loss_report": 1 - found["ssim_report"],
        "mse": found["mse"],
        "mae": found["mae"],
        "psnr": found["psnr"],
    }


def places(exam: Exam, count: int) -> np.ndarray:
    """The test faces to reconstruct: all, or `count` of them by seed."""
    total = len(exam.rows)
    if total <= count:
        return np.arange(total)
    return np.sort(np.random.default_rng(exam.seed).choice(total, count, replace=False))


def row(exam: Exam, faces: np.ndarray, measured: Measured, name: str, kind: str, note: str) -> Row:
    """One row of the table."""
    numbers = means(measured.columns, exam.people[faces], seed=exam.seed, resamples=exam.resamples)
    return {"name": name, "kind": kind, "note": note, **told(numbers)}


def variants(folder: Path, system: str) -> Iterator[tuple[str, Path]]:
    """The encoders of one system in the folder of all encoders, by name."""
    for path in sorted(folder.glob("*/model.json")) if folder.exists() else []:
        if checkpoints.read_card(path.parent)["system"] == system:
            yield path.parent.name, path.parent


def coder(system: System, device: torch.device, precision: str) -> Reconstruct:
    """x -> G(E(x))."""

    @torch.no_grad()
    def reconstruct(x: Tensor, start: int) -> Tensor:
        with compute.autocast(device, precision):
            return system.decode(system.encode(x)).float().clamp(-1, 1)

    return reconstruct


def paper_rows() -> list[Row]:
    """The paper's own table."""
    return [
        {"name": f"{name} ({loss})", "kind": "paper", "note": "as published", "l2": l2, "l1": l1, "ssim_loss": ssim}
        for name, loss, l2, l1, ssim in PAPER
    ]


@dataclasses.dataclass(frozen=True)
class Floors:
    """What the floors need of the training photos."""

    mean: Tensor  # (C, S, S) in [-1, 1]
    nearest: np.ndarray  # (n,) rows of images.npy: the nearest training photo of each test face


def floors(exam: Exam, faces: np.ndarray, train: np.ndarray) -> Floors:
    """One pass over the training photos, chunk by chunk: their mean, and the nearest by means of 4 x 4 pixels."""
    if not len(train):
        raise InputError("there is no training face; check the split of stage `prepare`")
    queries = neighbours.thumbnails(exam.pixels[exam.rows[faces]], BLOCK)
    best, rows = np.full(len(faces), np.inf), np.zeros(len(faces), np.int64)
    total = np.zeros(exam.pixels.shape[1:])
    for start in range(0, len(train), CHUNK):
        pixels = exam.pixels[train[start : start + CHUNK]]
        total += pixels.sum(0, dtype=np.float64)
        distances, found = neighbours.nearest(queries, neighbours.thumbnails(pixels, BLOCK))
        closer = distances[:, 0] < best
        best[closer], rows[closer] = distances[closer, 0], train[start + found[closer, 0]]
    mean = torch.from_numpy(total / len(train) * (2 / 255) - 1).permute(2, 0, 1).float()
    return Floors(mean, rows)


def floor_rows(
    exam: Exam, faces: np.ndarray, train: np.ndarray, prior: Callable[[int, int], Tensor] | None
) -> list[Row]:
    """Rows that every encoder must beat: the mean face, the nearest face, and the picture of a random latent."""
    found = floors(exam, faces, train)

    def nearest(x: Tensor, start: int) -> Tensor:
        return images.gather(exam.pixels, found.nearest[start : start + len(x)]).to(x.device)

    ways: dict[str, tuple[Reconstruct, str]] = {
        "mean training face": (lambda x, start: found.mean.to(x.device).expand_as(x), "the same picture for everyone"),
        "nearest training face": (nearest, "by means of 4 × 4 pixels"),
    }
    if prior is not None:
        ways["random z"] = (lambda x, start: prior(start, len(x)), "the generator's picture of a draw from its prior")
    return [
        row(exam, faces, measure(exam, faces, way, judge=False), name, "floor", note)
        for name, (way, note) in ways.items()
    ]


def card_rows(exam: Exam, faces: np.ndarray, logits: np.ndarray) -> list[Row]:
    """How well judge B sees each attribute on reconstructions (n, K), beside the same photos: a drop is what the model
    lost. Below the marks an attribute is `not judged on reconstructions`."""
    rows = []
    answers, real_answers = exam.answers(logits), exam.answers(exam.logits[faces])
    for k, name in enumerate(exam.judge.attributes):
        labels = exam.labels[faces, k]
        area, balanced = auroc(logits[:, k], labels), balanced_accuracy(answers[:, k], labels)
        fails = [
            f"{what} {estimate.value:.3f}, {mark:g} needed"
            for what, estimate, mark in (("AUROC", area, MIN_AUROC), ("balanced accuracy", balanced, MIN_BALANCED))
            if not estimate.value >= mark
        ]
        rows.append(
            {
                "attribute": name,
                "judged": not exam.reasons[name],
                "reason": exam.reasons[name],
                "judged_on_reconstructions": not fails,
                "reconstruction_reason": "; ".join(fails),
                "auroc": tell(area),
                "balanced_accuracy": tell(balanced),
                "auroc_photos": tell(auroc(exam.logits[faces, k], labels)),
                "balanced_accuracy_photos": tell(balanced_accuracy(real_answers[:, k], labels)),
            }
        )
    return rows


def load(path: Path, exam: Exam) -> System:
    """An encoder that fits the exam's photos; InputError where it was trained on others."""
    system = systems.load(path, exam.editor.device)
    if (system.crop, system.split_hash) != (exam.editor.system.crop, exam.editor.system.split_hash):
        raise InputError(
            f"{path} was trained on another crop or split than the encoder in use; run `dvc repro train_encoder`"
        )
    return system
