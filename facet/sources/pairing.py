"""Pairs of names in a table and pictures.

What is certain is paired: a path, a file name or a name without its ending, in any Unicode form and any case of the
ending. A picture that has another ending is paired with a warning. Names that differ in zeros or case only stop the
stage, because nobody can tell whether they mean the same."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

from facet.base.errors import InputError
from facet.sources.tree import first, is_image

SHOWN = 3  # pairs of names listed in a message
ENDINGS = re.compile(r"\.(heic|heif|hif|jpe|jfif|jxl|tga|dng)$", re.IGNORECASE)  # of pictures that are not read
INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))  # what copying from web pages leaves
SEVERAL = ""  # found under a name that several pictures have


def written(cell: str) -> str:
    """The path in a cell, with slashes only and without `./`."""
    return "/".join(part for part in cell.strip().replace("\\", "/").split("/") if part != ".")


def certain(name: str) -> str:
    """One spelling for names that certainly mean the same: NFC, nothing invisible, no blanks around the parts, the
    ending of a picture in lower case."""
    name = unicodedata.normalize("NFC", name).translate(INVISIBLE)
    name = "/".join(part.strip() for part in name.split("/"))
    stem, dot, ending = name.rpartition(".")
    return f"{stem}.{ending.lower()}" if dot and is_image(name) else name


def stem(name: str) -> str:
    """A name without the ending of a picture."""
    return name.rpartition(".")[0] if is_picture(name) else name


def is_picture(name: str) -> bool:
    """True for the name of a picture, whether its format is read or not."""
    return is_image(name) or ENDINGS.search(name) is not None


def alike(name: str) -> str:
    """One spelling for names that differ in ending, case, leading zeros or the kind of blanks only."""
    folded = stem(unicodedata.normalize("NFKC", name)).casefold()
    return re.sub(r"[\s_-]+", "_", re.sub(r"(?<!\d)0+(?=\d)", "", folded))


class PictureNames:
    """The names that a table in the folder `beside` ("" for the top) may use for pictures."""

    def __init__(self, pictures: Iterable[str], beside: str = ""):
        self._pictures, self._inside = tuple(pictures), f"{beside}/" if beside else ""
        self._exact = self._index(str)
        self._certain: tuple[dict[str, str], dict[str, str]] | None = None  # made when a name is not found

    def paths(self, picture: str) -> tuple[str, ...]:
        """The paths by which the table may name a picture: from the top, and from its own folder."""
        below = self._inside and picture.startswith(self._inside)
        return (picture, picture.removeprefix(self._inside)) if below else (picture,)

    def _index(self, spelling: Callable[[str], str]) -> tuple[dict[str, str], dict[str, str]]:
        """Path -> picture, and shorter name -> picture; SEVERAL for a name of several pictures."""
        paths: dict[str, str] = {}
        short: dict[str, str] = {}
        for picture in self._pictures:
            whole = {spelling(path) for path in self.paths(picture)}
            file = spelling(picture.rpartition("/")[2])
            for index, names in ((paths, whole), (short, {file, stem(file), *map(stem, whole)})):
                for name in names:
                    index[name] = picture if index.get(name, picture) == picture else SEVERAL
        return paths, short

    def find(self, cell: str) -> str | None:
        """The picture that a cell names with certainty, SEVERAL if there are several, None if there is none. The exact
        spelling takes precedence, and so does a path."""
        name = written(cell)
        for index in self._exact:
            if name in index:
                return index[name]
        if self._certain is None:
            self._certain = self._index(certain)
        return next((index[same] for index in self._certain if (same := certain(name)) in index), None)


def pair_lost(
    where: object, lost: Mapping[str, str], strangers: Sequence[str], beside: str = ""
) -> tuple[dict[str, str], list[str]]:
    """Name -> picture for names of a table without a picture that differ from one of `strangers` (pictures without a
    row) in the ending alone, and warnings; InputError if names match but for zeros or case.

    `lost` has the place of each name, as `line 3`; `where` is the table."""
    by_stem: dict[str, list[str]] = {}
    for picture in strangers:
        by_stem.setdefault(stem(certain(picture)), []).append(picture)
    stems = PictureNames(by_stem, beside)
    wanted: dict[str, list[str]] = {}  # stem -> names
    for name in lost:
        found = stems.find(stem(certain(written(name)))) if is_picture(name) else None
        if found:
            wanted.setdefault(found, []).append(name)
    pairs = {names[0]: by_stem[found][0] for found, names in wanted.items() if len(names) == len(by_stem[found]) == 1}
    paired = {*pairs.values()}
    paths = {alike(path): one for one in strangers if one not in paired for path in stems.paths(one)}
    short = {name.rpartition("/")[2]: picture for name, picture in paths.items()} | paths
    close: list[tuple[str, str]] = []
    for name in lost if paths else ():
        parts = alike(written(name)).split("/")
        ends = ("/".join(parts[begin:]) for begin in range(1, len(parts)))  # without folders in front
        picture = short.get("/".join(parts)) or next((paths[end] for end in ends if end in paths), "")
        if picture and name not in pairs:
            close.append((name, picture))
    if close:
        some = "; ".join(f"{lost[name]} has {name!r}, the picture is {picture!r}" for name, picture in close[:SHOWN])
        raise InputError(
            f"{where} names {len(close):,} pictures that are there under names that differ in zeros, case,"
            f" folders or the like: {some}; write the names in the table as the files have them"
        )
    warnings = []
    if pairs:
        some = ", ".join(f"{name} is {picture}" for name, picture in [*pairs.items()][:SHOWN])
        warnings.append(f"{len(pairs):,} pictures are named with another ending than they have: {some}")
    return pairs, warnings


def both_sides(where: object, lost: Sequence[str], strangers: Sequence[str]) -> list[str]:
    """A warning with the first names of both sides if a table and pictures lack each other's."""
    if not (lost and strangers):
        return []
    return [
        f"{len(lost):,} rows of {where} name no picture ({first(lost)}), and {len(strangers):,} pictures have no row"
        f" ({first(strangers)})"
    ]
