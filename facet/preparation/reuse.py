"""Prepared pictures of the last run, kept outside the outs, which DVC deletes before a stage runs, so that they need
not be decoded again. A run ends with the same bytes whether anything was kept or not."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

FACET = Path(__file__).parents[1]
CODE_FILES = (
    "preparation/pixels.py",
    "pictures/crops.py",
    "pictures/decode.py",
    "pictures/resize.py",
    "base/images.py",
)
LIBRARIES = ("torch", "pillow", "simplejpeg", "numpy")


def key(**settings: Any) -> str:
    """A hash of everything that decides the pixels of a prepared picture: settings, code and libraries."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in CODE_FILES:
        digest.update((FACET / name).read_bytes())
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            digest.update(f"{name} {importlib.metadata.version(name)}".encode())
    return digest.hexdigest()


class Prepared:
    """The pictures of the last run: the arrays of `names`, such as images.npy, and faces.parquet in `folder`, if they
    were made with the same key."""

    def __init__(self, folder: Path, key: str, names: Sequence[str]):
        self.folder, self.key, self.names = folder, key, tuple(names)
        self._rows: dict[str, int] = {}
        self._arrays: list[np.ndarray] = []
        with contextlib.suppress(OSError, ValueError):  # whatever is wrong with it, every picture is prepared again
            if (folder / "key").read_text() == key:
                table = pq.read_table(folder / "faces.parquet", columns=["sha256", "row"])
                arrays = [np.load(folder / name, mmap_mode="r") for name in names]
                pairs = zip(table["sha256"].to_pylist(), table["row"].to_pylist(), strict=True)
                count = min(map(len, arrays))
                self._rows = {digest: row for digest, row in pairs if 0 <= row < count}
                self._arrays = arrays

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, digests: Sequence[str]) -> np.ndarray:
        """(n,) the row of each picture by its SHA-256, -1 if it was not kept."""
        return np.array([self._rows.get(digest, -1) for digest in digests], np.int64)

    def pixels(self, rows: np.ndarray) -> list[np.ndarray]:
        """uint8 (n, S, S, C) of rows that were kept, one array for each of `names`."""
        return [np.asarray(array[rows]) for array in self._arrays]

    def keep(self, prepared: Path) -> None:
        """Keep what a run wrote to `prepared` for the next one, as hard links, which take no space."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "key").unlink(missing_ok=True)
        for name in ("images.npy", "large.npy", "faces.parquet"):
            (self.folder / name).unlink(missing_ok=True)
        for name in (*self.names, "faces.parquet"):
            try:
                os.link(prepared / name, self.folder / name)
            except OSError:  # it is on another file system
                shutil.copyfile(prepared / name, self.folder / name)
        (self.folder / "key").write_text(self.key)
