"""Checks that a model, latents and prepared images belong together: they must share crop, size and split."""

from pathlib import Path
from typing import Any, Protocol

from facet.base.errors import InputError
from facet.base.tables import FacesMeta


class Trained(Protocol):
    """A system, or the data that a network was trained on."""

    @property
    def crop(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def split_hash(self) -> str: ...


def difference(one: Trained, other: Trained) -> tuple[str, object, object] | None:
    """The first thing in which two differ, with its value in each; None if they belong together."""
    for name, mine, theirs in (
        ("crop", one.crop, other.crop),
        ("size", one.size, other.size),
        ("channels", one.channels, other.channels),
        ("split", one.split_hash[:12], other.split_hash[:12]),
    ):
        if mine != theirs:
            return name, mine, theirs
    return None


def check_images(system: Trained, model: Path, meta: FacesMeta, prepared: Path) -> None:
    """Raise InputError unless `model` was trained on this crop, size, number of channels and split."""
    found = difference(system, meta)
    if found is not None:
        name, trained, given = found
        raise InputError(
            f"{model} was trained with {name} {trained}, but {prepared} has {name} {given}; prepare the images as "
            f"for training, or train on these (dvc repro)"
        )


def check_latents(meta: dict[str, Any], latents: Path, faces: FacesMeta, prepared: Path) -> None:
    """Raise InputError unless the latents were encoded from these images."""
    if (meta["crop"], meta["split_hash"]) != (faces.crop, faces.split_hash):
        raise InputError(
            f"{latents} was encoded from other images (crop {meta['crop']}, split {meta['split_hash'][:12]}) than "
            f"{prepared} (crop {faces.crop}, split {faces.split_hash[:12]}); run `dvc repro encode`"
        )
