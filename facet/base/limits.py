"""Allowed ranges of the numbers in params.yaml, as types of the fields that hold them."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple


class Limit(NamedTuple):
    """A range from `low` to `high`; `open` names the ends that are excluded."""

    low: float
    high: float = math.inf
    open: Literal["", "low", "high", "both"] = ""

    def holds(self, value: float) -> bool:
        above = value > self.low if self.open in ("low", "both") else value >= self.low
        below = value < self.high if self.open in ("high", "both") else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.open in ("low", "both") else f"{self.low:g} or more"
        high = f"below {self.high:g}" if self.open in ("high", "both") else f"at most {self.high:g}"
        return low if self.high == math.inf else f"{low}, {high}"

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """The limit in a JSON schema, as pydantic asks for it."""
        schema = handler(core)
        schema["exclusiveMinimum" if self.open in ("low", "both") else "minimum"] = self.low
        if self.high != math.inf:
            schema["exclusiveMaximum" if self.open in ("high", "both") else "maximum"] = self.high
        return schema


Count = Annotated[int, Limit(1)]
Natural = Annotated[int, Limit(0)]
BatchSize = Annotated[int, Limit(2)]  # batch norm has no statistics of a single image
NonNegative = Annotated[float, Limit(0)]
Positive = Annotated[float, Limit(0, open="low")]
Share = Annotated[float, Limit(0, 1)]
UpToOne = Annotated[float, Limit(0, 1, open="low")]
BelowOne = Annotated[float, Limit(0, 1, open="high")]
