"""The quarantine of a night: photos that could not be taken in, why, and the tables of their labels."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from facet.base.files import replacing, to_disk
from facet.nights.deliveries import DeliveredPhoto

REASONS = "reasons.csv"  # a row for each bad photo
CORRECTIONS = "corrections.csv"  # labels that differ from those in the data set
TABLES = "tables"  # folder of the tables of labels that came with these


def keep_photos(target: Path, bad: Sequence[DeliveredPhoto], whole: Mapping[Path, Path]) -> None:
    """Copy bad photos to a folder, named by their hashes, and add them to its list of reasons. `whole` are zips that
    move to quarantine themselves; their photos are not copied."""
    rows = []
    for photo in bad:
        zip_target = whole.get(photo.delivery.container)
        if zip_target is not None:
            name = zip_target.relative_to(target).as_posix()
        else:
            name = f"{photo.digest[:24]}{Path(photo.member).suffix.lower()[:8]}"
            keep_bytes(target / name, photo.read())
        rows.append({"file": name, "origin": photo.origin, "reason": photo.problem})
    add_rows(target / REASONS, pd.DataFrame(rows), ["file", "origin"])


def keep_tables(target: Path, tables: Mapping[str, bytes]) -> None:
    """Copy tables of labels to a folder, under their paths below the drop folder."""
    for name, data in tables.items():
        path = target / TABLES / name
        if path.exists() and path.read_bytes() != data:
            path = path.with_name(f"{path.stem}-{hashlib.sha256(data).hexdigest()[:12]}{path.suffix}")
        keep_bytes(path, data)


def keep_bytes(path: Path, data: bytes) -> None:
    """Write a file to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(data)
        to_disk(part)


def add_rows(path: Path, rows: pd.DataFrame, key: Sequence[str]) -> None:
    """Add rows to a CSV; of those with the same `key` the last stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.concat([pd.read_csv(path, keep_default_na=False, dtype=str), rows]) if path.exists() else rows
    with replacing(path) as part:
        table.drop_duplicates(list(key), keep="last").to_csv(part, index=False)
        to_disk(part)


def place_of(target: Path, name: str, path: Path) -> Path:
    """Where a zip of this path below the drop folder goes: its own name, or one with its hash if that is taken."""
    place = target / name
    if not place.exists():
        return place
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return place.with_name(f"{place.stem}-{digest[:12]}{place.suffix}")
