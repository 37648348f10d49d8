"""The columns of a table of one's own: attributes, people and splits from the words in their cells.

Nothing is guessed in silence: a `Reading` collects faults, which stop the stage together, and warnings."""

import dataclasses
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from facet.sources.pairing import INVISIBLE

SPLIT_WORDS = {
    "train": ("train", "training", "0"),
    "valid": ("valid", "val", "validation", "dev", "1"),
    "test": ("test", "testing", "2"),
}
SPLIT_OF = {word: split for split, words in SPLIT_WORDS.items() for word in words}
PRESENT = frozenset({"1", "true", "yes"})
ABSENT = frozenset({"-1", "false", "no"})
ZERO = frozenset({"0"})
SHORT = {"y": 1, "n": -1, "on": 1, "off": -1, "t": 1, "f": -1}  # words of other meanings in a column of other words
MEANT = {  # words of columns that are probably meant to be one of the two with a meaning
    "identity": re.compile(
        r"(person|people|subject|individual|identit(y|ies)|who|celebrity)s?_?(id|name|nr|no)?s?", re.I
    ),
    "split": re.compile(r"partitions?|sets?|subsets?|folds?|splits?(_name)?", re.I),
}
UNKNOWN = frozenset({"", "nan", "na", "n/a", "none", "null", "?"})
EXPECTED = "1/0, 1/-1, true/false, yes/no, a number or nothing"
PLACEHOLDERS = frozenset({"-1", "?", "-", "--", "unknown", "n/a", "na", "nan", "none", "null", "nil"})


@dataclasses.dataclass
class Reading:
    """What the columns of one table say beside their values. `at` is the place of a row in words: `line 3`."""

    at: Callable[[int], str]
    faults: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)  # column of words -> an example with its place

    def fault(self, row: int, count: int, what: str) -> None:
        """Add a fault of `count` rows, named by the first."""
        others = f" (and {count - 1:,} more)" if count > 1 else ""
        self.faults.append(f"{self.at(row)}{others} {what}")


def attribute(column: str, texts: Sequence[str], reading: Reading) -> np.ndarray | None:
    """int8 signs (0 unknown) or float32 numbers (NaN unknown); None for a column of words, which is left out."""
    spelt, spellings = pd.factorize(np.array(texts, object))
    codes, words = pd.factorize(np.array([_plain(text) for text in spellings], object))
    codes = codes[spelt]
    _, firsts, numbers_of = np.unique(codes, return_index=True, return_counts=True)
    first, count = (dict(zip(words, array.tolist(), strict=True)) for array in (firsts, numbers_of))
    known = [word for word in words if word not in UNKNOWN]
    blank = [word for word in words if word and word in UNKNOWN]
    signs = _signs(known)
    if signs is not None:
        values = np.array([signs.get(word, 0) for word in words], np.int8)[codes]
        if {"1", "0", "-1"} <= {*known}:
            some = ", ".join(f"{count[word]:,} times {word}" for word in ("1", "0", "-1"))
            reading.warnings.append(
                f"column {column} has {some}: 0 is read as unknown and -1 as absent; if -1 means that nothing is known,"
                " leave these cells empty"
            )
    else:
        numbers = {word: _number(word) for word in known}
        if all(number is None for number in numbers.values()) and not any(word in PRESENT | ABSENT for word in known):
            word = next((word for word in known if word not in SHORT), known[0])
            reading.left_out[column] = f"{shortened(texts[first[word]])} in {reading.at(first[word])}{_comma(word)}"
            return None
        odd = [word for word, number in numbers.items() if number is None or not math.isfinite(number)]
        for word in sorted(odd, key=lambda word: word in PRESENT | ABSENT):  # `true` among numbers last
            what = f"has {shortened(word)} in the column {column}: expected {EXPECTED}{_comma(word)}"
            reading.fault(first[word], count[word], what)
        values = np.array([numbers.get(word, math.nan) for word in words], np.float32)[codes]
        others = [word for word in known if word not in ("1", "0", "-1")]
        if len(others) <= 2 and len(known) - len(others) == 2 and not odd:  # 1/0 or 1/-1, and a number for unknown?
            some = ", ".join(f"{count[word]:,} times {word}, first in {reading.at(first[word])}" for word in others)
            reading.warnings.append(
                f"column {column} is read as numbers because of {some}; if that means that nothing is known, leave"
                " these cells empty"
            )
        if set(known) == {"1", "2"}:  # as statistics programs code them
            reading.warnings.append(
                f"column {column} is read as the numbers 1 and 2; if these stand for words, as in 1 = no, write 0 and 1"
            )
    if not known:
        reading.warnings.append(f"column {column} is empty")
    if blank:
        some = ", ".join(f"{count[word]:,} times {word!r}" for word in blank)
        reading.warnings.append(f"column {column}: {some} is read as unknown")
    return values


def _comma(word: str) -> str:
    return " (write a point, not a comma, within a number)" if re.fullmatch(r"[+-]?\d+,\d+", word) else ""


def _plain(text: str) -> str:
    """A word in lower case; 1.0 and +1 as 1."""
    word = text.strip().lower()
    number = _number(word)
    return str(int(number)) if number in (-1, 0, 1) else word


def _signs(known: Sequence[str]) -> dict[str, int] | None:
    """The sign of each word, or None if they are not all signs."""
    words = set(known)
    short = words & SHORT.keys()
    if {"t", "f"} & short and len({SHORT[word] for word in short} | ({1} if words & PRESENT else set())) < 2:
        return None  # the letter of something else
    if not words <= PRESENT | ABSENT | ZERO | SHORT.keys():
        return None
    zero = 0 if "-1" in words else -1
    return SHORT | dict.fromkeys(PRESENT, 1) | dict.fromkeys(ABSENT, -1) | dict.fromkeys(ZERO, zero)


def _number(word: str) -> float | None:
    try:
        return float(word) if "_" not in word else None
    except ValueError:
        return None


def shortened(text: str) -> str:
    """A cell as it is shown in a message."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def identity(texts: Sequence[str], reading: Reading) -> list[int | None]:
    """Whole numbers unchanged, other names as a hash, which is the same in every table; None for an empty cell.

    Names differ unless they are the same text in any Unicode form; a number may have `.0`, which tables of floats add
    to whole numbers."""
    names = [person(text) for text in texts]
    counts = Counter(name for name in names if name)
    unlike: dict[str, str] = {}
    for name in counts:
        other = unlike.setdefault(_alike(name), name)
        if other != name:
            reading.warnings.append(f"column identity: {other!r} and {name!r} are taken for two people")
    most = counts.most_common(2)
    for name, count in counts.items():
        nobody = name.lower() in PLACEHOLDERS and count > 1
        nobody |= name == "0" == most[0][0] and count >= 3 * max(other for _, other in most[1:] or [("", 1)])
        if re.fullmatch(r"[0-9]([.,][0-9]+)?[eE]\+?[0-9]+", name):
            reading.warnings.append(
                f"column identity: {name!r} is a number that a spreadsheet cut short; write all digits"
            )
        if nobody or 2 * count > len(names) > 9:
            reading.warnings.append(
                f"column identity: {name!r} is taken for one person with {count:,} of {len(names):,} pictures; if it"
                " means that the person is unknown, leave these cells empty"
            )
    return [_code(name) if name else None for name in names]


def person(text: str) -> str:
    """The name of a person in a cell: NFC, nothing invisible, whole numbers without `.0`."""
    name = unicodedata.normalize("NFC", text.translate(INVISIBLE).strip())
    return name.removesuffix(".0") if re.fullmatch(r"(0|-?[1-9][0-9]*)\.0", name) else name


def _code(name: str) -> int:
    return int(name) if re.fullmatch(r"0|[1-9][0-9]{0,8}", name) else zlib.crc32(name.encode()) >> 1


def _alike(name: str) -> str:
    """One spelling for names that may be meant to be the same."""
    folded = " ".join(re.sub(r"[\s_]+", " ", unicodedata.normalize("NFKC", name).casefold()).split())
    return re.sub(r"^0+(?=\d)", "", folded)


def meant(names: Sequence[str]) -> list[str]:
    """Warnings for columns that seem to be people or splits under another name."""
    return [
        f"column {name} is read as an attribute or left out; if it holds the {special}, call it {special}"
        for special, words in MEANT.items()
        for name in names
        if special not in names and words.fullmatch(name)
    ]


def splits(texts: Sequence[str], reading: Reading) -> list[str]:
    """train, valid or test for each row, "" for unknown."""
    words = [re.sub(r"(?<=\d)\.0$", "", text.strip().lower()) for text in texts]
    for word, count in Counter(words).items():
        if word and word in UNKNOWN:
            reading.warnings.append(f"column split: {count:,} times {word!r} is read as no split")
        elif word and word not in SPLIT_OF:
            row = words.index(word)
            reading.fault(row, count, f"has the split {shortened(texts[row])}: expected train, valid or test")
    return [SPLIT_OF.get(word, "") for word in words]
