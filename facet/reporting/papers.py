"""A page for each paper: what it claims, its numbers, ours from this run and from docs/records, why they differ, and
what must be visible to say that it works. What is said stands in papers.json; every number of ours is looked up there.

An `ask` of papers.json names a section of a run's metrics, the rows wanted (`where`: column -> value, or one of several
values) and how to call them; `columns` say what to show of each row, in which unit, and which `goal` it should reach
(`up` false: less is better). `wanted` are the data that a number should exist for, and the profile that measures it."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from facet.reporting import sections
from facet.reporting.inputs import Album, Inputs, Json, Picture, read_csv, spec_names
from facet.reporting.records import condensed, data, training_rows

TEXTS = Path(__file__).parent / "papers.json"
SIX = ("fc", "deep_conv", "transfer_l2", "transfer_l1", "transfer_ssim", "extended")  # encoders of Photoshop 2.0
MEAN_FACE = "mean training face"
MOST_HEADLINES = 3  # numbers of ours in one row of the page's table of papers


@dataclasses.dataclass(frozen=True)
class Run:
    """One measured run: the workspace's, or a record of docs/records."""

    name: str
    about: str
    source: str
    systems: dict[str, Json]  # sections of rows by name
    settings: dict[str, Json]  # of training, by system; the workspace's stand in params.yaml


def texts() -> list[Json]:
    """papers.json."""
    found: list[Json] = json.loads(TEXTS.read_text(encoding="utf-8"))
    return found


def runs(found: Inputs, records: Mapping[str, Json]) -> list[Run]:
    """This run, then the records; what a record has word for word like this run is left out of it."""
    training = {"training": training_rows(found.histories)}
    here = {system.name: condensed(system.metrics) for system in found.systems}
    systems = {
        name: sections_of(metrics | training, speed_of(name, metrics, records)) for name, metrics in here.items()
    }
    first = Run("this run", about(data(found.data_card)), found.data_card["source"], systems, {})
    return [first, *(run for name, record in records.items() if (run := recorded(name, record, here)).systems)]


def recorded(name: str, record: Json, here: Mapping[str, Json]) -> Run:
    """A record as a run, without the systems of which it has the numbers that `here` has."""
    kept = {
        system: metrics
        for system, metrics in record["systems"].items()
        if system not in here or any(metrics.get(section) != rows for section, rows in here[system].items())
    }
    profile = f", profile {record['profile']}" if record["profile"] not in (None, name) else ""
    changed = "".join(f", {change}" for change in record["changes"])
    return Run(
        name=f"run {name}",
        about=about(record["data"]) + profile + changed,
        source=record["data"]["source"],
        systems={system: sections_of(metrics, speed_rows(system, record)) for system, metrics in kept.items()},
        settings={system: metrics["settings"] for system, metrics in kept.items()},
    )


def damage(record: Json) -> str | None:
    """What keeps a record from being shown, or None."""
    try:
        run = recorded("", record, {})
        for text in texts():
            for ask, columns in asks(text):
                for row in asked(ask, run, text["system"]):
                    line(ask, row, columns)
        for row in record.get("speed", {"rows": []})["rows"]:
            sections.told(row["images_per_second"], "sum"), sections.told(row["brush_ms"]), str(row["precision"])
            sections.millions(row["multiply_adds"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def asks(text: Json) -> Iterator[tuple[Json, Sequence[Json]]]:
    """Every ask of one paper's text, with its columns."""
    for one in text["tables"]:
        yield from ((ask, one["columns"]) for ask in one["asks"])
    for check_ in text["visible"]:
        yield from ((ask, ask["columns"]) for ask in check_.get("asks", []))
    yield text["headline"]["ask"], [text["headline"]["column"]]


def about(card: Json) -> str:
    """60 000 mnist pictures, 28 × 28"""
    source, size = card["source"].replace("_", " "), card["size"]
    return f"{sections.grouped(card['images']['train'])} {source} pictures, {size} × {size}"


def speed_of(system: str, metrics: Json, records: Mapping[str, Json]) -> list[Json]:
    """The recorded speeds of a system of this size and training: where its costs are the same to the last one."""
    for record in records.values():
        if "speed" in record and record["systems"].get(system, {}).get("costs", 0) == metrics.get("costs"):
            return speed_rows(system, record)
    return []


def speed_rows(system: str, record: Json) -> list[Json]:
    """What a record tells of a system's speed, with the machine it was measured on."""
    speed = record.get("speed", {"rows": []})
    return [row | {"machine": speed["machine"]} for row in speed["rows"] if row["system"] == system]


def sections_of(metrics: Json, speed: Sequence[Json]) -> Json:
    """The sections of a system with what follows from them, and its speeds."""
    return metrics | {"encoders": encoders(metrics), "readings": readings(metrics), "speed": speed}


def encoders(metrics: Json) -> list[Json]:
    """How many encoders beat the mean training face in all three numbers, and the best of the report's six in L2."""
    table = [row for row in metrics.get("reconstruction", []) if row["kind"] == "encoder"]
    floor = sections.one(metrics, "reconstruction", name=MEAN_FACE)
    if not table or floor is None:
        return []
    columns = ("l2", "l1", "ssim_loss")
    beat = sum(all(row[name]["high"] < floor[name]["low"] for name in columns) for row in table)
    six = [row for row in table if row["name"] in SIX]
    best = min(six, key=lambda row: row["l2"]["value"])["name"] if six else "none of them"
    return [{"compared": len(table), "beat": beat, "best": best if len(six) != 1 else f"{best}, the only one here"}]


def readings(metrics: Json) -> list[Json]:
    """How many entries of a description the encoder reads off photos more often right than the commoner label is."""
    rows = metrics.get("descriptions", [])
    if not rows:
        return []
    below = [row["attribute"] for row in rows if not row["accuracy"]["low"] > row["majority"]["value"]]
    return [{"attributes": len(rows), "above": len(rows) - len(below), "below": ", ".join(below) or "none"}]


def asked(ask: Json, run: Run, system: str) -> list[Json]:
    """The rows of a run that an ask is about."""

    def fits(row: Json) -> bool:
        return all(
            row.get(name) in wanted if isinstance(wanted, list) else row.get(name) == wanted
            for name, wanted in ask["where"].items()
        )

    return [row for row in run.systems.get(system, {}).get(ask["section"], []) if fits(row)]


def label(ask: Json, row: Json) -> str:
    """What an ask calls a row: `{attribute} {direction}` -> Blond Hair on."""
    words = {name: value.replace("_", " ") if isinstance(value, str) else value for name, value in row.items()}
    if "direction" in row:
        words["direction"] = sections.ON_OFF[row["direction"]]
    return str(ask["label"].format_map(words))


def cell(row: Json, column: Json) -> Json:
    """One number or word, and how it stands to the goal of its column."""
    value = row.get(column["name"])
    if isinstance(value, Mapping) and "value" not in value:  # several numbers at once: not for a table
        value = None
    found = {"title": column["title"], "shown": shown(value, column["kind"]), "grade": ""}
    if "goal" in column and value is not None:
        estimate = value if isinstance(value, Mapping) else dict.fromkeys(("value", "low", "high"), value)
        found["grade"] = sections.grade(estimate, column["goal"], up=column.get("up", True))
    return found


def shown(value: Any, kind: str) -> Markup:
    """A number as on the page of the report; `words` and whole numbers plain, `hash` by its first digits."""
    if value is None or kind not in ("words", "hash"):
        return sections.told(value, kind)
    if kind == "hash":
        return Markup("<code>{}</code>").format(str(value)[:12])
    return Markup("<b>{}</b>").format(
        sections.grouped(value) if isinstance(value, int) else str(value).replace("_", " ")
    )


def line(ask: Json, row: Json, columns: Sequence[Json]) -> Json:
    """One row of a table."""
    return {
        "label": row.get("label") or label(ask, row),
        "cells": [cell(row, column) for column in columns],
        "quiet": ask.get("quiet", False),
    }


def table(text: Json, system: str, measured: Sequence[Run], published: Json) -> Json:
    """The paper's rows, then those of every run. `published`: metrics that hold rows as published."""
    columns, groups = text["columns"], []
    if "published" in text:
        ask = text["published"].get("ask", {})
        rows = text["published"].get("rows") or sections.rows(published, ask["section"], **ask["where"])
        lines = [line(ask, row, columns) for row in rows]
        groups.append({"name": text["published"]["label"], "about": "", "rows": lines, "paper": True})
    for run in measured:
        lines = [line(ask, row, columns) for ask in text["asks"] for row in asked(ask, run, system)]
        groups.append({"name": run.name, "about": run.about, "rows": lines, "paper": False})
    return {
        "title": text["title"],
        "note": text["note"],
        "head": text["head"],
        "columns": columns,
        "groups": [group for group in groups if group["rows"]],
        "missing": missing(text, text["asks"], system, measured),
    }


def missing(text: Json, asks: Sequence[Json], system: str, measured: Sequence[Run]) -> list[str]:
    """What no run has measured of `asks`, and what measures it; commands between backquotes."""
    having = [run for run in measured if any(asked(ask, run, system) for ask in asks)]
    lines = []
    for wanted in text.get("wanted", []):
        source = wanted.get("source")
        if not any(source in (None, run.source) for run in having):
            place = " --set source.root=PATH" if source else ""
            on = f"on {source.replace('_', ' ')}" if source else f"with profile {wanted['profile']}"
            lines.append(f"{on} (`facet profile {wanted['profile']}{place}`, `dvc repro`, `facet record`)")
    if not having and not lines:
        lines.append(f"in any run (`dvc repro` with a profile that trains {system}, such as drawn)")
    return lines


class Sheets:
    """Finds pictures of a system for its paper's page."""

    def __init__(self, system: str, data: Path, docs: Path, *, here: bool, budget: int):
        self.system, self.data, self.docs, self.here = system, data, docs, here
        self.album = Album(budget)

    def find(self, file: str, caption: str) -> list[Picture]:
        """samples/NAME, exhibits/PATTERN and edits/SPEC of the workspace, where this system was trained there;
        docs/NAME."""
        found = (self.album.picture(path, f"{caption}{self._of(path, file)}") for path in self._paths(file))
        return [picture for picture in found if picture is not None]

    def _of(self, path: Path, file: str) -> str:
        return f": {path.stem.replace('_', ' ')}" if "*" in file else ""

    def _paths(self, file: str) -> Iterator[Path]:
        folder, _, name = file.partition("/")
        if folder == "docs":
            yield from self.docs.glob(f"{name}.png")
        elif not self.here:
            return
        elif folder == "samples":
            yield from self.data.glob(f"samples/{name}.png")
        elif folder == "exhibits":
            yield from sorted((self.data / "exhibits" / self.system).glob(f"{name}.png"))
        else:
            for stem, spec in spec_names(self.data / "edits" / self.system).items():
                path = self.data / "sheets" / self.system / f"{stem}.png"
                if spec == name and path.exists():
                    yield path


def check(text: Json, system: str, measured: Sequence[Run], sheets: Sheets) -> Json:
    """One line of what must be visible: the numbers, sheets and tests that answer it, and what is missing."""
    asks = text.get("asks", [])
    numbers: list[Json] = [
        {"run": run.name, "about": run.about} | line(ask, row, ask["columns"])
        for run in measured
        for ask in asks
        for row in asked(ask, run, system)
    ]
    lacking = [f"numbers {gap}" for gap in missing(text, asks, system, measured)] if asks else []
    pictures = []
    for sheet in text.get("sheets", []):
        found = sheets.find(sheet["file"], sheet["caption"])
        pictures += found
        if not found:
            lacking.append(f"sheet “{sheet['caption']}” ({text.get('how', 'made by a run of such data')})")
    grades = [one["grade"] for row in numbers for one in row["cells"] if one["grade"]]
    tested = text.get("tested", False)
    answered = bool(numbers or pictures or tested)
    return {
        "text": text["text"],
        "numbers": numbers,
        "sheets": pictures,
        "tested": tested,
        "missing": lacking,
        "state": ("in part" if lacking else "answered") if answered else "missing",
        "goals": {"met": grades.count("good"), "of": len(grades)},
        "csv": csv_table(sheets.docs / Path(text["table"]).relative_to("docs")) if "table" in text else None,
    }


def csv_table(path: Path) -> Json | None:
    """A CSV table; x, x_low, x_high and x_n become one column. None where there is no such file."""
    if not path.exists():
        return None
    found = read_csv(path)
    ends = {f"{name}_{end}" for name in found.columns for end in ("low", "high", "n")}
    names = [name for name in found.columns if name not in ends]
    return {"columns": names, "rows": [[_csv_cell(row, name) for name in names] for row in found.to_dict("records")]}


def _csv_cell(row: Mapping[Any, Any], name: str) -> Markup:
    def number(value: Any) -> Any:
        return None if pd.isna(value) else value

    if f"{name}_low" in row:
        ends = {"value": number(row[name]), "low": number(row[f"{name}_low"]), "high": number(row[f"{name}_high"])}
        count = number(row.get(f"{name}_n"))
        return sections.told(ends | {"n": int(count) if count is not None else 0})
    if isinstance(row[name], str):
        return Markup("{}").format(row[name])
    return sections.told(number(row[name]))


def page(text: Json, measured: Sequence[Run], published: Json, sheets: Sheets) -> Json:
    """All that the template shows of one paper."""
    system = text["system"]
    return {
        **{name: text[name] for name in ("system", "short", "title", "authors", "where", "claims", "why")},
        "tables": [table(one, system, measured, published) for one in text["tables"]],
        "visible": [check(one, system, measured, sheets) for one in text["visible"]],
        "runs": [run for run in measured if system in run.systems],
        "pictured": sheets.here,
        "left_out": sheets.album.left_out,
    }


def headline(text: Json, measured: Sequence[Run]) -> Json:
    """The row of a paper in the page's table: its number, and ours on the data it is about, or on others."""
    system, ask = text["system"], text["headline"]["ask"]
    sources = [wanted["source"] for wanted in text["headline"]["wanted"]]
    found = [(run, row) for run in measured for row in asked(ask, run, system)]
    first = [(run, row) for run, row in found if run.source in sources]
    return {
        **{name: text[name] for name in ("system", "short", "title")},
        "what": text["headline"]["what"],
        "published": text["headline"]["published"],
        "ours": [
            {"run": run.name, "about": run.about} | line(ask, row, [text["headline"]["column"]])
            for run, row in (first or found)[:MOST_HEADLINES]
        ],
        "other_data": not first,
        "missing": [] if first else missing(text["headline"], [ask], system, measured),
    }
