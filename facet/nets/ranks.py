"""One training on several processes, each with its share of every batch: a GPU each, or cores of a CPU.

Together they compute what one process would from the whole batch: each rank draws the numbers of the whole batch and
keeps its part, statistics and gradients are means over all ranks. So all ranks hold the same weights, and losses are
those of one process up to the order of sums. (DistributedDataParallel knows one loss and one backward pass a network;
the trainers here have several, on chosen parts.) On one process everything here is free. facet/training/launch.py
starts the ranks."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed

Rows = TypeVar("Rows", Tensor, np.ndarray)


def count() -> int:
    """How many ranks train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def leads() -> bool:
    """Whether this rank writes files and the log."""
    return rank() == 0


def meet() -> None:
    """Wait until all ranks are here."""
    if count() > 1:
        distributed.barrier()


def part(whole: Rows) -> Rows:
    """This rank's rows of what is the same on all ranks (N, ...): N / count, in order."""
    each = len(whole) // count()
    return whole[rank() * each : (rank() + 1) * each]


def drawn(draw: Callable[..., Tensor], rows: int, *shape: int, **options: Any) -> Tensor:
    """This rank's `rows` of random numbers (N, *shape) that all ranks draw alike for their whole batch."""
    return part(draw(rows * count(), *shape, **options))


class _Total(torch.autograd.Function):
    """Of what a sum of all ranks' values adds to any rank's loss, each rank's own value adds the same."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        summed = value.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return total(gradients[0])


def total(value: Tensor) -> Tensor:
    """The sum over ranks, on all of them; the losses of all ranks send gradients back."""
    if count() == 1:
        return value
    summed: Tensor = _Total.apply(value)  # type: ignore[no-untyped-call]
    return summed


def mean(value: Tensor) -> Tensor:
    """The mean over ranks, as `total`."""
    return total(value) / count() if count() > 1 else value


def whole(part: Tensor) -> Tensor:
    """The rows of all ranks (N, ...) in order, from each one's own (N / count, ...), as `total`."""
    if count() == 1:
        return part
    before, after = rank() * len(part), (count() - 1 - rank()) * len(part)
    return total(torch.cat([part.new_zeros(before, *part.shape[1:]), part, part.new_zeros(after, *part.shape[1:])]))


def average_gradients(optimiser: torch.optim.Optimizer) -> None:
    """From now on, each step of it begins with the mean of all ranks' gradients."""
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
    """The terms of the losses as means over ranks."""
    if count() == 1:
        return terms
    flat = torch.stack([term.detach().double() for term in terms.values()])
    distributed.all_reduce(flat)
    return dict(zip(terms, flat / count(), strict=True))


class Stop:
    """Whether any rank was told to stop. Ranks ask each other at every step and hear the answer one step later, so that
    none waits for its GPU; `now` waits."""

    def __init__(self, device: torch.device):
        self._device = device
        self._asked: Tensor | None = None

    def heard(self, told: bool, *, now: bool) -> bool:
        """The same on all ranks; `told` is whether this one was."""
        if count() == 1:
            return told
        before, self._asked = self._asked, torch.tensor(float(told), device=self._device)
        distributed.all_reduce(self._asked)
        answer = self._asked if now else before
        return answer is not None and bool(answer > 0)
