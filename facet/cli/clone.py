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
    root = Path(facet.__file__).resolve().parents[1]
    flows = root / "flows" / "__init__.py"
    if not (root / "dvc.yaml").is_file() or not (flows.parent / "commands").is_dir():
        return None
    spec = importlib.util.find_spec("flows")
    return root if spec is not None and spec.origin is not None and Path(spec.origin).resolve() == flows else None


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
    raise NeedsClone(f"`facet {args.command}` needs a clone of Facet: {HOW}")
