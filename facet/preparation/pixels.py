"""Pictures of a source to square crops, in batches on threads, appended to one .npy file."""

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
    """Some pictures: those that are good with their pixels, and why the others are not."""

    rows: list[int]
    pixels: np.ndarray  # uint8 (len(rows), size, size, channels)
    keys: list[int]  # equal for equal pixels, seldom for others
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
    channels: int,
    workers: int,
) -> Iterator[Batch]:
    """The pictures of the rows `todo`, in order; those of the last run are taken from there."""
    thread, names = threading.local(), frozenset(tree.names) if len(old) else frozenset()

    def prepare(indices: np.ndarray) -> Batch:
        if not hasattr(thread, "squares"):
            thread.squares = Squares(crop, size)
        problems: dict[int, str] = {}
        there = old.rows([sha256[index] if members[index] in names else "" for index in indices.tolist()])
        fresh = []
        for index in indices[there < 0].tolist():
            try:
                thread.squares.add(decode(tree.read(members[index])))
                fresh.append(index)
            except BadImage as bad:
                problems[index] = str(bad)
        made = thread.squares.take()
        if channels == 1:
            made = images.luma(made)
        if not (there >= 0).any():
            return Batch(fresh, made, pixel_keys(made), problems)
        known = indices[there >= 0]
        rows = np.concatenate([known, np.array(fresh, np.int64)])
        pixels = np.concatenate([old.pixels(there[there >= 0]), made])
        order = np.argsort(rows, kind="stable")
        pixels = pixels[order]
        return Batch(rows[order].tolist(), pixels, pixel_keys(pixels), problems)

    return in_order(prepare, (todo[begin : begin + BATCH] for begin in range(0, len(todo), BATCH)), workers)


def pixel_keys(pixels: np.ndarray) -> list[int]:
    """One 64-bit number a picture (n, h, w, c): a weighted sum of its words, in one pass and without a copy."""
    flat = pixels.reshape(len(pixels), math.prod(pixels.shape[1:]))
    words = flat[:, : flat.shape[1] // 8 * 8].view(np.uint64)
    weights = np.random.default_rng(0).integers(0, 1 << 63, words.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    keys: list[int] = (words @ weights).tolist()
    return keys


class GrowingNpy:
    def __init__(self, file: BinaryIO, shape: tuple[int, ...]):
        self.file, self.shape, self.count = file, shape, 0
        self.header()

    def header(self) -> None:
        """numpy pads headers so that the first axis may grow, so the last one is as long as the first."""
        about = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self.shape)}
        self.file.seek(0)
        np.lib.format.write_array_header_1_0(self.file, about)
        self.begin = self.file.tell()

    def append(self, pixels: np.ndarray) -> None:
        self.file.write(np.ascontiguousarray(pixels).data)
        self.count += len(pixels)

    def read(self, row: int) -> bytes:
        """The bytes of one row that was appended."""
        self.file.flush()
        size = math.prod(self.shape)
        return os.pread(self.file.fileno(), size, self.begin + row * size)


@contextlib.contextmanager
def growing_npy(path: Path, shape: tuple[int, ...]) -> Iterator[GrowingNpy]:
    """A .npy file of uint8 rows whose number is known at the end; a memory map would count as memory while it grows."""
    with path.open("w+b") as file:
        npy = GrowingNpy(file, shape)
        yield npy
        npy.header()
