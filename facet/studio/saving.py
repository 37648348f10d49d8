"""What one takes away: the photo as `facet edit` writes it, the spec and its command line, strokes, landmarks."""

import csv
import dataclasses
import functools
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facet.base.errors import InputError
from facet.editing.spec import Spec
from facet.photos.editor import PhotoEditor
from facet.photos.faces.landmarks import COLUMNS
from facet.photos.file.photo import NOTES, read
from facet.photos.folder.job import Job
from facet.photos.folder.listing import Item, Listing
from facet.photos.folder.manifest import EMPTY
from facet.photos.folder.open_job import OpenJob
from facet.photos.folder.reading import PhotoTask
from facet.photos.folder.shard import Shard
from facet.photos.painted import mask_of
from facet.studio.documents import Document
from facet.studio.rendering import edited, in_words, upright
from facet.studio.states import State, brush_command, command
from facet.studio.trained import Trained

NOWHERE = Path("/dev/null/studio")  # the output folder of a job that writes nothing: it cannot exist


@dataclasses.dataclass(frozen=True)
class Saved:
    """A file to save, and the outcome as the manifest of a folder says it."""

    name: str
    data: bytes
    status: str
    reason: str  # in words; empty if edited
    notes: list[str]  # in words: what could not be kept
    row: Mapping[str, Any]


class _OnePhoto(OpenJob):
    """The job of `facet edit` on one photo in memory, with a model that is loaded already."""

    def __init__(self, trained: Trained, state: State, document: Document, landmarks: np.ndarray | None):
        super().__init__(
            Job(
                photos=Path(document.name),
                out=NOWHERE,
                model=trained.model,
                attributes=trained.attributes,
                judges=trained.judges,
                options=state.options,
                workers=1,
            )
        )
        self._trained, self._state, self._document = trained, state, document
        if landmarks is not None:
            self.landmarks = {document.name: [landmarks]}

    @functools.cached_property
    def editor(self) -> PhotoEditor:
        """The trained system."""
        return self._trained.editor

    @functools.cached_property
    def listing(self) -> Listing:
        """The photo."""
        document = self._document
        return Listing(Path(document.name), (Item(document.name),), 0, lambda name: document.data)

    @functools.cached_property
    def spec(self) -> Spec:
        """The edit, which may be empty."""
        return self.editor.parse(self._state.spec)

    @property
    def prompt(self) -> str:
        """What the metadata of results says was asked for."""
        count = sum(map(len, self._state.strokes.values()))
        strokes = [f"{count} strokes of the contextual brush"] if count else []
        return "; ".join([*filter(None, [str(self.spec)]), *strokes])


def saved(document: Document, trained: Trained, state: State) -> Saved:
    """The photo as `facet edit` writes it, to the last byte; with strokes, which that command cannot make, by the same
    code. A photo that is not edited comes back as it is, with the reason."""
    if not (trained.editor.parse(state.spec).changes or state.painted or document.sample is not None):
        raise InputError("nothing is edited yet: move a slider, or paint")
    shard = Shard(_OnePhoto(trained, state, document, _chosen(document, trained, state)))
    if state.painted or document.sample is not None:
        row, name, data = _painted(shard, document, trained, state)
    else:
        row, name, data = shard.made(Item(document.name))
    reason = in_words(row["reason"], row["detail"])
    return Saved(name, data, row["status"], reason, [NOTES.get(note, note) for note in row["notes"]], row)


def _painted(shard: Shard, document: Document, trained: Trained, state: State) -> tuple[dict[str, Any], str, bytes]:
    """The row, name and bytes of a photo with the edits of the screen at its full size."""
    edits = edited(document, trained, state, trained.quick)
    task = PhotoTask(Item(document.name), EMPTY | {"file": document.name, "spec": state.spec}, data=document.data)
    with task.guarded():
        task.photo, task.edits = read(document.data), list(edits.edits.values())
    name, data = shard.made_of(task)
    return task.row, name, data


def _chosen(document: Document, trained: Trained, state: State) -> np.ndarray | None:
    """The landmarks (5, 2) of the one face that was chosen, None if the command finds the faces by itself."""
    if not isinstance(state.faces, int) or state.faces == 0 or document.sample is not None or state.aligned:
        return None
    faces = document.faces(trained, state.options)
    if state.faces >= len(faces):
        raise InputError(f"face {state.faces + 1} is not in the photo, which shows {len(faces)}; choose another")
    return faces[state.faces].face.points


def taken(document: Document, trained: Trained, state: State) -> dict[str, Any]:
    """The spec as text and as a command line, the strokes of each face, and the landmarks of a chosen face."""
    chosen = _chosen(document, trained, state)
    return {
        "spec": str(trained.editor.parse(state.spec)),
        "command": command(state, document.name, trained.named, landmarks=chosen is not None),
        "brush": _brush(document, trained, state),
        "strokes": {str(face): json.dumps(list(strokes), indent=1) for face, strokes in state.strokes.items()},
        "landmarks": "" if chosen is None else _landmarks(document.name, chosen),
    }


def _brush(document: Document, trained: Trained, state: State) -> str:
    """The command line for the strokes; empty without any, or for a model folder, which `facet brush` does not take."""
    if not state.painted or "--system" not in trained.named:
        return ""
    return brush_command(document.name, trained.named, mask_of(state.mode))


def _landmarks(name: str, points: np.ndarray) -> str:
    """A landmarks file for `facet edit` with one face."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["file", *COLUMNS])
    table.writerow([name, *map(repr, points.ravel().tolist())])
    return file.getvalue()


def before_and_after(document: Document, trained: Trained, state: State) -> bytes:
    """The photo before and after, side by side at the size of the screen, as PNG."""
    made = saved(document, trained, state)
    after = upright(read(made.data))
    height, width = document.screen.shape[:2]
    both = Image.new("RGB", (2 * width + 8, height), (255, 255, 255))
    both.paste(Image.fromarray(document.screen), (0, 0))
    both.paste(Image.fromarray(after).resize((width, height), Image.Resampling.LANCZOS), (width + 8, 0))
    file = io.BytesIO()
    both.save(file, "PNG")
    return file.getvalue()
