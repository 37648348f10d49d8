"""Compositing of the decoder's change into the photo, in the crop frame: Y = X + U (a D + b (Xhat - X)), where
D = G(z') - G(z), Xhat = G(z) and U is an optional user mask.

ian      a = b = M, M = min(gaussian(|D|), 1): Brock et al. 2017 (arXiv:1609.07093, section 3.4). Weak changes become
         even weaker: a change of .3 (of a range of 2) arrives at 30 %.
ian_code the same in the order of the paper's public code: M = gaussian(min(|D|, 1)), and images in 8 bits.
add      a = a gate with a low threshold, b = 0: full change; the photo's detail stays, including the edges of things
         that should disappear.
replace  a as in add, b = a gate with a high threshold: the photo's detail fades where the change is large.
decode   a = b = 1: plain decoder output (the Photoshop 2.0 report)."""

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from facet.editing.modes import MODES

LEVEL = 2 / 255  # one 8-bit level in [-1, 1]


@dataclasses.dataclass(frozen=True)
class Gates:
    """Thresholds of smoothstep on the channel mean of |D|, in [-1, 1] units: 0 below the first, 1 from the second on.

    `change` gates the change, `fade` the removal of the photo's own detail (mode `replace`)."""

    change: tuple[float, float] = (2 * LEVEL, 6 * LEVEL)
    fade: tuple[float, float] = (0.1, 0.4)


class Composite(NamedTuple):
    """Images (N, C, S, S) in [-1, 1] and two weights (N, 1, S, S) in [0, 1]."""

    y: Tensor
    mask: Tensor  # a, share of the change that reached the photo; where it is 0, y is the photo bit for bit
    fade: Tensor  # b, share of the photo's own detail that was removed


def composite(
    x: Tensor, reconstruction: Tensor, edited: Tensor, mode: str, gates: Gates, user: Tensor | None = None
) -> Composite:
    """Photo, G(z), G(z') (N, C, S, S) in [-1, 1], user mask (N, 1, S, S) in [0, 1] -> the edited photo."""
    if mode == "ian_code":
        reconstruction, edited = (picture.add(1).mul(127.5).round() / 127.5 - 1 for picture in (reconstruction, edited))
    change = edited - reconstruction
    size = change.abs().mean(1, keepdim=True)  # (N, 1, S, S)
    if mode == "decode":
        mask = torch.ones_like(size) if user is None else user.expand_as(size)
        return Composite(torch.where(mask == 1, edited, x + mask * (edited - x)).clamp(-1, 1), mask, mask)
    if mode == "ian":
        a = b = smooth(size).clamp(max=1)
    elif mode == "ian_code":
        a = b = smooth(size.clamp(max=1))
    elif mode in ("add", "replace"):
        a = smooth(smoothstep(size, *gates.change))
        # never more fading than change, so that where the mask is 0 the photo stays
        b = torch.minimum(smooth(smoothstep(size, *gates.fade)), a) if mode == "replace" else torch.zeros_like(a)
    else:
        raise ValueError(f"mode {mode!r} is none of {', '.join(MODES)}")
    if user is not None:
        a, b = user * a, user * b
    mixed = x + a * change + b * (reconstruction - x)
    return Composite(torch.where(a > 0, mixed.clamp(-1, 1), x), a, b)


def smoothstep(value: Tensor, low: float, high: float) -> Tensor:
    """0 below `low`, 1 from `high` on, 3 t^2 - 2 t^3 between."""
    t = ((value - low) / max(high - low, 1e-6)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def smooth(mask: Tensor, sigma: float = 0.7) -> Tensor:
    """Gaussian blur of (N, 1, S, S) with mirrored borders; sigma in pixels, cut at two pixels either side."""
    steps = torch.arange(-2, 3, dtype=mask.dtype, device=mask.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(mask, (2, 2, 2, 2), mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, 5)), kernel.view(1, 1, 5, 1))
