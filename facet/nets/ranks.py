"""One training on several processes (ranks), each with its share of every batch: one GPU each, or cores of a CPU.

Together they compute what one process would compute from the whole batch: each rank draws the random numbers of the
whole batch and keeps its part, and statistics and gradients are means over all ranks. So all ranks have the same
weights, and losses equal those of one process up to the order of sums. (DistributedDataParallel supports one loss and
one backward pass per network; the trainers here have several, on chosen parts.) On one process nothing here costs any
time. facet/training/launch.py starts the ranks."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed

Rows = TypeVar("Rows", Tensor, np.ndarray)


def count() -> int:
    """The number of ranks."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """The number of this rank, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def leads() -> bool:
    """Return True on the rank that writes files and the log."""
    return rank() == 0


def meet() -> None:
    """Wait for all ranks."""
    if count() > 1:
        distributed.barrier()


def part(whole: Rows) -> Rows:
    """This rank's N / count rows of a tensor or array (N, …) that is equal on all ranks."""
    each = len(whole) // count()
    return whole[rank() * each : (rank() + 1) * each]


def drawn(draw: Callable[..., Tensor], rows: int, *shape: int, **options: Any) -> Tensor:
    """This rank's `rows` of random numbers (N, *shape) that all ranks draw for the whole batch."""
    return part(draw(rows * count(), *shape, **options))


class _Total(torch.autograd.Function):
    """The sum over ranks with its gradient: a rank's value contributes to the losses of all ranks."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        summed = value.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return total(gradients[0])


def total(value: Tensor) -> Tensor:
    """The sum over ranks, on every rank. Gradients come from the losses of all ranks."""
    if count() == 1:
        return value
    summed: Tensor = _Total.apply(value)  # type: ignore[no-untyped-call]
    return summed


def mean(value: Tensor) -> Tensor:
    """The mean over ranks, with gradients as in `total`."""
    return total(value) / count() if count() > 1 else value


def whole(part: Tensor) -> Tensor:
    """The rows of all ranks (N, …) in order, from the N / count rows of each, with gradients as in `total`."""
    if count() == 1:
        return part
    before, after = rank() * len(part), (count() - 1 - rank()) * len(part)
    return total(torch.cat([part.new_zeros(before, *part.shape[1:]), part, part.new_zeros(after, *part.shape[1:])]))


def average_gradients(optimiser: torch.optim.Optimizer) -> None:
    """Make every step of an optimiser start from the mean of all ranks' gradients."""
    if count() > 1:
        optimiser.register_step_pre_hook(_average)


def _average(optimiser: torch.optim.Optimizer, arguments: Any, options: Any) -> None:
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= count()
    pieces = flat.split([gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view(gradient.shape))


def means(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The means over ranks of the terms of the losses."""
    if count() == 1:
        return terms
    flat = torch.stack([term.detach().double() for term in terms.values()])
    distributed.all_reduce(flat)
    return dict(zip(terms, flat / count(), strict=True))


class Stop:
    """Agreement of the ranks to stop as soon as one has been told to. They exchange this at every step and use the
    answer one step later, so that none waits for its GPU."""

    def __init__(self, device: torch.device):
        self._device = device
        self._sent: Tensor | None = None

    def agreed(self, requested: bool, *, now: bool) -> bool:
        """Return the same on all ranks; `requested` is true if this rank was told to stop. `now` waits for the answer
        of this step."""
        if count() == 1:
            return requested
        before, self._sent = self._sent, torch.tensor(float(requested), device=self._device)
        distributed.all_reduce(self._sent)
        answer = self._sent if now else before
        return answer is not None and bool(answer > 0)
