"""Codes without what descriptions say, so that a decoder which gets both must look at the description.

A penalty on correlations pulls against reconstruction and settles for a compromise; subtracting a regression leaves
none, and costs reconstruction nothing that the description could not say itself."""

import torch
from torch import Tensor, nn

from facet.nets.moments import RunningMoments

RIDGE = 0.01  # of the descriptions' variances: a digit's ten entries add up to a constant


class Residual(nn.Module):
    """Codes (N, d) and descriptions (N, K) -> codes (N, d) less what a linear regression on the descriptions says of
    them; the codes as they are until `follow` is called. Gradients pass the regression by."""

    def __init__(self, codes: int, descriptions: int):
        super().__init__()
        self.codes = codes
        self.moments = RunningMoments(codes + descriptions, memory=0.995)

    def follow(self, codes: Tensor, descriptions: Tensor) -> None:
        """Take in the codes and descriptions of a step."""
        self.moments.follow(torch.cat([codes.detach().float(), descriptions.float()], dim=1))

    def slopes(self) -> Tensor:
        """(K, d): what a unit of each entry of a description adds to the codes."""
        described = self.moments.covariance()[self.codes :]  # (K, d + K)
        mixed, own = described[:, : self.codes], described[:, self.codes :]
        ridge = RIDGE * torch.eye(len(own), dtype=own.dtype, device=own.device)
        return torch.linalg.solve(own + ridge, mixed).float()

    def forward(self, codes: Tensor, descriptions: Tensor) -> Tensor:
        codes = codes.float()
        if not self.moments.seen:
            return codes
        with torch.autocast(codes.device.type, enabled=False):
            return codes - (descriptions.float() - self.moments.mean[self.codes :]) @ self.slopes()
