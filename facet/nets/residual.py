"""Codes without the information in descriptions, so that a decoder of both must use the description.

A penalty on correlations works against reconstruction and ends in a compromise; subtracting a regression leaves no
linear correlation, and reconstruction loses nothing that the description does not supply."""

import torch
from torch import Tensor, nn

from facet.nets.moments import RunningMoments

RIDGE = 0.01  # added to the variances of descriptions, because a digit's ten entries add up to a constant


class Residual(nn.Module):
    """Codes (N, d) and descriptions (N, K) -> codes (N, d) minus their linear regression on the descriptions; the codes
    themselves before the first `follow`. The regression is constant for gradients."""

    def __init__(self, codes: int, descriptions: int):
        super().__init__()
        self.codes = codes
        self.moments = RunningMoments(codes + descriptions, memory=0.995)

    def follow(self, codes: Tensor, descriptions: Tensor) -> None:
        """Update the regression by the codes and descriptions of a step."""
        self.moments.follow(torch.cat([codes.detach().float(), descriptions.float()], dim=1))

    def slopes(self) -> Tensor:
        """(K, d): the change of the codes by one unit of each entry of a description."""
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
