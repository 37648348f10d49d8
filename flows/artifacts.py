"""What a run shows on the server's pages beside its log: how far it is, tables, pictures, links. Nothing here may end a
run: what cannot be shown is left out.

    FACET_REPORTS   URL under which somebody serves reports/, for links (default: the files themselves)"""

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

WIDEST = 1000  # pixels of a picture
DONE = re.compile(r"(?:^|\s)(\d[\d,]*)/(\d[\d,]*)[ ,]")  # of a stage's line: "step 619/1100, …", "1,200/5,000 images"
ESTIMATE = ("value", "low", "high", "n")
PICTURES = {
    "train_gan": ("samples", "data/samples/{}.png", "drawn from the prior"),
    "train_encoder": ("samples", "data/samples/{}.png", "validation faces above their reconstructions"),
    "edit": ("sheet", "data/sheets/{}/overview.png", "edits of test faces"),
}


_ran: dict[str, list[dict[str, Any]]] = {}  # by run


class Progress:
    """A bar of the task or flow that it is made in; there is none before the first news."""

    def __init__(self, name: str):
        self.name = name
        self._bar: uuid.UUID | None = None

    def set(self, share: float, text: str) -> None:
        """`share` of 0 to 1 is done, and what is going on."""
        with contextlib.suppress(Exception):
            if self._bar is None:
                made = create_progress_artifact(100 * share, key=_key("progress", self.name), description=text)
                self._bar = cast(uuid.UUID, made)  # outside of a coroutine
            else:
                update_progress_artifact(self._bar, 100 * share, description=text)

    def end(self) -> None:
        """All is done, where there was news before."""
        if self._bar is not None:
            self.set(1.0, "done")

    def hear(self, line: str) -> None:
        """A line of output that may say how far its command is."""
        if found := DONE.search(line):
            done, of = (int(number.replace(",", "")[:9]) for number in found.groups())
            if of > 0 and done <= of:
                self.set(done / of, line.strip())


def results(root: Path, stage: str) -> None:
    """What a stage made: a sheet of pictures, its measures, the report."""
    name, _, item = stage.partition("@")
    with contextlib.suppress(Exception):
        if name in PICTURES:
            kind, path, about = PICTURES[name]
            picture = data_uri.uri(data_uri.read(root / path.format(item), widest=WIDEST))
            # as text: the page of an image shows its address too, which here is the picture itself
            create_markdown_artifact(f"![{about}]({picture})", key=_key(kind, item), description=f"{item}: {about}")
        elif name == "evaluate":
            found = json.loads((root / "reports" / "metrics" / f"{item}.json").read_text(encoding="utf-8"))
            rows = [(row["name"], row["value"]) for row in found["summary"] if row["value"]]
            table = [{"measure": name} | {part: value[part] for part in ESTIMATE} for name, value in rows]
            create_table_artifact(table, key=_key("measures", item), description=f"{item}: means over attributes")
        elif name == "report":
            lead_to(link(root, "index.html"), "the report", key="report", about="All numbers.")


def stages(rows: Sequence[Mapping[str, Any]]) -> None:
    """Which stages ran, and how long, those of the same run before them included."""
    with contextlib.suppress(Exception):
        ran = _ran.setdefault(str(flow_run.id), [])
        ran += [dict(row) for row in rows]
        create_table_artifact(ran, key="stages", description="Stages of this run")


def lead_to(target: str, text: str, *, key: str, about: str) -> None:
    """A link on the run's page."""
    with contextlib.suppress(Exception):
        create_link_artifact(target, text, key=key, description=about)


def link(root: Path, page: str) -> str:
    """Where people find a page of reports/."""
    base = os.environ.get("FACET_REPORTS")
    return f"{base.rstrip('/')}/{page}" if base else (root / "reports" / page).resolve().as_uri()


def _key(*words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
