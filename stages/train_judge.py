"""Stage `train_judge`: prepared images and labels -> judges A and B in data/judges/, and their card.

Each judge learns from its own half of the training identities, is calibrated and gets its thresholds on validation
images, and is described by the card on test images. No system ever sees a judge in training."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from facet.base import compute, images
from facet.base.errors import InputError
from facet.base.files import write_csv, write_json
from facet.base.limits import BelowOne, Count, Natural, NonNegative, Share
from facet.base.params import Device, Precision, run_stage
from facet.base.tables import Faces, read_faces
from facet.judges import calibration, judge, trainer
from facet.judges.card import card
from facet.judges.judge import WHICH, Judge, Which
from facet.judges.trainer import JudgeTrainer
from facet.training.history import History
from facet.training.loop import train
from facet.training.resume import Resume, key

log = logging.getLogger(__name__)

CODE = (Path(judge.__file__), Path(trainer.__file__), Path(__file__))  # decides the bytes of an unfinished run


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
    flip: bool  # train on mirrored copies too; not for digits
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
    if not faces.meta.attributes:
        raise InputError(
            f"{params.prepared} has no attribute labels, so there is nothing to judge; give the source some"
        )
    histories = {which: History(params.history, every=params.log_every) for which in WHICH}
    resume_key = key(params, params.prepared / "faces.parquet", *CODE)
    resumes = {which: Resume(params.resume / which, resume_key) for which in WHICH}
    networks = {}
    for which, rows in zip(WHICH, trainer.halves(faces, params.seed), strict=True):
        log.info("judge %s: %d training images", which, len(rows))
        networks[which] = train_network(
            params, which, faces, pixels, rows, device=device, history=histories[which], resume=resumes[which]
        )
    valid = faces.rows("valid")
    truth = faces.descriptions()[valid]
    scores = {which: calibration.raw_logits(network, pixels, valid, device) for which, network in networks.items()}
    calibrations = {
        which: calibration.calibrate(scores[which], truth, faces.meta.real, width=settings(params, which).width)
        for which in WHICH
    }
    reasons = calibration.not_judged(
        faces.meta.attributes,
        scores,
        calibrations,
        truth,
        min_balanced_accuracy=params.min_balanced_accuracy,
        min_auroc=params.min_auroc,
    )
    judge.save(
        params.judges, networks, calibrations, faces.meta, [not reason for reason in reasons], channels=pixels.shape[-1]
    )
    saved = {which: Judge.load(params.judges, which, device) for which in WHICH}
    write_json(params.card, card(saved, faces, pixels, reasons, seed=params.seed))
    a, b = (pd.DataFrame(histories[which].rows) for which in WHICH)
    write_csv(params.history, a.merge(b, on=["step", "images_seen"]))
    for resume in resumes.values():
        resume.clear()
    log.info("%d of %d attributes can be judged; wrote %s", reasons.count(""), len(reasons), params.judges)


def settings(params: Params, which: Which) -> trainer.Settings:
    return trainer.Settings(
        steps=params.steps,
        width=params.width_a if which == "a" else params.width_b,
        learning_rate=params.learning_rate,
        weight_decay=params.weight_decay,
        dropout=params.dropout,
        label_smoothing=params.label_smoothing,
        seed=params.seed + WHICH.index(which),
        precision=params.precision,
    )


def train_network(
    params: Params,
    which: Which,
    faces: Faces,
    pixels: np.ndarray,
    rows: np.ndarray,
    *,
    device: torch.device,
    history: History,
    resume: Resume,
) -> judge.Classifier:
    """Train one judge on the images `rows` and return the running average of its network."""
    one = settings(params, which)
    judge_trainer = JudgeTrainer(which, one, faces, rows, channels=pixels.shape[-1], device=device)
    train(
        judge_trainer,
        pixels=pixels,
        labels=faces.descriptions(),
        rows=rows,
        steps=params.steps,
        batch_size=params.batch_size,
        flip=params.flip,
        seed=one.seed,
        device=device,
        history=history,
        resume=resume,
        preview=lambda step: None,
    )
    return judge_trainer.average.eval()


if __name__ == "__main__":
    run_stage(Params, run)
