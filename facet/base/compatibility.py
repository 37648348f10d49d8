"""What was made from what: a model, latents and prepared images must share crop, size and split to be used together."""

from pathlib import Path
from typing import Any, Protocol

from facet.base.errors import InputError
from facet.base.tables import FacesMeta


class Trained(Protocol):
    """What a system, or the data a network was trained on, says of its images."""

    @property
    def crop(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def split_hash(self) -> str: ...


def check_images(system: Trained, model: Path, meta: FacesMeta, prepared: Path) -> None:
    """InputError unless `model` was trained on this crop, size, number of channels and split."""
    for what, mine, theirs in (
        ("crop", system.crop, meta.crop),
        ("size", system.size, meta.size),
        ("channels", system.channels, meta.channels),
        ("split", system.split_hash[:12], meta.split_hash[:12]),
    ):
        if mine != theirs:
            raise InputError(
                f"{model} was trained with {what} {mine}, but {prepared} has {what} {theirs}; prepare the images as "
                f"for training, or train on these (dvc repro)"
            )


def check_latents(meta: dict[str, Any], latents: Path, faces: FacesMeta, prepared: Path) -> None:
    """InputError unless the latents are those of these images."""
    mine, theirs = (meta["crop"], meta["split_hash"]), (faces.crop, faces.split_hash)
    if mine != theirs:
        raise InputError(
            f"{latents} was encoded from other images (crop {mine[0]}, split {mine[1][:12]}) than {prepared} "
            f"(crop {theirs[0]}, split {theirs[1][:12]}); run `dvc repro encode`"
        )
