"""Artifacts of a run on the server's pages: progress, tables, pictures and links. What cannot be shown is left out, so
that nothing here ends a run.

    FACET_REPORTS   URL under which reports/ is served, for links (default: the files themselves)"""

import contextlib
import json
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.runtime import flow_run

from facet.pictures import data_uri

WIDEST = 1000  # most pixels of a picture's width
DONE = re.compile(r"(?:^|\s)(\d[\d,]*)/(\d[\d,]*)[ ,]")  # in a line such as "step 619/1100, …", "1,200/5,000 images"
ESTIMATE = ("value", "low", "high", "n")
PICTURES = {  # by stage: kind, path and description
    "train_gan": ("samples", "data/samples/{}.png", "drawn from the prior"),
    "train_encoder": ("samples", "data/samples/{}.png", "validation faces above their reconstructions"),
    "train_refiner": (
        "samples",
        "data/samples/{}_refiner.png",
        "validation faces: composites, refined, and the photos",
    ),
    "edit": ("sheet", "data/sheets/{}/overview.png", "edits of test faces"),
}

_stages_of_run: dict[str, list[dict[str, Any]]] = {}  # by flow run


class Progress:
    """A progress bar of the task or flow that makes it; it appears with the first progress."""

    def __init__(self, name: str):
        self.name = name
        self._bar: uuid.UUID | None = None

    def set(self, share: float, text: str) -> None:
        """Show that `share` (0 to 1) is done, with a line of text."""
        with contextlib.suppress(Exception):
            if self._bar is None:
                bar = create_progress_artifact(100 * share, key=_key("progress", self.name), description=text)
                self._bar = cast(uuid.UUID, bar)  # a coroutine's result only inside a coroutine
            else:
                update_progress_artifact(self._bar, 100 * share, description=text)

    def end(self) -> None:
        """Show that all is done, if the bar has appeared."""
        if self._bar is not None:
            self.set(1.0, "done")

    def read_line(self, line: str) -> None:
        """Show the progress that a line of output reports, if it reports any."""
        if match := DONE.search(line):
            done, of = (int(number.replace(",", "")[:9]) for number in match.groups())
            if of > 0 and done <= of:
                self.set(done / of, line.strip())


def results(root: Path, stage: str) -> None:
    """Show the results of a stage: a sheet of pictures, its measures, or a link to the report."""
    name, _, item = stage.partition("@")
    with contextlib.suppress(Exception):
        if name in PICTURES:
            kind, path, description = PICTURES[name]
            picture = data_uri.uri(data_uri.read(root / path.format(item), widest=WIDEST))
            # Markdown, because an image artifact also prints its URL, which here is the whole picture.
            markdown = f"![{description}]({picture})"
            create_markdown_artifact(markdown, key=_key(kind, item), description=f"{item}: {description}")
        elif name == "evaluate":
            metrics = json.loads((root / "reports" / "metrics" / f"{item}.json").read_text(encoding="utf-8"))
            rows = [(row["name"], row["value"]) for row in metrics["summary"] if row["value"]]
            table = [{"measure": name} | {part: value[part] for part in ESTIMATE} for name, value in rows]
            create_table_artifact(table, key=_key("measures", item), description=f"{item}: means over attributes")
        elif name == "report":
            show_link(page_url(root, "index.html"), "the report", key="report", description="All numbers.")


def stages(rows: Sequence[Mapping[str, Any]]) -> None:
    """Show which stages ran and for how long, together with those of earlier calls in the same run."""
    with contextlib.suppress(Exception):
        table = _stages_of_run.setdefault(str(flow_run.id), [])
        table += [dict(row) for row in rows]
        create_table_artifact(table, key="stages", description="Stages of this run")


def show_link(url: str, text: str, *, key: str, description: str) -> None:
    """Show a link on the run's page."""
    with contextlib.suppress(Exception):
        create_link_artifact(url, text, key=key, description=description)


def page_url(root: Path, page: str) -> str:
    """The URL of a page of reports/."""
    base = os.environ.get("FACET_REPORTS")
    return f"{base.rstrip('/')}/{page}" if base else (root / "reports" / page).resolve().as_uri()


def _key(*words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
