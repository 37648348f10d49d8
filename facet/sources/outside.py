"""Junk in a data set outside the project. dvc leaves it out within the project (.dvcignore), but outside it compares
every file of the dependency."""

import os
from collections.abc import Iterator
from pathlib import Path

from facet.base.junk import is_junk
from facet.sources.tree import first


def hint(root: Path) -> str:
    """What to do if the data set `root` lies outside the project that dvc runs here and holds junk; "" if there is
    nothing to do, or dvc did not start this process."""
    project = os.environ.get("DVC_ROOT", "")
    place = os.path.normpath(root.absolute())  # as dvc takes it: a link within the project lies within it
    if not project or Path(place).is_relative_to(project) or not (names := sorted(set(_junk(root)))):
        return ""
    return (
        f"{root} holds files that are no data ({first(names)}), and dvc compares them, too, because .dvcignore does not"
        " hold outside the project: stage `source` will run again whenever they change, though nothing after it will."
        f" To avoid that, give source.root a link within the project: `ln -s {place} data/{Path(place).name}`"
    )


def _junk(root: Path) -> Iterator[str]:
    for _, folders, files in os.walk(root):
        yield from filter(is_junk, (*folders, *files))
        folders[:] = [name for name in folders if not is_junk(name)]
