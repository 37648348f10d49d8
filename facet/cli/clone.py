"""The clone that this package belongs to, and the code in it that an installed wheel does not have."""

import argparse
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import facet
from facet.base.errors import FacetError

HOW = "clone the project's repository, run `make install` in it and use its .venv/bin/facet"


class NeedsClone(FacetError):
    """A command of the project was run from an installed wheel."""


def find() -> Path | None:
    """The root of the clone that holds this package, or None if it was installed as a wheel.

    Another distribution's package called `flows` does not count, whether it is installed beside this package or comes
    first on the path."""
    root = _root()
    return root if root is not None and _stranger(root) is None else None


def _root() -> Path | None:
    root = Path(facet.__file__).resolve().parents[1]
    return root if (root / "dvc.yaml").is_file() and (root / "flows" / "commands").is_dir() else None


def _stranger(root: Path) -> str | None:
    """The place of a package `flows` that hides that of the clone at `root`."""
    spec = importlib.util.find_spec("flows")
    origin = spec.origin if spec is not None else None
    if origin is not None and Path(origin).resolve() == root / "flows" / "__init__.py":
        return None
    return origin or "a folder without __init__.py"


def load(module: str) -> ModuleType:
    """A module of the clone; NeedsClone without one."""
    if find() is None:
        raise NeedsClone(f"{module} is only in a clone of Facet: {HOW}")
    return importlib.import_module(module)


def add_refusal(command: argparse.ArgumentParser, name: str) -> None:
    """Make `command` report that it needs a clone."""
    command.description = f"This command works on a clone of Facet: {HOW}."
    command.set_defaults(run=refuse, command=name)


def refuse(args: argparse.Namespace) -> NoReturn:
    """Run a command that needs a clone without one: NeedsClone."""
    root = _root()
    if root is not None:
        raise NeedsClone(
            f"`facet {args.command}` needs a clone of Facet: that of {root} is hidden by another package `flows` "
            f"({_stranger(root)}); take its folder out of PYTHONPATH"
        )
    raise NeedsClone(f"`facet {args.command}` needs a clone of Facet: {HOW}")
