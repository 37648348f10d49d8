"""CelebA (Liu et al. 2015) as published, whole or in part, or as repacked by Kaggle.

Published: `img_align_celeba.zip` or the folder, `list_attr_celeba.txt` (line 1 the count, line 2 the names),
`list_eval_partition.txt` (0 train, 1 validation, 2 test), `identity_CelebA.txt`. Kaggle: the first two lists as CSV and
the pictures in `img_align_celeba/img_align_celeba/`. A partial copy has pictures for only some rows."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from facet.base.errors import InputError
from facet.base.tables import SPLITS
from facet.pictures.decode import BadImage
from facet.sources.labels import Listing, check_names, numbered, table_of
from facet.sources.pairing import PictureNames, both_sides, pair_lost
from facet.sources.text import csv_rows, text_lines, uncommented
from facet.sources.tree import Tree, Zip, first, is_image, is_safe, open_tree
from facet.sources.unread import misnamed

SIGNS = {"1": 1, "-1": 255}  # the byte of an int8
LISTS = ("list_attr_celeba", "list_eval_partition", "identity_CelebA")
MAX_IDENTITY = 2**31 - 1
INSIDE = ("", "celeba", "CelebA", "Img", "Anno", "Eval", "CelebA/Img", "CelebA/Anno", "CelebA/Eval")
HOW = (
    "expected img_align_celeba.zip (or the folder img_align_celeba) beside list_attr_celeba.txt, as CelebA is published"
    " at mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
)


def read(
    root: Path, *, place: str = "root", source: str = "celeba", opener: Callable[[Path], Tree] = open_tree
) -> Listing:
    """Every picture at `root` with its attributes, identity and official split, in the order of the lists."""
    if not root.exists():
        raise InputError(f"{root} is missing; {HOW}")
    images, container = _images(root, opener)
    labels = _label_files(root)
    if "list_attr_celeba" not in labels:
        own = ", but labels.csv: set source.kind to folder" if (root / "labels.csv").exists() else ""
        raise InputError(f"{root} has no list_attr_celeba.txt or .csv{misnamed(root, LISTS[0]) or own}; {HOW}")
    path = labels["list_attr_celeba"][0][0]
    names, values = _only(labels["list_attr_celeba"], _attributes)

    members, repeated, warnings = _members(images)
    strangers = sorted(set(members) - set(values))
    if strangers:
        pairs, more = _pairs(path, [name for name in values if name not in members], strangers)
        members |= {name: members.pop(picture) for name, picture in pairs.items()}
        strangers = sorted(set(members) - set(values))
        warnings += more
    ids = [name for name in values if name in members]
    missing = [name for name in values if name not in members]
    if not ids:
        raise InputError(
            f"none of the {len(values):,} rows of {path} ({first(values)}) names one of the {len(members):,}"
            f" pictures of {images.path} ({first(members)}); the lists belong to other pictures"
        )
    warnings += both_sides(path, missing, strangers)
    splits = _only(labels.get("list_eval_partition", []), _partition)
    identities = _only(labels.get("identity_CelebA", []), _identities)
    for stem, known in (("list_eval_partition", splits), ("identity_CelebA", identities)):
        if known:
            warnings += _complete(known, labels[stem][0][0], [name for name in known if name not in values], ids)
    rows = [(name, members[name], "") for name in ids]
    rows += [(name, members[name], "no_labels") for name in strangers]
    rows += [(member, member, "duplicate_name") for member in repeated]
    rows += [(member, member, "unsafe_name") for member in images.unsafe]
    rows = numbered(rows)
    signs = np.frombuffer(b"".join(values.get(row[0], bytes(len(names))) for row in rows), np.int8)
    signs = signs.reshape(len(rows), len(names))
    table = table_of(
        [row[0] for row in rows],
        [row[1] for row in rows],
        splits=[splits.get(row[0], "") for row in rows],
        identities=[identities.get(row[0]) for row in rows],
        problems=[row[2] for row in rows],
        values={name: signs[:, column] for column, name in enumerate(names)},
    )
    notes: dict[str, Any] = {
        "label_rows": len(values),
        "label_rows_without_picture": len(missing),
        "pictures_without_labels": len(strangers),
        "repeated_names": len(repeated),
        "unsafe_names": len(images.unsafe),
        "has_official_split": bool(splits),
        "has_identities": bool(identities),
    }
    notes |= {"warnings": warnings} if warnings else {}
    return Listing(
        source=source,
        images="zip" if isinstance(images, Zip) else "folder",
        place=place,
        container=container,
        attributes=tuple(names),
        real=(),
        table=table,
        notes=notes,
    )


def _members(images: Tree) -> tuple[dict[str, str], list[str], list[str]]:
    """The pictures of a tree by their base names, those left out because another has the name, and warnings."""
    members: dict[str, str] = {}
    pictures = sorted(filter(is_image, images.names), key=lambda name: (name.count("/"), name))  # the top ones first
    repeated = [member for member in pictures if members.setdefault(PurePosixPath(member).name, member) != member]
    if not members:
        raise InputError(f"{images.path} holds no picture; {HOW}")
    repeated = list(images.repeated) + repeated
    if not repeated:
        return members, [], []
    some = first(f"{name} (taken: {members.get(PurePosixPath(name).name, name)})" for name in repeated)
    return members, repeated, [f"{len(repeated):,} pictures have the name of another and are left out: {some}"]


def _images(root: Path, opener: Callable[[Path], Tree]) -> tuple[Tree, str]:
    """The pictures and their place relative to `root`."""
    if root.is_file():
        return opener(root), "."
    for inside in INSIDE:
        for name in ("img_align_celeba.zip", "img_align_celeba"):
            if (root / inside / name).exists():
                return opener(root / inside / name), (Path(inside) / name).as_posix()
    if (root / "archive.zip").exists():
        return opener(root / "archive.zip"), "archive.zip"
    return opener(root), "."


def _label_files(root: Path) -> dict[str, list[tuple[Path, bytes]]]:
    """Stem -> (path, bytes) of the lists, in folders beside the pictures or in one archive with them. A list that is
    there twice has two."""
    archive = root if root.is_file() else root / "archive.zip"
    out: dict[str, list[tuple[Path, bytes]]] = {}
    for suffix in (".txt", ".csv"):
        for stem in LISTS:
            for path in (root / inside / (stem + suffix) for inside in INSIDE):
                if path.is_file():
                    out.setdefault(stem, []).append((path, path.read_bytes()))
    if archive.is_file():
        tree = open_tree(archive)
        for member in tree.names:
            path = Path(member)
            if path.stem in LISTS and path.suffix in (".txt", ".csv"):
                try:
                    out.setdefault(path.stem, []).append((archive / member, tree.read(member)))
                except BadImage as error:
                    raise InputError(f"{archive / member} cannot be read: {error}") from None
    return out


def _only(files: list[tuple[Path, bytes]], read: Callable[[Path, bytes], Any]) -> Any:
    """What a list says; {} without a file. InputError if there are several files that do not say the same."""
    if not files:
        return {}
    said = read(*files[0])
    for path, data in files[1:]:
        other = read(path, data) if data != files[0][1] else said
        if other != said:
            one, two = (item[1] if isinstance(item, tuple) else item for item in (said, other))
            names = [name for name in {**one, **two} if one.get(name) != two.get(name)]
            what = f"{names[0]} has other values there" if names else "their attributes are not the same"
            raise InputError(f"{files[0][0]} and {path} differ: {what}; keep the one that is right")
    return said


def _complete(known: dict[str, Any], where: Path, lost: list[str], ids: list[str]) -> list[str]:
    """Add to `known`, what the list `where` says, the pictures that it names in other spellings (`lost`), and return
    warnings; InputError if it names none of the pictures `ids`."""
    lacking = [name for name in ids if name not in known]
    if not lacking:
        return []
    pairs, warnings = _pairs(where, lost, lacking)
    if len(lacking) - len(pairs) == len(ids):
        raise InputError(
            f"none of the {len(known):,} rows of {where} ({first(known)}) names one of the {len(ids):,} pictures that"
            f" have labels ({first(ids)}); the lists belong to other pictures"
        )
    known |= {picture: known[name] for name, picture in pairs.items()}
    lacking = [name for name in lacking if name not in known]
    return warnings + ([f"{where} has no row for {len(lacking):,} pictures ({first(lacking)})"] if lacking else [])


def _pairs(where: Path, lost: list[str], strangers: list[str]) -> tuple[dict[str, str], list[str]]:
    """Name of a list -> picture, for names `lost` that mean one of `strangers`, and warnings."""
    names = PictureNames(strangers)
    pairs = {name: found for name in lost if (found := names.find(name))}
    if len({*pairs.values()}) < len(pairs):
        twice = next(picture for picture in pairs.values() if [*pairs.values()].count(picture) > 1)
        raise InputError(f"{where} names {twice!r} twice, in other spellings; every picture has one row")
    left = {name: "a row" for name in lost if name not in pairs}
    paired = {*pairs.values()}
    more, warnings = pair_lost(where, left, [name for name in strangers if name not in paired])
    return pairs | more, [f"{where}: {text}" for text in warnings]


def _cells(path: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of a list, separated by white space or, in a CSV, which begins with its header, by commas."""
    if path.suffix != ".csv":
        yield from ((number, line.split()) for number, line in uncommented(text_lines(path, data)))
        return
    rows = csv_rows(path, data)
    top, header = next(rows)
    start = int(header[0] in ("", "Unnamed: 0") and len(header) > 2)  # the index that pandas writes
    stop = max(number for number, cell in enumerate(header, 1) if cell)
    if is_image(header[start]):
        raise InputError(
            f"{path}, line {top} names the picture {header[start]!r} where the names of the columns are expected; add a"
            " line above it that begins with image_id, as in Kaggle's copy"
        )
    for number, row in itertools.chain([(top, header)], rows):
        yield number, row[start : max(stop, len(row)) if any(row[stop:]) else stop]


def _pair_rows(path: Path, data: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield (line, picture, value) of a list of two columns, without the header of a CSV."""
    rows = _cells(path, data)
    if path.suffix == ".csv":
        next(rows)
    for number, row in rows:
        if len(row) != 2:
            raise InputError(f"{path}, line {number} has {len(row)} columns; expected 2: {' '.join(row)[:80]!r}")
        yield number, row[0], re.sub(r"(?<=[0-9])\.0+$", "", row[1])  # tables of floats add it


def _attributes(path: Path, data: bytes) -> tuple[list[str], dict[str, bytes]]:
    """The attribute names, and per picture its signs as one int8 byte per attribute."""
    rows, count = _cells(path, data), None
    line, header = next(rows)
    if path.suffix == ".csv":
        if header[0] != "image_id":
            raise InputError(
                f"{path}, line {line} begins with {header[0]!r}; expected the column image_id, as in Kaggle's copy"
            )
        names = header[1:]
    else:
        second = next(rows, None)
        if second is None or len(header) > 1 or not re.fullmatch("[0-9]+", header[0]):
            raise InputError(
                f"{path}, line {line} is {' '.join(header)[:80]!r}; expected the number of pictures, then a line of"
                " names"
            )
        (line, names), count = second, int(header[0])
        if is_image(names[0]):
            raise InputError(
                f"{path}, line {line} names the picture {names[0]!r}; expected the names of the attributes"
            )
    check_names(names, path)
    values: dict[str, bytes] = {}
    width = len(names) + 1
    for number, row in rows:
        if len(row) != width:
            raise InputError(
                f"{path}, line {number} has {len(row)} columns; expected a name and {len(names)} values:"
                f" {' '.join(row)[:80]!r}"
            )
        name = row[0]
        try:
            signs = _signs(row[1:])
        except KeyError as error:
            raise InputError(f"{path}, line {number} ({name}) has the value {error}; expected 1 or -1") from None
        if name in values:
            raise InputError(f"{path}, line {number} names {name!r} a second time; every picture has one row")
        if not is_safe(name):
            raise InputError(f"{path}, line {number} names {name!r}, which is outside the folder; expected a file name")
        values[name] = signs
    if count is not None and count != len(values):
        raise InputError(
            f"{path} says {count:,} pictures in line 1 and has {len(values):,} rows; the file is truncated or edited"
        )
    return names, values


def _signs(cells: list[str]) -> bytes:
    try:
        return bytes([SIGNS[cell] for cell in cells])
    except KeyError:  # perhaps a table of floats
        return bytes([SIGNS[re.sub(r"^\+|\.0*$", "", cell)] for cell in cells])


def _partition(path: Path, data: bytes) -> dict[str, str]:
    out: dict[str, str] = {}
    for number, name, part in _pair_rows(path, data):
        if part not in ("0", "1", "2", ""):
            raise InputError(
                f"{path}, line {number} ({name}) has the part {part!r}; expected 0 (train), 1 (valid), 2 (test)"
            )
        split = SPLITS[int(part)] if part else ""
        if out.setdefault(name, split) != split:
            raise InputError(f"{path}, line {number} puts {name!r} into a second part; every picture has one")
    return out


def _identities(path: Path, data: bytes) -> dict[str, int]:
    out: dict[str, int] = {}
    for number, name, identity in _pair_rows(path, data):
        if not identity:  # unknown
            continue
        if not re.fullmatch("[0-9]+", identity) or int(identity) > MAX_IDENTITY:
            raise InputError(f"{path}, line {number} ({name}) has the identity {identity!r}; expected a whole number")
        if out.setdefault(name, int(identity)) != int(identity):
            raise InputError(f"{path}, line {number} gives {name!r} a second identity; every picture has one")
    return out


def is_at(root: Path) -> bool:
    """Return True if `root` holds any file of CelebA."""
    lists = [root / inside / (LISTS[0] + suffix) for inside in INSIDE for suffix in (".txt", ".csv")]
    return root.is_file() or any(path.exists() for path in [*lists, root / "archive.zip"])
