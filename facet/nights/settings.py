"""`nightly` of params.yaml, checked before a night begins."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facet.base.errors import InputError
from facet.training.warm_start import LEAST_SHARE

STARTS = ("scratch", "champion")
NUMBER = (int, float)
KINDS: dict[str, tuple[Any, str]] = {  # of the entries of `nightly`
    "systems": (list, "a list of systems"),
    "arrivals": (str, "a folder"),
    "pull": (str, "a .dvc file, or empty"),
    "settle": (NUMBER, "seconds"),
    "hours": (NUMBER, "a number"),
    "start": (str, "a word"),
    "share": (NUMBER, "a share"),
    "report": (bool, "true or false"),
    "git": (bool, "true or false"),
    "remote": (str, "a remote of dvc, or empty"),
    "gate": (dict, "tolerances"),
}
GATE = (
    "success", "preservation", "reconstruction", "kernel_distance", "gap", "least_success", "mode", "faces",
    "reconstructions", "bootstrap", "batch_size",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Settings:
    """`nightly` of params.yaml."""

    systems: tuple[str, ...]  # that are trained, gated and promoted
    arrivals: Path  # drop/ is looked into, quarantine/ takes what is bad
    pull: str  # a .dvc file: what it tracks is fetched and looked into instead of drop/; "" for none
    settle: float  # seconds for which arrivals must have rested
    hours: float  # after which training stops with a checkpoint; the next night goes on
    start: str  # scratch, or champion: training begins with what the champion's ended with,
    share: float  # and takes this share of its steps
    report: bool  # whether evaluation and report run after a promotion
    git: bool  # whether a promotion is committed (dvc.lock, params.yaml, reports) and tagged as gto does: vigan@v0.0.3
    remote: str  # of dvc, pushed to after a promotion; "" for none
    gate: Mapping[str, Any]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "Settings":
        found = dict(params.get("nightly") or {})
        names = {field.name for field in dataclasses.fields(cls)}
        if set(found) != names:
            raise InputError(f"params.yaml: `nightly` {_differs(set(found), names)}")
        for name, (kind, words) in KINDS.items():
            if not isinstance(found[name], kind) or (isinstance(found[name], bool) and kind is not bool):
                raise InputError(f"params.yaml: nightly.{name} {found[name]!r}: expected {words}")
        systems = params.get("systems") or {}
        unknown = [name for name in found["systems"] if name not in systems]
        if unknown or not found["systems"]:
            raise InputError(f"params.yaml: nightly.systems names {unknown or 'none'}; choose of {', '.join(systems)}")
        for name, low, high in (("hours", 0.0, math.inf), ("settle", -1.0, math.inf), ("share", 0.0, 1.0)):
            if not low < found[name] <= high:
                words = f"above 0, at most {high:g}" if high < math.inf else "more than 0" if low == 0 else "0 or more"
                raise InputError(f"params.yaml: nightly.{name} {found[name]}: expected {words}")
        if found["share"] < LEAST_SHARE:
            raise InputError(f"params.yaml: nightly.share {found['share']}: expected {LEAST_SHARE} to 1")
        if found["start"] not in STARTS:
            raise InputError(f"params.yaml: nightly.start {found['start']!r}; choose one of {', '.join(STARTS)}")
        if set(found["gate"]) != set(GATE):
            raise InputError(f"params.yaml: nightly.gate {_differs(set(found['gate']), set(GATE))}")
        bad = [name for name, value in found["gate"].items() if name != "mode" and not _is_number(value)]
        if bad:
            raise InputError(
                f"params.yaml: nightly.gate.{bad[0]} {found['gate'][bad[0]]!r}: expected a number of 0 or more"
            )
        return cls(**found | {"systems": tuple(found["systems"]), "arrivals": Path(found["arrivals"])})


def _differs(found: set[str], wanted: set[str]) -> str:
    """What is lacking and what is too much."""
    parts = [f"lacks {', '.join(sorted(wanted - found))}"] if wanted - found else []
    parts += [f"does not know {', '.join(sorted(found - wanted))}"] if found - wanted else []
    return f"{' and '.join(parts)}; `facet profile nightly --force` writes it anew"


def _is_number(value: Any) -> bool:
    return isinstance(value, NUMBER) and not isinstance(value, bool) and 0 <= value < math.inf
