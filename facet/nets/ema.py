"""An exponential moving average of a network's weights (Yazici et al. 2019, arXiv:1806.04498)."""

import copy

import torch
from torch import Tensor, nn


class Ema:
    """The averaged copy `network` of a trained one: w <- decay w + (1 - decay) w_trained.

    The decay is at most (1 + step) / (10 + step), so that the random start is soon forgotten."""

    def __init__(self, network: nn.Module, *, decay: float):
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged: list[Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(averaged, [weight.detach() for weight in network.parameters()], 1 - decay)
        for mine, theirs in zip(self.network.buffers(), network.buffers(), strict=True):
            mine.copy_(theirs)
