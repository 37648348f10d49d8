"""Backup of dvc.lock. dvc writes it in place, so a kill at the wrong moment leaves it empty or cut short, and then no
dvc command works. A sound copy is kept beside the checkpoints after every stage and restored before the next run."""

import json
import logging
import subprocess
import threading
import time
from pathlib import Path

from ruamel.yaml import YAML

from facet.base.files import replacing

log = logging.getLogger(__name__)

COPY = Path(".resume/dvc.lock")
TRIES, PAUSE = 5, 0.5  # reads of a damaged list of locks before it counts as such, and seconds between them
_KEEPING = threading.Lock()  # stages end on several threads


def is_sound(text: str) -> bool:
    """True if the text is a whole dvc.lock by dvc's own schema."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA  # its import takes a second

    if not text.endswith("\n"):
        return False
    try:
        lock = YAML(typ="safe").load(text)
        COMPILED_LOCKFILE_SCHEMA(lock)
    except Exception:  # any error here would also stop dvc
        return False
    return isinstance(lock, dict) and bool(lock.get("stages"))


def keep(root: Path) -> None:
    """Keep a copy of dvc.lock if it is sound; another stage may be writing it."""
    with _KEEPING:
        text = _text(root / "dvc.lock")
        if text and is_sound(text):
            with replacing(root / COPY) as part:
                part.write_text(text, encoding="utf-8")


def mend(root: Path) -> str:
    """Replace a damaged dvc.lock by the kept copy, else by the one in git, else remove it, so that dvc checks every
    stage anew. Also remove a damaged list of dvc's own locks, which stops every dvc command too. Return what was done,
    "" for nothing."""
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
    path = root / "dvc.lock"
    text = _text(path)
    if text is None or is_sound(text):
        return ""
    for origin, copy in (("the copy after the last stage", _text(root / COPY)), ("git", _committed(root))):
        if copy and is_sound(copy):
            with replacing(path) as part:
                part.write_text(copy, encoding="utf-8")
            return f"{path} was damaged by a kill and has been restored from {origin}"
    path.unlink()
    return f"{path} was damaged by a kill, and there is no copy; every stage is checked anew"


def _text(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", "replace") if path.exists() else None


def _committed(root: Path) -> str | None:
    done = subprocess.run(["git", "show", "HEAD:./dvc.lock"], cwd=root, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None
