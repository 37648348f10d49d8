"""The mean and covariance of what a network puts out, followed while it learns."""

import torch
from torch import Tensor, nn

from facet.nets import ranks

FIRST = 10  # steps' worth of forgetting at the start: what is learned drifts, and early rows must fade


class RunningMoments(nn.Module):
    """Running mean (d,) and covariance (d, d) of rows (N, d), kept as buffers; `memory` is the share that a step keeps,
    once it has seen many. `seen` says whether there was any row."""

    mean: Tensor
    second: Tensor
    steps: Tensor

    def __init__(self, size: int, *, memory: float):
        super().__init__()
        self.memory = memory
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("second", torch.zeros(size, size))  # E[row row^T]
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def seen(self) -> bool:
        return int(self.steps) > 0

    @torch.no_grad()
    def follow(self, rows: Tensor) -> None:
        """Move both moments towards those of the rows (N, d), of all ranks together."""
        steps = int(self.steps)
        new = max(1 - self.memory, FIRST / (steps + FIRST))
        rows = rows.detach().float()
        self.mean.lerp_(ranks.mean(rows.mean(0)), new)
        with torch.autocast(rows.device.type, enabled=False):  # moments of bf16 are none of a covariance
            self.second.lerp_(ranks.mean(rows.T @ rows / len(rows)), new)
        self.steps += 1

    def covariance(self) -> Tensor:
        """(d, d), float64."""
        mean = self.mean.double()
        return self.second.double() - torch.outer(mean, mean)
