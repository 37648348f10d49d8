"""A penalty that keeps codes and descriptions apart, so that a decoder which has both must look at the description."""

import torch
from torch import Tensor, nn

ROWS = 1024  # codes remembered: a batch alone says little about correlations


class Independence(nn.Module):
    """Sum of the squared correlations between the entries of codes (N, d) and of descriptions (N, K), estimated over
    the batch and the ROWS codes before it; gradients reach the batch's own."""

    codes: Tensor
    descriptions: Tensor
    filled: Tensor

    def __init__(self, codes: int, descriptions: int):
        super().__init__()
        self.register_buffer("codes", torch.zeros(ROWS, codes))
        self.register_buffer("descriptions", torch.zeros(ROWS, descriptions))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def forward(self, mu: Tensor, c: Tensor) -> Tensor:
        filled = int(self.filled)
        codes = torch.cat([mu, self.codes[:filled]])
        descriptions = torch.cat([c, self.descriptions[:filled]])
        penalty = squared_correlations(codes, descriptions)
        with torch.no_grad():
            kept = ROWS - len(mu)
            self.codes.copy_(torch.cat([mu, self.codes[:kept]])[:ROWS])
            self.descriptions.copy_(torch.cat([c, self.descriptions[:kept]])[:ROWS])
            self.filled.fill_(min(filled + len(mu), ROWS))
        return penalty


def squared_correlations(a: Tensor, b: Tensor) -> Tensor:
    """The sum over all pairs of columns of a (n, d) and b (n, k); scales are taken as they are, without a gradient."""
    a, b = a - a.mean(0), b - b.mean(0)
    scale = (a.detach().square().mean(0)[:, None] * b.square().mean(0)[None] + 1e-8).sqrt()
    return ((a.T @ b) / len(a) / scale).square().sum()
