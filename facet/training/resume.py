"""Checkpoints of unfinished trainings, outside the outs, which DVC deletes before a stage runs. Each is named by a key
of everything that decides the trained bytes."""

import dataclasses
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch

from facet.base.files import replacing

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
PARTS = {"step", "modules", "optimisers", "history"}  # the entries of a checkpoint


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
    """The checkpoint of one unfinished run, `folder/<key>.pt`. Those with other keys are stale and are removed."""

    def __init__(self, folder: Path, key: str):
        self.path = folder / f"{key}.pt"
        for stale in folder.glob("*.pt"):
            if stale != self.path:
                stale.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None if there is none or it is damaged (training then starts from the first step)."""
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # a torn file may fail in any way; starting over is always right
            log.warning("%s cannot be read (%s); starting from the first step", self.path, error)
            return None
        if not isinstance(state, dict) or set(state) != PARTS or not isinstance(state["step"], int):
            log.warning("%s is not a checkpoint; starting from the first step", self.path)
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        with replacing(self.path) as temporary:
            torch.save(state, temporary)

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
