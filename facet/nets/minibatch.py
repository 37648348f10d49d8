"""Minibatch discrimination (Salimans et al. 2016, arXiv:1606.03498), with weights normalised as in its code."""

import torch
from torch import Tensor, nn

from facet.nets import ranks


class MinibatchDiscrimination(nn.Module):
    """Features (N, F) -> (N, F + kernels): appends the closeness of each sample to the others of the batch, per
    kernel."""

    def __init__(self, features: int, *, kernels: int, dims: int):
        super().__init__()
        self.theta = nn.Parameter(torch.empty(features, kernels, dims))
        self.log_scale = nn.Parameter(torch.zeros(kernels, dims))
        self.bias = nn.Parameter(torch.full((kernels,), -1.0))

    def init(self, generator: torch.Generator) -> None:
        nn.init.normal_(self.theta, std=0.05, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.theta * (self.log_scale.exp() / self.theta.square().sum(0).sqrt())
        m = (x @ weight.flatten(1)).unflatten(1, weight.shape[1:])  # (N, kernels, dims)
        others = ranks.whole(m)
        distance = (m[:, None] - others[None]).abs().sum(3)  # (N, N of all ranks, kernels)
        itself = ranks.part(torch.eye(len(others), device=x.device))
        near = torch.exp(-distance - 1e6 * itself[:, :, None])
        return torch.cat([x, near.sum(1) + self.bias], dim=1)
