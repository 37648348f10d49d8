"""Rows of a table that belong to no picture: totals, headings and notes. Their cells must not decide what a column
holds, as a sum under a column of 1 and 0 would."""

import re
from collections.abc import Collection, Sequence

from facet.sources.columns import shortened
from facet.sources.label_table import LabelTable
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
    taken = set(rows)
    known = {_shape(names[row]) for row in taken}
    others = ((row, name) for row, name in enumerate(names) if row not in taken and name and not is_picture(name))
    return [row for row, name in others if is_total(name) or _shape(name) not in known]


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
