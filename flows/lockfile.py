"""Repair of what a kill leaves of dvc.lock (facet/base/dvc_lock.py) and of dvc's list of its own locks, before dvc
runs. What a kill cannot leave, such as a merge conflict, is a user's to decide and stays as it is."""

import json
import subprocess
import threading
import time
from pathlib import Path

from facet.base import dvc_lock
from facet.base.dvc_lock import COPY, CUT, LOCK
from facet.base.errors import InputError
from facet.base.files import replacing
from facet.base.project import conflict_line

DAMAGED = COPY.with_name("dvc.lock.damaged")  # what was replaced last
TRIES, PAUSE = 5, 0.5  # reads of a damaged file before it counts as such, and seconds between them
_KEEPING = threading.Lock()  # stages end on several threads


def keep(root: Path) -> None:
    """Keep a copy of dvc.lock if it is whole; another stage may be writing it."""
    with _KEEPING:
        dvc_lock.keep(root)


def check(root: Path) -> None:
    """InputError if dvc.lock holds a merge conflict, or damage that no kill leaves."""
    path = root / LOCK
    text = dvc_lock.read(path)
    line = conflict_line(text or "")
    if line or _unmerged(root):
        where = f"{path} line {line}: the marker of a merge conflict" if line else f"{path} is unmerged in git"
        raise InputError(
            f"{where}; keep one side (`git checkout --ours dvc.lock`, or --theirs), then `git add dvc.lock`: stages "
            "that differ from it run again or come from dvc's cache"
        )
    if text is not None and (fault := dvc_lock.fault(text)) and fault != CUT:
        raise InputError(f"{path}: {fault}; correct it by hand, or `git checkout dvc.lock` restores the committed one")


def is_cut(root: Path) -> bool:
    """True if a kill left dvc.lock empty or cut short."""
    text = dvc_lock.read(root / LOCK)
    return text is not None and dvc_lock.fault(text) == CUT


def holds_stages(root: Path) -> bool:
    """True if there is a whole dvc.lock."""
    text = dvc_lock.read(root / LOCK)
    return text is not None and not dvc_lock.fault(text)


def mend(root: Path) -> str:
    """Replace a dvc.lock that was cut short by the newer of the kept copy and the one in git, else remove it, so that
    dvc checks every stage anew. Also remove a damaged list of dvc's own locks, which stops every dvc command too.
    Return what was done, "" for nothing. InputError as in `check`."""
    check(root)
    return "; ".join(filter(None, (_mend_locks(root / ".dvc" / "tmp" / "rwlock"), _mend_lock_file(root))))


def _mend_locks(path: Path) -> str:
    for _ in range(TRIES):  # another dvc may be writing it
        try:
            if not path.exists() or isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
                return ""
        except (OSError, ValueError):
            pass
        time.sleep(PAUSE)
    path.unlink(missing_ok=True)
    return f"{path} was damaged by a kill and has been removed; the processes that held its locks have ended"


def _mend_lock_file(root: Path) -> str:
    path = root / LOCK
    for _ in range(TRIES):  # another dvc may be writing it
        if not is_cut(root):
            keep(root)
            return ""
        time.sleep(PAUSE)
    with replacing(root / DAMAGED) as part:
        part.write_bytes(path.read_bytes())
    copies = [(*_copied(root), "the copy after the last stage"), (*_committed(root), "git")]
    for _, text, origin in sorted(copies, key=lambda copy: copy[0], reverse=True):
        if text and not dvc_lock.fault(text):
            with replacing(path) as part:
                part.write_text(text, encoding="utf-8")
            return f"{path} was damaged by a kill and has been restored from {origin}"
    path.unlink()
    return f"{path} was damaged by a kill, and there is no copy; every stage is checked anew"


def _copied(root: Path) -> tuple[float, str | None]:
    """When the copy was kept (seconds since 1970), and its text."""
    text = dvc_lock.read(root / COPY)
    return (root / COPY).stat().st_mtime if text is not None else 0.0, text


def _committed(root: Path) -> tuple[float, str | None]:
    """When the last commit changed dvc.lock (seconds since 1970), and its text there."""
    when = _git(root, "log", "-1", "--format=%ct", "--", LOCK)
    return float(when) if when else 0.0, _git(root, "show", f"HEAD:./{LOCK}")


def _unmerged(root: Path) -> bool:
    return bool(_git(root, "ls-files", "--unmerged", "--", LOCK))


def _git(root: Path, *words: str) -> str | None:
    """The output of a git command; None if it fails."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, errors="replace")
    except OSError:  # no git
        return None
    return done.stdout if done.returncode == 0 else None
