"""Warm starts: training that goes on from where the champion's ended, instead of from the beginning.

The end of every training is kept beside its checkpoints: networks and optimisers, and of which weights it is the end.
FACET_START names a folder of such files, one a system; then the first steps are left out, as many as
FACET_START_SHARE says, and training begins there with what the file holds. Without FACET_START nothing of this happens,
so that `dvc repro` gives the same bytes everywhere."""

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from stages.files import replacing, write_json
from stages.params import InputError

log = logging.getLogger(__name__)

FOLDER, SHARE = "FACET_START", "FACET_START_SHARE"  # in the environment
WEIGHTS = "weights.safetensors"  # as in stages/checkpoints.py, which needs torch
FINAL, SIDE = "final.state", "final.json"
LEAST_SHARE = 0.05


def start_of(system: str) -> Path | None:
    """The file that training of a system should start from."""
    folder = os.environ.get(FOLDER)
    path = Path(folder) / system / FINAL if folder else None
    return path if path is not None and path.exists() else None


def first_step(steps: int) -> int:
    """The step that a warm training of `steps` begins with."""
    try:
        share = float(os.environ.get(SHARE, "0.5"))
    except ValueError:
        share = -1.0
    if not LEAST_SHARE <= share <= 1:
        raise InputError(f"{SHARE} {os.environ.get(SHARE)!r}: expected a share of the steps, {LEAST_SHARE} to 1")
    return steps - max(round(share * steps), 1) + 1


def load(path: Path) -> dict[str, Any] | None:
    """What a file holds, None where it cannot be read: training then starts from the beginning."""
    import torch

    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn file may fail in any way
        log.warning("%s cannot be read (%s); starting from the beginning", path, error)
        return None
    return state


def keep(folder: Path, state: dict[str, Any], model: Path) -> None:
    """Keep the end of a training whose model folder is written."""
    import torch

    with replacing(folder / FINAL) as aside:
        torch.save({name: state[name] for name in ("modules", "optimisers")}, aside)
    write_json(folder / SIDE, {"weights": _weights(model)})


def is_end_of(folder: Path, model: Path) -> bool:
    """Whether `folder` keeps the end of the training that made `model`."""
    side = folder / SIDE
    if not side.exists() or not (folder / FINAL).exists():
        return False
    return bool(json.loads(side.read_text(encoding="utf-8"))["weights"] == _weights(model))


def _weights(model: Path) -> str:
    return hashlib.sha256((model / WEIGHTS).read_bytes()).hexdigest()


def copy(folder: Path, target: Path) -> None:
    """Copy the end of a training to another folder; its hash comes last, so that half a copy is none."""
    target.mkdir(parents=True, exist_ok=True)
    (target / SIDE).unlink(missing_ok=True)
    for name in (FINAL, SIDE):
        with replacing(target / name) as aside:
            shutil.copyfile(folder / name, aside)
