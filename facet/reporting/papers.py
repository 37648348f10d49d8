"""A page for each paper: its claims, its numbers, ours from this run and from docs/records, why they differ, and what
must be visible to say that the method works. The texts are in papers.json, which names where to look up our numbers.

A `query` names a section of a run's metrics, the rows wanted (`where`: column -> value, or a list of values) and how to
label them; `columns` say what to show of each row, in which unit, and which `goal` it should reach (`up` false: less is
better). `wanted` are the data sets that a number should exist for, and the profiles that measure it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from facet.reporting.inputs import PAGE_NAMES, Album, Json, Picture, read_csv, rows, spec_names
from facet.reporting.runs import Run, recorded
from facet.reporting.values import ON_OFF, formatted, grade, grouped, millions

TEXTS = Path(__file__).parent / "papers.json"
MOST_HEADLINES = 3  # most numbers of ours in one row of the table of papers


def texts() -> list[Json]:
    """The texts of papers.json, one per paper."""
    papers: list[Json] = json.loads(TEXTS.read_text(encoding="utf-8"))
    return papers


def damage(record: Json) -> str | None:
    """The error that showing a record would raise, or None."""
    try:
        run = recorded("", record, {})
        for text in texts():
            for query, columns in queries(text):
                for row in answers(query, run, text["system"]):
                    line(query, row, columns)
        for row in record.get("speed", {"rows": []})["rows"]:
            formatted(row["images_per_second"], "sum"), formatted(row["brush_ms"]), str(row["precision"])
            millions(row["multiply_adds"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def queries(text: Json) -> Iterator[tuple[Json, Sequence[Json]]]:
    """Every query of one paper, with its columns."""
    for one in text["tables"]:
        yield from ((query, one["columns"]) for query in one["queries"])
    for check_ in text["visible"]:
        yield from ((query, query["columns"]) for query in check_.get("queries", []))
    yield text["headline"]["query"], [text["headline"]["column"]]


def answers(query: Json, run: Run, system: str) -> list[Json]:
    """The rows of a run that answer a query."""

    def fits(row: Json) -> bool:
        return all(
            row.get(name) in wanted if isinstance(wanted, list) else row.get(name) == wanted
            for name, wanted in query["where"].items()
        )

    return [row for row in run.systems.get(system, {}).get(query["section"], []) if fits(row)]


def label(query: Json, row: Json) -> str:
    """The label of a row by its query: `{attribute} {direction}` -> Blond Hair on."""
    words = {
        name: PAGE_NAMES.get(value, value).replace("_", " ") if isinstance(value, str) else value
        for name, value in row.items()
    }
    if "direction" in row:
        words["direction"] = ON_OFF[row["direction"]]
    return str(query["label"].format_map(words))


def cell(row: Json, column: Json) -> Json:
    """One number or word, and its grade by the goal of its column."""
    value = row.get(column["name"])
    if isinstance(value, Mapping) and "value" not in value:  # several numbers do not fit into one cell
        value = None
    cell = {"title": column["title"], "shown": shown(value, column["kind"]), "grade": ""}
    if "goal" in column and value is not None:
        estimate = value if isinstance(value, Mapping) else dict.fromkeys(("value", "low", "high"), value)
        cell["grade"] = grade(estimate, column["goal"], up=column.get("up", True))
    return cell


def shown(value: Any, kind: str) -> Markup:
    """A value as HTML; kinds as in `formatted`, `words` for text and whole numbers, `hash` for its first digits."""
    if value is None or kind not in ("words", "hash"):
        return formatted(value, kind)
    if kind == "hash":
        return Markup("<code>{}</code>").format(str(value)[:12])
    return Markup("<b>{}</b>").format(grouped(value) if isinstance(value, int) else str(value).replace("_", " "))


def line(query: Json, row: Json, columns: Sequence[Json]) -> Json:
    """One row of a table."""
    return {
        "label": row.get("label") or label(query, row),
        "cells": [cell(row, column) for column in columns],
        "quiet": query.get("quiet", False),
    }


def table(text: Json, system: str, measured: Sequence[Run], published: Json) -> Json:
    """The paper's rows, then those of every run. `published` are metrics with the rows that the paper published."""
    columns, groups = text["columns"], []
    if "published" in text:
        query = text["published"].get("query", {})
        published_rows = text["published"].get("rows") or rows(published, query["section"], **query["where"])
        lines = [line(query, row, columns) for row in published_rows]
        groups.append({"name": text["published"]["label"], "about": "", "rows": lines, "paper": True})
    for run in measured:
        lines = [line(query, row, columns) for query in text["queries"] for row in answers(query, run, system)]
        groups.append({"name": run.name, "about": run.about, "rows": lines, "paper": False})
    return {
        "title": text["title"],
        "note": text["note"],
        "head": text["head"],
        "columns": columns,
        "groups": [group for group in groups if group["rows"]],
        "missing": missing(text, text["queries"], system, measured),
    }


def missing(text: Json, queries: Sequence[Json], system: str, measured: Sequence[Run]) -> list[str]:
    """Data on which no run has answered `queries`, with the commands (between backquotes) that would measure it."""
    having = [run for run in measured if any(answers(query, run, system) for query in queries)]
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
    """Finds pictures of a system for its paper's page; `here` if the workspace trained it."""

    def __init__(self, system: str, data: Path, docs: Path, *, here: bool, budget: int):
        self.system, self.data, self.docs, self.here = system, data, docs, here
        self.album = Album(budget)

    def find(self, file: str, caption: str) -> list[Picture]:
        """The pictures of docs/NAME, or of samples/NAME, exhibits/PATTERN and edits/SPEC of the workspace."""
        loaded = (self.album.picture(path, f"{caption}{self._of(path, file)}") for path in self._paths(file))
        return [picture for picture in loaded if picture is not None]

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
    """One line of what must be visible: the numbers, sheets and tests that show it, and what is missing."""
    queries = text.get("queries", [])
    numbers: list[Json] = [
        {"run": run.name, "about": run.about} | line(query, row, query["columns"])
        for run in measured
        for query in queries
        for row in answers(query, run, system)
    ]
    lacking = [f"numbers {gap}" for gap in missing(text, queries, system, measured)] if queries else []
    pictures = []
    for sheet in text.get("sheets", []):
        shown_sheets = sheets.find(sheet["file"], sheet["caption"])
        pictures += shown_sheets
        if not shown_sheets:
            lacking.append(f"sheet “{sheet['caption']}” ({text.get('how', 'made by a run of such data')})")
    grades = [one["grade"] for row in numbers for one in row["cells"] if one["grade"]]
    tested = text.get("tested", False)
    evidence = bool(numbers or pictures or tested)
    return {
        "text": text["text"],
        "numbers": numbers,
        "sheets": pictures,
        "tested": tested,
        "missing": lacking,
        "state": ("partly measured" if lacking else "measured") if evidence else "not measured",
        "goals": {"met": grades.count("good"), "of": len(grades)},
        "csv": csv_table(sheets.docs / Path(text["table"]).relative_to("docs")) if "table" in text else None,
    }


def csv_table(path: Path) -> Json | None:
    """A CSV table, with x, x_low, x_high and x_n as one column; None if there is no such file."""
    if not path.exists():
        return None
    table = read_csv(path)
    ends = {f"{name}_{end}" for name in table.columns for end in ("low", "high", "n")}
    names = [name for name in table.columns if name not in ends]
    return {"columns": names, "rows": [[_csv_cell(row, name) for name in names] for row in table.to_dict("records")]}


def _csv_cell(row: Mapping[Any, Any], name: str) -> Markup:
    def number(value: Any) -> Any:
        return None if pd.isna(value) else value

    if f"{name}_low" in row:
        ends = {"value": number(row[name]), "low": number(row[f"{name}_low"]), "high": number(row[f"{name}_high"])}
        count = number(row.get(f"{name}_n"))
        return formatted(ends | {"n": int(count) if count is not None else 0})
    if isinstance(row[name], str):
        return Markup("{}").format(row[name])
    return formatted(number(row[name]))


def page(text: Json, measured: Sequence[Run], published: Json, sheets: Sheets) -> Json:
    """The values that the template shows of one paper."""
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
    """The row of a paper in the table of papers: its number, and ours on the same data, or else on other data."""
    system, query = text["system"], text["headline"]["query"]
    sources = [wanted["source"] for wanted in text["headline"]["wanted"]]
    answered = [(run, row) for run in measured for row in answers(query, run, system)]
    first = [(run, row) for run, row in answered if run.source in sources]
    return {
        **{name: text[name] for name in ("system", "short", "title")},
        "what": text["headline"]["what"],
        "published": text["headline"]["published"],
        "ours": [
            {"run": run.name, "about": run.about} | line(query, row, [text["headline"]["column"]])
            for run, row in (first or answered)[:MOST_HEADLINES]
        ],
        "other_data": not first,
        "missing": [] if first else missing(text["headline"], [query], system, measured),
    }
