"""Command-line flags from a frozen dataclass, and the entry point every stage shares."""

import argparse
import dataclasses
import logging
import math
import os
import sys
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from facet.base import dvc_lock, parent
from facet.base.errors import InputError
from facet.base.limits import Limit

P = TypeVar("P")
ANY = Limit(-math.inf)

RANK_DELAY = 3.0  # seconds that other ranks wait before they end, so that the first can report the error

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "bf16", "fp32"]


def from_argv(params: type[P], argv: Sequence[str] | None = None) -> P:
    """An instance of the dataclass `params` from one required flag per field. An unknown or missing flag ends the
    program and is named.

    Fields may be str, int, float, bool (`--flag/--no-flag`), Path, a tuple of one of these (`--flag a b`) or a Literal
    for a choice of words. InputError as in `check`."""
    return check(params(**_tuples(vars(_parser(params).parse_args(argv)))))


def known_from_argv(params: type[Any], argv: Sequence[str] | None = None) -> tuple[dict[str, Any], list[str]]:
    """The values of the fields of `params`, and the remaining flags, which belong to another dataclass."""
    values, rest = _parser(params).parse_known_args(argv)
    fields = _tuples(vars(values))
    _check(params, fields)
    return fields, rest


def _parser(params: type[Any]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=params.__doc__, allow_abbrev=False)
    hints = typing.get_type_hints(params)  # without limits
    for field in dataclasses.fields(params):
        if field.metadata.get("flag", True):
            parser.add_argument(f"--{field.name}", dest=field.name, required=True, **_flag(hints[field.name]))
    return parser


def check(params: P, *, prefix: str = "") -> P:
    """Return the dataclass instance `params` unchanged; InputError if a number is not finite or outside the Limit of
    its field, or a word is not in the Literal of its field. Messages put `prefix` (such as `nightly.`) before names."""
    names = [field.name for field in dataclasses.fields(params)]  # type: ignore[arg-type]  # a dataclass instance
    _check(type(params), {name: getattr(params, name) for name in names}, prefix)
    return params


def from_mapping(params: type[P], values: Any, *, prefix: str, hint: str = "") -> P:
    """An instance of the dataclass `params` from a mapping of params.yaml, such as `nightly`, with lists as tuples and
    strings as paths.

    InputError for missing and unknown keys, for values of the wrong type, and as in `check`. A message about keys ends
    with `hint`, which says what to do."""
    if not isinstance(values, Mapping):
        raise InputError(f"params.yaml: {prefix.rstrip('.')} {values!r}: expected a mapping")
    hints = typing.get_type_hints(params, include_extras=True)
    names = [field.name for field in dataclasses.fields(params)]  # type: ignore[arg-type]  # a dataclass
    missing, unknown = [name for name in names if name not in values], [name for name in values if name not in names]
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"does not know {', '.join(map(str, unknown))}"] if unknown else []
        ending = f"; {hint}" if hint else ""
        raise InputError(f"params.yaml: `{prefix.rstrip('.')}` {' and '.join(parts)}{ending}")
    read = {name: _value(hints[name], values[name], prefix + name, hint) for name in names}
    return check(params(**read), prefix=prefix)


def _value(type_hint: Any, value: Any, name: str, hint: str) -> Any:
    """A value of params.yaml as the type of its field."""
    kind = _plain(type_hint)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return from_mapping(kind, value, prefix=f"{name}.", hint=hint)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"params.yaml: {name} {value!r}: expected a list")
        return tuple(_value(typing.get_args(kind)[0], item, name, hint) for item in value)
    wanted: Any = {float: int | float, Path: str}.get(kind, str if typing.get_origin(kind) is Literal else kind)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        words = {float: "a number", int: "a whole number", bool: "true or false", Path: "a path"}.get(kind, "a word")
        raise InputError(f"params.yaml: {name} {value!r}: expected {words}")
    return Path(value) if kind is Path else value


def _plain(hint: Any) -> Any:
    """A type without its Limit."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def _limit(hint: Any) -> Limit:
    """The Limit of a number, or of the items of a tuple."""
    if typing.get_origin(hint) is tuple:
        hint = typing.get_args(hint)[0]
    limits = [part for part in getattr(hint, "__metadata__", ()) if isinstance(part, Limit)]
    return limits[0] if limits else ANY


def _check(params: type[Any], values: Mapping[str, Any], prefix: str = "") -> None:
    hints = typing.get_type_hints(params, include_extras=True)
    for name, value in values.items():
        if typing.get_origin(hints[name]) is Literal and value not in typing.get_args(hints[name]):
            words = ", ".join(typing.get_args(hints[name]))
            raise InputError(f"{prefix}{name} {value!r} is unknown; choose one of {words}")
        limit = _limit(hints[name])
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int | float) and not isinstance(number, bool) and not limit.holds(number):
                expected = limit if limit != ANY else "a number"
                raise InputError(f"{prefix}{name} {number}: expected {expected}; see params.yaml")


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _flag(hint: Any) -> dict[str, Any]:
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if typing.get_origin(hint) is tuple:
        return {"type": typing.get_args(hint)[0], "nargs": "+"}
    if typing.get_origin(hint) is Literal:
        return {"type": str}  # `check` lists the choices
    return {"type": hint}


def run_stage(params: type[P], run: Callable[[P], None], *, parse: Callable[[], P] | None = None) -> None:
    """Parse the flags (with `parse` if the stage has its own) and run the stage.

    The stage ends with the dvc that started it. An error of the input ends it with one line on stderr and exit code 1,
    Ctrl-C with one line and exit code 130. Of several ranks (facet/nets/ranks.py) only the first reports."""
    reports = os.environ.get("RANK", "0") == "0"
    logging.basicConfig(level=logging.INFO if reports else logging.WARNING, format="%(message)s", stream=sys.stderr)
    parent.end_with_dvc()
    if reports:
        dvc_lock.keep_at_start_of_stage()
    try:
        run(parse() if parse else from_argv(params))
    except InputError as error:
        if not reports:
            time.sleep(RANK_DELAY)  # or torchrun would end the first rank before it has reported
        sys.exit(f"error: {error}" if reports else 1)
    except KeyboardInterrupt:
        if reports:
            print("interrupted; run it again to continue", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        path = f"{error.filename}: " if error.filename is not None else ""
        sys.exit(
            f"error: {path}{error.strerror or error}; check that it exists, is writable and that the disk has space"
        )


def need(path: Path, stage: str) -> Path:
    """Return `path`, an out of the stage `stage`; InputError if it is missing."""
    if not path.exists():
        raise InputError(f"{path} is missing; stage `{stage}` writes it (run `dvc repro {stage}`)")
    return path
