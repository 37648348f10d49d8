"""The folder of a project, and its params.yaml, read without dvc."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facet.base.errors import InputError


def find_root(named: Path | None) -> Path:
    """The root of the project: the folder `named` (--root), or without one the nearest clone at or above the current
    folder, else the current folder. InputError if `named` is no folder, or lies within a clone below its root."""
    if named is None:
        return above(Path()) or Path()
    if not named.is_dir():
        raise InputError(f"--root {named}: there is no such folder; expected the folder of dvc.yaml")
    root = above(named)
    if root is not None and root.resolve() != named.resolve():
        raise InputError(f"--root {named} is a folder within the clone {root}; name the clone itself: --root {root}")
    return named


def above(folder: Path) -> Path | None:
    """The nearest clone at or above a folder: `folder` itself as it is, one above as an absolute path; None if there is
    none."""
    try:
        here = folder.resolve()
    except OSError:  # the current folder has been removed
        return None
    root = next((place for place in (here, *here.parents) if _is_root(place)), None)
    return folder if root == here else root


def is_clone(root: Path) -> bool:
    """True if `root` is the root of a clone, where dvc works too; dvc also looks for one above."""
    return (root / "dvc.yaml").is_file() and (root / ".dvc").is_dir()


def _is_root(folder: Path) -> bool:
    """True for a clone. The small dvc projects in the folders of champions (facet/nights/promotion.py) are none."""
    return is_clone(folder) and not (folder.parent / "card.json").exists()


def check_clone(root: Path) -> None:
    """InputError unless `root` is the root of a clone."""
    if not is_clone(root):
        missing = ".dvc" if (root / "dvc.yaml").is_file() else "dvc.yaml"
        raise InputError(f"{root.resolve()} has no {missing}; run this in a clone of Facet, or name one with --root")


def section(values: Mapping[str, Any], name: str, *keys: str) -> Mapping[str, Any]:
    """A section of params.yaml with these keys; InputError if it lacks one."""
    entries = values.get(name)
    missing = [key for key in keys if not isinstance(entries, Mapping) or not isinstance(entries.get(key), str)]
    if not isinstance(entries, Mapping) or missing:
        raise InputError(
            f"params.yaml: `{name}` lacks {', '.join(missing) or 'its entries'}; `facet profile` writes it"
        )
    return entries


def params(root: Path) -> dict[str, Any]:
    """params.yaml of the project at `root`; InputError if it cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = root / "params.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        if line := conflict_line(text):
            raise InputError(
                f"{path} line {line}: the marker of a merge conflict; choose one side there, then `git add params.yaml`"
            )
        values = YAML(typ="safe").load(text)
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise InputError(
            f"{path} cannot be read ({' '.join(str(error).split())}); run this in a clone of Facet, or name one with "
            "--root"
        ) from None
    if not isinstance(values, dict):
        raise InputError(f"{path} is no mapping; `facet profile drawn --force` restores the committed one")
    return values


def conflict_line(text: str) -> int:
    """The number of the first line with a marker of a merge conflict; 0 if there is none."""
    lines = text.splitlines()
    marks = (number for number, line in enumerate(lines, 1) if line.startswith(("<<<<<<< ", ">>>>>>> ", "||||||| ")))
    return next(marks, 0)
