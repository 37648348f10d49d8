"""Facet from Python:

import facet

editor = facet.champion("vigan")  # or facet.Editor.load("data/models/vigan")
smiling = editor.edit(PIL.Image.open("photo.jpg"), "Smiling=on")

Names are imported on first use, so that `facet --help` does not wait for torch."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facet.photos.editor import Options
    from facet.photos.editor import PhotoEditor as Editor
    from facet.pictures.decode import BadImage

__all__ = ["BadImage", "Editor", "Options", "champion"]

_HOMES = {
    "BadImage": ("facet.pictures.decode", "BadImage"),
    "Editor": ("facet.photos.editor", "PhotoEditor"),
    "Options": ("facet.photos.editor", "Options"),
}


def champion(system: str = "vigan", root: Path | str = ".", **options: Any) -> "Editor":
    """The editor of a system's champion in the project at `root`, or of the model trained last before the first
    promotion. `options` are those of Editor.load."""
    from facet.nights.champions import live_paths
    from facet.photos.editor import PhotoEditor

    model, table = live_paths(Path(root), system)
    return PhotoEditor.load(model, table, **options)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'facet' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)
