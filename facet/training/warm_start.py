"""Warm starts: training that goes on from where the champion's ended, instead of from the beginning.

The end of every training is kept beside its checkpoints, in <stage>/<name>/: networks and optimisers, and the hash of
the weights it is the end of. FACET_START lists such folders; then training leaves out its first steps, as many as
FACET_START_SHARE says, and begins there with what the folder of its stage and name holds. Without FACET_START nothing
of this happens, so that `dvc repro` gives the same bytes everywhere."""

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from facet.base.errors import InputError
from facet.base.files import replacing, write_json

log = logging.getLogger(__name__)

START, SHARE = "FACET_START", "FACET_START_SHARE"  # in the environment
GAN, ENCODER = "train_gan", "train_encoder"
WEIGHTS, CARD = "weights.safetensors", "model.json"  # as in facet/base/checkpoints.py, which needs torch
FINAL, SIDE = "final.state", "final.json"
LEAST_SHARE = 0.05


def start_of(stage: str, name: str) -> Path | None:
    """The file that this training should start from."""
    for folder in map(Path, filter(None, os.environ.get(START, "").split(os.pathsep))):
        if folder.parts[-2:] == (stage, name) and (folder / FINAL).is_file():
            return folder / FINAL
    return None


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
    if not isinstance(state, dict) or set(state) != {"modules", "optimisers"}:
        log.warning("%s is no end of a training; starting from the beginning", path)
        return None
    return state


def keep(folder: Path, state: dict[str, Any], model: Path, gan: Path | None = None) -> None:
    """Keep the end of a training whose model folder is written; that of an encoder with the model folder of its GAN."""
    import torch

    with replacing(folder / FINAL) as aside:
        torch.save({name: state[name] for name in ("modules", "optimisers")}, aside)
    write_json(folder / SIDE, {"weights": _weights(model), "gan": _weights(gan) if gan is not None else None})


def ends_of(root: Path, model: Path) -> list[Path]:
    """The folders below `root` that keep the ends of the trainings which made a model folder: its own, and for an
    encoder that of its GAN."""
    card = json.loads((model / CARD).read_text(encoding="utf-8"))
    encodes = card.get("kind") == "encoder"
    own = root / ENCODER / card["variant"] if encodes else root / GAN / card["system"]
    if _side(own).get("weights") != _weights(model):
        return []
    gan = root / GAN / card["system"]
    return [own, gan] if encodes and _side(gan).get("weights") == _side(own).get("gan") else [own]


def _side(folder: Path) -> dict[str, Any]:
    side = folder / SIDE
    if not side.exists() or not (folder / FINAL).exists():
        return {}
    try:
        found: dict[str, Any] = json.loads(side.read_text(encoding="utf-8"))
    except ValueError:  # torn: then it is the end of nothing known
        return {}
    return found


def _weights(model: Path) -> str:
    return hashlib.sha256((model / WEIGHTS).read_bytes()).hexdigest()


def copy(folder: Path, target: Path) -> None:
    """Copy the end of a training to another folder; its hash comes last, so that half a copy is none."""
    target.mkdir(parents=True, exist_ok=True)
    (target / SIDE).unlink(missing_ok=True)
    for name in (FINAL, SIDE):
        with replacing(target / name) as aside:
            shutil.copyfile(folder / name, aside)
