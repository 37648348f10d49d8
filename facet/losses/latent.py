"""Losses on latent codes (N, d)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from facet.nets import ranks


def kl_to_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, I)) in nats, summed over d, mean over the batch: Kingma and
    Welling 2014, appendix B."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1).mean()


def attribute_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross entropy in nats, summed over attributes, mean over the batch. Labels (N, K) are negative, 0
    (unknown, left out) or positive. The two classes of each attribute have the same total weight in the batch, so that
    rare ones count."""
    known = (labels != 0).to(logits.dtype)
    present = (labels > 0).to(logits.dtype)
    count_present, count_known = ranks.total(torch.stack([present.sum(0), known.sum(0)]))
    share = (count_present + 1) / (count_known + 2)  # (K,), smoothed
    weights = known * (present / share + (1 - present) / (1 - share)) / 2
    loss = binary_cross_entropy_with_logits(logits, present, weight=weights, reduction="none")
    return loss.sum(dim=1).mean()


def recognition_loss(logits: Tensor, description: Tensor, groups: Sequence[Sequence[int]] = ()) -> Tensor:
    """-log Q(c | x) in nats, summed over the description (N, K) in [-1, 1], mean over the batch; an entry of 0 is
    unknown and left out. Entries between -1 and 1 are soft targets, as in ViGAN's real-valued descriptions. In each of
    `groups` exactly one entry is true: their log Q is that of one softmax instead of a sigmoid each."""
    known = (description != 0).to(logits.dtype)
    target = (description + 1) / 2
    loss = binary_cross_entropy_with_logits(logits, target, weight=known, reduction="none")
    for group in map(list, groups):
        loss[:, group] = -known[:, group] * target[:, group] * logits[:, group].log_softmax(dim=1)
    return loss.sum(dim=1).mean()


def description_error(predicted: Tensor, description: Tensor) -> Tensor:
    """Mean squared error between descriptions (N, K) in [-1, 1] over the known entries (not 0)."""
    known = (description != 0).to(predicted.dtype)
    return (known * (predicted - description).square()).sum() / ranks.mean(known.sum()).clamp(min=1 / ranks.count())


def reparametrise(mu: Tensor, logvar: Tensor, generator: torch.Generator) -> Tensor:
    """mu + sigma eps with eps ~ N(0, I) from `generator`."""
    eps = ranks.drawn(torch.randn, *mu.shape, generator=generator, dtype=mu.dtype).to(mu.device)
    return mu + (0.5 * logvar).exp() * eps
