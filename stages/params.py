"""Command-line flags from a frozen dataclass, and the entry point every stage shares."""

import argparse
import dataclasses
import logging
import sys
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

P = TypeVar("P")


class InputError(Exception):
    """What a user gave (a path, a file, a flag) does not fit; the message names it, what was expected and what to do."""


def from_argv(params: type[P], argv: Sequence[str] | None = None) -> P:
    """One required flag per field of the dataclass `params`; unknown or missing flags end the program with their name.

    Fields may be str, int, float, bool (`--flag/--no-flag`), Path or a tuple of one of these (`--flag a b`)."""
    parser = argparse.ArgumentParser(description=params.__doc__, allow_abbrev=False)
    hints = typing.get_type_hints(params)
    for field in dataclasses.fields(params):  # type: ignore[arg-type]
        parser.add_argument(f"--{field.name}", dest=field.name, required=True, **_flag(hints[field.name]))
    values = vars(parser.parse_args(argv))
    return params(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _flag(hint: Any) -> dict[str, Any]:
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if typing.get_origin(hint) is tuple:
        return {"type": typing.get_args(hint)[0], "nargs": "+"}
    if isinstance(hint, types.UnionType):
        raise TypeError(f"a flag has one type, not {hint}")
    return {"type": hint}


def run_stage(params: type[P], run: Callable[[P], None], argv: Sequence[str] | None = None) -> None:
    """Parse flags, run the stage; a fault of the input ends it with one line on stderr and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        run(from_argv(params, argv))
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        where = f" {error.filename}" if error.filename is not None else ""
        sys.exit(f"error:{where}: {error.strerror or error}; check that the path exists, is writable and has room")


def need(path: Path, stage: str) -> Path:
    """`path`, which the stage `stage` writes; InputError if it is missing."""
    if not path.exists():
        raise InputError(f"{path} is missing; stage `{stage}` writes it (run `dvc repro {stage}`)")
    return path
