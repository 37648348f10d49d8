"""Batch norm (Ioffe and Szegedy 2015, arXiv:1502.03167) with the statistics of the whole batch on any number of ranks.
(torch's SyncBatchNorm does not run on CPUs.)"""

import torch
from torch import Tensor, nn

from facet.nets import ranks


class _WholeBatch(nn.modules.batchnorm._BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        """torch's batch norm on one rank and in eval mode."""
        if ranks.count() == 1 or not self.training:
            return super().forward(x)
        axes = [0, *range(2, x.ndim)]
        mean = ranks.mean(x.float().mean(axes, keepdim=True))  # (1, C, 1, 1)
        centred = x.float() - mean
        variance = ranks.mean(centred.square().mean(axes, keepdim=True))
        self._follow(mean.flatten(), variance.flatten(), ranks.count() * x.numel() // x.shape[1])
        y = centred * (variance + self.eps).rsqrt()
        if self.affine:
            y = y * self.weight.view(mean.shape) + self.bias.view(mean.shape)
        return y.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, values: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * values / (values - 1), self.momentum)


class BatchNorm1d(_WholeBatch, nn.BatchNorm1d):
    """Batch norm of rows (N, C)."""


class BatchNorm2d(_WholeBatch, nn.BatchNorm2d):
    """Batch norm of maps (N, C, H, W)."""
