"""Your own pictures: a folder, nested or not, or a zip, with a table of labels or one folder per class.

The table is `labels.csv` or `labels.parquet` at the top. Its first column names the picture (path relative to the
table, file name, or name without suffix); `identity` and `split` have their meaning; every other column is an
attribute: 1/0, 1/-1 (then 0 is unknown), true/false or yes/no, empty for unknown. Other numbers make a real-valued
attribute; columns of words are left out. Without a table each folder is a class and an attribute; they may be in
folders named train, valid and test."""

import io
import math
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from facet.base.errors import InputError
from facet.pictures.decode import BadImage
from facet.sources.labels import Listing, check_names, numbered, table_of
from facet.sources.tree import Tree, Zip, csv_rows, first, is_image, open_tree, text_lines

TABLES = ("labels.csv", "labels.parquet")
FAULTS_SHOWN = 5  # faults of a table listed in a message
SPLIT_WORDS = {
    "train": ("train", "training", "0"),
    "valid": ("valid", "val", "validation", "dev", "1"),
    "test": ("test", "testing", "2"),
}
SPLIT_OF = {word: split for split, words in SPLIT_WORDS.items() for word in words}
PRESENT = frozenset({"1", "+1", "1.0", "true", "yes"})
ABSENT = frozenset({"-1", "-1.0", "false", "no"})
ZERO = frozenset({"0", "0.0"})
UNKNOWN = frozenset({"", "nan", "na", "n/a", "none", "null", "?"})
HOW = "expected pictures with labels.csv or labels.parquet at the top, or one folder of pictures per class"


def read(root: Path, *, opener: Callable[[Path], Tree] = open_tree) -> Listing:
    """Every picture below `root` (a folder or a zip) with its labels: the table's rows in order, then the rest."""
    if not root.exists():
        raise InputError(f"{root} is missing; {HOW}")
    tree = opener(root)
    pictures = [name for name in tree.names if is_image(name)]
    if not pictures:
        raise InputError(f"{root} holds no picture ({len(tree.names):,} other files); {HOW}")
    tables = sorted((n for n in tree.names if PurePosixPath(n).name in TABLES), key=lambda n: (n.count("/"), n))
    if tables:
        ids, members, problems, columns, notes = _from_table(tree, tables[0], pictures)
    else:
        ids, members, problems, columns, notes = _from_folders(tree, pictures)
    rows = list(zip(ids, members, problems, strict=True))
    rows += [(member, member, "duplicate_name") for member in tree.repeated if is_image(member)]
    rows += [(member, member, "unsafe_name") for member in tree.unsafe if is_image(member)]
    rows = numbered(rows)
    extra = len(rows) - len(ids)
    splits = columns.pop("split", None)
    identities = columns.pop("identity", None)
    values = {name: np.pad(column, (0, extra)) for name, column in columns.items()}
    table = table_of(
        [row[0] for row in rows],
        [row[1] for row in rows],
        splits=None if splits is None else [*splits, *[""] * extra],
        identities=None if identities is None else [*identities, *[None] * extra],
        problems=[row[2] for row in rows],
        values=values,
    )
    return Listing(
        source="folder",
        images="zip" if isinstance(tree, Zip) else "folder",
        place="root",
        container=".",
        attributes=tuple(name for name, column in values.items() if column.dtype == np.int8),
        real=tuple(name for name, column in values.items() if column.dtype == np.float32),
        table=table,
        notes=notes
        | {"other_files": len(tree.names) - len(pictures) - len(tables[:1]), "unsafe_names": len(tree.unsafe)},
    )


Rows = tuple[list[str], list[str], list[str], dict[str, Any], dict[str, Any]]


def _from_table(tree: Tree, name: str, pictures: Sequence[str]) -> Rows:
    where = tree.path / name
    try:
        data = tree.read(name)
    except BadImage as error:
        raise InputError(f"{where} cannot be read: {error}") from None
    header, cells = _parquet(where, data) if name.endswith(".parquet") else _csv(where, data)
    if len(header) < 2:
        raise InputError(f"{where} has the columns {header}; expected the picture's name, then at least one attribute")
    header = [re.sub(r"\s+", "_", column.strip()) for column in header]
    header[1:] = [column.lower() if column.lower() in ("identity", "split") else column for column in header[1:]]
    check_names([column for column in header[1:] if column not in ("identity", "split")], where)

    faults: list[str] = []  # reported together

    def at(row: int) -> str:
        """The place of a row in words: a line of the CSV, or a row of the Parquet file."""
        return f"row {row + 1}" if name.endswith(".parquet") else f"line {row + 2}"

    by_name = _names(pictures, PurePosixPath(name).parent)
    rows: dict[str, int] = {}  # picture -> line of the table
    missing = []
    for line, cell in enumerate(cells[0]):
        wanted = PurePosixPath(cell.strip().replace("\\", "/")).as_posix()
        if not cell.strip():
            faults.append(f"{at(line)} names no picture in its first column ({header[0]})")
        elif wanted not in by_name:
            missing.append(cell)
        elif (picture := by_name[wanted]) is None:
            faults.append(f"{at(line)} names {cell!r}, of which there are several: give its path")
        elif picture in rows:
            faults.append(f"{at(line)} names {picture!r} a second time: every picture has one row")
        else:
            rows[picture] = line
    if not rows and not faults:
        raise InputError(
            f"none of the {len(cells[0]):,} rows of {where} names one of the {len(pictures):,} pictures: the column"
            f" {header[0]!r} has {first(missing)}; the pictures are {first(pictures)}"
        )
    strangers = [picture for picture in pictures if picture not in rows]
    members = [*rows, *strangers]
    taken = np.fromiter(rows.values(), np.int64, len(rows))
    columns: dict[str, Any] = {}
    left_out = []
    for column, texts in zip(header[1:], cells[1:], strict=True):
        chosen = [texts[line] for line in taken]
        if column == "split":
            columns[column] = [_split(text, faults) for text in chosen] + [""] * len(strangers)
        elif column == "identity":
            columns[column] = [*_identity(chosen), *[None] * len(strangers)]
        else:
            values = _values(column, texts, faults, at)
            if values is None:
                left_out.append(column)
            else:
                columns[column] = np.pad(values[taken], (0, len(strangers)))
    _refuse(where, faults)
    notes = {
        "label_rows": len(cells[0]),
        "label_rows_without_picture": len(missing),
        "pictures_without_labels": len(strangers),
        "columns_of_words_left_out": left_out,
    } | ({"rows_without_picture": first(missing)} if missing else {})
    return members, members, [""] * len(rows) + ["no_labels"] * len(strangers), columns, notes


def _refuse(where: Path, faults: Sequence[str]) -> None:
    """Raise InputError if a table has faults, listing the first of them."""
    if faults:
        more = f"; and {len(faults) - FAULTS_SHOWN:,} more faults" if len(faults) > FAULTS_SHOWN else ""
        raise InputError(f"{where}: {'; '.join(dict.fromkeys(faults[:FAULTS_SHOWN]))}{more}")


def _names(pictures: Sequence[str], beside: PurePosixPath) -> dict[str, str | None]:
    """Every name that a table may use for a picture -> the picture, or None if it is ambiguous. Full paths take
    precedence."""
    out: dict[str, str | None] = {}
    short: dict[str, str | None] = {}
    for picture in pictures:
        path = PurePosixPath(picture)
        out[picture] = picture
        if path.is_relative_to(beside):
            out[path.relative_to(beside).as_posix()] = picture
        for name in {path.name, path.stem, path.with_suffix("").as_posix()}:
            short[name] = picture if short.get(name, picture) == picture else None
    return short | out


def _csv(where: Path, data: bytes) -> tuple[list[str], list[list[str]]]:
    lines = text_lines(where, data)
    delimiter = max(",;\t", key=lines[0].count)
    header, *rows = csv_rows(where, lines, delimiter)
    wanted = f"expected {len(header)} as in the header"
    odd = [(number, len(row)) for number, row in enumerate(rows, 2) if len(row) != len(header)]
    _refuse(where, [f"line {number} has {cells} cells; {wanted}" for number, cells in odd])
    return header, [[row[column] for row in rows] for column in range(len(header))]


def _parquet(where: Path, data: bytes) -> tuple[list[str], list[list[str]]]:
    try:
        table = pq.ParquetFile(io.BytesIO(data)).read()  # unlike read_table, it reads a repeated column
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{where} is not a Parquet file ({error}); write it again") from None
    kept = [i for i, name in enumerate(table.column_names) if not name.startswith("__")]  # the index of pandas
    cells = [["" if value is None else str(value) for value in table.column(i).to_pylist()] for i in kept]
    return [table.column_names[i] for i in kept], cells


def _split(text: str, faults: list[str]) -> str:
    word = text.strip().lower()
    if word not in UNKNOWN and word not in SPLIT_OF:
        faults.append(f"it has the split {text!r}: expected train, valid or test")
    return SPLIT_OF.get(word, "")


def _identity(texts: Sequence[str]) -> list[int | None]:
    """Whole numbers unchanged; other names as a hash, which is the same in every table."""

    def code(name: str) -> int | None:
        if name.lower() in UNKNOWN:
            return None
        return int(float(name)) if re.fullmatch(r"\d{1,9}(\.0)?", name) else zlib.crc32(name.encode()) >> 1

    return [code(text.strip()) for text in texts]


def _values(column: str, texts: Sequence[str], faults: list[str], at: Callable[[int], str]) -> np.ndarray | None:
    """int8 signs (0 unknown), float32 numbers (NaN unknown), or None for a column of words; other cells are added to
    `faults`."""
    codes, words = pd.factorize(np.array([text.strip().lower() for text in texts], object))
    known = [word for word in words if word not in UNKNOWN]
    if all(word in PRESENT or word in ABSENT or word in ZERO for word in known):
        zero = 0 if any(word in ABSENT and word[0] == "-" for word in known) else -1
        sign = {word: 1 if word in PRESENT else -1 if word in ABSENT else zero for word in known}
        return np.array([sign.get(word, 0) for word in words], np.int8)[codes]
    numbers = {word: _number(word) for word in known}
    if all(number is None for number in numbers.values()) and not any(word in PRESENT | ABSENT for word in known):
        return None
    odd = [word for word, number in numbers.items() if number is None or not math.isfinite(number)]
    odd.sort(key=lambda word: word in PRESENT | ABSENT)  # report `true` among numbers last
    for word in odd:
        rows = np.flatnonzero(codes == list(words).index(word))
        others = f" (and {len(rows) - 1:,} more)" if len(rows) > 1 else ""
        faults.append(
            f"{at(rows[0])}{others} has {word!r} in the column {column}: expected 1/0, 1/-1, true/false, a number or "
            "nothing"
        )
    return np.array([numbers.get(word, math.nan) for word in words], np.float32)[codes]


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _from_folders(tree: Tree, pictures: Sequence[str]) -> Rows:
    paths = [PurePosixPath(picture).parts for picture in pictures]
    while len({parts[0] for parts in paths}) == 1 and all(len(parts) > 2 for parts in paths):
        paths = [parts[1:] for parts in paths]  # one folder that contains everything
    splits: list[str] | None = None
    if all(len(parts) > 1 and parts[0].lower() in SPLIT_OF and not parts[0].isdigit() for parts in paths):
        splits = [SPLIT_OF[parts[0].lower()] for parts in paths]
        paths = [parts[1:] for parts in paths]
    classes = [parts[0] if len(parts) > 1 else "" for parts in paths]
    known = sorted(set(classes) - {""})
    if not known:
        raise InputError(f"{tree.path} has pictures and no labels; {HOW}")
    names = [re.sub(r"\W+", "_", name) for name in known]
    check_names(names, f"the folders of {tree.path}")
    columns: dict[str, Any] = {"split": splits} if splits else {}
    folders = np.array(classes, object)
    for folder, name in zip(known, names, strict=True):
        columns[name] = np.where(folders == "", 0, np.where(folders == folder, 1, -1)).astype(np.int8)
    members = list(pictures)
    problems = ["" if name else "no_labels" for name in classes]
    return (
        members,
        members,
        problems,
        columns,
        {"classes": known, "pictures_without_labels": problems.count("no_labels")},
    )
