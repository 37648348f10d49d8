"""Rows of a table that belong to no picture: totals, headings and notes. Their cells must not decide what a column
holds, as a sum under a column of 1 and 0 would."""

import re
from collections.abc import Collection, Iterable, Sequence

from facet.sources.columns import shortened
from facet.sources.label_table import PICTURE_COLUMN, VALUE, LabelTable
from facet.sources.pairing import is_picture
from facet.sources.tree import first

SUMMARY = re.compile(  # followed by anything but a letter, a digit or _
    r"((grand|sub|overall|column)[\s-]*)?(total|sum|average|avg|mean|median|count|number|percent(age)?|share|std(ev)?|min|"
    r"minimum|max|maximum|n|summe|gesamt|insgesamt|anzahl|mittel(wert)?|durchschnitt|anteil|somme|moyenne|nombre|suma|"
    r"totale|media|promedio)s?(?!\w)(?!\.\w).*|[%Σ∑∅].*",
    re.IGNORECASE | re.DOTALL,
)


def is_total(name: str) -> bool:
    """True for the first cell of a row of totals, in one of some languages."""
    return not is_picture(name) and SUMMARY.fullmatch(name) is not None


def of_no_picture(names: Sequence[str], rows: Collection[int]) -> list[int]:
    """The rows that are not among `rows`, those with a picture, and whose name does not look like the names there: a
    total, or a name without ending, made in another way. Names that look alike may be of pictures still to come."""
    taken, known = set(rows), _shapes(names, rows)
    others = ((row, name) for row, name in enumerate(names) if row not in taken and name and not is_picture(name))
    return [row for row, name in others if is_total(name) or _shape(name) not in known]


def to_come(lost: Iterable[str], names: Sequence[str], rows: Collection[int]) -> list[str]:
    """Those of the names without a picture that may be of a picture still to come: all but certain totals. (Max may be
    somebody's, among other first names.)"""
    known = _shapes(names, rows)
    return [name for name in lost if not is_total(name) or _shape(name) in known]


def _shapes(names: Sequence[str], rows: Collection[int]) -> set[str]:
    return {_shape(names[row]) for row in rows}


def _shape(name: str) -> str:
    """A name with `a` for every run of letters and `0` for every run of digits."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", name))


def without(rows: Sequence[int], texts: Sequence[str]) -> Sequence[str]:
    """A column with the cells of some rows empty."""
    if not rows:
        return texts
    kept = list(texts)
    for row in rows:
        kept[row] = ""
    return kept


def other_headers(table: LabelTable, rows: Sequence[int]) -> list[str]:
    """A fault for each of these rows that is the header of another table, with other columns or in another order."""
    columns = [name.casefold() for name in table.header[1:]]
    faults = []
    for row in rows:
        first_cell, *cells = (re.sub(r"\s+", "_", texts[row]) for texts in table.cells)
        begins = first_cell.casefold() == table.header[0].casefold() or PICTURE_COLUMN.fullmatch(first_cell)
        words = any(cell and not VALUE.fullmatch(cell) for cell in cells)
        if begins and words and [cell.casefold() for cell in cells] != columns:
            faults.append(
                f"{table.at(row)} ({', '.join((first_cell, *cells))}) looks like the header of another table, with"
                " other columns than this one; give it a folder of its own, or the same columns in the same order"
            )
    return faults


def warning(table: LabelTable, rows: Sequence[int]) -> list[str]:
    """A warning if some of these rows have cells unlike those of all others; they are left out."""
    taken = set(rows)
    unlike: dict[int, list[str]] = {}
    for column, texts in zip(table.header[1:], table.cells[1:], strict=True) if rows else ():
        others = {text for row, text in enumerate(texts) if row not in taken}
        for row in rows:
            if texts[row] and texts[row] not in others:
                unlike.setdefault(row, []).append(f"{shortened(texts[row])} in the column {column}")
    if not unlike:
        return []
    some = first(f"{table.at(row)}, {shortened(table.cells[0][row])}: {cells[0]}" for row, cells in unlike.items())
    return [
        f"rows whose first cell does not look like a picture are taken for totals or notes and left out ({some}); if"
        " one is of a picture, write its whole file name"
    ]
