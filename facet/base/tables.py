"""The Parquet tables that stages exchange: their schemas, and the only code that reads or writes them.

`faces.parquet`   one row per source file, in the source's order (for the columns see `faces_schema`)
`part-*.parquet`  latents, in the order of faces.parquet"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from facet.base.errors import InputError
from facet.base.files import replacing
from facet.base.params import need

SPLITS = ("train", "valid", "test")
META_KEY = b"facet"
ROW_GROUP = 65_536


@dataclasses.dataclass(frozen=True, kw_only=True)
class FacesMeta:
    """The metadata of faces.parquet, stored as JSON under one schema key."""

    source: str  # drawn, celeba, folder, …
    crop: str  # name in facet.pictures.crops
    size: int  # pixels of the prepared square
    channels: int
    attributes: tuple[str, ...]
    split_hash: str  # sha256 over (image_id, split) of the rows that are ok
    # per real-valued attribute the values of -1 and +1: its 1st and 99th percentile in the train split
    ranges: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    large: int = 0  # pixels of the larger square in large.npy; 0 if there is none

    @property
    def real(self) -> np.ndarray:
        """(attributes,) bool: true for real-valued attributes."""
        return np.array([name in self.ranges for name in self.attributes], bool)

    def to_json(self) -> dict[str, Any]:
        ranges = {name: list(ends) for name, ends in self.ranges.items()}
        return dataclasses.asdict(self) | {"attributes": list(self.attributes), "ranges": ranges}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "FacesMeta":
        ranges = {name: (low, high) for name, (low, high) in value["ranges"].items()}
        return cls(**(value | {"attributes": tuple(value["attributes"]), "ranges": ranges}))


def faces_schema(meta: FacesMeta) -> pa.Schema:
    """image_id, row (-1 if not ok), split, identity (nullable), sha256, status, reason, then one column per attribute:
    int8 of -1 absent, +1 present, 0 unknown; float32 with null for unknown if it is real-valued."""
    fields = [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("identity", pa.int32()),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
    fields += [
        pa.field(name, pa.float32()) if name in meta.ranges else pa.field(name, pa.int8(), nullable=False)
        for name in meta.attributes
    ]
    return pa.schema(fields, metadata={META_KEY: json.dumps(meta.to_json(), sort_keys=True).encode()})


def write_table(path: Path, table: pa.Table) -> None:
    """Write byte-stable Parquet: fixed row groups, zstd, no metadata of pandas."""
    with replacing(path) as temporary:
        pq.write_table(table, temporary, row_group_size=ROW_GROUP, compression="zstd", write_statistics=True)


@dataclasses.dataclass(frozen=True)
class Faces:
    """faces.parquet in memory: `table` holds every row, `ok` those with an image in the order of `row`."""

    table: pd.DataFrame
    meta: FacesMeta

    @property
    def ok(self) -> pd.DataFrame:
        return self.table[self.table["row"] >= 0].sort_values("row", kind="stable").reset_index(drop=True)

    def rows(self, split: str) -> np.ndarray:
        """int64 indices into images.npy of one split, ascending."""
        table = self.table
        return np.sort(table.loc[(table["split"] == split) & (table["row"] >= 0), "row"].to_numpy(np.int64))

    def people(self) -> np.ndarray:
        """(images,) int64 in the order of images.npy: the identity, or a unique number below 0 if it is unknown."""
        identity = self.ok["identity"].astype("Int64")
        return np.where(identity.isna(), -1 - np.arange(len(identity)), identity.fillna(0).to_numpy(np.int64))

    def labels(self, names: Sequence[str] | None = None) -> np.ndarray:
        """(images, attributes) int8 in the order of images.npy: -1 absent, +1 present, 0 unknown. A real-valued
        attribute is present above the middle of its range."""
        return np.sign(self.descriptions(names)).astype(np.int8)

    def descriptions(self, names: Sequence[str] | None = None) -> np.ndarray:
        """(images, attributes) in the order of images.npy: `labels`, or float32 in [-1, 1] if any attribute is
        real-valued, -1 and +1 being the ends of its range; 0 is unknown."""
        chosen = list(names if names is not None else self.meta.attributes)
        table = self.ok[chosen]
        if not any(name in self.meta.ranges for name in chosen):
            return table.to_numpy(np.int8)
        out = np.empty(table.shape, np.float32)
        for k, name in enumerate(chosen):
            out[:, k] = scaled(table[name].to_numpy(np.float32), self.meta.ranges.get(name))
        return out


def scaled(values: np.ndarray, ends: tuple[float, float] | None) -> np.ndarray:
    """float32 values -> [-1, 1], where `ends` are the values of -1 and +1: clipped, NaN as 0. Without `ends` the values
    are signs already. A known value is never exactly 0, which means unknown."""
    if ends is None:
        return values
    low, high = ends
    out = np.clip((values - low) / (high - low) * 2 - 1, -1, 1).astype(np.float32)
    return np.where(np.isnan(out), np.float32(0), np.where(out == 0, np.float32(1e-6), out))


def read_faces(prepared: Path) -> Faces:
    """faces.parquet of the folder `prepared`."""
    path = need(prepared / "faces.parquet", "prepare")
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{path} is not a Parquet file ({error}); run `dvc repro -f prepare` to write it again"
        ) from error
    metadata = table.schema.metadata or {}
    if META_KEY not in metadata:
        raise InputError(f"{path} has no `facet` metadata; it was not written by stage `prepare`")
    return Faces(table.to_pandas(), FacesMeta.from_json(json.loads(metadata[META_KEY])))


LATENT_SHARD = 8_192  # rows of a part file


def latents_schema(z_dim: int, meta: dict[str, Any], y_dim: int = 0) -> pa.Schema:
    """image_id, split, z fixed_size_list<float32>[z_dim], and y if `y_dim` is not 0."""
    fields = [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("z", pa.list_(pa.float32(), z_dim), nullable=False),
    ]
    if y_dim:
        fields.append(pa.field("y", pa.list_(pa.float32(), y_dim), nullable=False))
    return pa.schema(fields, metadata={META_KEY: json.dumps(meta, sort_keys=True).encode()})


def write_latents_part(
    folder: Path, part: int, schema: pa.Schema, ids: Sequence[str], splits: Sequence[str], *codes: np.ndarray
) -> None:
    """Write one shard; `codes` are z (n, z_dim) and, if the schema has it, y (n, y_dim)."""
    columns: list[pa.Array] = [pa.array(ids, pa.string()), pa.array(splits, pa.string())]
    for code in codes:
        flat = pa.array(np.ascontiguousarray(code, np.float32).reshape(-1), pa.float32())
        columns.append(pa.FixedSizeListArray.from_arrays(flat, code.shape[1]))
    write_table(folder / f"part-{part:04d}.parquet", pa.Table.from_arrays(columns, schema=schema))


def latent_parts(folder: Path) -> list[Path]:
    """The shards of one system, in order."""
    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        raise InputError(f"{folder} holds no part-*.parquet; stage `encode` writes them")
    return parts


def read_latents(folder: Path, columns: Iterable[str] = ("image_id", "split", "z")) -> Iterator[dict[str, np.ndarray]]:
    """Yield one shard at a time: image_id and split as object arrays, z (n, z_dim) and y (n, y_dim) as float32."""
    for path in latent_parts(folder):
        table = pq.read_table(path, columns=list(columns))
        shard: dict[str, np.ndarray] = {}
        for name in table.column_names:
            column = table[name].combine_chunks()
            if pa.types.is_fixed_size_list(column.type):
                flat = column.flatten().to_numpy(zero_copy_only=False)
                shard[name] = flat.reshape(len(column), column.type.list_size)
            else:
                shard[name] = column.to_numpy(zero_copy_only=False)
        yield shard


def latents_meta(folder: Path) -> dict[str, Any]:
    """The JSON stored with the latents: system, crop, size, dimensions, split hash."""
    metadata = pq.read_schema(latent_parts(folder)[0]).metadata or {}
    meta: dict[str, Any] = json.loads(metadata[META_KEY])
    return meta
