"""Stage `prepare`: every picture of a source to one square crop in one array; what cannot be used is listed with why.

Pictures stream through threads in batches and are appended to images.npy, so memory does not grow with their number.
Every source file has one row in faces.parquet: ok, quarantined (the file is bad) or excluded (sound, but a duplicate or
a leak between splits)."""

import contextlib
import dataclasses
import difflib
import hashlib
import logging
import math
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from stages import crops, images, reuse
from stages.decode import BadImage, decode
from stages.files import replacing_folder, write_json
from stages.parallel import in_order, worker_count
from stages.params import InputError, run_stage
from stages.progress import progress
from stages.resize import Squares
from stages.sources.labels import Listing, read_labels
from stages.sources.tree import Tree, open_tree
from stages.tables import SPLITS, FacesMeta, faces_schema, scaled, write_table

log = logging.getLogger(__name__)

SPLIT_BY = ("official", "identity", "random")
BATCH = 64  # pictures a thread takes at a time
BLOCK = 8192  # rows of labels turned into floats at a time
PAIRS = 20  # attribute pairs in the data card


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Crop, resize and split the pictures that `source` listed; bad ones are quarantined with a reason."""

    raw: Path  # folder written by `source`
    root: Path  # where the pictures are, as given to `source`
    prepared: Path  # images.npy uint8 (images, size, size, channels) and faces.parquet
    card: Path  # JSON: counts, attribute balance, exclusions
    crop: str  # name in stages.crops
    size: int  # pixels of the square
    channels: int  # 3 colours, or 1 for grey (luma)
    split: str  # official, identity (seeded ratios, whole identities) or random (seeded ratios, single pictures)
    ratios: tuple[float, float, float]  # train, valid, test; used unless split is official
    seed: int
    workers: int  # threads, 0 for one per core; no effect on the bytes
    reuse: Path  # pictures of the last run; not an out, and without effect on the bytes
    attributes: tuple[str, ...]  # which to keep, in this order; `all` keeps every one


def run(params: Params) -> None:
    _check(params)
    workers = worker_count(params.workers)
    torch.set_num_threads(1)  # the threads are ours
    crop = crops.crop(params.crop)
    listing = read_labels(params.raw)
    names, real = _selected(listing, params.attributes)
    faces = _Faces(listing.table)
    faces.quarantine_problems()
    faces.exclude_equal_bytes()
    if params.split == "official":
        faces.split_officially()
    else:
        faces.split_by_ratios(params.ratios, params.seed, whole_identities=params.split == "identity")

    needed = [name for name, r in zip(SPLITS, params.ratios) if r > 0 or name == "train" or params.split == "official"]
    tree = open_tree(listing.where(params.root, params.raw))
    old = reuse.Prepared(
        params.reuse, reuse.key(crop=dataclasses.asdict(crop), size=params.size, channels=params.channels)
    )
    with replacing_folder(params.prepared) as prepared:
        todo = np.flatnonzero(faces.status == "ok")
        with _growing_npy(prepared / "images.npy", (params.size, params.size, params.channels)) as images:
            members = listing.table["member"].to_numpy()
            batches = _pictures(tree, members, todo, faces.sha256, old, crop, params.size, params.channels, workers)
            for batch in progress(batches, len(todo), "images", size=len):
                faces.add(batch, images)
        faces.finish(tree.path, needed)
        meta = FacesMeta(
            source=listing.source,
            crop=crop.name,
            size=params.size,
            channels=params.channels,
            attributes=(*names, *real),
            split_hash=faces.split_hash(),
            ranges={name: faces.range(name) for name in real},
        )
        table = faces.table(meta)
        write_table(prepared / "faces.parquet", table)
    old.keep(params.prepared)
    del faces, listing, tree  # what follows needs the table alone
    card = data_card(table.to_pandas(self_destruct=True, split_blocks=True), meta)
    write_json(params.card, card)
    counts = card["files"]
    log.info(
        "%d images of %d files prepared in %s (%s); %d quarantined, %d excluded",
        counts["ok"],
        counts["total"],
        params.prepared,
        ", ".join(f"{split} {card['splits'][split]['images']}" for split in SPLITS),
        counts["quarantined"],
        counts["excluded"],
    )
    for reason, count in card["reasons"].items():
        log.info("  %s: %d", reason, count)


def _check(params: Params) -> None:
    if params.split not in SPLIT_BY:
        raise InputError(f"split {params.split!r} is unknown; choose one of {', '.join(SPLIT_BY)}")
    if not 8 <= params.size <= 1024:
        raise InputError(f"size {params.size}: expected 8 to 1024 pixels")
    if params.channels not in (1, 3):
        raise InputError(f"channels {params.channels}: expected 3 (colour) or 1 (grey)")
    ratios = params.ratios
    if len(ratios) != 3 or not all(0 <= ratio <= 1 for ratio in ratios) or abs(sum(ratios) - 1) > 1e-6:
        raise InputError(f"ratios {ratios}: expected three shares (train, valid, test) that add up to 1")


def _selected(listing: Listing, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """The attributes to keep, and the real-valued ones among them."""
    known = list(listing.attributes) + list(listing.real)
    if tuple(wanted) == ("all",):
        return list(listing.attributes), list(listing.real)
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3) or known
            raise InputError(f"attribute {name!r} is none of {listing.source}'s {len(known)}; near: {', '.join(near)}")
    if len(set(wanted)) < len(wanted):
        raise InputError(f"attributes name one twice: {', '.join(wanted)}")
    return [name for name in wanted if name in listing.attributes], [name for name in wanted if name in listing.real]


class _Faces:
    """The rows of faces.parquet while they are decided."""

    def __init__(self, labels: pd.DataFrame):
        self.labels = labels
        count = len(labels)
        self.ids = labels["image_id"].to_numpy(object)
        self.sha256 = labels["sha256"].to_numpy(object)
        self.identity = labels["identity"].to_numpy(np.float64, na_value=np.nan)
        self.split = np.full(count, "", object)
        self.status = np.full(count, "ok", object)
        self.reason = np.full(count, "", object)
        self.row = np.full(count, -1, np.int32)
        self.original: dict[int, int] = {}  # row -> the earlier row with the same bytes
        self.keys = np.zeros(count, np.uint64)  # of the prepared pixels
        self.seen: set[int] = set()  # the same, without order

    def _set(self, index: int, status: str, reason: str) -> None:
        self.status[index], self.reason[index] = status, reason

    def quarantine_problems(self) -> None:
        """What `source` found."""
        for index, problem in enumerate(self.labels["problem"]):
            if problem:
                self._set(index, "quarantined", problem)

    def exclude_equal_bytes(self) -> None:
        """Every copy after the first."""
        first: dict[str, int] = {}
        for index in np.flatnonzero(self.status == "ok").tolist():
            digest = self.sha256[index]
            if digest and first.setdefault(digest, index) != index:
                self.original[index] = first[digest]
                self._set(index, "excluded", f"duplicate of {self.ids[first[digest]]}")

    def split_officially(self) -> None:
        """The published parts; an identity stays in the part that holds most of its pictures."""
        ok = self.status == "ok"
        official = self.labels["official_split"].to_numpy(object)
        if not (official[ok] != "").any():
            raise InputError("split is `official`, and the source has no official split; use `identity` or `random`")
        for index in np.flatnonzero(ok & (official == "")).tolist():
            self._set(index, "excluded", "no official split")
        self.split[:] = official
        ok = self.status == "ok"
        part = pd.Series(official[ok]).map(SPLITS.index).to_numpy()
        held = pd.DataFrame({"identity": self.identity[ok], "part": part}).dropna()
        counts = held.groupby(["identity", "part"]).size().reset_index(name="n")
        home = counts.sort_values(["identity", "n", "part"], ascending=[True, False, True]).drop_duplicates("identity")
        homes = dict(zip(home["identity"], home["part"], strict=True))
        for index, here in zip(np.flatnonzero(ok).tolist(), part, strict=True):
            there = homes.get(self.identity[index], here)
            if there != here:
                self._set(index, "excluded", f"leak: identity {int(self.identity[index])} is in {SPLITS[there]}")

    def split_by_ratios(self, ratios: Sequence[float], seed: int, *, whole_identities: bool) -> None:
        """A seeded shuffle of the groups (identities, or single pictures), dealt out by their share of pictures."""
        ok = np.flatnonzero(self.status == "ok")
        groups = np.arange(len(ok)) + 2.0**32  # a picture of nobody known is its own group
        if whole_identities:
            known = ~np.isnan(self.identity[ok])
            groups[known] = self.identity[ok][known]
            if not known.any():
                log.warning("the source knows no identities: every picture is split by itself")
        _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
        order = np.random.default_rng(seed).permutation(len(counts))
        middles = np.cumsum(counts[order]) - counts[order] / 2
        part = np.empty(len(counts), np.int64)
        part[order] = np.searchsorted(np.cumsum(ratios[:2]) * len(ok), middles, "right")
        self.split[ok] = np.array(SPLITS, object)[part[group]]

    def add(self, batch: "_Batch", images: "_Npy") -> None:
        """Take one batch in; the pictures that are new are appended to `images`."""
        for index, reason in batch.problems.items():
            self._set(index, "quarantined", reason)
        begin = 0  # of the pictures not yet appended
        for place, (index, key) in enumerate(zip(batch.rows, batch.keys, strict=True)):
            if key in self.seen:
                images.append(batch.pixels[begin:place])
                begin = place
                face = batch.pixels[place].tobytes()
                like = np.flatnonzero((self.keys == key) & (self.row >= 0)).tolist()
                same = [other for other in like if images.read(int(self.row[other])) == face]
                if same:
                    self._set(index, "excluded", f"duplicate of {self.ids[same[0]]}")
                    begin += 1
                    continue
            self.seen.add(key)
            self.keys[index] = key
            self.row[index] = images.count + place - begin
        images.append(batch.pixels[begin:])

    def finish(self, where: Path, needed: Sequence[str]) -> None:
        """Copies of bad files are as bad; rows without image have no split; no identity and no bytes in two splits."""
        for index, original in self.original.items():
            if self.status[original] == "quarantined":
                self._set(index, "quarantined", self.reason[original])
        ok = self.status == "ok"
        self.split[~ok] = ""
        if not ok.any():
            reasons = pd.Series(self.reason).str.split(":").str[0].value_counts()
            why = ", ".join(f"{reason} {count}" for reason, count in reasons.items()) or "there are no files"
            raise InputError(
                f"{where} has no picture that can be used ({why}); see the crop, the files and their labels"
            )
        for split in needed:
            if not (self.split[ok] == split).any():
                raise InputError(
                    f"{where} has {int(ok.sum())} pictures that can be used and none of them is in the split {split!r},"
                    " which later stages need; use split `identity`, other ratios, or more pictures"
                )
        for what, values in (("identity", self.identity), ("sha256", self.sha256)):
            held = pd.DataFrame({"value": values[ok], "split": self.split[ok]})
            held = held[held["value"].notna() & (held["value"] != "")]
            spread = held.groupby("value")["split"].nunique()
            if (spread > 1).any():
                torn = spread.index[spread > 1][0]
                value = int(torn) if what == "identity" else torn
                raise InputError(
                    f"{what} {value} is in {spread.max()} splits ({int((spread > 1).sum())} such): what is learned"
                    " would be tested on itself; use split `identity`"
                )

    def split_hash(self) -> str:
        """sha256 over `image_id TAB split` lines of the rows that are ok."""
        ok = self.status == "ok"
        lines = (f"{name}\t{split}\n" for name, split in zip(self.ids[ok], self.split[ok], strict=True))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def range(self, name: str) -> tuple[float, float]:
        """1st and 99th percentile of a real-valued attribute over the train split."""
        known = self.labels[name].to_numpy(np.float64)[(self.status == "ok") & (self.split == "train")]
        known = known[~np.isnan(known)]
        if not len(known):
            return 0.0, 1.0
        low, high = np.percentile(known, [1, 99]).astype(np.float32).tolist()
        return low, high if high > low else low + 1

    def table(self, meta: FacesMeta) -> pa.Table:
        """faces.parquet: the columns of faces_schema."""
        schema = faces_schema(meta)
        columns: dict[str, Any] = {
            "image_id": self.ids,
            "row": self.row,
            "split": self.split,
            "identity": self.labels["identity"],
            "sha256": self.sha256,
            "status": self.status,
            "reason": self.reason,
        }
        columns |= {name: self.labels[name] for name in meta.attributes}
        arrays = [pa.array(columns[field.name], type=field.type, from_pandas=True) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)


@dataclasses.dataclass(frozen=True)
class _Batch:
    """Some pictures: those that are good with their pixels, and why the others are not."""

    rows: list[int]
    pixels: np.ndarray  # uint8 (len(rows), size, size, channels)
    keys: list[int]  # equal for equal pixels, seldom for others
    problems: dict[int, str]  # row -> reason

    def __len__(self) -> int:
        return len(self.rows) + len(self.problems)


def _keys(pixels: np.ndarray) -> list[int]:
    """One 64-bit number a picture (n, h, w, c): a weighted sum of its words, in one pass and without a copy."""
    flat = pixels.reshape(len(pixels), math.prod(pixels.shape[1:]))
    words = flat[:, : flat.shape[1] // 8 * 8].view(np.uint64)
    weights = np.random.default_rng(0).integers(0, 1 << 63, words.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    keys: list[int] = (words @ weights).tolist()
    return keys


def _pictures(
    tree: Tree,
    members: np.ndarray,
    todo: np.ndarray,
    sha256: np.ndarray,
    old: reuse.Prepared,
    crop: crops.Crop,
    size: int,
    channels: int,
    workers: int,
) -> Iterator[_Batch]:
    """The pictures of the rows `todo`, in order; those of the last run are taken from there."""
    thread, names = threading.local(), frozenset(tree.names) if len(old) else frozenset()

    def prepare(indices: np.ndarray) -> _Batch:
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
            return _Batch(fresh, made, _keys(made), problems)
        known = indices[there >= 0]
        rows = np.concatenate([known, np.array(fresh, np.int64)])
        pixels = np.concatenate([old.pixels(there[there >= 0]), made])
        order = np.argsort(rows, kind="stable")
        pixels = pixels[order]
        return _Batch(rows[order].tolist(), pixels, _keys(pixels), problems)

    return in_order(prepare, (todo[begin : begin + BATCH] for begin in range(0, len(todo), BATCH)), workers)


class _Npy:
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
def _growing_npy(path: Path, shape: tuple[int, ...]) -> Iterator[_Npy]:
    """A .npy file of uint8 rows whose number is known at the end; a memory map would count as memory while it grows."""
    with path.open("w+b") as file:
        npy = _Npy(file, shape)
        yield npy
        npy.header()


def data_card(table: pd.DataFrame, meta: FacesMeta) -> dict[str, Any]:
    """What the data set is: counts, attribute balance per split, exclusions, the strongest correlations (phi)."""
    ok = table[table["status"] == "ok"]
    splits = {}
    for split in SPLITS:
        part = ok[ok["split"] == split]
        balance = {}
        for name in meta.attributes:
            signs = np.sign(scaled(part[name].to_numpy(np.float32), meta.ranges.get(name)))
            present, absent = int((signs > 0).sum()), int((signs < 0).sum())
            share = round(present / (present + absent), 6) if present + absent else None
            unknown = len(part) - present - absent
            balance[name] = {"present": present, "absent": absent, "unknown": unknown, "share": share}
        identities = int(part["identity"].dropna().nunique())
        splits[split] = {"images": len(part), "identities": identities, "attributes": balance}
    bad = table[table["status"] != "ok"]
    words = bad["reason"].where(~bad["reason"].str.startswith("duplicate of"), "duplicate").str.split(":").str[0]
    examples = bad.groupby(words, sort=True)
    return {
        "source": meta.source,
        "crop": meta.crop,
        "size": meta.size,
        "split_hash": meta.split_hash,
        "ranges": {name: list(ends) for name, ends in meta.ranges.items()},
        "files": {"total": len(table)}
        | {s: int((table["status"] == s).sum()) for s in ("ok", "quarantined", "excluded")},
        "reasons": {str(word): len(rows) for word, rows in examples},
        "examples": {
            str(word): [f"{row.image_id}: {row.reason}" for row in rows.head(5).itertuples()] for word, rows in examples
        },
        "splits": splits,
        "correlations": _correlations(ok[ok["split"] == "train"], [n for n in meta.attributes if n not in meta.ranges]),
    }


def _correlations(table: pd.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """The PAIRS attribute pairs with the largest |Pearson correlation| of their signs in the training split."""
    spread = [name for name in names if table[name].nunique() > 1]
    if len(spread) < 2:
        return []
    products, sums = np.zeros((len(spread), len(spread))), np.zeros(len(spread))
    for begin in range(0, len(table), BLOCK):
        signs = table[spread].iloc[begin : begin + BLOCK].to_numpy(np.float64)
        products += signs.T @ signs
        sums += signs.sum(0)
    covariance = products / len(table) - np.outer(sums, sums) / len(table) ** 2
    deviation = np.sqrt(np.diag(covariance))
    matrix = covariance / np.outer(deviation, deviation)
    pairs = [(i, j) for i in range(len(spread)) for j in range(i + 1, len(spread))]
    pairs.sort(key=lambda pair: (-abs(round(float(matrix[pair]), 6)), pair))
    return [{"a": spread[i], "b": spread[j], "phi": round(float(matrix[i, j]), 6)} for i, j in pairs[:PAIRS]]


if __name__ == "__main__":
    run_stage(Params, run)
