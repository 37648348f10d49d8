"""labels.parquet: what a source knows of each of its files, before any picture is decoded."""

import dataclasses
import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from facet.base.errors import InputError
from facet.base.params import need
from facet.base.tables import META_KEY, write_table

FIXED = ("image_id", "member", "sha256", "official_split", "identity", "problem")
RESERVED = frozenset(FIXED) | {"row", "split", "status", "reason"}  # columns of faces.parquet no attribute may shadow

PROBLEMS = {
    "no_labels": "no row of labels for this picture",
    "unsafe_name": "its name would leave the folder it is unpacked to",
    "duplicate_name": "another file of the source has this name",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of one source, in the order of its labels.

    `table` has image_id, member (path inside the container), official_split ('' if none), identity (Int32, nullable),
    problem (a word of PROBLEMS or ''), then int8 columns `attributes` (-1, +1, 0 unknown) and float32
    columns `real`."""

    source: str
    images: str  # zip or folder
    place: str  # `root` where the pictures are read in place, `raw` where stage `source` wrote them
    container: str  # relative to the place; "." is the place itself
    attributes: tuple[str, ...]
    real: tuple[str, ...]
    table: pd.DataFrame
    notes: dict[str, Any]  # counts and oddities for source.json

    def where(self, root: Path, raw: Path) -> Path:
        """The folder or zip the pictures are in."""
        return (raw if self.place == "raw" else root) / self.container


def table_of(
    ids: list[str],
    members: list[str],
    *,
    splits: list[str] | None = None,
    identities: list[int | None] | None = None,
    problems: list[str] | None = None,
    values: dict[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """The columns of a Listing's table; what is left out is unknown."""
    count = len(ids)
    columns = {
        "image_id": pd.array(ids, dtype="object"),
        "member": pd.array(members, dtype="object"),
        "official_split": pd.array(splits if splits is not None else [""] * count, dtype="object"),
        "identity": pd.array(identities if identities is not None else [None] * count, dtype="Int32"),
        "problem": pd.array(problems if problems is not None else [""] * count, dtype="object"),
    }
    return pd.DataFrame(columns | (values or {}))


def write_labels(path: Path, listing: Listing, sha256: list[str]) -> None:
    """labels.parquet of a listing, with the sha256 of every file ('' where it cannot be read)."""
    meta = {name: getattr(listing, name) for name in ("source", "images", "place", "container")}
    meta |= {"attributes": list(listing.attributes), "real": list(listing.real)}
    fields = [pa.field(name, pa.int32() if name == "identity" else pa.string()) for name in FIXED]
    fields += [pa.field(name, pa.int8()) for name in listing.attributes]
    fields += [pa.field(name, pa.float32()) for name in listing.real]
    schema = pa.schema(fields, metadata={META_KEY: json.dumps(meta, sort_keys=True).encode()})
    table = listing.table.assign(sha256=sha256)
    arrays = [pa.array(table[field.name], type=field.type, from_pandas=True) for field in schema]
    write_table(path, pa.Table.from_arrays(arrays, schema=schema))


def read_labels(raw: Path) -> Listing:
    """labels.parquet in the folder `raw`; its table has the column sha256 as well."""
    path = need(raw / "labels.parquet", "source")
    return labels_of(path, path)


def labels_of(file: Path | BinaryIO, where: Path) -> Listing:
    """A listing that `write_labels` wrote, from a file at `where`."""
    try:
        table = pq.read_table(file)
        meta = json.loads((table.schema.metadata or {})[META_KEY])
    except (pa.ArrowInvalid, KeyError) as error:
        raise InputError(f"{where} was not written by stage `source` ({error}); run `dvc repro -f source`") from None
    frame = table.to_pandas(self_destruct=True, split_blocks=True)  # not twice in memory
    del table
    frame["identity"] = frame["identity"].astype("Int32")
    return Listing(
        source=meta["source"],
        images=meta["images"],
        place=meta["place"],
        container=meta["container"],
        attributes=tuple(meta["attributes"]),
        real=tuple(meta["real"]),
        table=frame,
        notes={},
    )


def numbered(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The same rows (image_id, member, problem); an image_id that is taken gets `#2`, `#3`, …"""
    taken: dict[str, int] = {}
    out = []
    for name, member, problem in rows:
        taken[name] = taken.get(name, 0) + 1
        out.append((name if taken[name] == 1 else f"{name}#{taken[name]}", member, problem))
    return out


def check_names(names: list[str], where: object) -> None:
    """InputError where attribute names repeat, shadow a column of faces.parquet or could not stand in an edit spec."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{where} names the attribute {repeated[0]!r} twice; give every column its own name")
    taken = sorted(set(names) & RESERVED)
    if taken:
        raise InputError(f"{where} has an attribute named {taken[0]!r}, which is reserved; rename the column")
    odd = [name for name in names if not name or any(sign in name for sign in ",=")]
    if odd:
        raise InputError(f"{where} has an attribute named {odd[0]!r}; expected a name without commas and equal signs")
