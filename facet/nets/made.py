"""A frozen inverse autoregressive flow of two random MADE networks (Germain et al. 2015, arXiv:1502.03509; Kingma et
al. 2016, arXiv:1606.04934), as in the introspective adversarial network: "a random autoregressive function"."""

import torch
from torch import Tensor, nn

DEGREES = ("textbook", "published")


class Made(nn.Module):
    """z (N, d) -> (N, d), where each output depends only on the inputs before it in `order`; one hidden layer of d
    units and a direct path. Never trained.

    With `textbook` degrees hidden units see 1 to d - 1 inputs. With `published` ones all see only the first input, by
    an error in the masks of the published code, so that nearly all mixing is due to the direct path."""

    def __init__(self, order: Tensor, *, degrees: str, generator: torch.Generator):
        super().__init__()
        if degrees not in DEGREES:
            raise ValueError(f"degrees {degrees!r} is none of {', '.join(DEGREES)}")
        d = len(order)
        degree = torch.empty(d, dtype=torch.int64)
        degree[order] = torch.arange(1, d + 1)  # 1 for the first in `order`
        hidden = torch.arange(d) % max(d - 1, 1) + 1 if degrees == "textbook" else torch.ones(d, dtype=torch.int64)
        masks = {
            "into": hidden[:, None] >= degree[None],  # (hidden, input)
            "out": degree[:, None] > hidden[None],  # (output, hidden)
            "direct": degree[:, None] > degree[None],  # (output, input)
        }
        for name, mask in masks.items():
            weight = nn.init.orthogonal_(torch.empty(d, d), gain=2**0.5, generator=generator)
            self.register_buffer(name, weight * mask)

    into: Tensor
    out: Tensor
    direct: Tensor

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.into.T).relu() @ self.out.T + z @ self.direct.T


class Iaf(nn.Module):
    """z0 (N, d) -> (z0 - m(z0)) / exp(s(z0)), m and s two MADEs of one order."""

    def __init__(self, dims: int, *, degrees: str, seed: int = 1234):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(dims, generator=generator)
        self.m, self.s = (Made(order, degrees=degrees, generator=generator) for _ in range(2))

    def forward(self, z: Tensor) -> Tensor:
        return (z - self.m(z)) * torch.exp(-self.s(z))
