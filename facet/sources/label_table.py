"""A table of labels of one's own, in CSV or Parquet, as columns of text with the place of every row."""

import dataclasses
import io
import json
import math
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from facet.base.errors import InputError
from facet.sources.columns import shortened
from facet.sources.pairing import PictureNames
from facet.sources.text import SAVE, csv_rows
from facet.sources.tree import is_image

NAMES = ("labels.csv", "labels.parquet")  # in any case
FAULTS_SHOWN = 5  # faults of a table listed in a message
PICTURE_COLUMN = re.compile(r"(file|image|img|picture|photo|face)?[_ ]?(id|names?|paths?|files?|index)?", re.IGNORECASE)
VALUE = re.compile(r"[+-]?\d+([.,]\d+)?|true|false|yes|no|nan|na|none|null", re.IGNORECASE)
INDEX = re.compile(r"(Unnamed:_\d+)?")  # names of the index that pandas writes
UNNAMED = "__index_level_"  # begins the names of such indices in Parquet


def is_label_table(name: str) -> bool:
    """True for the name of a table of labels, whatever its case."""
    return name.lower() in NAMES


@dataclasses.dataclass
class LabelTable:
    """The columns of a table, the first of which names pictures."""

    where: Path
    beside: str  # its folder, "" for the top
    header: list[str]
    cells: list[list[str]]  # columns
    places: Sequence[int]  # line or row of each row
    unit: str  # `line` or `row`
    top: int = 0  # line of the header

    def at(self, row: int) -> str:
        """The place of a row in words."""
        return f"{self.unit} {self.places[row]}"


def refuse(where: object, faults: Sequence[str]) -> None:
    """Raise InputError if a table has faults, listing the first of them."""
    if faults:
        more = f"; and {len(faults) - FAULTS_SHOWN:,} more faults" if len(faults) > FAULTS_SHOWN else ""
        raise InputError(f"{where}: {'; '.join(dict.fromkeys(faults[:FAULTS_SHOWN]))}{more}")


def read_label_table(where: Path, data: bytes, beside: str, names: PictureNames) -> LabelTable:
    """The table in a file in the folder `beside`; InputError if it is damaged, has no header or has nameless columns.

    Columns without name and text are left out, and so is an index of pandas beside a column of names of pictures."""
    if where.name.lower().endswith(".parquet"):
        table = _parquet(where, data, beside, names)
    else:
        table = _csv(where, data, beside, names)
    _refuse_data(table, names)
    table.header = [re.sub(r"\s+", "_", column) for column in table.header]
    if INDEX.fullmatch(table.header[0]) and len(table.header) > 2 and _name_pictures(table.cells[1], names):
        del table.header[0], table.cells[0]
    faults = []
    for number in range(len(table.header) - 1, 0, -1):
        if not INDEX.fullmatch(table.header[number]):
            continue
        row = next((row for row, cell in enumerate(table.cells[number]) if cell), None)
        if row is not None:
            what = f"column {number + 1} has no name and holds {shortened(table.cells[number][row])} in {table.at(row)}"
            faults.append(f"{what}: name the column or remove it")
        del table.header[number], table.cells[number]
    refuse(where, faults[::-1])
    if len(table.header) < 2:
        raise InputError(
            f"{where} has the columns {table.header}; expected the picture's name, then at least one attribute"
        )
    for special in ("identity", "split"):
        if sum(name.lower() == special for name in table.header[1:]) > 1:
            raise InputError(f"{where} has the column {special!r} twice; keep one of them")
    table.header[1:] = [name.lower() if name.lower() in ("identity", "split") else name for name in table.header[1:]]
    return table


def _name_pictures(cells: Sequence[str], names: PictureNames) -> bool:
    """True if cells name pictures, each another one."""
    filled = [cell for cell in cells if cell]
    return len(set(filled)) == len(filled) and any(names.find(cell) is not None for cell in filled)


def _csv(where: Path, data: bytes, beside: str, names: PictureNames) -> LabelTable:
    rows = csv_rows(where, data, SAVE)
    top, header = next(rows)
    header = [_name(column) for column in header]
    named = max((number for number, name in enumerate(header, 1) if name), default=1)
    kept, places, faults = [], [], []
    for line, row in rows:
        for cell in row:
            if "\n" in cell and (inside := _picture_within(cell, names)):
                raise InputError(
                    f"{where}, line {line}: a quotation mark opens there and closes lines later, and the cell between"
                    f" holds the picture {inside!r}; close the quotation mark in its own line"
                )
        if named <= len(row) <= len(header):
            kept.append(row + [""] * (len(header) - len(row)))
            places.append(line)
        else:
            note = (
                ""
                if is_image(row[0]) or names.find(row[0]) is not None
                else f"; remove it if {shortened(row[0])} is a note"
            )
            faults.append(
                f"line {line} has {len(row)} cells; expected {len(header)} as in the header (line {top}){note}"
            )
    refuse(where, faults)
    cells = [[row[column] for row in kept] for column in range(len(header))]
    return LabelTable(where, beside, header, cells, places, "line", top)


def _picture_within(cell: str, names: PictureNames) -> str:
    """The name of a picture in a cell of several lines, "" if there is none."""
    for number, line in enumerate(cell.split("\n")):
        for place, word in enumerate(re.split(r"[,;\t|]", line)):
            word = word.strip('" \t')
            if (is_image(word) or (number and not place and word != line)) and names.find(word) is not None:
                return word
            if number and not place and is_image(word):
                return word
    return ""


def _parquet(where: Path, data: bytes, beside: str, names: PictureNames) -> LabelTable:
    try:
        table = pq.ParquetFile(io.BytesIO(data)).read()  # unlike read_table, it reads a repeated column
        cells = [[_cell(value) for value in column.to_pylist()] for column in table.columns]
        stored = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        advice = "write it again" if data.startswith(b"PAR1") else "let its name end in .csv if it is text"
        raise InputError(f"{where} is not a Parquet file ({error}); {advice}") from None
    header = list(table.column_names)
    if not header:
        raise InputError(f"{where} has no columns; expected the picture's name, then at least one attribute")
    indices = [name for name in stored.get("index_columns", ()) if isinstance(name, str) and name in header]
    candidates = sorted(range(len(header)), key=lambda column: header[column] in indices)[:1] + [
        column for column, name in enumerate(header) if name in indices
    ]
    picture = next((column for column in candidates if _name_pictures(cells[column], names)), candidates[0])
    kept = [picture]
    kept += [column for column, name in enumerate(header) if column != picture and not name.startswith(UNNAMED)]
    return LabelTable(
        where, beside, [_name(header[column]) for column in kept], [cells[column] for column in kept],
        range(1, table.num_rows + 1), "row",
    )  # fmt: skip


def _name(column: str) -> str:
    return unicodedata.normalize("NFC", column).strip().strip("\ufeff").strip()


def _cell(value: object) -> str:
    if isinstance(value, (bytes, dict, list)):
        return f"<{type(value).__name__}>"
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else str(value).strip()


def _refuse_data(table: LabelTable, names: PictureNames) -> None:
    """InputError if the header is a row of data."""
    name, *others = table.header
    if name and PICTURE_COLUMN.fullmatch(name):
        return
    below = [re.sub(r"\d+", "0", cell) for cell in (table.cells[0][:20] if table.cells else ())]
    shape = re.sub(r"\d+", "0", name)
    what = ""
    if is_image(name) or names.find(name) is not None:
        what = f"names the picture {name!r}"
    elif others and all(map(VALUE.fullmatch, others)):
        what = f"has {', '.join(map(repr, [name, *others][:3]))}, which look like a row of data,"
    elif shape != name and below and below.count(shape) > len(below) // 2:
        what = f"has {name!r}, which looks like the names below it,"
    if what:
        place, advice = (f"line {table.top}", "add them above it") if table.top else ("the header", "name them")
        raise InputError(
            f"{table.where}, {place} {what} where the names of the columns are expected; {advice}, as in file,Smiling"
        )
