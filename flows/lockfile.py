"""dvc.lock, kept from harm: dvc writes it in place, so that a kill at the wrong moment leaves it empty or cut short,
and no dvc command works any more. A sound copy is kept beside the checkpoints after every stage, and put back before
the next run."""

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
TRIES, PAUSE = 5, 0.5  # looks at a damaged list of locks, and seconds between them
_KEEPING = threading.Lock()  # stages end on several threads


def is_sound(text: str) -> bool:
    """Whether this is a whole dvc.lock, as dvc itself checks it."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA  # a second of imports

    if not text.endswith("\n"):
        return False
    try:
        found = YAML(typ="safe").load(text)
        COMPILED_LOCKFILE_SCHEMA(found)
    except Exception:  # what dvc would stumble over
        return False
    return isinstance(found, dict) and bool(found.get("stages"))


def keep(root: Path) -> None:
    """Copy dvc.lock aside where it is sound; another stage may just be writing it."""
    with _KEEPING:
        text = _text(root / "dvc.lock")
        if text and is_sound(text):
            with replacing(root / COPY) as aside:
                aside.write_text(text, encoding="utf-8")


def mend(root: Path) -> str:
    """Put a sound copy in the place of a damaged dvc.lock: the one kept, else the one that git has; else remove it, and
    every stage is looked at anew. Remove a damaged list of dvc's own locks, with which no dvc command works either.
    What was done, "" where nothing had to be."""
    return "; ".join(filter(None, (_mend_locks(root / ".dvc" / "tmp" / "rwlock"), _mend_lock_file(root))))


def _mend_locks(path: Path) -> str:
    for _ in range(TRIES):  # another dvc may just be writing it
        try:
            if not path.exists() or isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
                return ""
        except (OSError, ValueError):
            pass
        time.sleep(PAUSE)
    path.unlink(missing_ok=True)
    return f"{path} was damaged by a kill; removed: whoever held its locks is gone"


def _mend_lock_file(root: Path) -> str:
    path = root / "dvc.lock"
    text = _text(path)
    if text is None or is_sound(text):
        return ""
    for origin, copy in (("its copy of the last stage", _text(root / COPY)), ("git", _committed(root))):
        if copy and is_sound(copy):
            with replacing(path) as aside:
                aside.write_text(copy, encoding="utf-8")
            return f"{path} was damaged by a kill; put back from {origin}"
    path.unlink()
    return f"{path} was damaged by a kill, and there was no copy: stages are looked at anew"


def _text(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", "replace") if path.exists() else None


def _committed(root: Path) -> str | None:
    done = subprocess.run(["git", "show", "HEAD:./dvc.lock"], cwd=root, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None
