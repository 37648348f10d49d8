"""Stage `train_gan`: prepared images -> a generator, and for joint systems its encoder, in data/models/<system>/."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facet import systems
from facet.base import compute, images
from facet.base.limits import Count, Natural
from facet.base.params import Device, Precision, from_argv, known_from_argv, run_stage
from facet.base.tables import Faces, read_faces
from facet.nets import ranks
from facet.training import launch, warm_start
from facet.training.history import History
from facet.training.loop import train
from facet.training.resume import Resume, key

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Train the generator of one system."""

    system: str
    prepared: Path  # folder written by `prepare`
    model: Path  # out: model folder
    history: Path  # out: CSV of the losses
    samples: Path  # out: PNG of samples from the prior
    resume: Path  # checkpoint of an unfinished run; not an out
    log_every: Count  # steps averaged into one row of the history
    seed: Natural
    threads: Count
    device: Device
    precision: Precision
    settings: Any = dataclasses.field(metadata={"flag": False})  # GanSettings of the system


def parse(argv: Sequence[str] | None = None) -> Params:
    """Parse the flags of `Params` and of the system's GanSettings, all of them required."""
    values, rest = known_from_argv(Params, argv)
    return Params(**values, settings=from_argv(systems.module(values["system"]).GanSettings, rest))


def run(params: Params) -> None:
    device = compute.start(device=params.device, threads=params.threads)
    faces, pixels = read_faces(params.prepared), images.open_images(params.prepared)
    system, settings = systems.module(params.system), params.settings
    data = data_of(faces, pixels.shape[-1])
    trainer = system.GanTrainer(settings, data, seed=params.seed, device=device, precision=params.precision)
    history = History(params.history, every=params.log_every)
    start = warm_start.start_of(warm_start.GAN, params.system)
    inputs = [params.prepared / "faces.parquet", *([start] if start is not None else [])]
    resume = Resume(params.resume, key(params, *inputs, *systems.code_files(params.system)))
    with launch.joined(device):
        state = train(
            trainer,
            pixels=pixels,
            labels=faces.descriptions(),
            rows=training_rows(faces, settings.train_on),
            steps=settings.steps,
            batch_size=settings.batch_size,
            flip=settings.flip,
            seed=params.seed,
            device=device,
            history=history,
            resume=resume,
            preview=lambda step: images.write_grid(params.samples, images.to_pixels(trainer.samples(64)), columns=8),
            start=start,
        )
        if ranks.leads():
            trainer.save(params.model)
            warm_start.keep(params.resume, state, params.model)
            resume.clear()
    log.info("%s: %d steps of %d images; wrote %s", params.system, settings.steps, settings.batch_size, params.model)


def data_of(faces: Faces, channels: int) -> systems.Data:
    """The data that a network trained on these images is made for."""
    meta = faces.meta
    return systems.Data(
        crop=meta.crop, size=meta.size, channels=channels, attributes=meta.attributes, split_hash=meta.split_hash
    )


def training_rows(faces: Faces, train_on: str) -> Any:
    """Rows of the training split, or of all splits for `all`."""
    return faces.ok["row"].to_numpy("int64") if train_on == "all" else faces.rows("train")


if __name__ == "__main__":
    run_stage(Params, launch.launching(run, "stages.train_gan"), parse=parse)
