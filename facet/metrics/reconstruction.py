"""Errors of reconstructions: one number per image, images in [-1, 1] unless noted otherwise.

The Photoshop 2.0 report's figure 9 sums over the S x S x C values in [-1, 1] (its L1 and L2); MSE, MAE, PSNR and SSIM
are on [0, 1]. SSIM: Wang et al. 2004 with their Gaussian window (11 pixels, sigma 1.5) over positions where it fits."""

import torch
from torch import Tensor
from torch.nn import functional

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03  # the report prints K1 = .001, `ssim_report` below
K1_REPORT = 0.001
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
LEAST_ERROR = 1e-10  # MSE at which PSNR stops: 100 dB for identical images


def l2_sum(x: Tensor, y: Tensor) -> Tensor:
    """(N, C, S, S) twice -> (N,): sum of squared differences over the C x S x S values in [-1, 1]."""
    return (x - y).square().sum((1, 2, 3))


def l1_sum(x: Tensor, y: Tensor) -> Tensor:
    """(N,): sum of absolute differences over the C x S x S values in [-1, 1]."""
    return (x - y).abs().sum((1, 2, 3))


def mse(x: Tensor, y: Tensor) -> Tensor:
    """(N,): mean squared difference of the images mapped to [0, 1]."""
    return (x - y).square().mean((1, 2, 3)) / 4


def mae(x: Tensor, y: Tensor) -> Tensor:
    """(N,): mean absolute difference of the images mapped to [0, 1]."""
    return (x - y).abs().mean((1, 2, 3)) / 2


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """(N,): 10 log10(1 / MSE) on [0, 1], in dB; at most 100."""
    return -10 * mse(x, y).clamp(min=LEAST_ERROR).log10()


def luma(x: Tensor) -> Tensor:
    """(N, 3, S, S) -> (N, 1, S, S), BT.601; one channel stays as it is."""
    if x.shape[1] == 1:
        return x
    weights = torch.tensor(LUMA, dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True)


def window(size: int, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The Gaussian window's weights along one axis, sum 1; smaller images get the largest odd window that fits."""
    width = min(WINDOW, size - 1 + size % 2)
    axis = torch.arange(width, dtype=dtype, device=device) - (width - 1) / 2
    weights = (-axis.square() / (2 * SIGMA**2)).exp()
    return weights / weights.sum()


def ssim(x: Tensor, y: Tensor, *, k1: float = K1, k2: float = K2) -> Tensor:
    """Images (N, C, S, S) in **[0, 1]** -> (N,): structural similarity, mean over positions and channels (L = 1).

    mean[(2 mx my + c1)(2 sxy + c2) / ((mx^2 + my^2 + c1)(sx^2 + sy^2 + c2))], c = K^2. Differentiable."""
    weights = window(min(x.shape[2:]), dtype=x.dtype, device=x.device)
    channels = x.shape[1]

    def blur(image: Tensor) -> Tensor:
        down = weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
        across = weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
        return functional.conv2d(functional.conv2d(image, down, groups=channels), across, groups=channels)

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = k1**2, k2**2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    likeness = likeness / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return likeness.mean((1, 2, 3))


def measure(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Photos and reconstructions in [-1, 1] -> every per-image number above, (N,) each; `ssim_luma` on grey values,
    `ssim_report` with the report's K1."""
    x, y = x.float(), y.float()
    x01, y01 = (x + 1) / 2, (y + 1) / 2
    return {
        "l2_sum": l2_sum(x, y),
        "l1_sum": l1_sum(x, y),
        "mse": mse(x, y),
        "mae": mae(x, y),
        "psnr": psnr(x, y),
        "ssim": ssim(x01, y01),
        "ssim_luma": ssim(luma(x01), luma(y01)),
        "ssim_report": ssim(x01, y01, k1=K1_REPORT),
    }
