"""Orthogonal regularisation (Brock et al. 2017, arXiv:1609.07093, section 3.3), in the form of its public code."""

import torch
from torch import Tensor, nn


def orthogonality(weight: Tensor) -> Tensor:
    """For each filter of (n, c, k, k), the k x k Gram matrix of its rows summed over c, minus I, entrywise absolute;
    the sum over all. 0 where every filter's rows are orthonormal."""
    gram = torch.einsum("ncij,nckj->nik", weight, weight)
    return (gram - torch.eye(weight.shape[2], device=weight.device)).abs().sum()


def orthogonal_penalty(*networks: nn.Module) -> Tensor:
    """The sum of `orthogonality` over all convolutions' weights (of transposed ones the first axis is the input's)."""
    weights = [w for network in networks for w in network.parameters() if w.ndim == 4]
    return torch.stack([orthogonality(w) for w in weights]).sum()
