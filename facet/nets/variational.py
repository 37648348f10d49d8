"""A convolutional Gaussian encoder (Kingma and Welling 2014, arXiv:1312.6114)."""

import itertools

import torch
from torch import Tensor, nn

from facet.nets.blocks import down, halvings, init_he


class Variational(nn.Module):
    """Images (N, C, S, S) -> mean and log variance of q(z | x), each (N, z_dim); `attributes` reads attribute logits
    (N, K) linearly from the mean."""

    def __init__(self, *, z_dim: int, width: int, size: int, channels: int, attributes: int):
        super().__init__()
        stages = halvings(size, least=4)
        widths = [channels] + [width << i for i in range(stages)]
        self.trunk = nn.Sequential(
            *(down(a, b, kernel=4, norm="batch") for a, b in itertools.pairwise(widths)), nn.Flatten()
        )
        features = widths[-1] * (size >> stages) ** 2
        self.to_mu = nn.Linear(features, z_dim)
        self.to_logvar = nn.Linear(features, z_dim)
        self.attributes = nn.Linear(z_dim, attributes)

    def init(self, generator: torch.Generator) -> None:
        """He weights in the trunk, and heads whose outputs are about N(0, 1/4) at the start."""
        init_he(self.trunk, generator)
        for head in (self.to_mu, self.to_logvar, self.attributes):
            nn.init.normal_(head.weight, std=0.5 * head.in_features**-0.5, generator=generator)
            nn.init.zeros_(head.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trunk(x)
        return self.to_mu(h), self.to_logvar(h).clamp(-8, 4)
