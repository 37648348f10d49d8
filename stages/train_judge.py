"""Stage `train_judge`: prepared images and labels -> judges A and B in data/judges/, and their card.

Each judge learns from its own half of the training identities, is calibrated and given its thresholds on validation
images, and is described by the card on test images. No system ever sees a judge in training.

Of a real-valued attribute a judge learns the value v in [-1, 1] itself: (v + 1) / 2 takes the place of 0 or 1 as the
target of the cross entropy, which is least where the answer is the value to be expected."""

import dataclasses
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from facet.base import compute, images
from facet.base.errors import InputError
from facet.base.files import replacing_folder, write_csv, write_json
from facet.base.limits import BelowOne, Count, Natural, NonNegative, Share
from facet.base.params import Device, Precision, run_stage
from facet.base.tables import Faces, read_faces
from facet.judges import judge as judges
from facet.judges.judge import Calibration, Judge, Which
from facet.metrics.classification import auroc, balanced_accuracy, balanced_weights, calibration_error, top_one
from facet.metrics.graded import absolute_error, rank_correlation
from facet.metrics.intervals import wilson
from facet.training.history import History
from facet.training.loop import Batch, set_rate, train
from facet.training.resume import Resume, key

log = logging.getLogger(__name__)

WHICH: tuple[Which, Which] = ("a", "b")
CARD_RESAMPLES = 500  # bootstrap of the calibration error
MIN_EXAMPLES = 10  # of each state on validation, below which an attribute cannot be judged


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Train the two judges."""

    prepared: Path  # folder written by `prepare`
    judges: Path  # out: a.safetensors, b.safetensors, judges.json
    card: Path  # out: how well the judges see each attribute on test images
    history: Path  # out: CSV of the losses
    resume: Path  # checkpoint of an unfinished run; not an out
    log_every: Count  # steps averaged into one row of the history
    steps: Count  # of each judge
    batch_size: Count  # images
    flip: bool  # mirrored copies too; not for digits
    width_a: Count  # channels after the first convolution
    width_b: Count
    learning_rate: NonNegative  # peak of a warm-up and cosine schedule
    weight_decay: NonNegative
    dropout: BelowOne
    label_smoothing: BelowOne
    min_balanced_accuracy: Share  # of both judges on validation, for an attribute to count as judged
    min_auroc: Share
    seed: Natural
    threads: Count
    device: Device
    precision: Precision


def run(params: Params) -> None:
    device = compute.start(device=params.device, threads=params.threads)
    faces, pixels = read_faces(params.prepared), images.open_images(params.prepared)
    labels = faces.descriptions()
    if not faces.meta.attributes:
        raise InputError(
            f"{params.prepared} has no attribute labels, so there is nothing to judge; give the source some"
        )
    code = (Path(judges.__file__), Path(__file__))
    networks: dict[Which, nn.Module] = {}
    histories = {which: History(params.history, every=params.log_every) for which in WHICH}
    resumes = {
        which: Resume(params.resume / which, key(params, params.prepared / "faces.parquet", *code)) for which in WHICH
    }
    for which, rows in zip(WHICH, halves(faces, params.seed), strict=True):
        log.info("judge %s: %d training images", which, len(rows))
        trainer = JudgeTrainer(which, params, faces, rows, channels=pixels.shape[-1], device=device)
        train(
            trainer,
            pixels=pixels,
            labels=labels,
            rows=rows,
            steps=params.steps,
            batch_size=params.batch_size,
            flip=params.flip,
            seed=params.seed + WHICH.index(which),
            device=device,
            history=histories[which],
            resume=resumes[which],
            preview=lambda step: None,
        )
        networks[which] = trainer.average.eval()
    valid = faces.rows("valid")
    truth = labels[valid]
    scores = {which: raw_logits(network, pixels, valid, device) for which, network in networks.items()}
    calibrations = {
        which: calibrate(scores[which], truth, faces.meta.real, width=width(params, which)) for which in WHICH
    }
    reasons = not_judged(params, faces.meta.attributes, scores, calibrations, truth)
    save(params, faces, pixels.shape[-1], networks, calibrations, reasons)
    write_json(params.card, card(params, faces, pixels, reasons, device))
    write_csv(params.history, joined(histories))
    for resume in resumes.values():
        resume.clear()
    log.info("%d of %d attributes can be judged; wrote %s", reasons.count(""), len(reasons), params.judges)


def halves(faces: Faces, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the two halves of the training split: no identity in both; an image without one stands for itself."""
    rows = faces.rows("train")
    groups = faces.people()[rows]
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    first = names[order[np.cumsum(sizes[order]) <= len(rows) / 2]]
    member = np.isin(groups, first)
    return rows[member], rows[~member]


def width(params: Params, which: Which) -> int:
    return params.width_a if which == "a" else params.width_b


class JudgeTrainer:
    """One judge's network, its running average (which is what gets saved) and its optimiser."""

    def __init__(
        self, which: Which, params: Params, faces: Faces, rows: np.ndarray, *, channels: int, device: torch.device
    ):
        self.which, self.params, self.device = which, params, device
        self.seed = params.seed + WHICH.index(which)
        torch.manual_seed(self.seed)  # the initial weights
        sizes = {"size": faces.meta.size, "channels": channels, "attributes": len(faces.meta.attributes)}
        self.network = judges.build(which, **sizes, width=width(params, which), dropout=params.dropout).to(device)
        self.average = judges.build(which, **sizes, width=width(params, which), dropout=params.dropout).to(device)
        self.average.load_state_dict(self.network.state_dict())
        self.weights = state_weights(faces.labels()[rows])
        self.weights[:, torch.from_numpy(faces.meta.real)] = 1.0  # every value counts alike
        self.weights = self.weights.to(device)
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": params.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=params.learning_rate,
            betas=(0.9, 0.99),
            fused=True,
        )
        self.modules: dict[str, nn.Module] = {"network": self.network, "average": self.average}
        self.optimisers: dict[str, torch.optim.Optimizer] = {"adamw": self.optimiser}

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        params = self.params
        random = compute.generator(self.seed, step)
        torch.manual_seed(int(torch.randint(1 << 62, (), generator=random)))  # dropout: from (seed, step) alone
        x = augment(batch.x, random)
        known, target = (batch.y != 0).float(), (batch.y.float() + 1) / 2
        weight = known * torch.where(batch.y > 0, self.weights[1], self.weights[0])
        target = target * (1 - params.label_smoothing) + params.label_smoothing / 2
        x, partner, share = mix(x, random)
        self.network.train()
        with compute.autocast(self.device, params.precision):
            logits = self.network(x)
        each = [
            (
                weight[order]
                * functional.binary_cross_entropy_with_logits(logits.float(), target[order], reduction="none")
            )
            for order in (torch.arange(len(x), device=x.device), partner)
        ]
        loss = (share * each[0] + (1 - share) * each[1]).sum() / weight.sum().clamp(min=1)
        set_rate(self.optimiser, params.learning_rate * schedule(step, params.steps))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self._follow(step)
        return {f"loss_{self.which}": loss.detach()}

    def check(self, step: int) -> str | None:
        return None

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Move the average a little towards the network: a window of about a tenth of the run, shorter at its start."""
        decay = min(1 - 10 / max(self.params.steps, 11), step / (step + 10))
        mine, theirs = self.average.state_dict(), self.network.state_dict()
        for name, value in mine.items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 1 - decay)
            else:
                value.copy_(theirs[name])


def schedule(step: int, steps: int) -> float:
    """Share of the peak learning rate at step 1..steps: a linear warm-up of 5 %, then a cosine down to 0."""
    warm = max(1, steps // 20)
    if step < warm:
        return step / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


RAREST = 10.0  # cap on the weight of a rare state, so that a handful of faces cannot rule the loss


def state_weights(labels: np.ndarray) -> Tensor:
    """(2, attributes): weights of the absent and the present state that give both half of the loss, up to RAREST."""
    share = np.stack([(labels < 0).sum(0), (labels > 0).sum(0)]) / np.maximum((labels != 0).sum(0), 1)
    return torch.from_numpy(np.minimum(0.5 / np.maximum(share, 1e-9), RAREST)).float()


SHIFT, SCALE, ROTATION = 0.03, 0.05, 0.07  # of the side, of the size, radians
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.25, 0.3
COARSEST = 0.5  # of the side, in the down-and-up resize that makes photos as soft as reconstructions
MIXING = 0.2  # of the beta distribution of mixup


def augment(x: Tensor, random: torch.Generator) -> Tensor:
    """Images (N, C, S, S) in [-1, 1], moved, recoloured and partly softened: what a system decodes must be no news."""
    count, size = len(x), x.shape[-1]

    def uniform(spread: float, *shape: int) -> Tensor:
        return (torch.rand((count, *shape), generator=random) * 2 - 1).mul_(spread).to(x.device)

    angle, zoom = uniform(ROTATION), 1 + uniform(SCALE)
    cos, sin = (angle.cos() * zoom).view(-1, 1, 1), (angle.sin() * zoom).view(-1, 1, 1)
    shift = uniform(2 * SHIFT, 2, 1, 1)
    across = (torch.arange(size, device=x.device) * 2 + 1) / size - 1  # -1..1
    down = across.view(-1, 1)
    grid = torch.stack([cos * across - sin * down + shift[:, 0], sin * across + cos * down + shift[:, 1]], -1)
    x = functional.grid_sample(x.contiguous(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    contrast, colour = 1 + uniform(CONTRAST, 1, 1, 1), 1 + uniform(SATURATION, 1, 1, 1)
    grey = x.mean(1, keepdim=True).mul_(contrast * (1 - colour)).add_(uniform(BRIGHTNESS, 1, 1, 1))
    x = x.mul_(contrast * colour).add_(grey)

    soft = count // 2
    small = round(size * (COARSEST + (0.9 - COARSEST) * float(torch.rand((), generator=random))))
    coarse = functional.interpolate(x[:soft], small, mode="bilinear", antialias=True, align_corners=False)
    x[:soft] = functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
    return x.clamp_(-1, 1).contiguous(memory_format=torch.channels_last)


def mix(x: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Mixup (Zhang et al. 2018): each image blended with a partner, the partners' order and the share of the first."""
    seed = int(torch.randint(1 << 62, (), generator=random))
    share = float(np.random.default_rng(seed).beta(MIXING, MIXING))
    partner = torch.randperm(len(x), generator=random).to(x.device)
    return x.lerp(x[partner], 1 - share), partner, share


@torch.no_grad()
def raw_logits(network: nn.Module, pixels: np.ndarray, rows: np.ndarray, device: torch.device) -> np.ndarray:
    """Uncalibrated outputs (rows, attributes), float64."""
    network.eval()
    parts = [
        network(images.gather(pixels, rows[first : first + 256]).to(device, memory_format=torch.channels_last)).float()
        for first in range(0, len(rows), 256)
    ]
    return torch.cat(parts).cpu().numpy().astype(np.float64)


def calibrate(scores: np.ndarray, labels: np.ndarray, real: np.ndarray, *, width: int) -> Calibration:
    """Temperature, bias and threshold of every attribute from validation logits and labels (n, attributes), values in
    [-1, 1] where `real` (attributes,)."""
    fits = [(soft_platt if real[k] else platt)(scores[:, k], labels[:, k]) for k in range(labels.shape[1])]
    logits = scores / [t for t, _ in fits] + [b for _, b in fits]
    thresholds = [threshold(1 / (1 + np.exp(-logits[:, k])), labels[:, k]) for k in range(labels.shape[1])]
    return Calibration(
        width=width,
        temperatures=tuple(t for t, _ in fits),
        biases=tuple(b for _, b in fits),
        thresholds=tuple(thresholds),
    )


def platt(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Temperature and bias such that sigmoid(score / temperature + bias) is the balanced probability of `present`.

    Platt 1999 with its smoothed targets, both states weighing half."""
    known = labels != 0
    score, label = scores[known], labels[known]
    weight = balanced_weights(label)
    if not (label > 0).any() or not (label < 0).any():
        return 1.0, 0.0
    present, absent = (label > 0).sum(), (label < 0).sum()
    return _logistic(score, np.where(label > 0, (present + 1) / (present + 2), 1 / (absent + 2)), weight)


def soft_platt(scores: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Temperature and bias such that sigmoid(score / temperature + bias) is (v + 1) / 2 of the values v in [-1, 1] (n,)
    as nearly as the scores can tell; 0 is unknown."""
    known = values != 0
    if not known.any():
        return 1.0, 0.0
    return _logistic(scores[known], (values[known] + 1) / 2, np.full(known.sum(), 1 / known.sum()))


def _logistic(score: np.ndarray, target: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Temperature and bias of the least weighted cross entropy with targets in [0, 1]: Newton's method."""
    design = np.stack([score, np.ones_like(score)], 1)
    solution = np.array([1.0, 0.0])
    for _ in range(100):
        p = 1 / (1 + np.exp(-design @ solution))
        slope = design.T @ (weight * (p - target)) + 1e-4 * (solution - [1, 0])
        curve = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-4 * np.eye(2)
        move = np.linalg.solve(curve, slope)
        solution = solution - np.clip(move, -0.5, 0.5)
        if np.abs(move).max() < 1e-9:
            break
    slope = max(float(solution[0]), 0.05)  # an attribute the judge cannot see must not turn its answer round
    return round(1 / slope, 6), round(float(solution[1]), 6)


def threshold(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Where validation's balanced accuracy is best, as near to 1/2 as half a standard error of it allows.

    Kept within .3 .. .7, the margins that make a face eligible for an edit."""
    candidates = np.arange(30, 71) / 100
    present, absent = probabilities[labels > 0], probabilities[labels < 0]
    if not len(present) or not len(absent):
        return 0.5
    hit = (present[:, None] >= candidates).mean(0)
    reject = (absent[:, None] < candidates).mean(0)
    score = (hit + reject) / 2
    best = score.argmax()
    error = math.sqrt(hit[best] * (1 - hit[best]) / len(present) + reject[best] * (1 - reject[best]) / len(absent)) / 2
    good = candidates[score >= score[best] - error / 2]
    return float(good[np.abs(good - 0.5).argmin()])


def not_judged(
    params: Params,
    attributes: tuple[str, ...],
    scores: dict[Which, np.ndarray],
    calibrations: dict[Which, Calibration],
    truth: np.ndarray,
) -> list[str]:
    """Why each attribute cannot be judged, from real validation images; "" where both judges see it well enough."""
    reasons = []
    for k in range(len(attributes)):
        labels = truth[:, k]
        fewest = int(min((labels > 0).sum(), (labels < 0).sum()))
        reason = f"only {fewest} validation faces of the rarer state, {MIN_EXAMPLES} needed" * (fewest < MIN_EXAMPLES)
        for which in WHICH:
            answers = answered(scores[which], calibrations[which])[:, k]
            for name, found, needed in (
                ("balanced accuracy", balanced_accuracy(answers, labels).value, params.min_balanced_accuracy),
                ("AUROC", auroc(scores[which][:, k], labels).value, params.min_auroc),
            ):
                if not reason and not found >= needed:
                    reason = f"judge {which}: {name} {found:.3f} on validation, {needed:g} needed"
        reasons.append(reason)
    return reasons


def answered(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    logits = scores / calibration.temperatures + calibration.biases
    return 1 / (1 + np.exp(-logits)) >= calibration.thresholds


def save(
    params: Params,
    faces: Faces,
    channels: int,
    networks: dict[Which, nn.Module],
    calibrations: dict[Which, Calibration],
    reasons: list[str],
) -> None:
    """The judges' folder, in one piece."""
    with replacing_folder(params.judges) as aside:
        for which, network in networks.items():
            state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
            safetensors.torch.save_file(state, aside / f"{which}.safetensors")
        write_json(
            aside / judges.CARD,
            {
                "attributes": list(faces.meta.attributes),
                "judged": [not reason for reason in reasons],
                "crop": faces.meta.crop,
                "size": faces.meta.size,
                "channels": channels,
                "split_hash": faces.meta.split_hash,
                "calibration": {which: calibrations[which].to_json() for which in WHICH},
            },
        )


def card(params: Params, faces: Faces, pixels: np.ndarray, reasons: list[str], device: torch.device) -> dict[str, Any]:
    """How well each saved judge sees each attribute on real test images."""
    rows = faces.rows("test")
    truth, people = faces.descriptions()[rows], faces.people()[rows]
    loaded = {which: Judge.load(params.judges, which, device) for which in WHICH}
    logits = {
        which: np.concatenate(
            [
                judge.logits(images.gather(pixels, rows[i : i + 256])).double().cpu().numpy()
                for i in range(0, len(rows), 256)
            ]
        )
        for which, judge in loaded.items()
    }
    probabilities = {which: 1 / (1 + np.exp(-value)) for which, value in logits.items()}
    answers = {which: probabilities[which] >= loaded[which].thresholds.double().cpu().numpy() for which in WHICH}
    cards = {}
    for k, name in enumerate(faces.meta.attributes):
        labels = truth[:, k]
        agree = answers["a"][:, k] == answers["b"][:, k]
        entry: dict[str, Any] = {
            "judged": not reasons[k],
            "reason": reasons[k],
            "prevalence": wilson(int((labels > 0).sum()), int((labels != 0).sum())).to_json(),
            "agreement": wilson(int(agree.sum()), len(agree)).to_json(),
        }
        for which in WHICH:
            entry[which] = {
                "auroc": auroc(logits[which][:, k], labels).to_json(),
                "balanced_accuracy": balanced_accuracy(answers[which][:, k], labels).to_json(),
                "calibration_error": calibration_error(
                    probabilities[which][:, k], labels, seed=params.seed, count=CARD_RESAMPLES
                ).to_json(),
                "threshold": loaded[which].thresholds[k].item(),
            }
            if name in faces.meta.ranges:
                entry[which] |= followed(2 * probabilities[which][:, k] - 1, labels, people, params.seed)
        cards[name] = entry
    return {
        "crop": faces.meta.crop,
        "size": faces.meta.size,
        "source": faces.meta.source,
        "images": {split: len(faces.rows(split)) for split in ("train", "valid", "test")},
        "attributes": cards,
    } | digits_card(logits, truth, faces.meta.attributes)


def digits_card(logits: dict[Which, np.ndarray], truth: np.ndarray, attributes: tuple[str, ...]) -> dict[str, Any]:
    """`digits`: how often each judge names the digit of a test picture, per place; nothing where there are none."""
    found = {
        place: {which: top_one(logits[which][:, columns], truth[:, columns]).to_json() for which in WHICH}
        for place, columns in judges.digit_classes(attributes).items()
    }
    return {"digits": found} if found else {}


def followed(judged: np.ndarray, values: np.ndarray, people: np.ndarray, seed: int) -> dict[str, Any]:
    """How judged values (n,) follow the values (n,) in [-1, 1] of a real-valued attribute; 0 is unknown.

    `constant_error`, the floor, is that of answering the median for everybody. A probability of being present, whose
    calibration could be told, there is not."""
    known = values != 0
    how: dict[str, Any] = {"seed": seed, "clusters": people[known], "count": CARD_RESAMPLES}
    judged, true = judged[known], values[known].astype(np.float64)
    median = np.full(len(true), np.median(true) if len(true) else 0.0)
    return {
        "calibration_error": None,
        "spearman": rank_correlation(judged, true, **how).to_json(),
        "absolute_error": absolute_error(judged, true, **how).to_json(),
        "constant_error": absolute_error(median, true, **how).to_json(),
    }


def joined(histories: dict[Which, History]) -> Any:
    """Both judges' losses, side by side by step."""
    a, b = (pd.DataFrame(histories[which].rows) for which in WHICH)
    return a.merge(b, on=["step", "images_seen"])


if __name__ == "__main__":
    run_stage(Params, run)
