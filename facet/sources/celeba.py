"""CelebA (Liu et al. 2015) as published, whole or in part, or as repacked by Kaggle.

Published: `img_align_celeba.zip` or the folder, `list_attr_celeba.txt` (line 1 the count, line 2 the names),
`list_eval_partition.txt` (0 train, 1 validation, 2 test), `identity_CelebA.txt`. Kaggle: the first two lists as CSV and
the pictures in `img_align_celeba/img_align_celeba/`. A partial copy has pictures for only some rows."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from facet.base.errors import InputError
from facet.base.tables import SPLITS
from facet.pictures.decode import BadImage
from facet.sources.labels import Listing, check_names, numbered, table_of
from facet.sources.tree import Tree, Zip, csv_rows, first, is_image, is_safe, open_tree, text_lines

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
        raise InputError(f"{root} has no list_attr_celeba.txt or .csv; {HOW}")
    names, values = _attributes(*labels["list_attr_celeba"])
    splits = _partition(*labels["list_eval_partition"]) if "list_eval_partition" in labels else {}
    identities = _identities(*labels["identity_CelebA"]) if "identity_CelebA" in labels else {}

    members: dict[str, str] = {}
    repeated = list(images.repeated)
    pictures = [member for member in images.names if is_image(member)]
    pictures.sort(key=lambda member: (member.count("/"), member))  # the shallowest of a name is the picture
    repeated += [member for member in pictures if members.setdefault(PurePosixPath(member).name, member) != member]
    ids = [name for name in values if name in members]
    missing = [name for name in values if name not in members]
    if not members:
        raise InputError(f"{images.path} holds no picture; {HOW}")
    if not ids:
        raise InputError(
            f"none of the {len(values):,} rows of {labels['list_attr_celeba'][0]} names one of the {len(members):,}"
            f" pictures of {images.path} ({first(members)}); the lists belong to other pictures"
        )
    strangers = sorted(set(members) - set(values))
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
    if repeated:
        some = first(f"{images.path.name}/{name}" for name in repeated)
        notes["warnings"] = [f"{len(repeated):,} pictures have the name of another and are left out: {some}"]
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


def _label_files(root: Path) -> dict[str, tuple[Path, bytes]]:
    """Stem -> (path, bytes) of the lists, in folders beside the pictures or in one archive with them."""
    archive = root if root.is_file() else root / "archive.zip"
    out: dict[str, tuple[Path, bytes]] = {}
    for suffix in (".txt", ".csv"):
        for stem in LISTS:
            for path in (root / inside / (stem + suffix) for inside in INSIDE):
                if path.is_file():
                    out.setdefault(stem, (path, path.read_bytes()))
    if archive.is_file():
        tree = open_tree(archive)
        for member in tree.names:
            path = Path(member)
            if path.stem in LISTS and path.suffix in (".txt", ".csv"):
                try:
                    out.setdefault(path.stem, (archive / member, tree.read(member)))
                except BadImage as error:
                    raise InputError(f"{archive / member} cannot be read: {error}") from None
    return out


def _rows(path: Path, data: bytes, width: int) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of a list, separated by commas or white space, without the header of a CSV."""
    lines = text_lines(path, data)
    if path.suffix == ".csv":
        cells = csv_rows(path, lines)
        next(cells)
        start = 2
    else:
        cells, start = (line.split() for line in lines), 1
    for number, row in enumerate(cells, start):
        if len(row) != width:
            raise InputError(f"{path}, line {number} has {len(row)} columns; expected {width}: {' '.join(row)[:80]!r}")
        yield number, row


def _attributes(path: Path, data: bytes) -> tuple[list[str], dict[str, bytes]]:
    """The attribute names, and per picture its signs as one int8 byte per attribute."""
    lines = text_lines(path, data)
    if path.suffix == ".csv":
        header = next(csv_rows(path, lines))
        if header[0].strip() != "image_id":
            raise InputError(
                f"{path}, line 1 begins with {header[0]!r}; expected the column image_id, as in Kaggle's copy"
            )
        names, start, count = [name.strip() for name in header[1:]], 2, None
        rows = csv_rows(path, lines[1:])
    else:
        if not lines[0].strip().isdigit() or len(lines) < 2:
            raise InputError(
                f"{path}, line 1 is {lines[0][:80]!r}; expected the number of pictures, then a line of names"
            )
        names, start, count = lines[1].split(), 3, int(lines[0])
        rows = (line.split() for line in lines[2:])
    check_names(names, path)
    values: dict[str, bytes] = {}
    width = len(names) + 1
    for number, row in enumerate(rows, start):
        if len(row) != width:
            raise InputError(
                f"{path}, line {number} has {len(row)} columns; expected a name and {len(names)} values:"
                f" {' '.join(row)[:80]!r}"
            )
        name = row[0]
        try:
            signs = bytes([SIGNS[cell] for cell in row[1:]])
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


def _partition(path: Path, data: bytes) -> dict[str, str]:
    out: dict[str, str] = {}
    for number, (name, part) in _rows(path, data, 2):
        if part not in ("0", "1", "2"):
            raise InputError(
                f"{path}, line {number} ({name}) has the part {part!r}; expected 0 (train), 1 (valid), 2 (test)"
            )
        if out.setdefault(name, SPLITS[int(part)]) != SPLITS[int(part)]:
            raise InputError(f"{path}, line {number} puts {name!r} into a second part; every picture has one")
    return out


def _identities(path: Path, data: bytes) -> dict[str, int]:
    out: dict[str, int] = {}
    for number, (name, identity) in _rows(path, data, 2):
        if not identity.isdigit() or int(identity) > MAX_IDENTITY:
            raise InputError(f"{path}, line {number} ({name}) has the identity {identity!r}; expected a whole number")
        if out.setdefault(name, int(identity)) != int(identity):
            raise InputError(f"{path}, line {number} gives {name!r} a second identity; every picture has one")
    return out


def is_at(root: Path) -> bool:
    """Return True if `root` holds any file of CelebA."""
    lists = [root / inside / (LISTS[0] + suffix) for inside in INSIDE for suffix in (".txt", ".csv")]
    return root.is_file() or any(path.exists() for path in [*lists, root / "archive.zip"])
