"""The distribution that a system's samples are drawn from, where it is not simply N(0, I).

An autoencoder whose KL term is light leaves its codes far from N(0, I): draws from there are no faces. A Gaussian
fitted to the codes is the plainest density that covers them (Ghosh et al. 2020, arXiv:1903.12436, section 4)."""

import torch
from torch import Tensor, nn

MEMORY = 0.999  # share of the moments that a step keeps, once it has seen many


class GaussianPrior(nn.Module):
    """Draws eps (N, d) from N(0, I) -> draws (N, d) from N(mean, covariance): N(0, I) until `follow` is called, then a
    running fit to the codes it was given."""

    mean: Tensor
    second: Tensor
    steps: Tensor

    def __init__(self, z_dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(z_dim))
        self.register_buffer("second", torch.eye(z_dim))  # E[z z^T]
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def follow(self, z: Tensor) -> None:
        """Move both moments towards those of the codes z (N, d)."""
        steps = int(self.steps)
        new = max(1 - MEMORY, 10 / (steps + 10))  # codes drift while they are learned: early ones fade
        z = z.detach().float()
        self.mean.lerp_(z.mean(0), new)
        with torch.autocast(z.device.type, enabled=False):  # moments of bf16 are none of a covariance
            self.second.lerp_(z.T @ z / len(z), new)
        self.steps += 1

    def forward(self, eps: Tensor) -> Tensor:
        if not int(self.steps):
            return eps
        mean = self.mean.double()
        covariance = self.second.double() - torch.outer(mean, mean)
        jitter = 1e-6 * torch.eye(len(mean), dtype=torch.float64, device=mean.device)
        factor = torch.linalg.cholesky(covariance + jitter)
        with torch.autocast(eps.device.type, enabled=False):
            return self.mean + eps @ factor.T.to(eps.dtype)
