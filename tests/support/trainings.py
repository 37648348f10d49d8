"""Trainings of a tiny dcgan and its encoders, and the means to kill one at a step and to compare what it wrote."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facet import systems
from facet.training import loop
from stages import train_encoder, train_gan
from tests.support import tiny
from tests.support.dying import Killed


def gan_params(folder: Path, **changes: Any) -> train_gan.Params:
    """Stage `train_gan` of a tiny dcgan, into folder/model."""
    prepared = tiny.prepared(folder / "prepared")
    settings = systems.module("dcgan").GanSettings(**(tiny.GAN | changes))
    return train_gan.Params(
        system="dcgan", prepared=prepared, model=folder / "model", history=folder / "gan.csv",
        samples=folder / "gan.png", resume=folder / "resume", log_every=2, seed=1, threads=1, device="cpu",
        precision="fp32", settings=settings,
    )  # fmt: skip


def encoder_params(folder: Path, variant: str, **changes: Any) -> train_encoder.Params:
    """Stage `train_encoder` of a variant on top of folder/model, into folder/<variant>."""
    chosen = tiny.IN_DOMAIN if variant == "in_domain" else tiny.FROZEN
    settings = systems.encoders("dcgan").settings_class(variant)(**(chosen | changes))
    return train_encoder.Params(
        system="dcgan", variant=variant, gan=folder / "model", prepared=folder / "prepared",
        encoder=folder / variant, history=folder / "encoder.csv", samples=folder / "encoder.png",
        resume=folder / "resume_e", log_every=2, seed=1, threads=1, device="cpu", precision="fp32", settings=settings,
    )  # fmt: skip


def kill_at(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Save a checkpoint at every step, and end the process at the start of step `at`, as kill -9 would."""
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1)
    flips = loop.images.flips

    def flips_or_death(count: int, seed: int, step: int) -> np.ndarray:
        if step == at:
            raise Killed
        return flips(count, seed, step)

    monkeypatch.setattr(loop.images, "flips", flips_or_death)


def outs(folder: Path, *names: str) -> dict[str, bytes]:
    """The bytes of files, and of all files in folders, below `folder`."""
    paths = itertools.chain.from_iterable(sorted((folder / name).rglob("*")) or [folder / name] for name in names)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.is_file()}
