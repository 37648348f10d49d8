"""Reconstructions of test photos by each encoder: the table of Photoshop 2.0's figure 9 with intervals, floors and the
paper's own numbers, and the judge's accuracy on the reconstructions.

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
from facet.evaluation.exam import Exam, means
from facet.evaluation.rows import Row, estimate_json, estimates_json
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

Reconstruct = Callable[[Tensor, int], Tensor]  # photos and the position of the first one -> reconstructions


@dataclasses.dataclass(frozen=True)
class Measured:
    """Numbers per face (n,) of one way to reconstruct."""

    columns: dict[str, np.ndarray]
    logits: np.ndarray | None  # (n, K) of judge B on the reconstructions


def measure(exam: Exam, faces: np.ndarray, reconstruct: Reconstruct, *, judge: bool) -> Measured:
    """Reconstruct test faces (n,) batch by batch and compare them with the photos."""
    columns: dict[str, list[np.ndarray]] = {}
    logits = []
    for part, x, _ in exam.batches(faces):
        y = reconstruct(x, part.start)
        for name, values in compare(x, y).items():
            columns.setdefault(name, []).append(values.double().cpu().numpy())
        if judge:
            logits.append(exam.judge.logits(y).cpu().numpy())
    return Measured(
        {name: np.concatenate(values) for name, values in columns.items()}, np.concatenate(logits) if judge else None
    )


def compare(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Photos and reconstructions (N, C, S, S) in [-1, 1] -> numbers per face (N,)."""
    numbers = metric.measure(x, y)
    return {
        "l2": numbers["l2_sum"],
        "l1": numbers["l1_sum"],
        "ssim_loss": 1 - numbers["ssim"],
        "ssim_loss_luma": 1 - numbers["ssim_luma"],
        "ssim_loss_report": 1 - numbers["ssim_report"],
        "mse": numbers["mse"],
        "mae": numbers["mae"],
        "psnr": numbers["psnr"],
    }


def places(exam: Exam, count: int) -> np.ndarray:
    """The test faces to reconstruct, indices into Exam.rows: all, or `count` of them by seed."""
    total = len(exam.rows)
    if total <= count:
        return np.arange(total)
    return np.sort(np.random.default_rng(exam.seed).choice(total, count, replace=False))


def row(exam: Exam, faces: np.ndarray, measured: Measured, name: str, kind: str, note: str) -> Row:
    """One row of the table."""
    numbers = means(measured.columns, exam.people[faces], seed=exam.seed, resamples=exam.resamples)
    return {"name": name, "kind": kind, "note": note, **estimates_json(numbers)}


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


def table_rows(
    exam: Exam,
    faces: np.ndarray,
    train: np.ndarray,
    prior: Callable[[int, int], Tensor] | None,
    *,
    model: Path,
    encoders: Path,
    precision: str,
) -> tuple[Measured, list[Row]]:
    """The numbers of the encoder in use (`model`), and the rows of figure 9: every encoder of this system in the folder
    `encoders`, the floors, the paper."""
    device = exam.editor.device
    own = measure(exam, faces, coder(exam.editor.system, device, precision), judge=True)
    rows = []
    in_use = model.resolve()
    folders = dict(variants(encoders, exam.editor.system.name))
    if in_use not in {path.resolve() for path in folders.values()}:
        folders[model.name] = model
    for name, path in folders.items():
        is_own = path.resolve() == in_use
        measured = own
        if not is_own:
            measured = measure(exam, faces, coder(load(path, exam), device, precision), judge=False)
        rows.append(row(exam, faces, measured, name, "encoder", "in use" if is_own else ""))
    return own, rows + floor_rows(exam, faces, train, prior) + paper_rows()


@dataclasses.dataclass(frozen=True)
class Floors:
    """Training photos behind the floors."""

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
        distances, indices = neighbours.nearest(queries, neighbours.thumbnails(pixels, BLOCK))
        closer = distances[:, 0] < best
        best[closer], rows[closer] = distances[closer, 0], train[start + indices[closer, 0]]
    mean = torch.from_numpy(total / len(train) * (2 / 255) - 1).permute(2, 0, 1).float()
    return Floors(mean, rows)


def floor_rows(
    exam: Exam, faces: np.ndarray, train: np.ndarray, prior: Callable[[int, int], Tensor] | None
) -> list[Row]:
    """Rows that every encoder must beat: the mean face, the nearest face, and the decoded random latent."""
    training = floors(exam, faces, train)

    def nearest(x: Tensor, start: int) -> Tensor:
        return images.gather(exam.pixels, training.nearest[start : start + len(x)]).to(x.device)

    ways: dict[str, tuple[Reconstruct, str]] = {
        "mean training face": (
            lambda x, start: training.mean.to(x.device).expand_as(x),
            "the same picture for everyone",
        ),
        "nearest training face": (nearest, "by means of 4 × 4 pixels"),
    }
    if prior is not None:
        ways["random z"] = (lambda x, start: prior(start, len(x)), "the generator's picture of a draw from its prior")
    return [
        row(exam, faces, measure(exam, faces, way, judge=False), name, "floor", note)
        for name, (way, note) in ways.items()
    ]


def card_rows(exam: Exam, faces: np.ndarray, logits: np.ndarray) -> list[Row]:
    """Judge B's accuracy on each attribute of reconstructions, logits (n, K), beside the same photos: a drop is the
    model's loss. Below MIN_AUROC or MIN_BALANCED an attribute is `not judged on reconstructions`."""
    rows = []
    people = exam.people[faces]
    answers, real_answers = exam.answers(logits), exam.answers(exam.logits[faces])
    for k, name in enumerate(exam.judge.attributes):
        labels = exam.labels[faces, k]
        area = auroc(logits[:, k], labels, people=people)
        balanced = balanced_accuracy(answers[:, k], labels, people=people)
        fails = [
            f"{measure} {estimate.value:.3f}, {least:g} needed"
            for measure, estimate, least in (("AUROC", area, MIN_AUROC), ("balanced accuracy", balanced, MIN_BALANCED))
            if not estimate.value >= least
        ]
        rows.append(
            {
                "attribute": name,
                "judged": not exam.reasons[name],
                "reason": exam.reasons[name],
                "judged_on_reconstructions": not fails,
                "reconstruction_reason": "; ".join(fails),
                "auroc": estimate_json(area),
                "balanced_accuracy": estimate_json(balanced),
                "auroc_photos": estimate_json(auroc(exam.logits[faces, k], labels, people=people)),
                "balanced_accuracy_photos": estimate_json(balanced_accuracy(real_answers[:, k], labels, people=people)),
            }
        )
    return rows


def load(path: Path, exam: Exam) -> System:
    """Load an encoder; InputError if it was not trained on the crop and split of the exam's photos."""
    system = systems.load(path, exam.editor.device)
    if (system.crop, system.split_hash) != (exam.editor.system.crop, exam.editor.system.split_hash):
        raise InputError(
            f"{path} was trained on another crop or split than the encoder in use; run `dvc repro train_encoder`"
        )
    return system
