"""Facet from Python:

import facet

editor = facet.champion("vigan")  # or facet.Editor.load("data/models/vigan")
smiling = editor.edit(PIL.Image.open("photo.jpg"), "Smiling=on")

Names are imported on first use, so that `facet --help` does not wait for torch."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facet.base.params import Precision
    from facet.photos.editor import PhotoEditor as Editor
    from facet.photos.options import Options
    from facet.pictures.decode import BadImage

__all__ = ["BadImage", "Editor", "Options", "champion"]

_HOMES = {
    "BadImage": ("facet.pictures.decode", "BadImage"),
    "Editor": ("facet.photos.editor", "PhotoEditor"),
    "Options": ("facet.photos.editor", "Options"),
}


def champion(
    system: str = "vigan",
    root: Path | str = ".",
    *,
    judges: Path | None = None,
    device: str = "auto",
    precision: "Precision" = "auto",
    threads: int = 1,
) -> "Editor":
    """Load the champion of a system in the project at `root`, or its latest model if none was promoted yet.

    The other options are those of Editor.load."""
    from facet.nights.champions import live_paths
    from facet.photos.editor import PhotoEditor

    model, table = live_paths(Path(root), system)
    return PhotoEditor.load(model, table, judges=judges, device=device, precision=precision, threads=threads)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'facet' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
