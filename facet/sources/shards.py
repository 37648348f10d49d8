"""A data set that grows: a folder of zips, at most one a night, none of which ever changes (facet/nights/intake.py).

`dataset.json` holds the attributes of all zips and how people are split. A zip holds photos and their labels.parquet
with hashes and splits."""

import dataclasses
import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from facet.base.errors import InputError
from facet.sources.labels import Listing, labels_of
from facet.sources.tree import DATASET, shard_paths

LABELS = "labels.parquet"
TABLES = "tables"  # folder of the delivered tables in a zip, as they came
EXPECTED = "expected a folder written by `facet nightly` or `python -m facet.nights.intake`"


@dataclasses.dataclass(frozen=True)
class Schema:
    """Attributes and split that all shards of a data set share, fixed by the first delivery."""

    attributes: tuple[str, ...]  # attributes that are present, absent or unknown
    real: tuple[str, ...]  # attributes that are numbers
    ratios: tuple[float, float, float]  # shares of people in train, valid and test
    seed: int  # of the split

    def to_json(self) -> dict[str, object]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def schema_of(root: Path) -> Schema | None:
    """dataset.json of a data set; None before the first delivery."""
    path = root / DATASET
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Schema(tuple(value["attributes"]), tuple(value["real"]), tuple(value["ratios"]), int(value["seed"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); restore it from a copy or from the remote") from None


def labels(path: Path) -> Listing:
    """The labels of a shard; the table has the column sha256."""
    try:
        with zipfile.ZipFile(path) as archive:
            data = archive.read(LABELS)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise InputError(f"{path} is no shard of a data set ({error}); {EXPECTED}") from None
    return labels_of(io.BytesIO(data), path)


def holds_table(root: Path, data: bytes) -> bool:
    """True if a shard has a delivered table of these bytes."""
    state = len(data), zlib.crc32(data)
    for path in shard_paths(root):
        with zipfile.ZipFile(path) as archive:
            tables = [info for info in archive.infolist() if info.filename.startswith(f"{TABLES}/")]
            if any((info.file_size, info.CRC) == state and archive.read(info) == data for info in tables):
                return True
    return False


def read(root: Path) -> Listing:
    """The labels of all shards, in their order; no photo is read."""
    schema, paths = schema_of(root), shard_paths(root)
    if schema is None or not paths:
        raise InputError(f"{root} holds no data set; {EXPECTED}")
    tables = []
    for path in paths:
        table = labels(path).table
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
