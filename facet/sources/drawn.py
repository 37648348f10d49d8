"""Drawn faces in CelebA's published layout, so that later stages read both alike; graded faces have real-valued
attributes as well.

The bytes depend on the seed, not on the number of workers: picture i depends on (seed, i) alone, and the zip is written
in order with fixed dates."""

import dataclasses
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facet.base.errors import InputError
from facet.base.progress import progress
from facet.sources import celeba
from facet.sources.labels import Listing
from facet.sources.store import write_zip

if TYPE_CHECKING:
    from facet.drawn import Person

QUALITY = 92  # JPEG quality, which gives about CelebA's 10 kB per picture with 4:2:0
SHARES = (0.8, 0.1, 0.1)  # shares of the identities in train, valid, test
CHUNK = 32  # pictures that a process draws at a time

Chunk = tuple[int, int, int, bool]  # seed, first picture, the one after the last, graded


def write(folder: Path, *, count: int, seed: int, workers: int, graded: bool, apart: int = 0) -> Listing:
    """Write img_align_celeba.zip, list_attr_celeba.txt, list_eval_partition.txt and identity_CelebA.txt of `count`
    faces.

    `apart` is added to every identity, so that one data set can hold people of several seeds. With `graded`
    drawn.GRADES are real-valued attributes and replace the attributes that they list."""
    from facet import drawn

    if count < 1:
        raise InputError(f"count {count}: drawn faces need the number to draw, at least 1")
    people = _people(seed, range(count), graded)
    replaced = {name for others in drawn.GRADES.values() for name in others} if graded else set()
    attributes = [name for name in drawn.ATTRIBUTES if name not in replaced]
    names = [f"{index + 1:06d}.jpg" for index in range(count)]
    parts = _parts([person.identity for person in people], seed)
    signs = [" ".join(f"{person.attributes[name]:2d}" for name in attributes) for person in people]
    lines = {
        "list_attr_celeba.txt": [str(count), " ".join(attributes) + " "],
        "list_eval_partition.txt": [f"{name} {part}" for name, part in zip(names, parts, strict=True)],
        "identity_CelebA.txt": [
            f"{name} {person.identity + apart}" for name, person in zip(names, people, strict=True)
        ],
    }
    lines["list_attr_celeba.txt"] += [f"{name} {row}" for name, row in zip(names, signs, strict=True)]
    for file, rows in lines.items():
        (folder / file).write_bytes(("\r\n".join(rows) + "\r\n").encode())

    chunks = [(seed, begin, min(begin + CHUNK, count), graded) for begin in range(0, count, CHUNK)]
    drawings: Iterator[list[bytes]] = progress(_drawn(chunks, workers), count, "faces", size=len)
    members = (f"img_align_celeba/{name}" for name in names)
    write_zip(folder / "img_align_celeba.zip", zip(members, itertools.chain.from_iterable(drawings), strict=True))
    listing = celeba.read(folder, place="raw", source="drawn")
    if not graded:
        return listing
    grades = {name: np.array([person.grades[name] for person in people], np.float32) for name in drawn.GRADES}
    return dataclasses.replace(listing, real=tuple(grades), table=listing.table.assign(**grades))


def _people(seed: int, indices: Sequence[int], graded: bool) -> "list[Person]":
    from facet import drawn

    sample = drawn.sample_graded if graded else drawn.sample
    return [sample(seed, index) for index in indices]


def _parts(identities: list[int], seed: int) -> list[int]:
    """0, 1 or 2 for every picture: a seeded shuffle of whole identities, divided by SHARES."""
    unique = np.unique(identities)
    order = np.random.default_rng((seed, 1)).permutation(len(unique))
    bounds = np.round(np.cumsum(SHARES[:2]) * len(unique))
    part = dict(zip(unique[order].tolist(), np.searchsorted(bounds, np.arange(len(unique)), "right"), strict=True))
    return [int(part[identity]) for identity in identities]


def _drawn(chunks: list[Chunk], workers: int) -> Iterator[list[bytes]]:
    if workers == 1 or len(chunks) == 1:
        yield from map(_draw, chunks)
        return
    # forked from a separate server: a plain fork of the stage would inherit its threads in an unknown state
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["facet.sources.drawn"])
    with context.Pool(min(workers, len(chunks)), _end_with_parent) as pool:
        yield from pool.imap(_draw, chunks)


def _end_with_parent() -> None:
    """Start a thread that ends this process when the stage ends in any way. Ctrl-C is left to the stage."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _draw(chunk: Chunk) -> list[bytes]:
    """The JPEGs of one chunk."""
    from simplejpeg import encode_jpeg

    from facet import drawn

    seed, begin, end, graded = chunk
    pictures = (np.ascontiguousarray(drawn.draw(person)) for person in _people(seed, range(begin, end), graded))
    return [encode_jpeg(picture, quality=QUALITY, colorspace="RGB", colorsubsampling="420") for picture in pictures]
