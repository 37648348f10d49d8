"""The log of a training run: means of named terms over `every` steps, one CSV row each."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from stages.files import write_csv


class History:
    """Collects floats by name; a row stands at every multiple of `every` steps, with the means since the last row."""

    def __init__(self, path: Path, *, every: int):
        self.path = path
        self.every = every
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, step: int, images_seen: int, terms: dict[str, float]) -> bool:
        """Whether this step closed a row. Terms may come and go: each is averaged over the steps that had it."""
        for name, value in terms.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)
        if step % self.every:
            return False
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self.rows.append({"step": step, "images_seen": images_seen} | means)
        self._sums = {}
        return True

    def write(self) -> None:
        write_csv(self.path, pd.DataFrame(self.rows))

    def state(self) -> dict[str, Any]:
        return {"rows": self.rows, "sums": self._sums}

    def load_state(self, state: dict[str, Any]) -> None:
        self.rows = list(state["rows"])
        self._sums = {name: tuple(value) for name, value in state["sums"].items()}

    def line(self) -> str:
        """The last row for a log line."""
        if not self.rows:
            return ""
        return " ".join(
            f"{name} {value:.4g}" for name, value in self.rows[-1].items() if name not in ("step", "images_seen")
        )


def first_not_finite(terms: dict[str, float]) -> str | None:
    """The name of a term that is NaN or infinite, if any."""
    return next((name for name, value in terms.items() if not math.isfinite(value)), None)
