"""manifest.parquet of an edited folder: the outcome of every file, and enough to repeat it; and journals."""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facet.base.errors import InputError
from facet.base.files import replacing
from facet.photos.folder.written import DIGEST, OUTPUT, Written, begun, line

NAME = "manifest.parquet"
CHUNK = 500  # rows of a row group
SETTINGS = b"facet.edit"  # key of the job's settings in the schema's metadata
STATUSES = {
    "edited": "at least one face was changed",
    "unchanged": "nothing had to change: a copy",
    "skipped": "no face that can be edited: a copy, or nothing with --no-copy",
    "failed": "it cannot be read: a copy if there are bytes, or nothing with --no-copy",
}
REASONS = {
    "already": "its faces already show the wanted attributes",
    "at_target": "its faces surely show already what was asked for, or their latents are at the target",
    "masked": "its mask allows no change",
    "no_change": "the change is smaller than one level of a pixel",
    "no_face": "no face was found",
    "too_small": "the largest face has too few pixels",
    "off_frontal": "the face is turned too far away from the camera",
    "unlike_training": "the face is unlike those of training: covered, pixelated or blurred",
    "aspect": "it is not framed like CelebA's aligned pictures, 178 : 218",
    "link_folder": "a link to a folder outside the folder, which is not followed",
    "folder_unreadable": "a folder that cannot be entered",
    "missing": "the list names it, but it is not there",
    "link_outside": "a link to a file outside the folder",
    "unsafe_name": "a name that points outside the folder",
    "name_not_utf8": "a name that is not UTF-8",
    "reserved_name": "a name that the job itself uses in the output folder",
    "result_changed": "its result was changed since, or another file has its name: kept; move it away for a new result",
    "unwritable_name": "its name cannot be written in the output folder",
    "off_photo": "its landmarks are outside the photo",
    "place_left": "a coordinate in it can neither be removed nor ruled out",
    "landmarks_wrong": "the landmarks given for it cannot be right",
    "mask_unreadable": "its mask cannot be read as a picture",
    "no_landmarks": "the landmarks file has no row for it",
    "mask_missing": "there is no mask for it",
    "mask_size": "its mask has another size",
    "error": "an internal error",
}

_NUMBERS = pa.list_(pa.float32())
SCHEMA = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # of STATUSES
        # of REASONS, or of facet.pictures.decode.REASONS; empty if edited
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("notes", pa.list_(pa.string()), nullable=False),  # of facet.photos.file.photo.NOTES
        pa.field("output", pa.string(), nullable=False),  # relative to the manifest; empty if there is none
        pa.field("spec", pa.string(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),  # of the upright photo
        pa.field("height", pa.int32(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("faces", pa.int32(), nullable=False),  # number of faces that can be edited
        pa.field("boxes", pa.list_(_NUMBERS), nullable=False),  # left, top, right, bottom of each face, upright photo
        pa.field("landmarks", pa.list_(_NUMBERS), nullable=False),  # x, y of five points per face; empty if aligned
        pa.field("side", _NUMBERS, nullable=False),  # of each face's crop, in pixels of the photo
        pa.field("attributes", pa.list_(pa.string()), nullable=False),  # that moved: the spec's, and rivals turned off
        pa.field("strengths", pa.list_(_NUMBERS), nullable=False),  # per face, signed multiples of directions
        pa.field("before", pa.list_(_NUMBERS), nullable=False),  # probability of each attribute of the spec, per face
        pa.field("after", pa.list_(_NUMBERS), nullable=False),  # in the finished photo, before compression
        # per face: judge A is sure that the finished photo shows every attribute set on or off
        pa.field("reached", pa.list_(pa.bool_()), nullable=False),
        pa.field("changed_pixels", pa.int64(), nullable=False),  # of the photo, before compression
        pa.field(
            "outside_share", pa.float32(), nullable=False
        ),  # share of pixels outside the edit that differ in the file
        pa.field("outside_worst", pa.int32(), nullable=False),  # largest difference there, in levels of 255
        pa.field("input_sha256", pa.string(), nullable=False),
        pa.field("output_sha256", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),  # of input, options and model: same key, same result
        pa.field("looked", pa.string(), nullable=False),  # of input and face options: same key, same faces
    ]
)
EMPTY: dict[str, Any] = {
    field.name: [] if pa.types.is_list(field.type) else "" if field.type == pa.string() else 0 for field in SCHEMA
}


class Journal:
    """Appends rows as they are finished, one JSON line each, so that a killed job can resume. Threads may share one."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        self._file = path.open("ab")
        if torn:  # a line cut short by a full disk must not swallow the next one
            self._file.write(b"\n")
        self._lock = threading.Lock()

    def add(self, row: Mapping[str, Any]) -> None:
        """Note that a file is finished."""
        self._add(json.dumps(row, ensure_ascii=True).encode() + b"\n")

    def begin(self, output: str, digest: str) -> None:
        """Note that a result is about to be written: a kill may come before its row."""
        self._add(line(output, digest))

    def _add(self, text: bytes) -> None:
        with self._lock:
            self._file.write(text)
            self._file.flush()

    def close(self) -> None:
        self._file.close()


class ManifestReader:
    """Rows of a folder's manifest, and of journals added to it, which are newer.

    Rows stay on disk or in Arrow until they are asked for, so that many of them take little memory."""

    def __init__(self, folder: Path):
        table = _read(folder / NAME)
        self._written = Written(folder)
        self._written.add(_elsewhere(table))
        self._table = table if table is not None and set(SCHEMA.names) <= set(table.column_names) else None
        self._rows = {} if self._table is None else {n: i for i, n in enumerate(self._table["file"].to_pylist())}
        self._lines: dict[str, tuple[Path, int, int]] = {}

    def add_journals(self, folder: Path) -> None:
        """Add every journal of a folder, in the order of their names."""
        for path in sorted(folder.glob("*.jsonl")):
            self.add_journal(path)

    def add_journal(self, path: Path) -> None:
        """Add a journal; a line cut short is ignored."""
        at = 0
        with path.open("rb") as file:
            for line in file:
                row = _row(line)
                if row is not None:
                    self._lines[row["file"]] = (path, at, len(line))
                self._written.add(begun(line))
                at += len(line)

    @property
    def names(self) -> set[str]:
        """The files that have a row."""
        return self._lines.keys() | self._rows.keys()

    def row(self, name: str) -> dict[str, Any] | None:
        """The latest row of a file, None if there is none."""
        if name in self._lines:
            path, at, length = self._lines[name]
            with path.open("rb") as file:
                file.seek(at)
                return _row(file.read(length))
        return self._table_row(name)

    def _table_row(self, name: str) -> dict[str, Any] | None:
        """The row of a file in the manifest itself."""
        if name in self._rows and self._table is not None:
            return dict(self._table.slice(self._rows[name], 1).to_pylist()[0])
        return None

    def wrote(self, output: str, digest: str) -> bool:
        """True if a job wrote a file of this path and digest."""
        rows = (self.row(output), self._table_row(output))  # most results have the name of their photo
        return self._written.has(output, digest) or any(
            row is not None and (row[OUTPUT], row[DIGEST]) == (output, digest) for row in rows
        )

    def write(
        self, folder: Path, names: Iterable[str], settings: Mapping[str, Any], *, finished: bool = True
    ) -> Counter[tuple[str, str]]:
        """Write manifest.parquet with the rows of these files, sorted by name; count them by status and reason. Unless
        the job has `finished`, results may be there that are newer than their rows."""
        counts: Counter[tuple[str, str]] = Counter()
        names, outputs = set(names), set[str]()
        for name in self.names - names:
            row = self.row(name)
            self._written.add({row[OUTPUT]: row[DIGEST]} if row is not None and row[OUTPUT] else {})
        schema = SCHEMA.with_metadata({SETTINGS: json.dumps(settings, sort_keys=True).encode()})
        with replacing(folder / NAME) as aside, pq.ParquetWriter(aside, schema, compression="zstd") as writer:
            for chunk in _chunks(sorted(names)):
                rows = [row for name in chunk if (row := self.row(name)) is not None]
                counts.update((row["status"], row["reason"]) for row in rows)
                outputs.update(row[OUTPUT] for row in rows)
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            self._written.save(outputs if finished else set())
        return counts


def outcomes(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Status, reason and detail of every file in a folder's manifest, by name; empty if there is none."""
    table = _read(folder / NAME)
    if table is None or not {"file", "status", "reason", "detail"} <= set(table.column_names):
        return {}
    columns = (table[name].to_pylist() for name in ("file", "status", "reason", "detail"))
    return {name: (status, reason, detail) for name, status, reason, detail in zip(*columns, strict=True)}


def _row(line: bytes) -> dict[str, Any] | None:
    """The row of a journal's line, None if it is incomplete."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    complete = isinstance(row, dict) and row.keys() == set(SCHEMA.names) and isinstance(row["file"], str)
    return row if complete else None


def _read(path: Path) -> pa.Table | None:
    """The table of a manifest, None if there is none."""
    if not path.exists():
        return None
    try:
        return pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a Parquet file ({error}); choose another output folder") from None


def _elsewhere(table: pa.Table | None) -> dict[str, str]:
    """The digests of results that do not have their photo's name, or that an older version wrote."""
    if table is None or not {"file", OUTPUT, DIGEST} <= set(table.column_names):
        return {}
    if set(SCHEMA.names) <= set(table.column_names):
        table = table.filter(pc.not_equal(table["file"], table[OUTPUT]))
    return dict(zip(table[OUTPUT].to_pylist(), table[DIGEST].to_pylist(), strict=True))


def _chunks(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
