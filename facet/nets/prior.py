"""A fitted distribution for the samples of a system, instead of N(0, I).

The codes of an autoencoder with a light KL term are far from N(0, I), so draws from it give no faces. A Gaussian fitted
to the codes is the simplest density that covers them (Ghosh et al. 2020, arXiv:1903.12436, section 4)."""

import torch
from torch import Tensor, nn

from facet.nets.moments import RunningMoments

JITTERS = (1e-6, 1e-4, 1e-2, 1.0)  # tried in order on the variances until the covariance is positive definite


class GaussianPrior(nn.Module):
    """Draws eps (N, d) from N(0, I) -> draws (N, d) from a running Gaussian fit to the codes that `follow` was given;
    before its first call eps itself."""

    def __init__(self, z_dim: int):
        super().__init__()
        self.moments = RunningMoments(z_dim, memory=0.999)

    def follow(self, z: Tensor) -> None:
        """Update the fit by the codes z (N, d) of a step."""
        self.moments.follow(z)

    def forward(self, eps: Tensor) -> Tensor:
        if not self.moments.seen:
            return eps
        factor = definite_factor(self.moments.covariance())
        with torch.autocast(eps.device.type, enabled=False):
            return self.moments.mean + eps @ factor.T.to(eps.dtype)


def definite_factor(covariance: Tensor) -> Tensor:
    """The lower Cholesky factor of a covariance (d, d) with the least of JITTERS for which it exists."""
    for jitter in JITTERS:
        jittered = covariance.clone()
        jittered.diagonal().add_(jitter)
        factor, failed = torch.linalg.cholesky_ex(jittered)
        if not failed:
            break
    return factor
