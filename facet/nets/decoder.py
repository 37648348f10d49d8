"""The generator of DCGAN (Radford et al. 2016, arXiv:1511.06434, figure 1), which is the decoder of other systems
too."""

import torch
from torch import Tensor, nn

from facet.nets.blocks import binomial, halvings, transposed, up
from facet.nets.norm import BatchNorm1d, BatchNorm2d

SIDE = 4  # side of the first grid, at 64 pixels


class Decoder(nn.Module):
    """Vectors (N, inputs) -> images (N, C, S, S) in [-1, 1]; S is 4 or 7 times a power of two.

    `hidden` is the number of units of a linear layer before the grid; 0 leaves it out. With `blur` the output of the
    last layer is filtered by a fixed [1, 2, 1], which removes checkerboards."""

    def __init__(
        self,
        *,
        inputs: int,
        width: int,
        kernel: int,
        size: int,
        channels: int,
        hidden: int = 0,
        blur: bool = False,
        bias: bool = True,
    ):
        super().__init__()
        stages = halvings(size, least=SIDE)
        self.side, widest = size >> stages, width << (stages - 1)
        self.project: nn.Module = nn.Linear(hidden or inputs, widest * self.side**2, bias=False)
        if hidden:
            first = [nn.Linear(inputs, hidden, bias=False), BatchNorm1d(hidden), nn.ReLU()]
            self.project = nn.Sequential(*first, self.project)
        self.norm = BatchNorm2d(widest)
        self.ups = nn.Sequential(*(up(widest >> i, widest >> (i + 1), kernel=kernel) for i in range(stages - 1)))
        self.to_rgb = transposed(width, channels, kernel=kernel, bias=bias)
        self.blur = blur

    def forward(self, *parts: Tensor) -> Tensor:
        """The arguments are the parts of the vectors (N, …): z, or z and y."""
        x = self.project(torch.cat(parts, dim=1)).unflatten(1, (-1, self.side, self.side))  # (N, 8*width, 4, 4)
        x = self.norm(x.contiguous(memory_format=torch.channels_last)).relu()
        x = self.ups(x)  # (N, width, S/2, S/2)
        x = self.to_rgb(x)  # (N, C, S, S)
        # in float32: a bf16 tanh is exactly -1 below -3.1, so a black pixel would get no gradient
        return (binomial(x) if self.blur else x).float().tanh()
