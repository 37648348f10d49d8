"""Descriptions (label vectors) of training images, kept with a conditional model so that it can draw from their joint
distribution, and what the names of their entries imply."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ROWS = 1024  # most descriptions kept


class Descriptions(nn.Module):
    """The first ROWS descriptions (N, K) of a training."""

    rows: Tensor
    filled: Tensor

    def __init__(self, labels: int):
        super().__init__()
        self.register_buffer("rows", torch.zeros(ROWS, labels))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def add(self, y: Tensor) -> None:
        """Add rows of y (N, K) until there are ROWS."""
        filled = int(self.filled)
        kept = y[: ROWS - filled]
        self.rows[filled : filled + len(kept)] = kept
        self.filled += len(kept)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw (count, K) with replacement."""
        chosen = torch.randint(max(int(self.filled), 1), (count,), generator=generator)
        return self.rows[chosen.to(self.rows.device)]


def one_hots(names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """For every place of a digit, the indices of its ten classes <place>_0 to <place>_9, of which exactly one is
    true."""
    at = {name: k for k, name in enumerate(names)}
    places = [name.removesuffix("_0") for name in names if name.endswith("_0")]
    groups = [[f"{place}_{digit}" for digit in range(10)] for place in places]
    return tuple(tuple(at[name] for name in group) for group in groups if all(name in at for name in group))


def read(logits: Tensor, groups: Sequence[Sequence[int]] = ()) -> Tensor:
    """A recogniser's logits (N, K) -> the description (N, K) in [-1, 1]: 2 p - 1, p by a softmax within each of
    `groups` and by a sigmoid elsewhere."""
    p = logits.sigmoid().clone()
    for group in map(list, groups):
        p[:, group] = logits[:, group].softmax(dim=1)
    return 2 * p - 1
