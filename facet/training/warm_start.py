"""Warm starts: trainings that continue from the final state of the champion's training.

The final state of every training (networks and optimisers) is kept beside its checkpoints in <stage>/<name>/, with the
hash of the weights it belongs to. FACET_START lists such folders. Then a training loads the state of its stage and name
and runs only the last steps, FACET_START_SHARE of all. Without FACET_START nothing of this happens, so that `dvc repro`
gives the same bytes everywhere."""

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from facet.base.errors import InputError
from facet.base.files import replacing, write_json
from facet.training import states

log = logging.getLogger(__name__)

START, SHARE = "FACET_START", "FACET_START_SHARE"  # environment variables
GAN, ENCODER = "train_gan", "train_encoder"
WEIGHTS, CARD = "weights.safetensors", "model.json"  # as in facet/base/checkpoints.py, which imports torch
FINAL, SIDE = "final.state", "final.json"
LEAST_SHARE = 0.05


def start_of(stage: str, name: str) -> Path | None:
    """The state that the training `name` of a stage should start from, or None."""
    for folder in map(Path, filter(None, os.environ.get(START, "").split(os.pathsep))):
        if folder.parts[-2:] == (stage, name) and (folder / FINAL).is_file():
            return folder / FINAL
    return None


def first_step(steps: int) -> int:
    """The first step of a warm training of `steps`."""
    try:
        share = float(os.environ.get(SHARE, "0.5"))
    except ValueError:
        share = -1.0
    if not LEAST_SHARE <= share <= 1:
        raise InputError(f"{SHARE} {os.environ.get(SHARE)!r}: expected a share of the steps, {LEAST_SHARE} to 1")
    return steps - max(round(share * steps), 1) + 1


def load(path: Path) -> dict[str, Any] | None:
    """The state in a file; None if it cannot be read, and training starts from the beginning."""
    state = states.load(path)
    if state is not None and set(state) != {"modules", "optimisers"}:
        log.warning("%s is not the final state of a training; starting from the beginning", path)
        return None
    return state


def keep(folder: Path, state: dict[str, Any], model: Path, gan: Path | None = None) -> None:
    """Keep the final state of a training with the hash of its model folder, and for an encoder that of its GAN."""
    states.save(folder / FINAL, {name: state[name] for name in ("modules", "optimisers")})
    write_json(folder / SIDE, {"weights": _weights(model), "gan": _weights(gan) if gan is not None else None})


def ends_of(root: Path, model: Path) -> list[Path]:
    """The folders below `root` with the final states of the trainings of a model folder: its own, and for an encoder
    that of its GAN."""
    card = json.loads((model / CARD).read_text(encoding="utf-8"))
    is_encoder = card.get("kind") == "encoder"
    own = root / ENCODER / card["variant"] if is_encoder else root / GAN / card["system"]
    if _side(own).get("weights") != _weights(model):
        return []
    gan = root / GAN / card["system"]
    return [own, gan] if is_encoder and _side(gan).get("weights") == _side(own).get("gan") else [own]


def _side(folder: Path) -> dict[str, Any]:
    side = folder / SIDE
    if not side.exists() or not (folder / FINAL).exists():
        return {}
    try:
        hashes: dict[str, Any] = json.loads(side.read_text(encoding="utf-8"))
    except ValueError:  # a torn file identifies no state
        return {}
    return hashes


def _weights(model: Path) -> str:
    return hashlib.sha256((model / WEIGHTS).read_bytes()).hexdigest()


def copy(folder: Path, target: Path) -> None:
    """Copy the final state of a training to another folder, its hashes last, so that a partial copy is never used."""
    target.mkdir(parents=True, exist_ok=True)
    (target / SIDE).unlink(missing_ok=True)
    for name in (FINAL, SIDE):
        with replacing(target / name) as temporary:
            shutil.copyfile(folder / name, temporary)
