"""The outcome of an intake: its JSON report and its words for people."""

import dataclasses
from pathlib import Path
from typing import Any

EXAMPLES_SHOWN = 20  # bad photos that a report names


@dataclasses.dataclass
class IntakeReport:
    """Outcome of the intake of one night."""

    shard: str = ""  # the new zip, "" if no new photo was good
    taken: int = 0  # photos taken in
    splits: dict[str, int] = dataclasses.field(default_factory=dict)  # photos taken in by split
    people: int = 0  # new people
    duplicates: int = 0  # photos whose bytes the data set has already; they leave the drop folder
    kept_split: int = 0  # photos that asked for another split than their person is in
    quarantined: dict[str, int] = dataclasses.field(default_factory=dict)  # bad photos by reason
    refused: dict[str, str] = dataclasses.field(default_factory=dict)  # delivery -> why it is held back
    arriving: list[str] = dataclasses.field(default_factory=list)  # deliveries that changed a moment ago
    unknown_attributes: list[str] = dataclasses.field(default_factory=list)  # not in the data set, left out
    unmatched: int = 0  # rows of labels without a photo
    unmatched_examples: str = ""  # some names of such rows
    examples: list[str] = dataclasses.field(default_factory=list)  # first EXAMPLES_SHOWN bad photos with their reasons
    corrected: int = 0  # photos in the data set whose delivered labels say something else
    corrected_examples: str = ""  # some of these labels
    warnings: list[str] = dataclasses.field(default_factory=list)  # of the tables of labels
    waiting: dict[str, str] = dataclasses.field(default_factory=dict)  # delivery -> what of it stays, and why
    kept: dict[str, str] = dataclasses.field(default_factory=dict)  # zip or table in quarantine -> why it is there
    drop: str = ""  # the drop folder
    unchanged: str = ""  # the .dvc file of a data set that has not changed since it was taken in

    @property
    def bad(self) -> int:
        """Number of photos in quarantine."""
        return sum(self.quarantined.values())

    @property
    def drop_name(self) -> str:
        """The name under which the drop folder itself is listed as a delivery."""
        return Path(self.drop).name

    @property
    def needs_attention(self) -> bool:
        """True if people should look at what was not taken in."""
        return bool(self.refused or self.bad or self.corrected or self.waiting or self.kept)

    @property
    def empty(self) -> bool:
        """True if there was no delivery at all."""
        return not (self.taken or self.duplicates or self.arriving or self.needs_attention)

    def to_json(self) -> dict[str, Any]:
        more = {"empty": self.empty, "needs_attention": self.needs_attention, "summary": str(self)}
        return dataclasses.asdict(self) | more

    def __str__(self) -> str:
        return "; ".join(self.lines())

    def lines(self) -> list[str]:
        """The report for people, one fact a line."""
        if self.empty:
            where = f" in {self.drop}" if self.drop else ""
            return [f"nothing arrived: {self.unchanged} is unchanged" if self.unchanged else f"nothing arrived{where}"]
        examples = f" ({self.unmatched_examples})" if self.unmatched_examples else ""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.quarantined.items()))
        parts = [
            f"{self.taken:,} photos taken in" + (f" as {self.shard}" if self.shard else ""),
            f"{self.duplicates:,} in the data set already" if self.duplicates else "",
            f"{self.bad:,} quarantined ({reasons})" if self.bad else "",
            f"{self.corrected:,} with other labels than the data set, which keeps its own ({self.corrected_examples})"
            if self.corrected
            else "",
            f"{self.kept_split:,} stay in the split of their person" if self.kept_split else "",
            f"{self.unmatched:,} rows of labels without a photo{examples}" if self.unmatched else "",
            f"attributes left out because the data set lacks them: {', '.join(self.unknown_attributes)}"
            if self.unknown_attributes
            else "",
            *self.warnings,
            f"still arriving: {', '.join(self.arriving)}" if self.arriving else "",
            *(f"in quarantine {name}: {why}" for name, why in self.kept.items()),
            *(f"waiting {delivery}: {why}" for delivery, why in self.waiting.items()),
            *(f"refused {delivery}: {why}" for delivery, why in self.refused.items()),
        ]
        return [part for part in parts if part]
