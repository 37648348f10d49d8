"""Labelled Faces in the Wild (Huang et al. 2007) with the 73 attributes of Kumar et al. (2009), which are unbounded
scores of classifiers; people are identities.

`lfw/` (or lfw-deepfunneled, lfw_funneled) holds <Name_Surname>/<Name_Surname>_0001.jpg, 250 x 250; lfw_attributes.txt
beside it: comments, then `#`, `person`, `imagenum` and the names, separated by tabs, and one row per picture."""

import re
from pathlib import Path

import numpy as np

from facet.base.errors import InputError
from facet.sources.labels import Listing, check_names, table_of
from facet.sources.pairing import both_sides, pair_lost
from facet.sources.text import text_lines
from facet.sources.tree import first, is_image, open_tree
from facet.sources.unread import misnamed

TABLE = "lfw_attributes.txt"
FOLDERS = ("lfw", "lfw-deepfunneled", "lfw_funneled", "lfw-py/lfw_funneled")
HEAD = re.compile(r"[#\s]*person\s*\t\s*imagenum\s*\t")
HOW = (
    "expected the folder lfw (of lfw.tgz or lfw-deepfunneled.tgz, unpacked) and lfw_attributes.txt, as published at"
    " vis-www.cs.umass.edu/lfw and cs.columbia.edu/CAVE/databases/pubfig"
)


def read(root: Path) -> Listing:
    """Every picture with its attributes, in the order of the table; pictures without a row last."""
    if not root.exists():
        raise InputError(f"{root} is missing; {HOW}")
    folder = next((name for name in FOLDERS if (root / name).is_dir()), None)
    if folder is None:
        packed = [path.name for path in sorted(root.glob("*.tgz"))]
        raise InputError(f"{root} has no folder lfw{f'; unpack {packed[0]} (tar xf)' if packed else ''}; {HOW}")
    path = root / TABLE
    if not path.is_file():
        raise InputError(f"{path} is missing{misnamed(root, TABLE)}; {HOW}")
    names, people, members, scores = _table(path)
    tree = open_tree(root / folder)
    pictures = {name for name in tree.names if is_image(name)}
    lost, strangers = [name for name in members if name not in pictures], sorted(pictures - set(members))
    pairs, warnings = pair_lost(path, dict.fromkeys(lost, "a row"), strangers) if strangers else ({}, [])
    members = [pairs.get(member, member) for member in members]
    kept = [row for row, member in enumerate(members) if member in pictures]
    if not kept:
        raise InputError(
            f"none of the {len(members):,} rows of {path} names one of the {len(pictures):,} pictures of "
            f"{root / folder}: {first(members)}; the pictures are {first(sorted(pictures))}"
        )
    strangers = sorted(pictures - set(members))
    warnings = [f"{path}: {text}" for text in warnings]
    warnings += both_sides(path, [member for member in members if member not in pictures], strangers)
    notes = {"label_rows": len(members), "label_rows_without_picture": len(members) - len(kept)}
    ids = [*(members[row] for row in kept), *strangers]
    values = np.full((len(ids), len(names)), np.nan, np.float32)
    values[: len(kept)] = scores[kept]
    everyone = [people[row] for row in kept] + [member.split("/")[0] for member in strangers]
    codes = {person: code for code, person in enumerate(sorted(set(everyone)))}
    return Listing(
        source="lfw",
        images="folder",
        place="root",
        container=folder,
        attributes=(),
        real=tuple(names),
        table=table_of(
            ids,
            ids,
            identities=[codes[person] for person in everyone],
            problems=[""] * len(kept) + ["no_labels"] * len(strangers),
            values={name: values[:, k] for k, name in enumerate(names)},
        ),
        notes=notes | ({"warnings": warnings} if warnings else {}),
    )


def _table(path: Path) -> tuple[list[str], list[str], list[str], np.ndarray]:
    """The attribute names, then per row the person's folder, the picture and the scores (rows, 73)."""
    lines = text_lines(path, path.read_bytes())
    head = next((i for i, (_, line) in enumerate(lines) if HEAD.match(line)), None)
    if head is None:
        raise InputError(f"{path} has no line `#<tab>person<tab>imagenum<tab>…`; {HOW}")
    top = HEAD.sub("", lines[head][1]).rstrip()
    names = ["_".join(name.split()) for name in top.split("\t")]
    check_names(names, path)
    people, members, scores = [], [], []
    seen: dict[str, int] = {}
    for number, line in lines[head + 1 :]:
        cells = line.split("\t")
        while len(cells) > len(names) + 2 and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(names) + 2:
            raise InputError(f"{path}, line {number} has {len(cells)} cells; expected {len(names) + 2}")
        person = "_".join(cells[0].split())
        try:
            picture = f"{person}/{person}_{int(cells[1]):04d}.jpg"
            scores.append([float(cell) for cell in cells[2:]])
        except ValueError as error:
            raise InputError(f"{path}, line {number} ({person}): {error}; expected numbers") from None
        if picture in seen:
            raise InputError(f"{path}, line {number}: {picture} is in line {seen[picture]} too; keep one of them")
        seen[picture] = number
        people.append(person)
        members.append(picture)
    if not members:
        raise InputError(f"{path} has no row below the names; {HOW}")
    return names, people, members, np.array(scores, np.float32)
