"""Pictures whose labels are their folders, each a class and an attribute. The folders may be in others named train,
valid and test."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from facet.base.errors import InputError
from facet.sources.columns import SPLIT_OF
from facet.sources.labels import check_names
from facet.sources.tree import Tree
from facet.sources.unread import unread_tables

HOW = "expected pictures with labels.csv or labels.parquet at the top, or one folder of pictures per class"

Rows = tuple[list[str], list[str], dict[str, Any], dict[str, Any]]  # members, problems, values, notes


def read_classes(tree: Tree, pictures: Sequence[str]) -> Rows:
    """One attribute per folder of pictures, and the official split if they are in folders named like its parts."""
    paths = [PurePosixPath(picture).parts for picture in pictures]
    while len({parts[0] for parts in paths}) == 1 and all(len(parts) > 2 for parts in paths):
        paths = [parts[1:] for parts in paths]  # one folder that contains everything
    splits: list[str] | None = None
    if all(len(parts) > 1 and parts[0].lower() in SPLIT_OF and not parts[0].isdigit() for parts in paths):
        splits = [SPLIT_OF[parts[0].lower()] for parts in paths]
        paths = [parts[1:] for parts in paths]
    classes = [parts[0] if len(parts) > 1 else "" for parts in paths]
    known = sorted(set(classes) - {""})
    unread = unread_tables(tree, pictures)
    tabular = [name for name in unread if not name.lower().endswith((".txt", ".json", ".jsonl"))]
    if unread and (tabular or len(known) < 2):
        name = (tabular or unread)[0]
        published = "; if it is CelebA's, set source.kind to celeba" if "celeba" in name.lower() else ""
        raise InputError(
            f"{tree.path / name} names pictures and is not read, because tables of labels are called labels.csv or"
            f" labels.parquet: save it under that name, or move it away if it holds no labels{published}"
        )
    if not known:
        raise InputError(f"{tree.path} has pictures and no labels; {HOW}")
    if len(known) == 1:
        raise InputError(
            f"{tree.path} has pictures in the one folder {known[0]!r} and no table of labels, and one class is no"
            f" attribute; {HOW}"
        )
    names = [re.sub(r"\W+", "_", name) for name in known]
    check_names(names, f"the folders of {tree.path}")
    values: dict[str, Any] = {"split": splits} if splits else {}
    folders = np.array(classes, object)
    for folder, name in zip(known, names, strict=True):
        values[name] = np.where(folders == "", 0, np.where(folders == folder, 1, -1)).astype(np.int8)
    problems = ["" if name else "no_labels" for name in classes]
    notes: dict[str, Any] = {"classes": known, "pictures_without_labels": problems.count("no_labels")}
    if unread:
        notes["warnings"] = [f"{tree.path / name} names pictures and is not read" for name in unread]
    return list(pictures), problems, values, notes
