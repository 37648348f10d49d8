"""Adversarial losses from logits of shape (N,), each a mean over the batch."""

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus


def nonsaturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))), in nats: Goodfellow et al. 2014, equation 1."""
    return softplus(-real).mean() + softplus(fake).mean()


def nonsaturating_generator(fake: Tensor) -> Tensor:
    """-log D(G(z)), in nats: the non-saturating form, Goodfellow et al. 2014, end of section 3."""
    return softplus(-fake).mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))): Lim and Ye 2017; Miyato et al. 2018, equation 16."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """-D(G(z)): Miyato et al. 2018, equation 17."""
    return -fake.mean()


def r1_penalty(real_logits: Tensor, real: Tensor) -> Tensor:
    """Half the squared gradient norm of D at real images, mean over the batch: Mescheder et al. 2018, equation 9
    with gamma = 1. `real` (N, C, H, W) must require a gradient."""
    (gradient,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
    return 0.5 * gradient.square().sum(dim=(1, 2, 3)).mean()


DISCRIMINATOR_LOSSES = {"nonsaturating": nonsaturating_discriminator, "hinge": hinge_discriminator}
GENERATOR_LOSSES = {"nonsaturating": nonsaturating_generator, "hinge": hinge_generator}
