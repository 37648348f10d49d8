"""Checkpoints of unfinished training: outside the outs (DVC deletes those first), keyed by what decides the bytes."""

import dataclasses
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch

from facet.base.files import replacing

log = logging.getLogger(__name__)

CODE = Path(__file__).parents[1]  # facet/
PARTS = {"step", "modules", "optimisers", "history"}  # of a checkpoint


def key(params: Any, *inputs: Path) -> str:
    """A hash of the params (a dataclass), of the input files, and of the code under facet/nets, losses and systems."""
    digest = hashlib.sha256()
    digest.update(json.dumps(dataclasses.asdict(params), sort_keys=True, default=str).encode())
    code = sorted(path for part in ("nets", "losses", "systems") for path in (CODE / part).glob("*.py"))
    for path in (*inputs, *code, CODE / "training" / "loop.py", CODE / "base" / "images.py"):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update(torch.__version__.encode())
    return digest.hexdigest()[:16]


class Resume:
    """One unfinished training run: `folder/<key>.pt`. Files of other keys are stale runs and are removed."""

    def __init__(self, folder: Path, key: str):
        self.path = folder / f"{key}.pt"
        for stale in folder.glob("*.pt"):
            if stale != self.path:
                stale.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None where there is none or it is damaged (training then starts anew)."""
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # a torn file may fail in any way; starting anew is always right
            log.warning("%s cannot be read (%s); starting from the first step", self.path, error)
            return None
        if not isinstance(state, dict) or set(state) != PARTS or not isinstance(state["step"], int):
            log.warning("%s is no checkpoint; starting from the first step", self.path)
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        with replacing(self.path) as aside:
            torch.save(state, aside)

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
