"""The distribution that a system's samples are drawn from, where it is not simply N(0, I).

An autoencoder whose KL term is light leaves its codes far from N(0, I): draws from there are no faces. A Gaussian
fitted to the codes is the plainest density that covers them (Ghosh et al. 2020, arXiv:1903.12436, section 4)."""

import torch
from torch import Tensor, nn

from facet.nets.moments import RunningMoments

JITTERS = (1e-6, 1e-4, 1e-2, 1.0)  # added to the variances, the first that makes a covariance of few codes definite


class GaussianPrior(nn.Module):
    """Draws eps (N, d) from N(0, I) -> draws (N, d) from N(mean, covariance): N(0, I) until `follow` is called, then a
    running fit to the codes it was given."""

    def __init__(self, z_dim: int):
        super().__init__()
        self.moments = RunningMoments(z_dim, memory=0.999)

    def follow(self, z: Tensor) -> None:
        """Take in the codes z (N, d) of a step."""
        self.moments.follow(z)

    def forward(self, eps: Tensor) -> Tensor:
        if not self.moments.seen:
            return eps
        factor = definite_factor(self.moments.covariance())
        with torch.autocast(eps.device.type, enabled=False):
            return self.moments.mean + eps @ factor.T.to(eps.dtype)


def definite_factor(covariance: Tensor) -> Tensor:
    """The lower Cholesky factor of a covariance (d, d) with the least jitter that gives it one."""
    for jitter in JITTERS:
        jittered = covariance.clone()
        jittered.diagonal().add_(jitter)
        factor, failed = torch.linalg.cholesky_ex(jittered)
        if not failed:
            break
    return factor
