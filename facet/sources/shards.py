"""A data set that grows: a folder of zips, one for every arrival, none of which ever changes (facet/nights/intake.py).

`dataset.json` says which attributes all of them have and how people are split. A zip holds its pictures and, as
labels.parquet, what is known of them, hashes and splits included."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from facet.base.errors import InputError
from facet.sources.labels import Listing, labels_of
from facet.sources.tree import DATASET

LABELS = "labels.parquet"
HOW = "expected a folder that `python -m facet.nights.intake` or the nightly flow filled"


@dataclasses.dataclass(frozen=True)
class Schema:
    """What holds for every shard of a data set, fixed by its first arrival."""

    attributes: tuple[str, ...]  # present, absent or unknown
    real: tuple[str, ...]  # numbers
    ratios: tuple[float, float, float]  # of people in train, valid and test
    seed: int

    def to_json(self) -> dict[str, object]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def schema_of(root: Path) -> Schema | None:
    """dataset.json of a data set; None where nothing arrived yet."""
    path = root / DATASET
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Schema(tuple(found["attributes"]), tuple(found["real"]), tuple(found["ratios"]), int(found["seed"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); bring it back from a copy or from the remote") from None


def shard_paths(root: Path) -> list[Path]:
    """The zips of a data set, in the order of their names."""
    return sorted(root.glob("*.zip"))


def labels(path: Path) -> Listing:
    """What a shard knows of its pictures; its table has the column sha256."""
    try:
        with zipfile.ZipFile(path) as archive:
            data = archive.read(LABELS)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise InputError(f"{path} is no shard of a data set ({error}); {HOW}") from None
    return labels_of(io.BytesIO(data), path)


def read(root: Path) -> Listing:
    """Every picture of every shard, in the order of the shards; nothing but their labels is read."""
    schema, paths = schema_of(root), shard_paths(root)
    if schema is None or not paths:
        raise InputError(f"{root} holds no data set; {HOW}")
    tables = []
    for path in paths:
        found = labels(path)
        table = found.table
        for name in (*schema.attributes, *schema.real):
            if name not in table:
                table[name] = np.zeros(len(table), np.int8) if name in schema.attributes else np.float32("nan")
        table["member"] = path.name + "/" + table["member"]
        tables.append(table)
    return Listing(
        source="shards",
        images="shards",
        place="root",
        container=".",
        attributes=schema.attributes,
        real=schema.real,
        table=pd.concat(tables, ignore_index=True),
        notes={"shards": len(paths)},
    )
