"""Running mean and covariance of the outputs of a network in training."""

import torch
from torch import Tensor, nn

from facet.nets import ranks

FIRST = 10  # the window of the averages grows by one step in 10, because early outputs of a network soon mean nothing


class RunningMoments(nn.Module):
    """Running mean (d,) and covariance (d, d) of rows (N, d), as buffers. `memory` is the decay per step after many
    steps."""

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
        """True after the first update."""
        return int(self.steps) > 0

    @torch.no_grad()
    def follow(self, rows: Tensor) -> None:
        """Update both moments by rows (N, d) of all ranks."""
        steps = int(self.steps)
        new = max(1 - self.memory, FIRST / (steps + FIRST))
        rows = rows.detach().float()
        self.mean.lerp_(ranks.mean(rows.mean(0)), new)
        with torch.autocast(rows.device.type, enabled=False):  # bf16 is too coarse for a covariance
            self.second.lerp_(ranks.mean(rows.T @ rows / len(rows)), new)
        self.steps += 1

    def covariance(self) -> Tensor:
        """(d, d), float64."""
        mean = self.mean.double()
        return self.second.double() - torch.outer(mean, mean)
