"""Strided convolutions and their initialisation, as in DCGAN (Radford et al. 2016, arXiv:1511.06434, section 3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from facet.nets.norm import BatchNorm2d

SLOPE = 0.2  # slope of every leaky ReLU


def halvings(size: int, *, least: int) -> int:
    """The number of times that a side can be halved while it is even and above `least`: for 4, 64 pixels 4 times and 28
    pixels twice (to 7)."""
    count = 0
    while size % 2 == 0 and size > least:
        size, count = size // 2, count + 1
    return count


def same_padding(kernel: int) -> int:
    """The padding with which a stride-2 convolution halves an even size: 1 for kernel 4, 2 for kernel 5."""
    return (kernel - 1) // 2


def down(channels_in: int, channels_out: int, *, kernel: int, norm: str) -> nn.Sequential:
    """A convolution that halves height and width, and a leaky ReLU. `norm` is batch, spectral or none."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride=2, padding=same_padding(kernel), bias=norm != "batch")
    if norm == "batch":
        return nn.Sequential(conv, BatchNorm2d(channels_out), nn.LeakyReLU(SLOPE))
    if norm == "spectral":
        return nn.Sequential(spectral_norm(conv), nn.LeakyReLU(SLOPE))
    if norm == "none":
        return nn.Sequential(conv, nn.LeakyReLU(SLOPE))
    raise ValueError(f"norm {norm!r} is none of batch, spectral, none")


def transposed(channels_in: int, channels_out: int, *, kernel: int, bias: bool) -> nn.ConvTranspose2d:
    """A transposed convolution that exactly doubles height and width."""
    return nn.ConvTranspose2d(
        channels_in,
        channels_out,
        kernel,
        stride=2,
        padding=same_padding(kernel),
        output_padding=kernel % 2,
        bias=bias,
    )


def up(channels_in: int, channels_out: int, *, kernel: int) -> nn.Sequential:
    """A transposed convolution that doubles height and width, batch norm and ReLU."""
    return nn.Sequential(
        transposed(channels_in, channels_out, kernel=kernel, bias=False), BatchNorm2d(channels_out), nn.ReLU()
    )


def binomial(x: Tensor) -> Tensor:
    """Filter (N, C, H, W) by [1, 2, 1] / 4 along rows and columns with repeated borders, which removes patterns that
    alternate from pixel to pixel."""
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    x = x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]
    return (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 16


def init_dcgan(network: nn.Module, generator: torch.Generator) -> None:
    """Weights of convolutions and linear layers N(0, 0.02), batch-norm scales N(1, 0.02), biases 0 (section 3)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            _normal(module.weight, 0.0, generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            _normal(module.weight, 1.0, generator)
            nn.init.zeros_(module.bias)


def init_he(network: nn.Module, generator: torch.Generator) -> None:
    """Kaiming-normal weights for leaky ReLU (He et al. 2015) and biases 0, for networks whose paper gives no other."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, SLOPE, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _normal(weight: Tensor, mean: float, generator: torch.Generator) -> None:
    with torch.no_grad():
        weight.copy_(torch.empty_like(weight).normal_(mean, 0.02, generator=generator))
