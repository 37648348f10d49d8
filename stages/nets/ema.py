"""An exponential moving average of a network's weights (Yazici et al. 2019, arXiv:1806.04498)."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Ema:
    """Holds `network`, a copy of the trained one whose weights trail it: w <- decay w + (1 - decay) w_trained.

    Early on the decay is (1 + step) / (10 + step) if that is smaller, so that the random start is forgotten."""

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


@torch.no_grad()
def refresh_batchnorm(network: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Re-estimate the running statistics of every batch norm as the plain mean over the passes of `inputs`."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    was_training = network.training
    network.train()
    for batch in inputs:
        network(batch)
    network.train(was_training)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
