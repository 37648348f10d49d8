"""Reconstruction losses between images (N, C, S, S) in [-1, 1], each a mean over the batch.

`l1` and `l2` sum over the C x S x S values of an image, as the Photoshop 2.0 report does (figure 9)."""

import torch
from torch import Tensor

from facet.metrics.reconstruction import ssim

LEAST_PROBABILITY = 1e-4  # added to probabilities, so that a pixel costs at most 9 nats
SSIM_L2_WEIGHT = 5e-5  # Photoshop 2.0, the loss of its SSIM encoder


def l2(x: Tensor, y: Tensor) -> Tensor:
    """Sum of squared differences per image."""
    return (x - y).square().sum(dim=(1, 2, 3)).mean()


def l1(x: Tensor, y: Tensor) -> Tensor:
    """Sum of absolute differences per image."""
    return (x - y).abs().sum(dim=(1, 2, 3)).mean()


def ssim_l2(x: Tensor, y: Tensor) -> Tensor:
    """(1 - SSIM) + 0.00005 L2 of Photoshop 2.0; SSIM on [0, 1] per channel."""
    return (1 - ssim((x + 1) / 2, (y + 1) / 2)).mean() + SSIM_L2_WEIGHT * l2(x, y)


RECONSTRUCTION_LOSSES = {"l2": l2, "l1": l1, "ssim": ssim_l2}


def centre_weights(size: int, *, peak: float) -> Tensor:
    """Weights (1, 1, S, S) of mean 1: a Gaussian bump (sigma S/4) whose centre weighs `peak` times as much as the
    border."""
    axis = torch.linspace(-2, 2, size)
    bump = torch.exp(-0.5 * (axis[:, None].square() + axis[None].square()))
    weights = 1 + (peak - 1) * bump
    return (weights / weights.mean())[None, None]


def weighted_l1(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Mean absolute difference with weights (1, 1, S, S) of mean 1."""
    return ((x - y).abs() * weights).mean()


def weighted_l2(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Mean squared difference with weights (1, 1, S, S) of mean 1."""
    return ((x - y).square() * weights).mean()


def weighted_bce(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Mean cross entropy in nats of the probability (x + 1) / 2 of white against the target (y + 1) / 2, with weights
    (1, 1, S, S) of mean 1: Kingma and Welling 2014, appendix C.1."""
    white, target = (x + 1) / 2, (y + 1) / 2
    nats = -target * (white + LEAST_PROBABILITY).log() - (1 - target) * (1 - white + LEAST_PROBABILITY).log()
    return (nats * weights).mean()


WEIGHTED_LOSSES = {"l1": weighted_l1, "l2": weighted_l2, "bce": weighted_bce}
