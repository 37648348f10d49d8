"""Facet from Python:

import facet

editor = facet.champion("vigan")  # or facet.Editor.load("data/models/vigan")
smiling = editor.edit(PIL.Image.open("photo.jpg"), "Smiling=on")
"""

from pathlib import Path
from typing import Any

from stages.decode import BadImage
from stages.photos.editor import Options
from stages.photos.editor import PhotoEditor as Editor

__all__ = ["BadImage", "Editor", "Options", "champion"]


def champion(system: str = "vigan", root: Path | str = ".", **options: Any) -> Editor:
    """The editor of a system's champion in the project at `root`; before its first promotion, of the model trained
    last. `options` as of Editor.load."""
    from flows.champions import system_of

    model, table = system_of(Path(root), system)
    return Editor.load(model, table, **options)
