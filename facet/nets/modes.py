"""Temporary eval mode."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """Disable gradients and put the networks into eval mode until the block ends."""
    modes = [(network, network.training) for network in networks]
    try:
        with torch.no_grad():
            for network in networks:
                network.eval()
            yield
    finally:
        for network, mode in modes:
            network.train(mode)
