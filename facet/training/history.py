"""The history of a training run: a CSV row of mean terms every `every` steps."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from facet.base.files import write_csv


class History:
    """Collects terms by name and adds a row of their means since the last row at every multiple of `every` steps.

    Terms are summed on their device, because copying each one from a GPU would make every step wait for it."""

    def __init__(self, path: Path, *, every: int):
        self.path = path
        self.every = every
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, tuple[Tensor | float, int]] = {}

    def add(self, step: int, images_seen: int, terms: dict[str, Tensor]) -> bool:
        """Add the terms (scalars) of a step and return True if it completed a row. Each term is averaged over the steps
        that have it."""
        for name, value in terms.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (value.detach().double() + total, count + 1)
        if step % self.every:
            return False
        self.rows.append({"step": step, "images_seen": images_seen} | self.means())
        self._sums = {}
        return True

    def means(self) -> dict[str, float]:
        """The mean of each term since the last row."""
        return {name: float(total) / count for name, (total, count) in self._sums.items()}

    def write(self) -> None:
        write_csv(self.path, pd.DataFrame(self.rows))

    def state(self) -> dict[str, Any]:
        return {"rows": self.rows, "sums": self._sums}

    def load_state(self, state: dict[str, Any]) -> None:
        self.rows = list(state["rows"])
        self._sums = dict(state["sums"])

    def line(self) -> str:
        """The last row as text for a log line."""
        if not self.rows:
            return ""
        return " ".join(
            f"{name} {value:.4g}" for name, value in self.rows[-1].items() if name not in ("step", "images_seen")
        )


def first_not_finite(terms: dict[str, float]) -> str | None:
    """The name of the first term that is NaN or infinite, or None."""
    return next((name for name, value in terms.items() if not math.isfinite(value)), None)
