"""What a night found and did: its record, and the words for people."""

import dataclasses
from typing import Any


@dataclasses.dataclass
class Night:
    """What a night found and did; its record is nights/<name>.json."""

    name: str
    when: str  # it began, UTC, ISO 8601
    seconds: float = 0.0  # it took
    state: str = "Running"  # Promoted, Kept, Nothing new, Unfinished, Waiting or Failed at last
    intake: dict[str, Any] | None = None
    drift: dict[str, Any] | None = None
    stages: list[str] = dataclasses.field(default_factory=list)  # that were not up to date
    verdicts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)  # by system
    live: dict[str, str] = dataclasses.field(default_factory=dict)  # version by system, at the end
    pushed: bool | None = None  # None: there was nothing to push
    problems: list[str] = dataclasses.field(default_factory=list)  # that somebody should look at

    @property
    def alarming(self) -> bool:
        """Whether somebody should look."""
        refused = bool(self.intake and self.intake["refused"])
        return bool(self.problems or refused or (self.drift and self.drift["alert"]) or self.pushed is False)

    def message(self) -> str:
        """What people read in the morning."""
        lines = [f"Night {self.name}: {self.state}{' - please look' if self.alarming else ''}"]
        lines += self.problems
        lines += [f"arrivals: {self.intake['told']}"] if self.intake else []
        lines += [f"drift: {self.drift['told']}"] if self.drift else []
        for system, verdict in self.verdicts.items():
            word = "goes live" if verdict["promote"] else "stays out"
            lines.append(f"{system}: the candidate {word}: {'; '.join(verdict['reasons'])}")
        lines += [f"{system} live: {version}" for system, version in self.live.items()]
        if self.pushed is not None:
            lines.append(
                "pushed to the remote" if self.pushed else "NOT pushed to the remote; the next night tries again"
            )
        return "\n".join(lines)

    def markdown(self) -> str:
        """The message with the measures of every verdict, for the server's page of the run."""
        lines = [
            f"# Night {self.name}: {self.state}",
            "",
            *(f"- {line}" for line in self.message().splitlines()[1:]),
            "",
        ]
        for system, verdict in self.verdicts.items():
            if verdict["measures"]:
                lines += [f"## {system}", "", "| measure | candidate | champion | difference | allowed | holds |",
                          "|---|---|---|---|---|---|"]  # fmt: skip
                for one in verdict["measures"]:
                    value, low, high = (one["difference"][part] for part in ("value", "low", "high"))
                    lines.append(
                        f"| {one['name']} | {one['candidate']:.4g} | {one['champion']:.4g} | {value:+.4g} [{low:+.4g}, "
                        f"{high:+.4g}] | {-one['tolerance']:+.4g} | {'yes' if one['holds'] else 'NO'} |"
                    )
                lines.append("")
        return "\n".join(lines)
