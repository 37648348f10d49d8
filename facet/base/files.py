"""Byte-stable writers. Each writes a temporary file and renames it, so a final name never holds a partial file.

Where the disk or the user's quota is full, each raises an OSError that names the file, whatever the library beneath
says about it: safetensors raises an error of its own, torch and numpy say only that bytes are missing."""

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

FULL = (errno.ENOSPC, errno.EDQUOT)
PROBE = bytes(1 << 20)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to `path` when the block succeeds and removed when it fails."""
    temporary = _temporary(path)
    try:
        with _naming_a_full_disk(path, temporary):
            yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary empty folder beside `path`, which replaces it when the block succeeds and is removed when it
    fails. Its files get the rights of the umask, whatever their writers gave them."""
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        with _naming_a_full_disk(path, temporary / ".probe"):
            yield temporary
        _give_rights(temporary)
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _naming_a_full_disk(path: Path, probe: Path) -> Iterator[None]:
    """Turn an error in the block into an OSError about `path` if it comes from a full disk. If the error does not say,
    more bytes are written to the file `probe` to find out."""
    try:
        yield
    except Exception as error:
        code = _code(error, probe)
        if code not in FULL:
            raise
        raise OSError(code, os.strerror(code), str(path)) from error


def _code(error: Exception, probe: Path) -> int | None:
    """The number of the operating system's error behind an exception, or None."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if said := re.search(r"\bos error (\d+)", str(error)):  # safetensors, as Rust prints it
        return int(said[1])
    if isinstance(error, OSError | RuntimeError):  # numpy and torch
        try:
            with probe.open("ab") as file:
                file.write(PROBE)
        except OSError as failed:
            return failed.errno
    return None


def _give_rights(folder: Path) -> None:
    """Give every file in a new folder the rights that the umask left the folder: safetensors writes files that only
    their owner can read, so no other user could edit with the model."""
    rights = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and (mode := path.stat().st_mode) | rights != mode:
            path.chmod(stat.S_IMODE(mode) | rights)


def hash_of(*paths: Path) -> str:
    """SHA-256 over the hashes of some files, in the order given."""
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)).hexdigest()


def hash_named(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over the names and bytes of some files, in the order given."""
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def to_disk(path: Path) -> None:
    """Wait until the bytes of a file, or the names in a folder, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary(path: Path) -> Path:
    """The temporary path of this process for `path`; those of processes that were killed are removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        pid = stale.name[len(path.name) + 2 : -len(".part")]
        if pid.isdigit() and (int(pid) == os.getpid() or not lives(int(pid))):
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def lives(pid: int) -> bool:
    """Return True if a process with this id is running."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to another user
        return True
    return True


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, two-space indent and floats as Python prints them; ValueError for NaN and
    infinity."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_rows(path: Path, value: Any) -> None:
    """Write JSON whose diffs are easy to read: as write_json, but an object nested no deeper than a row with its
    estimates takes one line."""
    text = _lines(value, "") + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


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
    """Write a CSV with six significant digits."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
