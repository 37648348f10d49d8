"""Orthogonal regularisation (Brock et al. 2017, arXiv:1609.07093, section 3.3), in the form of its public code."""

import torch
from torch import Tensor, nn


def orthogonality(weight: Tensor) -> Tensor:
    """The sum over filters of weights (n, c, k, k) of |G - I|, entrywise, where G (k, k) is the Gram matrix of a
    filter's rows summed over c; 0 if the rows of every filter are orthonormal."""
    gram = torch.einsum("ncij,nckj->nik", weight, weight)
    return (gram - torch.eye(weight.shape[2], device=weight.device)).abs().sum()


def orthogonal_penalty(*networks: nn.Module) -> Tensor:
    """The sum of `orthogonality` over the weights of all convolutions (in transposed ones the first axis is the
    input)."""
    weights = [w for network in networks for w in network.parameters() if w.ndim == 4]
    return torch.stack([orthogonality(w) for w in weights]).sum()
