"""labels.parquet: the files of a source and their labels, before any picture is decoded."""

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
RESERVED = frozenset(FIXED) | {"row", "split", "status", "reason"}  # columns of faces.parquet

PROBLEMS = {
    "no_labels": "no row of labels for this picture",
    "unsafe_name": "its name would leave the folder it is unpacked to",
    "duplicate_name": "another file of the source has this name",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of one source, in the order of its labels.

    `table` has image_id, member (path inside the container), official_split ('' if none), identity (Int32, nullable),
    problem (a key of PROBLEMS or ''), then an int8 column per name in `attributes` (-1, +1, 0 unknown) and a float32
    column per name in `real`."""

    source: str
    images: str  # zip or folder
    place: str  # `root` for pictures read in place, `raw` for those that stage `source` wrote
    container: str  # folder or zip relative to the place; "." is the place itself
    attributes: tuple[str, ...]
    real: tuple[str, ...]
    table: pd.DataFrame
    notes: dict[str, Any]  # counts and oddities for source.json

    def where(self, root: Path, raw: Path) -> Path:
        """The folder or zip of the pictures."""
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
    """The table of a Listing; columns left out are unknown."""
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
    """Write labels.parquet of a listing, with the sha256 of every file ('' if it cannot be read)."""
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
    """Read labels.parquet of the folder `raw`; its table has the column sha256 as well."""
    path = need(raw / "labels.parquet", "source")
    return labels_of(path, path)


def labels_of(file: Path | BinaryIO, where: Path) -> Listing:
    """Read a listing that `write_labels` wrote to `file`; messages name it `where`."""
    try:
        table = pq.read_table(file)
        meta = json.loads((table.schema.metadata or {})[META_KEY])
    except (pa.ArrowInvalid, KeyError) as error:
        raise InputError(f"{where} was not written by stage `source` ({error}); run `dvc repro -f source`") from None
    frame = table.to_pandas(self_destruct=True, split_blocks=True)  # only one copy in memory
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
    """The same rows (image_id, member, problem), with `#2`, `#3`, … appended to repeated image_ids."""
    taken: dict[str, int] = {}
    out = []
    for name, member, problem in rows:
        taken[name] = taken.get(name, 0) + 1
        out.append((name if taken[name] == 1 else f"{name}#{taken[name]}", member, problem))
    return out


def check_names(names: list[str], where: object) -> None:
    """Raise InputError if attribute names repeat, are columns of faces.parquet, or cannot be written in an edit
    spec."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{where} names the attribute {repeated[0]!r} twice; give every column its own name")
    cases: dict[str, str] = {}
    for name in names:
        if (other := cases.setdefault(name.casefold(), name)) != name:
            raise InputError(f"{where}: the attributes {other!r} and {name!r} differ in case only; rename one of them")
    taken = sorted(set(names) & RESERVED)
    if taken:
        raise InputError(f"{where} has an attribute named {taken[0]!r}, which is reserved; rename the column")
    odd = [name for name in names if not name or any(sign in name for sign in ",=")]
    if odd:
        raise InputError(f"{where} has an attribute named {odd[0]!r}; expected a name without commas and equal signs")
