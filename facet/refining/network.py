"""The networks of the refiner: a U-net on half the side (Ronneberger et al. 2015, arXiv:1505.04597), and a critic of
patches (Isola et al. 2017, arXiv:1611.07004, section 3.2.2) whose features also compare refined and real pictures.

Differs from the papers: the U-net adds to its input, within the mask only; it folds 2 x 2 pixels into channels at the
entrance and unfolds them at the exit (Shi et al. 2016, arXiv:1609.05158), because convolutions at the full side would
take most of the time; skips are added instead of concatenated. Neither network has batch norm, so a picture's result
does not depend on its neighbours."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pixel_shuffle, pixel_unshuffle

from facet.nets.blocks import SLOPE, down

MULTIPLE = 16  # of the sides that the U-net takes: it halves them four times
WIDENING = (1, 2, 3, 4)  # channels at 1/2, 1/4, 1/8 and 1/16 of the side, in widths


class Block(nn.Module):
    """Maps (N, width, H, W) -> the same shape: the input plus two convolutions of it."""

    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(leaky_relu(self.first(leaky_relu(x, SLOPE)), SLOPE))
        return x + y


class UNet(nn.Module):
    """Composites (N, C, H, W) in [-1, 1] and masks (N, 1, H, W) in [0, 1] -> refined pictures (N, C, H, W), which
    equal the composites bit for bit where the mask is 0 and may leave [-1, 1] elsewhere: clamped in training, what left
    it would get no gradient and never return. H and W are multiples of 16.

    The network predicts the difference of photo and decoded picture, and the mask weighs it, as it weighed the decoded
    picture in the composite: so the correction does not depend on how soft the mask is."""

    def __init__(self, *, channels: int, width: int):
        super().__init__()
        widths = [width * factor for factor in WIDENING]
        self.enter = nn.Conv2d(4 * (channels + 1), width, 3, padding=1)
        self.before = nn.ModuleList(Block(w) for w in widths)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(widths))
        self.ups = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in itertools.pairwise(widths))
        self.after = nn.ModuleList(Block(w) for w in widths)
        self.leave = nn.Conv2d(width, 4 * channels, 3, padding=1)

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        x = self.enter(pixel_unshuffle(torch.cat([composite, 2 * mask - 1], dim=1), 2))  # (N, width, H/2, W/2)
        skips = []
        for block, shrink in zip(self.before[:-1], self.downs, strict=True):
            skips.append(x := block(x))
            x = shrink(x)
        x = self.after[-1](self.before[-1](x))  # (N, 4 * width, H/16, W/16)
        for block, widen, skip in reversed(list(zip(self.after[:-1], self.ups, skips, strict=True))):
            x = block(skip + interpolate(widen(x), scale_factor=2.0, mode="nearest"))
        correction = pixel_shuffle(self.leave(leaky_relu(x, SLOPE)), 2).float()  # (N, C, H, W)
        return torch.where(mask > 0, composite + mask * correction, composite)


class Critic(nn.Module):
    """Pictures (N, C, H, W) in [-1, 1] and masks (N, 1, H, W) -> features at 1/2, 1/4, 1/8 and 1/16 of the side, and
    logits (N, 1, H/8, W/8), positive for real, of the patches."""

    def __init__(self, *, channels: int, width: int):
        super().__init__()
        widths = [channels + 1, width, 2 * width, 4 * width, 4 * width]
        self.layers = nn.ModuleList(down(a, b, kernel=4, norm="none") for a, b in itertools.pairwise(widths))
        self.head = nn.Conv2d(4 * width, 1, 3, padding=1)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[list[Tensor], Tensor]:
        features = [torch.cat([x, 2 * mask - 1], dim=1)]
        for layer in self.layers:
            features += [layer(features[-1])]
        return features[1:], self.head(features[3])
