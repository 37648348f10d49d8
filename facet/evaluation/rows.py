"""Rows of the evaluation's report: names, and numbers as {value, low, high, n} with six significant digits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facet.metrics.intervals import Estimate

Row = dict[str, Any]  # one row of a section


def estimates_json(values: Mapping[str, Estimate]) -> Row:
    """Estimates by name, each as `estimate_json`."""
    return {name: estimate_json(value) for name, value in values.items()}


def estimate_json(value: Estimate) -> dict[str, float | int | None]:
    """One estimate as {value, low, high, n}."""
    return {name: six_digits(number) for name, number in value.to_json().items()}


def flat_row(row: Row) -> Row:
    """A row for a CSV table: a number {value, low, high, n} becomes the columns name, name_low, name_high, name_n."""
    columns: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            columns |= {name: value["value"]} | {f"{name}_{part}": value[part] for part in ("low", "high", "n")}
        else:
            columns[name] = value
    return columns


def six_digits(number: float | int | None) -> Any:
    """A float rounded to six significant digits; integers and None as they are."""
    return float(f"{number:.6g}") if isinstance(number, float) else number


def exact_estimate(value: float, n: int) -> Estimate:
    """A number without sampling error, such as the largest of n."""
    return Estimate(value, value, value, n)


def concatenated(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays in one; empty float64 for none."""
    return np.concatenate(parts) if parts else np.zeros(0)
