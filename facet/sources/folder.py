"""Your own pictures: a folder, nested or not, or a zip, with tables of labels or one folder per class.

A table is `labels.csv` or `labels.parquet`. Its first column names the picture (path relative to the table, file name,
or name without suffix); `identity` and `split` have their meaning; every other column is an attribute: 1/0, 1/-1 (then
0 is unknown), true/false, yes/no, y/n, t/f or on/off, empty for unknown. Other numbers make a real-valued attribute;
columns of words are left out. Each of several tables has the labels of its own folder. Without a table each folder is a
class and an attribute; they may be in folders named train, valid and test."""

import dataclasses
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from facet.base.errors import InputError
from facet.pictures.decode import BadImage
from facet.sources import columns, label_table, totals
from facet.sources.classes import HOW, Rows, read_classes
from facet.sources.columns import Reading
from facet.sources.label_table import LabelTable, is_label_table, read_label_table, refuse
from facet.sources.labels import Listing, check_names, numbered, table_of
from facet.sources.pairing import PictureNames, both_sides, pair_lost, written
from facet.sources.tree import Tree, Zip, first, is_image, open_tree
from facet.sources.unread import unread_tables

TABLES = label_table.NAMES
SPECIAL = ("identity", "split")


@dataclasses.dataclass
class Labels:
    """What one table says about pictures."""

    where: Path
    rows: dict[str, int]  # picture -> row
    values: dict[str, np.ndarray]  # per column the values of these pictures; identity and split are objects
    count: int  # rows of the table
    missing: list[str]  # names without a picture
    reading: Reading


def read(root: Path, *, opener: Callable[[Path], Tree] = open_tree) -> Listing:
    """Every picture below `root` (a folder or a zip) with its labels: the tables' rows in order, then the rest."""
    if not root.exists():
        raise InputError(f"{root} is missing; {HOW}")
    tree = opener(root)
    pictures = [name for name in tree.names if is_image(name)]
    if not pictures:
        raise InputError(f"{root} holds no picture ({len(tree.names):,} other files); {HOW}")
    tables = sorted((n for n in tree.names if is_label_table(PurePosixPath(n).name)), key=lambda n: (n.count("/"), n))
    members, problems, values, notes = _from_tables(tree, tables, pictures) if tables else read_classes(tree, pictures)
    rows = [(member, member, problem) for member, problem in zip(members, problems, strict=True)]
    rows += [(member, member, "duplicate_name") for member in tree.repeated if is_image(member)]
    rows += [(member, member, "unsafe_name") for member in tree.unsafe if is_image(member)]
    rows = numbered(rows)
    extra = len(rows) - len(members)
    splits, identities = (values.pop(name, None) for name in ("split", "identity"))
    values = {name: np.pad(column, (0, extra)) for name, column in values.items()}
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
        notes=notes | {"other_files": len(tree.names) - len(pictures) - len(tables), "unsafe_names": len(tree.unsafe)},
    )


def _from_tables(tree: Tree, tables: Sequence[str], pictures: Sequence[str]) -> Rows:
    by_folder: dict[str, list[str]] = {}
    for name in tables:
        by_folder.setdefault(name.rpartition("/")[0], []).append(name)
    read = []
    for folder, names in by_folder.items():
        own = [one for one in pictures if _folder_of(one, by_folder) == folder] if len(by_folder) > 1 else pictures
        labels = [_labels(tree, name, own or pictures, pictures) for name in names]
        for other in labels[1:]:
            _refuse_difference(labels[0], other)
        read.append(labels[0])
    members = list(dict.fromkeys(picture for labels in read for picture in labels.rows))
    strangers = sorted(set(pictures) - set(members))
    values = _merged(read, [*members, *strangers])
    attributes = [name for name in values if name not in SPECIAL]
    check_names(attributes, read[0].where if len(read) == 1 else f"the tables of {tree.path}")
    left_out = {column: (one.where, why) for one in read for column, why in one.reading.left_out.items()}
    if not attributes:
        words = "; ".join(f"{column} holds words ({why})" for column, (_, why) in left_out.items())
        raise InputError(
            f"{read[0].where} has no attribute: {words or 'it has no column but ' + ' and '.join(values)}; expected"
            f" columns of {columns.EXPECTED}"
        )
    if not any(_known(values[name]).any() for name in attributes):
        raise InputError(
            f"{read[0].where} has no label: every cell of {first(attributes)} is empty; expected {columns.EXPECTED}"
        )
    warnings = [f"{one.where}: {text}" for one in read for text in one.reading.warnings]
    warnings += [
        f"{where}: column {column} holds words ({why}) and is left out; attributes are {columns.EXPECTED}"
        for column, (where, why) in left_out.items()
    ]
    missing = [name for one in read for name in one.missing]
    warnings += both_sides(read[0].where if len(read) == 1 else "the tables", missing, strangers)
    warnings += [f"{tree.path / other} names pictures, too, and is not read" for other in unread_tables(tree, pictures)]
    unknown = values["identity"][: len(members)].tolist().count(None) if "identity" in values else 0
    notes = {
        "label_rows": sum(one.count for one in read),
        "label_rows_without_picture": len(missing),
        "pictures_without_labels": len(strangers),
        "columns_of_words_left_out": list(left_out),
    }
    notes |= {"rows_without_picture": first(missing)} if missing else {}
    notes |= {"unknown_people": unknown} if unknown else {}
    notes |= {"warnings": warnings} if warnings else {}
    return [*members, *strangers], [""] * len(members) + ["no_labels"] * len(strangers), values, notes


def _folder_of(picture: str, folders: dict[str, list[str]]) -> str | None:
    """The nearest folder above a picture that has a table."""
    folder = picture
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in folders:
            return folder
    return None


def _labels(tree: Tree, name: str, own: Sequence[str], pictures: Sequence[str]) -> Labels:
    """The labels in one table, which is of the pictures `own` and may name others by their whole path."""
    where, beside = tree.path / name, name.rpartition("/")[0]
    try:
        data = tree.read(name)
    except BadImage as error:
        raise InputError(f"{where} cannot be read: {error}") from None
    names, everything = PictureNames(own, beside), frozenset(pictures)
    table = read_label_table(where, data, beside, names)
    reading = Reading(table.at)
    rows: dict[str, int] = {}
    lost: dict[str, int] = {}

    def take(picture: str, row: int, cell: str) -> None:
        if rows.setdefault(picture, row) != row:
            reading.faults.append(
                f"{table.at(row)} names {cell!r} a second time (after {table.at(rows[picture])}): every picture has one"
                " row"
            )

    for row, cell in enumerate(table.cells[0]):
        picture = names.find(cell) if cell else None
        if picture is None and (path := posixpath.normpath(posixpath.join(beside, written(cell)))) in everything:
            picture = path
        if not cell:
            reading.faults.append(
                f"{table.at(row)} names no picture in its first column ({table.header[0]}); name it, or remove the row"
                " if it is a total or a note"
            )
        elif picture is None:
            lost.setdefault(cell, row)
        elif not picture:
            reading.faults.append(f"{table.at(row)} names {cell!r}, of which there are several: give its path")
        else:
            take(picture, row, cell)
    strangers = [picture for picture in own if picture not in rows]
    pairs, warnings = pair_lost(where, {cell: table.at(row) for cell, row in lost.items()}, strangers, beside)
    reading.warnings += warnings
    for cell, picture in pairs.items():
        take(picture, lost.pop(cell), cell)
    others = _other_picture_columns(table, names, rows, reading)
    if not rows and not reading.faults:
        raise InputError(
            f"none of the {len(table.places):,} rows of {where} names one of the {len(own):,} pictures: the column"
            f" {table.header[0]!r} has {first(lost) or 'nothing'}; the pictures are {first(own)}"
            + (f"; put the column {others[0]!r}, which names pictures, first" if others else "")
        )
    strays = totals.of_no_picture(table.cells[0], rows.values())
    reading.warnings += totals.warning(table, strays)
    reading.faults += totals.other_headers(table, strays)
    taken = np.fromiter(rows.values(), np.int64, len(rows))
    values: dict[str, np.ndarray] = {}
    for column, texts in zip(table.header[1:], table.cells[1:], strict=True):
        if column in SPECIAL:
            chosen = [texts[row] for row in taken]
            chosen_at = Reading(lambda row: table.at(int(taken[row])), reading.faults, reading.warnings)
            read = columns.splits(chosen, chosen_at) if column == "split" else columns.identity(chosen, chosen_at)
            values[column] = np.array(read, object)
        elif (signs := columns.attribute(column, totals.without(strays, texts), reading)) is not None:
            values[column] = signs[taken]
    reading.warnings += columns.meant(table.header[1:])
    refuse(where, reading.faults)
    check_names([column for column in table.header[1:] if column not in SPECIAL], where)
    missing = totals.to_come(lost, table.cells[0], rows.values())
    return Labels(where, rows, values, len(table.places), missing, reading)


def _other_picture_columns(table: LabelTable, names: PictureNames, rows: dict[str, int], reading: Reading) -> list[str]:
    """The columns other than the first that hold file names of pictures; a fault where they name another picture."""
    found = []
    for column, texts in zip(table.header[1:], table.cells[1:], strict=True):
        if not any(is_image(text) and names.find(text) for text in texts[:100]):
            continue
        found.append(column)
        for row, text in enumerate(texts if rows else ()):
            picture = names.find(text) if is_image(text) else None
            if picture and rows.get(picture, row) != row:
                reading.fault(
                    row,
                    1,
                    f"names {table.cells[0][row]!r} in {table.header[0]} and {text!r} in {column}; keep one column",
                )
                break
    return found


def _known(values: np.ndarray) -> np.ndarray:
    """(rows,) bool: false for unknown values of a column."""
    if values.dtype == np.float32:
        return ~np.isnan(values)
    return values != 0 if values.dtype == np.int8 else np.array([value not in (None, "") for value in values], bool)


def _refuse_difference(one: Labels, other: Labels) -> None:
    """InputError if two tables in one folder do not say the same."""
    what = ""
    if set(one.rows) != set(other.rows):
        picture = min(set(one.rows) ^ set(other.rows))
        what = f"only {(one if picture in one.rows else other).where.name} names {picture}"
    elif list(one.values) != list(other.values) and set(one.values) ^ set(other.values):
        column = min(set(one.values) ^ set(other.values))
        what = f"only {(one if column in one.values else other).where.name} has the column {column}"
    places = {picture: place for place, picture in enumerate(other.rows)}
    order = [places.get(picture, 0) for picture in one.rows]
    for column in one.values if not what else ():
        a, b = one.values[column], other.values[column][order]
        differ = np.flatnonzero((a != b) & (_known(a) | _known(b)))
        if len(differ):
            picture = list(one.rows)[differ[0]]
            what = f"{picture} has the {column} {a[differ[0]]} in one and {b[differ[0]]} in the other"
            break
    if what:
        raise InputError(f"{one.where} and {other.where.name} beside it differ: {what}; keep the one that is right")


def _merged(tables: Sequence[Labels], members: Sequence[str]) -> dict[str, np.ndarray]:
    """The columns of all tables for `members`; InputError if two contradict each other."""
    places = {member: place for place, member in enumerate(members)}
    values: dict[str, np.ndarray] = {}
    origin: dict[str, Path] = {}
    for table in tables:
        rows = np.fromiter((places[picture] for picture in table.rows), np.int64, len(table.rows))
        for column, fresh in table.values.items():
            if column not in values:
                empty = {"identity": None, "split": ""}.get(column, np.nan if fresh.dtype == np.float32 else 0)
                values[column] = np.full(len(members), empty, fresh.dtype)
                origin[column] = table.where
            whole = values[column]
            if whole.dtype != fresh.dtype:
                raise InputError(
                    f"the column {column} holds numbers in one of {origin[column]} and {table.where} and signs in the"
                    " other; write the same in both"
                )
            differ = np.flatnonzero(_known(whole[rows]) & _known(fresh) & (whole[rows] != fresh))
            if len(differ):
                picture = members[rows[differ[0]]]
                raise InputError(
                    f"{picture} has the {column} {whole[rows][differ[0]]} in one of the tables and"
                    f" {fresh[differ[0]]} in {table.where}; keep the row that is right"
                )
            whole[rows] = np.where(_known(fresh), fresh, whole[rows])
    return values
