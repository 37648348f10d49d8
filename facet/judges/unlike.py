"""Faces unlike those of training: covered, pixelated or blurred, so that neither system nor judge knows what they see.

The reconstruction error of a whole crop hardly tells them, because hair and background dominate it. A linear
score of what judge A's trunk sees in a crop, and of how that differs from what it sees in the reconstruction, does."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from facet.judges.judge import Judge

CELLS = 4  # along one side of the grid on which features are averaged


def features(judge: Judge, x: Tensor, reconstruction: Tensor) -> Tensor:
    """Features (N, d) float32 of crops (N, C, S, S) in [-1, 1] and their reconstructions."""
    own, drawn = judge.trunk(x), judge.trunk(reconstruction)
    parts = (F.adaptive_avg_pool2d(part, CELLS).flatten(1) for part in (own, (own - drawn).abs()))
    return torch.cat(list(parts), 1).float()


@dataclasses.dataclass(frozen=True)
class Unlike:
    """A linear score of `features`: above 0, a face is unlike those of training."""

    weights: np.ndarray  # (d,) float32
    bias: float

    def sees(self, judge: Judge, x: Tensor, reconstruction: Tensor) -> np.ndarray:
        """Which of N crops show a face unlike those of training, bool (N,)."""
        found = features(judge, x, reconstruction).cpu().numpy()
        return np.asarray(found @ self.weights + self.bias > 0)

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Unlike":
        """The score whose `numbers` these are."""
        return cls(np.array(numbers[:-1], np.float32), float(numbers[-1]))

    @property
    def numbers(self) -> tuple[float, ...]:
        """Weights and bias, to be written to a table."""
        return (*self.weights.tolist(), self.bias)
