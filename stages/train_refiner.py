"""Stage `train_refiner`: a trained system and the prepared images at the larger size -> a refiner, which draws sharply
what edits of this system put into photos, in data/refiners/<system>/."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facet import systems
from facet.base import compute, images
from facet.base.compatibility import check_images
from facet.base.errors import InputError
from facet.base.limits import Count, Natural
from facet.base.params import Device, Precision, from_argv, known_from_argv, run_stage
from facet.base.tables import read_faces
from facet.refining import masks, network, refiner, trainer
from facet.systems import Data
from facet.training.history import History
from facet.training.loop import train
from facet.training.resume import Resume, key

log = logging.getLogger(__name__)

CODE = tuple(Path(str(module.__file__)) for module in (masks, network, refiner, trainer))  # decides the bytes
PREVIEW_FACES = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Train the refiner of one system."""

    system: str
    model: Path  # model folder that encodes and decodes
    prepared: Path  # folder written by `prepare`, with large.npy
    refiner: Path  # out: folder of the refiner
    history: Path  # out: CSV of the losses
    samples: Path  # out: PNG, rows of composites, the same refined, and the photos, of validation faces
    resume: Path  # checkpoint of an unfinished run; not an out
    log_every: Count  # steps averaged into one row of the history
    seed: Natural
    threads: Count
    device: Device
    precision: Precision
    settings: Any = dataclasses.field(metadata={"flag": False})  # trainer.Settings


def parse(argv: Sequence[str] | None = None) -> Params:
    """Parse the flags of `Params` and of the trainer's Settings, all of them required."""
    values, rest = known_from_argv(Params, argv)
    return Params(**values, settings=from_argv(trainer.Settings, rest))


def run(params: Params) -> None:
    device = compute.start(device=params.device, threads=params.threads)
    faces, large = read_faces(params.prepared), images.open_large(params.prepared)
    system, settings = systems.load(params.model, device), params.settings
    if system.name != params.system:
        raise InputError(f"{params.model} is of system {system.name}; expected {params.system}, see params.yaml")
    check_images(system, params.model, faces.meta, params.prepared)
    if len(large) != len(faces.ok):
        raise InputError(f"{params.prepared}: large.npy and faces.parquet differ in length; run `dvc repro -f prepare`")
    data = Data(
        crop=system.crop, size=system.size, channels=system.channels, attributes=system.attributes,
        split_hash=system.split_hash,
    )  # fmt: skip
    refiner_trainer = trainer.RefinerTrainer(
        settings, system, data, large=large.shape[1], seed=params.seed, device=device, precision=params.precision
    )
    shown = images.gather(large, faces.rows("valid")[:PREVIEW_FACES])

    def preview(step: int) -> None:
        pictures = images.to_pixels(refiner_trainer.preview(shown))
        images.write_grid(params.samples, pictures, columns=len(shown))

    inputs = [params.prepared / "faces.parquet", params.model / "weights.safetensors"]
    resume = Resume(params.resume, key(params, *inputs, *CODE, *systems.code_files(params.system)))
    train(
        refiner_trainer,
        pixels=large,
        labels=faces.descriptions(),
        rows=faces.rows("train"),
        steps=settings.steps,
        batch_size=settings.batch_size,
        flip=settings.flip,
        seed=params.seed,
        device=device,
        history=History(params.history, every=params.log_every),
        resume=resume,
        preview=preview,
    )
    refiner_trainer.save(params.refiner)
    resume.clear()
    log.info(
        "refiner of %s: %d steps of %d images; wrote %s", params.system, settings.steps, settings.batch_size,
        params.refiner,
    )  # fmt: skip


if __name__ == "__main__":
    run_stage(Params, run, parse=parse)
