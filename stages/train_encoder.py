"""Stage `train_encoder`: a trained GAN and the prepared images -> an encoder with its generator in
data/encoders/<variant>/."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facet import systems
from facet.base import compute, images
from facet.base.compatibility import check_images
from facet.base.limits import Count, Natural
from facet.base.params import Device, Precision, from_argv, known_from_argv, run_stage
from facet.base.tables import read_faces
from facet.nets import ranks
from facet.training import launch, warm_start
from facet.training.history import History
from facet.training.loop import train
from facet.training.resume import Resume, key

log = logging.getLogger(__name__)

PREVIEW_FACES = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Train one encoder of a system."""

    system: str
    variant: str
    gan: Path  # model folder written by `train_gan`
    prepared: Path  # folder written by `prepare`
    encoder: Path  # out: model folder of encoder and generator
    history: Path  # out: CSV of the losses
    samples: Path  # out: PNG, validation faces above their reconstructions
    resume: Path  # checkpoint of an unfinished run; not an out
    log_every: Count  # steps averaged into one row of the history
    seed: Natural
    threads: Count
    device: Device
    precision: Precision
    settings: Any = dataclasses.field(metadata={"flag": False})  # settings of the variant


def parse(argv: Sequence[str] | None = None) -> Params:
    """Parse the flags of `Params` and of the variant's settings, all of them required."""
    values, rest = known_from_argv(Params, argv)
    settings = systems.encoders(values["system"]).settings_class(values["variant"])
    return Params(**values, settings=from_argv(settings, rest))


def run(params: Params) -> None:
    device = compute.start(device=params.device, threads=params.threads)
    faces, pixels = read_faces(params.prepared), images.open_images(params.prepared)
    settings = params.settings
    trainer = systems.encoders(params.system).encoder_trainer(
        params.variant, settings, params.gan, seed=params.seed, device=device, precision=params.precision
    )
    check_images(trainer.data, params.gan, faces.meta, params.prepared)
    shown = images.gather(pixels, faces.rows("valid")[:PREVIEW_FACES])

    def preview(step: int) -> None:
        rows = np.concatenate([images.to_pixels(shown), images.to_pixels(trainer.reconstruct(shown))])
        images.write_grid(params.samples, rows, columns=PREVIEW_FACES)

    start = warm_start.start_of(warm_start.ENCODER, params.variant)
    inputs = [params.prepared / "faces.parquet", params.gan / "weights.safetensors"]
    inputs += [start] if start is not None else []
    resume = Resume(params.resume, key(params, *inputs, *systems.code_files(params.system)))
    with launch.joined(device):
        state = train(
            trainer,
            pixels=pixels,
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
            start=start,
        )
        if ranks.leads():
            trainer.save(params.encoder, params.variant)
            warm_start.keep(params.resume, state, params.encoder, params.gan)
            resume.clear()
    log.info("%s: %d steps of %d images; wrote %s", params.variant, settings.steps, settings.batch_size, params.encoder)


if __name__ == "__main__":
    run_stage(Params, launch.launching(run, "stages.train_encoder"), parse=parse)
