"""Multiscale dilated convolutions (Brock et al. 2017, arXiv:1609.07093, section 3.2): one bank of 3 x 3 filters, run at
several dilations at once."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facet.nets.blocks import SLOPE
from facet.nets.norm import BatchNorm2d


class Mdc(nn.Module):
    """(N, channels_in, H, W) -> (N, channels_out, H, W): the sum over branches of k_b conv_b(x), without a bias.

    Branches are the 3 x 3 bank W at dilation 1 and at each of `dilations`, and, for a dilation of 0, the 1 x 1
    convolution by the spatial mean of W. k_b is one learned number per output channel and branch."""

    def __init__(self, channels_in: int, channels_out: int, *, dilations: tuple[int, ...]):
        super().__init__()
        self.dilations = (1, *dilations)
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, 3, 3))
        self.shares = nn.Parameter(torch.full((len(self.dilations), channels_out), 1 / len(self.dilations)))

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros((), device=x.device, dtype=x.dtype)
        for dilation, share in zip(self.dilations, self.shares, strict=True):
            weight = self.weight if dilation else self.weight.mean((2, 3), keepdim=True)
            weight = weight * share[:, None, None, None]  # scaling filters is cheaper than scaling their output
            total = total + F.conv2d(x, weight, padding=dilation, dilation=max(dilation, 1))
        return total


class MdcResidual(nn.Module):
    """y = lrelu(bn(x + mdc(lrelu(bn(mdc(lrelu(bn(x)))))))): pre-activation, with one more after the sum."""

    def __init__(self, channels: int, *, dilations: tuple[int, ...]):
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [BatchNorm2d(channels), nn.LeakyReLU(SLOPE), Mdc(channels, channels, dilations=dilations)]
        self.body = nn.Sequential(*layers)
        self.after = nn.Sequential(BatchNorm2d(channels), nn.LeakyReLU(SLOPE))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.after(x + self.body(x))
        return y


class RgbBeta(nn.Module):
    """Features (N, channels, S, S) -> colours (N, 3, S, S) in [-1, 1], red first, green given red, blue given both.

    Each colour is the mean of a beta distribution on [-1, 1] whose alpha and beta, in (0, 1), are a two-channel map."""

    def __init__(self, channels: int, *, colours: int):
        super().__init__()
        self.heads = nn.ModuleList(Mdc(channels, 2, dilations=(2, 3, 4)) for _ in range(colours))
        self.given = nn.ModuleList(Mdc(2 * i, 2, dilations=(2, 3, 4)) for i in range(1, colours))

    def forward(self, h: Tensor) -> Tensor:
        maps: list[Tensor] = []
        for i, head in enumerate(self.heads):
            logits = head(h)
            if i:
                logits = logits + self.given[i - 1](torch.cat(maps, dim=1))
            maps.append(logits.sigmoid())
        pairs = torch.stack(maps, dim=1)  # (N, colours, 2, S, S): alpha, beta
        return 2 * pairs[:, :, 0] / (pairs.sum(2) + 1e-8) - 1
