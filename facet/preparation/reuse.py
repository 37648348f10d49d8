"""What a stage made last time, kept outside its outs (DVC deletes those first): pictures that are there already need
not be decoded again. A new run ends with the same bytes whether anything was kept or not."""

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

CODE = Path(__file__).parents[1]  # facet/
MADE_BY = ("preparation/pixels.py", "pictures/crops.py", "pictures/decode.py", "pictures/resize.py", "base/images.py")
LIBRARIES = ("torch", "pillow", "simplejpeg", "numpy")


def key(**settings: Any) -> str:
    """A hash of what decides about a prepared picture: settings, code and libraries."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in MADE_BY:
        digest.update((CODE / name).read_bytes())
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            digest.update(f"{name} {importlib.metadata.version(name)}".encode())
    return digest.hexdigest()


class Prepared:
    """The pictures of the last run: images.npy and faces.parquet in `folder`, where they were made for this key."""

    def __init__(self, folder: Path, key: str):
        self.folder, self.key = folder, key
        self._rows: dict[str, int] = {}
        self._pixels: np.ndarray | None = None
        with contextlib.suppress(OSError, ValueError):  # whatever is wrong with it, everything is made anew
            if (folder / "key").read_text() == key:
                table = pq.read_table(folder / "faces.parquet", columns=["sha256", "row"])
                pixels = np.load(folder / "images.npy", mmap_mode="r")
                pairs = zip(table["sha256"].to_pylist(), table["row"].to_pylist(), strict=True)
                self._rows = {digest: row for digest, row in pairs if 0 <= row < len(pixels)}
                self._pixels = pixels

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, digests: Sequence[str]) -> np.ndarray:
        """(n,) where each picture stands, -1 for those that are not there."""
        return np.array([self._rows.get(digest, -1) for digest in digests], np.int64)

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """uint8 (n, S, S, C) of rows that are there."""
        assert self._pixels is not None
        return np.asarray(self._pixels[rows])

    def keep(self, prepared: Path) -> None:
        """Keep what a run wrote to `prepared` for the next one; by hard links, without room of its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "key").unlink(missing_ok=True)
        for name in ("images.npy", "faces.parquet"):
            (self.folder / name).unlink(missing_ok=True)
            try:
                os.link(prepared / name, self.folder / name)
            except OSError:  # another file system
                shutil.copyfile(prepared / name, self.folder / name)
        (self.folder / "key").write_text(self.key)
