"""manifest.parquet of an edited folder: what became of every file, and enough to do it again."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from facet.base.errors import InputError
from facet.base.files import replacing

NAME = "manifest.parquet"
CHUNK = 500  # rows written at once
SETTINGS = b"facet.edit"
STATUSES = {
    "edited": "the change is in it",
    "unchanged": "nothing had to change: a copy",
    "skipped": "no face in it that can be edited: a copy, or nothing with --no-copy",
    "failed": "it cannot be read: a copy where there are bytes, or nothing with --no-copy",
}
REASONS = {
    "already": "its faces show it already",
    "at_target": "by their latents its faces are where they should go already",
    "masked": "its mask lets no change in",
    "no_change": "the change is less than a level",
    "no_face": "no face was found",
    "too_small": "the largest face has too few pixels",
    "off_frontal": "the face is turned too far away from the camera",
    "aspect": "it is not framed as CelebA's aligned pictures, 178 : 218",
    "link_outside": "a link that leads out of the folder",
    "unsafe_name": "a name that leads out of the folder",
    "name_not_utf8": "a name that no table can hold",
    "reserved_name": "a name that the job itself uses in the output folder",
    "unwritable_name": "its name cannot be written in the output folder",
    "off_photo": "its landmarks lie outside the photo",
    "mask_unreadable": "its mask is no picture that can be read",
    "no_landmarks": "the landmarks file has no row for it",
    "mask_missing": "there is no mask for it",
    "mask_size": "its mask is of another size",
    "error": "an error of ours",
}

_NUMBERS = pa.list_(pa.float32())
SCHEMA = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # of STATUSES
        pa.field(
            "reason", pa.string(), nullable=False
        ),  # of REASONS, or of facet.pictures.decode.REASONS; empty if edited
        pa.field("detail", pa.string(), nullable=False),
        pa.field("notes", pa.list_(pa.string()), nullable=False),  # of facet.photos.file.photo.NOTES
        pa.field("output", pa.string(), nullable=False),  # relative to the manifest; empty where there is none
        pa.field("spec", pa.string(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),  # of the upright photo
        pa.field("height", pa.int32(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("faces", pa.int32(), nullable=False),  # that can be edited
        pa.field("boxes", pa.list_(_NUMBERS), nullable=False),  # left, top, right, bottom of each in the upright photo
        pa.field("landmarks", pa.list_(_NUMBERS), nullable=False),  # five points x, y of each; empty if aligned
        pa.field("side", _NUMBERS, nullable=False),  # pixels of the photo along each crop
        pa.field("attributes", pa.list_(pa.string()), nullable=False),  # that move: the spec's, and rivals turned off
        pa.field("strengths", pa.list_(_NUMBERS), nullable=False),  # of each face, signed multiples of directions
        pa.field("before", pa.list_(_NUMBERS), nullable=False),  # of each face and attribute of the spec: probability
        pa.field("after", pa.list_(_NUMBERS), nullable=False),
        pa.field("changed_pixels", pa.int64(), nullable=False),  # of the photo, before it was compressed
        pa.field("outside_share", pa.float32(), nullable=False),  # of pixels away from the faces, in the file written
        pa.field("outside_worst", pa.int32(), nullable=False),  # levels of 255
        pa.field("input_sha256", pa.string(), nullable=False),
        pa.field("output_sha256", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),  # of input, options and model: the same key, the same result
        pa.field("looked", pa.string(), nullable=False),  # of input and how faces are found: the same, the same faces
    ]
)
EMPTY: dict[str, Any] = {
    field.name: [] if pa.types.is_list(field.type) else "" if field.type == pa.string() else 0 for field in SCHEMA
}


class Journal:
    """Rows as they come, one JSON line each, so that a killed job knows what it has done."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        self._file = path.open("ab")
        if torn:  # a line that a full disk cut short must not swallow the next
            self._file.write(b"\n")

    def add(self, row: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(row, ensure_ascii=True).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Known:
    """What is known of a folder's files: rows of its manifest, and of the journals of unfinished or other jobs, which
    are newer. Rows stay on disk or in Arrow until they are asked for, so that many cost little memory."""

    def __init__(self, folder: Path, journals: Path | None = None):
        self._table = _read(folder / NAME)
        self._rows = {} if self._table is None else {n: i for i, n in enumerate(self._table["file"].to_pylist())}
        self._lines: dict[str, tuple[Path, int, int]] = {}
        for path in sorted(journals.glob("*.jsonl")) if journals is not None else ():
            self.add_journal(path)

    def add_journal(self, path: Path) -> None:
        """Take in a journal; a last line cut short is left out."""
        at = 0
        with path.open("rb") as file:
            for line in file:
                row = _row(line)
                if row is not None:
                    self._lines[row["file"]] = (path, at, len(line))
                at += len(line)

    @property
    def names(self) -> set[str]:
        return self._lines.keys() | self._rows.keys()

    def row(self, name: str) -> dict[str, Any] | None:
        """What is known of a file."""
        if name in self._lines:
            path, at, length = self._lines[name]
            with path.open("rb") as file:
                file.seek(at)
                return _row(file.read(length))
        if name in self._rows and self._table is not None:
            return dict(self._table.slice(self._rows[name], 1).to_pylist()[0])
        return None

    def write(self, folder: Path, names: Iterable[str], settings: Mapping[str, Any]) -> Counter[tuple[str, str]]:
        """manifest.parquet with the rows of these files, sorted; how many of each status and reason."""
        counts: Counter[tuple[str, str]] = Counter()
        schema = SCHEMA.with_metadata({SETTINGS: json.dumps(settings, sort_keys=True).encode()})
        with replacing(folder / NAME) as aside, pq.ParquetWriter(aside, schema, compression="zstd") as writer:
            for chunk in _chunks(sorted(names)):
                rows = [row for name in chunk if (row := self.row(name)) is not None]
                counts.update((row["status"], row["reason"]) for row in rows)
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        return counts


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(row, dict) and row.keys() == set(SCHEMA.names) and isinstance(row["file"], str)
    return row if whole else None


def _read(path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is no Parquet file ({error}); delete it to edit everything anew") from None
    return table.select(SCHEMA.names) if set(SCHEMA.names) <= set(table.column_names) else None


def _chunks(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
