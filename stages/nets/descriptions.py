"""Label vectors of training images, kept with a conditional model so that it can draw from their joint distribution."""

import torch
from torch import Tensor, nn

ROWS = 1024


class Descriptions(nn.Module):
    """The first ROWS label vectors (N, K) that training meets."""

    rows: Tensor
    filled: Tensor

    def __init__(self, labels: int):
        super().__init__()
        self.register_buffer("rows", torch.zeros(ROWS, labels))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def add(self, y: Tensor) -> None:
        """Keep the rows of y (N, K) while there is room."""
        filled = int(self.filled)
        kept = y[: ROWS - filled]
        self.rows[filled : filled + len(kept)] = kept
        self.filled += len(kept)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, K), with replacement."""
        chosen = torch.randint(max(int(self.filled), 1), (count,), generator=generator)
        return self.rows[chosen.to(self.rows.device)]
