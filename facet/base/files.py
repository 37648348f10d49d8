"""Byte-stable writers: aside first, then renamed, so that nothing half-written ever carries a final name."""

import contextlib
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; renamed onto `path` when the block ends well, removed when it does not."""
    aside = _aside(path)
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`; takes its place when the block ends well, removed when it does not."""
    aside = _aside(path)
    aside.mkdir()
    try:
        yield aside
        if path.exists():
            shutil.rmtree(path)
        aside.replace(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def hash_of(*paths: Path) -> str:
    """SHA-256 over the hashes of some files, in their order."""
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)).hexdigest()


def hash_named(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over the names and the bytes of some files, in their order."""
    found = hashlib.sha256()
    for name, path in files:
        found.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def to_disk(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _aside(path: Path) -> Path:
    """Where to write what `path` will hold; what killed processes left there is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        pid = left.name[len(path.name) + 2 : -len(".part")]
        if pid.isdigit() and (int(pid) == os.getpid() or not lives(int(pid))):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def lives(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True


def write_json(path: Path, value: Any) -> None:
    """Sorted keys, two-space indent, floats as Python prints them; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_rows(path: Path, value: Any) -> None:
    """JSON for people who read its diffs: as write_json, but an object without objects inside its objects, such as a
    row with its estimates, stands on one line."""
    text = _lines(value, "") + "\n"
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _lines(value: Any, margin: str) -> str:
    rows = isinstance(value, list) and any(isinstance(member, dict | list) for member in value)
    if not rows and _height(value) <= 2:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    inside = margin + "  "
    if isinstance(value, list):
        lines, ends = [_lines(member, inside) for member in value], "[]"
    else:
        lines, ends = (
            [f"{json.dumps(name, ensure_ascii=False)}: {_lines(value[name], inside)}" for name in sorted(value)],
            "{}",
        )
    return ends[0] + "".join(f"\n{inside}{line}," for line in lines)[:-1] + f"\n{margin}{ends[1]}"


def _height(value: Any) -> int:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if members is None else 1 + max(map(_height, members), default=0)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Columns in their order, six significant digits."""
    with replacing(path) as aside:
        table.to_csv(aside, index=False, float_format="%.6g", lineterminator="\n")
