"""Checkpoints of unfinished trainings, outside the outs, which DVC deletes before a stage runs. Each is named by a key
of everything that decides the trained bytes."""

import dataclasses
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import torch

from facet.base import locks
from facet.base.errors import InputError
from facet.training import states

log = logging.getLogger(__name__)

FACET = Path(__file__).parents[1]
CODE_FOLDERS = ("nets", "losses")
CODE_FILES = (
    "base/compute.py",
    "base/images.py",
    "metrics/reconstruction.py",  # SSIM is a loss too
    "training/history.py",
    "training/loop.py",
    "training/warm_start.py",
)
OTHERS = 2  # checkpoints with other keys that are kept
PARTS = {"step", "modules", "optimisers", "history"}  # the entries of a checkpoint
WAIT = 90.0  # seconds to wait for another training to end
_OWNED: dict[Path, int] = {}  # descriptors of the locks that this process holds, by folder


def key(params: Any, *files: Path) -> str:
    """A hash of the params (a dataclass), of some files (inputs, and the code of what is trained), and of the code that
    every training shares."""
    digest = hashlib.sha256()
    digest.update(json.dumps(dataclasses.asdict(params), sort_keys=True, default=str).encode())
    shared = sorted(path for folder in CODE_FOLDERS for path in (FACET / folder).glob("*.py"))
    for path in (*files, *shared, *(FACET / name for name in CODE_FILES)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update(torch.__version__.encode())
    return digest.hexdigest()[:16]


class Resume:
    """The checkpoint of one unfinished run, `folder/<key>.pt`. Those with other keys are of other numbers, data or
    code, perhaps on another branch: the newest are kept for a return to it.

    The folder is this process's as long as it lives; InputError if another one trains there."""

    def __init__(self, folder: Path, key: str):
        if os.environ.get("RANK", "0") == "0":
            _own(folder)
        self.path = folder / f"{key}.pt"
        others = [path for path in folder.glob("*.pt") if path != self.path]
        for stale in sorted(others, key=_changed)[:-OTHERS]:
            stale.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None if there is none or it is damaged (training then starts from the first step)."""
        if not self.path.exists() and any(self.path.parent.glob("*.pt")):
            log.info(
                "%s holds the checkpoint of a training with other numbers, data or code; it is kept and not used",
                self.path.parent,
            )
        state = states.load(self.path)
        if state is not None and (set(state) != PARTS or not isinstance(state["step"], int)):
            log.warning("%s is not a checkpoint; starting from the first step", self.path)
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        states.save(self.path, state)

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    """When a file was written last; the beginning of time if another process has removed it."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _own(folder: Path) -> None:
    """Take the lock of a folder of checkpoints. A training whose dvc was killed holds it until it has written its
    checkpoint, which is waited for."""
    if folder.resolve() in _OWNED:
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    if not locks.take(file, folder, wait=WAIT):
        process = os.read(file, 20).decode("ascii", "replace") or "unknown"
        os.close(file)
        raise InputError(
            f"another training writes checkpoints in {folder} (process {process}); wait for its end, or end it, and run"
            " this again"
        )
    os.truncate(file, 0)
    os.write(file, str(os.getpid()).encode())
    _OWNED[folder.resolve()] = file
