"""Square crops of the pictures of a source, made in batches on threads and appended to one .npy file."""

import contextlib
import dataclasses
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from facet.base import images
from facet.base.threads import in_order
from facet.pictures.crops import Crop
from facet.pictures.decode import BadImage, decode
from facet.pictures.resize import Squares
from facet.preparation.reuse import Prepared
from facet.sources.tree import Tree

BATCH = 64  # pictures that a thread takes at a time


@dataclasses.dataclass(frozen=True)
class Batch:
    """The result for some pictures: pixels of the good ones, reasons for the others."""

    rows: list[int]
    pixels: np.ndarray  # uint8 (len(rows), size, size, channels)
    large: np.ndarray | None  # the same pictures at the larger size, if it is kept
    keys: list[int]  # hashes of the pixels
    problems: dict[int, str]  # row -> reason

    def __len__(self) -> int:
        return len(self.rows) + len(self.problems)


def prepared_batches(
    tree: Tree,
    members: np.ndarray,
    todo: np.ndarray,
    sha256: np.ndarray,
    old: Prepared,
    crop: Crop,
    size: int,
    large: int,
    channels: int,
    workers: int,
) -> Iterator[Batch]:
    """Yield the pictures of the rows `todo` in order, at `size` and, unless it is 0, at the side `large`; those of the
    last run are reused."""
    thread, names = threading.local(), frozenset(tree.names) if len(old) else frozenset()

    def prepare(indices: np.ndarray) -> Batch:
        if not hasattr(thread, "squares"):
            thread.squares = Squares(crop, [size, large] if large else [size])
        problems: dict[int, str] = {}
        kept = old.rows([sha256[index] if members[index] in names else "" for index in indices.tolist()])
        fresh = []
        for index in indices[kept < 0].tolist():
            try:
                thread.squares.add(decode(tree.read(members[index])))
                fresh.append(index)
            except BadImage as bad:
                problems[index] = str(bad)
        arrays: list[np.ndarray] = thread.squares.take()
        if channels == 1:
            arrays = [images.luma(squares) for squares in arrays]
        rows = fresh
        if (kept >= 0).any():
            both = np.concatenate([indices[kept >= 0], np.array(fresh, np.int64)])
            order = np.argsort(both, kind="stable")
            rows = both[order].tolist()
            reused = old.pixels(kept[kept >= 0])
            arrays = [np.concatenate(pair)[order] for pair in zip(reused, arrays, strict=True)]
        return Batch(rows, arrays[0], arrays[1] if large else None, pixel_keys(arrays[0]), problems)

    return in_order(prepare, (todo[begin : begin + BATCH] for begin in range(0, len(todo), BATCH)), workers)


def pixel_keys(pixels: np.ndarray) -> list[int]:
    """A 64-bit hash per image (n, h, w, c): a weighted sum of its words, in one pass and without a copy."""
    flat = pixels.reshape(len(pixels), math.prod(pixels.shape[1:]))
    words = flat[:, : flat.shape[1] // 8 * 8].view(np.uint64)
    weights = np.random.default_rng(0).integers(0, 1 << 63, words.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    keys: list[int] = (words @ weights).tolist()
    return keys


class GrowingNpy:
    """A .npy file of uint8 rows that is open for appending; see `growing_npy`."""

    def __init__(self, file: BinaryIO, shape: tuple[int, ...]):
        self.file, self.shape, self.count = file, shape, 0
        self.header()

    def header(self) -> None:
        """Write the header for the present number of rows. NumPy pads it, so its length does not change with the
        number."""
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self.shape)}
        self.file.seek(0)
        np.lib.format.write_array_header_1_0(self.file, header)
        self.start = self.file.tell()

    def append(self, pixels: np.ndarray) -> None:
        self.file.write(np.ascontiguousarray(pixels).data)
        self.count += len(pixels)

    def read(self, row: int) -> bytes:
        """The bytes of one row."""
        self.file.flush()
        size = math.prod(self.shape)
        return os.pread(self.file.fileno(), size, self.start + row * size)


@contextlib.contextmanager
def growing_npy(path: Path, shape: tuple[int, ...]) -> Iterator[GrowingNpy]:
    """Write a .npy file of uint8 rows whose number is known only at the end. Unlike a memory map it takes no memory."""
    with path.open("w+b") as file:
        npy = GrowingNpy(file, shape)
        yield npy
        npy.header()
