"""Model folders: weights.safetensors and model.json are all that a model needs; nothing is ever unpickled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facet.base.errors import InputError
from facet.base.files import replacing_folder, write_json

WEIGHTS, CARD = "weights.safetensors", "model.json"


def save(folder: Path, networks: Mapping[str, nn.Module], card: dict[str, Any]) -> None:
    """Write the weights of all networks as `<network>.<parameter>` and the card as JSON; the folder is never
    partial."""
    state: dict[str, Tensor] = {}
    for name, network in networks.items():
        for key, value in network.state_dict().items():
            state[f"{name}.{key}"] = value.detach().cpu().contiguous()
    with replacing_folder(folder) as aside:
        save_file(state, aside / WEIGHTS)
        write_json(aside / CARD, card)


def read_card(folder: Path) -> dict[str, Any]:
    """model.json of a model folder."""
    path = folder / CARD
    if not path.exists():
        raise InputError(f"{path} is missing: {folder} is not a model folder; train a model with `dvc repro`")
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON ({error}); train the model again") from error
    if not isinstance(card, dict) or not isinstance(card.get("system"), str):
        raise InputError(f"{path} names no system; train the model again")
    return card


def load_weights(folder: Path, networks: Mapping[str, nn.Module]) -> None:
    """Load the weights of some networks by name; other weights in the file are ignored."""
    path = folder / WEIGHTS
    try:
        state = read_weights(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error}); train the model again") from error
    for name, network in networks.items():
        prefix = f"{name}."
        part = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        check_finite(path, part, prefix)
        try:
            network.load_state_dict(part)
        except RuntimeError as error:
            raise InputError(f"{path}: the weights of `{name}` do not fit model.json ({error})") from error


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in a file; InputError if this user may not read it, the errors of safetensors for anything else."""
    try:
        with path.open("rb"):  # safetensors hides why a file cannot be opened
            weights: dict[str, Tensor] = load_file(path)
            return weights
    except PermissionError:
        raise InputError(
            f"{path}: this user is not permitted to read it; its owner gives the right: chmod -R a+rX {path.parent}"
        ) from None


def check_finite(path: Path, weights: Mapping[str, Tensor], prefix: str = "") -> None:
    """InputError if a weight of the file `path` is NaN or infinite; edits by such a network would change nothing."""
    for name, value in weights.items():
        if bad := int((~torch.isfinite(value)).sum()):
            raise InputError(
                f"{path}: {bad} of {value.numel()} numbers of `{prefix}{name}` are NaN or infinite: the file is "
                "damaged or its training diverged; train the model again, or `facet champion rollback SYSTEM`"
            )


def has_network(folder: Path, name: str, network: nn.Module) -> bool:
    """Return True if the folder holds weights named `name` with exactly the shapes of `network`."""
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 (no dict)
    return all(shapes.get(f"{name}.{key}") == tuple(value.shape) for key, value in network.state_dict().items())
