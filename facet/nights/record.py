"""The record of one night, and its text for people."""

import dataclasses
from typing import Any

from facet.nights.verdicts import summary


@dataclasses.dataclass
class NightRecord:
    """Deliveries, verdicts and outcome of one night, kept as nights/<name>.json."""

    name: str
    when: str  # start, UTC, ISO 8601
    seconds: float = 0.0  # duration
    state: str = "Running"  # at the end Promoted, Kept, Nothing new, Unfinished, Waiting or Failed
    intake: dict[str, Any] | None = None  # report of facet/nights/intake.py
    drift: dict[str, Any] | None = None  # report of facet/nights/drift.py
    stages: list[str] = dataclasses.field(default_factory=list)  # stages that were not up to date
    verdicts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)  # verdict of the gate by system
    live: dict[str, str] = dataclasses.field(default_factory=dict)  # live version by system, at the end
    pushed: bool | None = None  # True if the push succeeded, None if there was nothing to push
    problems: list[str] = dataclasses.field(default_factory=list)  # what needs attention

    @property
    def needs_attention(self) -> bool:
        """True if people should look at this night."""
        intake = bool(self.intake and self.intake["needs_attention"])
        return bool(self.problems or intake or (self.drift and self.drift["alert"]) or self.pushed is False)

    def message(self) -> str:
        """The text that people receive in the morning; its first line is the title."""
        lines = [f"Night {self.name}: {self.state}{' - please look' if self.needs_attention else ''}"]
        lines += self.problems
        lines += [f"deliveries: {self.intake['summary']}"] if self.intake else []
        lines += [f"drift: {self.drift['summary']}"] if self.drift else []
        lines += [f"{system}: {summary(verdict)}" for system, verdict in self.verdicts.items()]
        lines += [f"{system} live: {version}" for system, version in self.live.items()]
        if self.pushed is not None:
            lines.append(
                "pushed to the remote" if self.pushed else "NOT pushed to the remote; the next night tries again"
            )
        return "\n".join(lines)

    def markdown(self) -> str:
        """The message with the measures of every verdict, for the run's page on the server."""
        title, *rest = self.message().splitlines()
        lines = [f"# {title}", "", *(f"- {line}" for line in rest), ""]
        for system, verdict in self.verdicts.items():
            if verdict["measures"]:
                lines += [f"## {system}", "", "| measure | candidate | champion | difference | allowed | holds |",
                          "|---|---|---|---|---|---|"]  # fmt: skip
                for measure in verdict["measures"]:
                    value, low, high = (measure["difference"][part] for part in ("value", "low", "high"))
                    lines.append(
                        f"| {measure['name']} | {measure['candidate']:.4g} | {measure['champion']:.4g} | "
                        f"{value:+.4g} [{low:+.4g}, {high:+.4g}] | {-measure['tolerance']:+.4g} | "
                        f"{'yes' if measure['holds'] else 'NO'} |"
                    )
                lines.append("")
        return "\n".join(lines)
