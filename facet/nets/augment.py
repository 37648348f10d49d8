"""Differentiable changes to the images, real and generated alike, that a discriminator sees.

DiffAugment (Zhao et al. 2020, arXiv:2006.10738): random changes, so that a small set of images cannot be memorised.
Instance noise (Sønderby et al. 2017, arXiv:1610.04490, section 4): noise hides small differences, so that a generator
cannot win by invisible changes."""

import torch
from torch import Tensor
from torch.nn import functional as F

from facet.nets import ranks


def diff_augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """x (N, C, S, S) in [-1, 1] -> the same shape with random brightness, saturation, contrast, translation by up to
    1/8, and a grey cutout of half the side."""
    return cutout(translate(colour(x, generator), generator), generator)


def instance_noise(x: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """x (N, C, S, S) plus normal noise with a deviation per image that is uniform between 0 and `most`."""
    deviation = most * _uniform(x, generator)
    if x.device != generator.device:  # drawing on the CPU for every pixel would take longer than a step
        seed = int(torch.randint(1 << 62, (), generator=generator))
        generator = torch.Generator(x.device).manual_seed(seed)
    return x + deviation * ranks.drawn(torch.randn, *x.shape, generator=generator, device=x.device)


def _uniform(x: Tensor, generator: torch.Generator) -> Tensor:
    return ranks.drawn(torch.rand, len(x), 1, 1, 1, generator=generator).to(x.device)


def _places(below: int, count: int, generator: torch.Generator) -> Tensor:
    """(N, 2): a random row and column per image, from 0 to `below` - 1."""
    return ranks.part(torch.randint(0, below, (2, count * ranks.count()), generator=generator).t())


def colour(x: Tensor, generator: torch.Generator) -> Tensor:
    x = x + (_uniform(x, generator) - 0.5)
    mean = x.mean(dim=1, keepdim=True)
    x = (x - mean) * (2 * _uniform(x, generator)) + mean
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) * (_uniform(x, generator) + 0.5) + mean


def translate(x: Tensor, generator: torch.Generator) -> Tensor:
    reach = x.shape[-1] // 8
    shifts = _places(2 * reach + 1, len(x), generator)
    padded = F.pad(x, (reach,) * 4)
    size = x.shape[-1]
    views = [padded[i : i + 1, :, dy : dy + size, dx : dx + size] for i, (dy, dx) in enumerate(shifts.tolist())]
    return torch.cat(views)


def cutout(x: Tensor, generator: torch.Generator) -> Tensor:
    size = x.shape[-1]
    centres = _places(size, len(x), generator).to(x.device)
    grid = torch.arange(size, device=x.device)
    rows = (grid[None] - centres[:, :1]).abs() < size // 4  # (N, S)
    columns = (grid[None] - centres[:, 1:]).abs() < size // 4
    hole = rows[:, None, :, None] & columns[:, None, None, :]  # (N, 1, S, S)
    return x * ~hole
