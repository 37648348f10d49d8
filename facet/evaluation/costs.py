"""Costs of a system: size, arithmetic and training images, none of which depends on the machine."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from facet.base import checkpoints
from facet.evaluation.exam import Exam
from facet.evaluation.rows import Row


def cost_rows(exam: Exam, model: Path, gan: Path) -> list[Row]:
    """One row: parameters of the networks that encode and decode, multiply-adds per image, images seen in training."""
    system = exam.editor.system
    networks = [part for part in vars(system).values() if isinstance(part, nn.Module)]
    x = torch.zeros(1, system.channels, system.size, system.size, device=exam.editor.device)
    with torch.no_grad(), FlopCounterMode(display=False) as encoding:
        latent = system.encode(x)
    with torch.no_grad(), FlopCounterMode(display=False) as decoding:
        system.decode(latent)
    return [
        {
            "name": system.name,
            "parameters": sum(weight.numel() for network in networks for weight in network.parameters()),
            "encode_multiply_adds": encoding.get_total_flops() // 2,
            "decode_multiply_adds": decoding.get_total_flops() // 2,
            "training_images": sum(_images(folder) for folder in dict.fromkeys((gan, model))),
        }
    ]


def _images(folder: Path) -> int:
    """Images that the steps of a model folder's own training saw; 0 if there is no such folder."""
    if not (folder / checkpoints.CARD).exists():
        return 0
    settings: dict[str, Any] = checkpoints.read_card(folder).get("settings", {})
    return int(settings.get("steps", 0)) * int(settings.get("batch_size", 0))
