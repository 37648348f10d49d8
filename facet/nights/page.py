"""The page of all nights: the live champions, the nights, and the verdicts with their reasons.

The flow `nightly` writes it after every night from the records and the store of champions; it shows no picture."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

from facet.base.files import replacing
from facet.base.params import run_stage
from facet.nights.champions import Champions
from facet.reporting import charts
from facet.reporting.pages import template
from facet.reporting.values import grouped
from facet.reporting.verdicts import MEASURES, between, shown

log = logging.getLogger(__name__)

RECORD = {  # least fields of a night's record, and their types
    "name": str, "when": str, "seconds": int | float, "state": str, "verdicts": dict, "live": dict, "problems": list,
    "intake": dict | None, "drift": dict | None, "pushed": bool | None,
}  # fmt: skip
CHART = 60  # most nights on the chart
GRADES = {"Promoted": "good", "Kept": "near", "Failed": "bad", "Unfinished": "near"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Write the page of all nights."""

    nights: Path  # folder of the nights' records
    champions: Path  # store of champions
    out: Path  # out: HTML


def run(params: Params) -> None:
    records, damaged = read(params.nights)
    page = render(records, damaged, Champions(params.champions))
    params.out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(params.out) as part:
        part.write_text(page, encoding="utf-8")
    log.info("wrote %s", params.out)


def read(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The records of all nights in the order they began, and the names of files that are no records."""
    files = {path.name: read_one(path) for path in sorted(folder.glob("*.json"))}
    records = [record for record in files.values() if record is not None]
    damaged = [name for name, record in files.items() if record is None]
    return sorted(records, key=lambda record: (record["when"], record["name"])), damaged


def read_one(path: Path) -> dict[str, Any] | None:
    """The record in a file; None if it holds none. In records of Facet before 0.1 a summary is called `told`."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        whole = all(isinstance(record[name], kind) for name, kind in RECORD.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not whole:
        return None
    for report in filter(None, (record["intake"], record["drift"])):
        report.setdefault("summary", report.get("told", ""))
    return record


def render(records: list[dict[str, Any]], damaged: list[str], champions: Champions) -> str:
    """The page as HTML text."""
    page = template("nights.html", Path(__file__).parent, source="drawn", notice=False)
    return page.render(
        damaged=damaged,
        live=[live(champions, system) for system in champions.systems() if champions.live(system)],
        nights=[night(record) for record in reversed(records)],
        charts=[chart for system in champions.systems() if (chart := success_chart(records, system))],
    )


def live(champions: Champions, system: str) -> dict[str, Any]:
    """A live champion as the page shows it."""
    version = str(champions.live(system))
    change = [change for change in champions.changes() if change.system == system][-1]
    card = champions.card(system)
    scores = card.get("scores") or {}
    return {
        "system": system,
        "version": version,
        "since": change.when[:16].replace("T", " "),
        "why": change.why,
        "success": scores.get("success"),
        "l2": scores.get("l2"),
    }


def night(record: dict[str, Any]) -> dict[str, Any]:
    """One night as the page shows it."""
    return record | {
        "grade": GRADES.get(record["state"], ""),
        "began": record["when"][:16].replace("T", " "),
        "verdicts": {system: verdict | {"tables": tables(verdict)} for system, verdict in record["verdicts"].items()},
        "shifted": [
            row for name in ("dimensions", "attributes") for row in (record["drift"] or {}).get(name, ())
            if row["shifted"]
        ],
    }  # fmt: skip


def tables(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    """The comparison with the champion, then those with earlier champions: `against`, `faces`, `people`, `rows`."""
    compared = [
        {
            "against": "the champion",
            "measures": verdict["measures"],
            "faces": verdict.get("test_faces"),
            "people": verdict.get("test_people"),
        }
    ]
    compared += verdict.get("standards") or []
    counts = ("faces", "people")  # unknown in old records
    return [
        one | {"rows": rows(one)} | {name: "–" if one[name] is None else grouped(one[name]) for name in counts}
        for one in compared
        if one["measures"]
    ]


def rows(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    """The measures of a comparison with their intervals as bars, each on a scale of its own."""
    table = []
    for measure in verdict["measures"]:
        text, unit = MEASURES.get(measure["name"], (measure["name"], "number"))
        value, low, high = (measure["difference"][part] for part in ("value", "low", "high"))
        reach = 1.15 * max(abs(value), abs(low), abs(high), measure["tolerance"], 1e-9)
        grade, floor = "good" if measure["holds"] else "bad", measure.get("floor")
        table.append(
            {
                "text": text,
                "grade": grade,
                "bar": charts.interval(
                    value, low, high, first=-reach, last=reach, goal=-measure["tolerance"], style=grade,
                    title=f"{text}: {shown(value, unit, signed=True)} ({between(low, high, unit)}); "
                    f"{shown(-measure['tolerance'], unit, signed=True)} is allowed",
                ),
                "candidate": shown(measure["candidate"], unit),
                "champion": shown(measure["champion"], unit),
                "difference": shown(value, unit, signed=True),
                "interval": between(low, high, unit),
                "allowed": shown(-measure["tolerance"], unit, signed=True),
                "floor": between(floor["low"], floor["high"], unit) if floor else "",
            }
        )  # fmt: skip
    return table


def success_chart(records: list[dict[str, Any]], system: str) -> dict[str, Any] | None:
    """The success of a system's candidates and of the champions they were compared with, over the last nights with a
    verdict."""
    judged = [record for record in records if system in record["verdicts"]][-CHART:]
    if len(judged) < 2:
        return None
    candidates = [record["verdicts"][system]["scores"].get("success") for record in judged]
    champions = [
        next((one["champion"] for one in record["verdicts"][system]["measures"] if one["name"] == "success"), None)
        for record in judged
    ]
    known = [value for value in (*candidates, *champions) if value is not None]
    if not known:
        return None
    low = max(0.0, min(known) - 0.02)
    places = list(range(1, len(judged) + 1))
    lines = [charts.Line("candidate", "one", places, candidates, percent=True),
             charts.Line("champion", "two", places, champions, percent=True)]  # fmt: skip
    chart = charts.line_chart(
        f"success of {system} by night", lines, low=low, high=1.0, width=560, height=150,
        ticks=charts.nice_ticks(low, 1.0), percent=True,
    )  # fmt: skip
    return {"system": system, "chart": chart, "first": judged[0]["name"], "last": judged[-1]["name"]}


if __name__ == "__main__":
    run_stage(Params, run)
