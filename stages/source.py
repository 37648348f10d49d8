"""Stage `source`: draw, download or find a data set of faces or digits, and list its files with their labels."""

import dataclasses
import hashlib
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from facet.base.errors import InputError
from facet.base.files import replacing_folder, write_json
from facet.base.limits import Natural
from facet.base.params import run_stage
from facet.base.progress import progress
from facet.base.threads import in_order, worker_count
from facet.pictures.decode import BadImage
from facet.sources import celeba, digits, drawn, fetch, folder, lfw, outside, shards
from facet.sources.labels import Listing, write_labels
from facet.sources.tree import Tree, open_tree

log = logging.getLogger(__name__)

Kind = Literal["drawn", "drawn_graded", "celeba", "folder", "shards", "lfw", "mnist", "two_digit_mnist", "svhn"]
DRAWN = ("drawn", "drawn_graded")  # without and with real-valued attributes
CHUNK = 256  # files that a thread reads and hashes at a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Get a data set and list its files in labels.parquet, with counts and problems in source.json."""

    kind: Kind
    root: Path  # the published files, the folder or zip of pictures, the data set of shards, or the renderer's package
    raw: Path  # out: the listing, and the pictures if this stage draws, unpacks or downloads them
    count: Natural  # pictures to make; for other kinds the first ones to keep in the source's order, 0 for all
    seed: Natural  # random seed of the pictures to make
    workers: Natural  # processes that draw, threads that read, 0 for one per core; no effect on the bytes
    download: bool  # true: torchvision downloads celeba, mnist, two_digit_mnist or svhn if root does not have it


def run(params: Params) -> None:
    written, read = params.raw.resolve(), params.root.resolve()
    if params.kind not in DRAWN and (written == read or written in read.parents):
        raise InputError(
            f"{params.raw} is replaced by this stage, but it holds the pictures of {params.root}; move them"
        )
    workers = worker_count(params.workers)
    with replacing_folder(params.raw) as raw:
        listing = _listing(params, raw, workers)
        if params.count and params.count < len(listing.table):
            log.warning("the first %d of %d files are kept (count; 0 keeps all)", params.count, len(listing.table))
            listing = dataclasses.replace(listing, table=listing.table.iloc[: params.count].reset_index(drop=True))
        table = listing.table
        if "sha256" in table:  # shards list their hashes
            sha256, unreadable = table["sha256"].tolist(), 0
        else:
            sha256, unreadable = _hashes(open_tree(listing.where(params.root, raw)), table["member"], workers)
        write_labels(raw / "labels.parquet", listing, sha256)
        problems = table["problem"][table["problem"] != ""].value_counts().sort_index()
        known = table["identity"].dropna()
        write_json(
            raw / "source.json",
            {
                "source": listing.source,
                "files": len(table),
                "attributes": list(listing.attributes),
                "real_attributes": list(listing.real),
                "identities": int(known.nunique()),
                "official_splits": {
                    str(k): int(n) for k, n in table["official_split"].value_counts().sort_index().items()
                },
                "problems": {str(problem): int(count) for problem, count in problems.items()},
                "unreadable": unreadable,
                "notes": listing.notes,
            },
        )
    log.info(
        "%s: %d files with %d attributes listed in %s", params.kind, len(table), len(listing.attributes), params.raw
    )
    for warning in listing.notes.get("warnings", ()):
        log.warning("%s", warning)
    if listing.real:
        log.warning("read as real numbers instead of present or absent: %s", ", ".join(listing.real))
    for what, count in listing.notes.items():
        if not isinstance(count, bool) and isinstance(count, int) and count:
            log.info("  %s: %d", what.replace("_", " "), count)
    if hint := outside.hint(params.root):  # a record of it in `raw` would make the stages after this one stale
        log.warning("%s", hint)


def _listing(params: Params, raw: Path, workers: int) -> Listing:
    if params.kind in DRAWN:
        graded = params.kind == "drawn_graded"
        return drawn.write(raw, count=params.count, seed=params.seed, workers=workers, graded=graded)
    if params.kind == "folder":
        return folder.read(params.root)
    if params.kind == "shards":
        return shards.read(params.root)
    if params.kind == "lfw":
        return lfw.read(params.root)
    if params.kind == "celeba":
        if params.download and not celeba.is_at(params.root):
            fetch.download("celeba", raw)
            return celeba.read(raw, place="raw")
        return celeba.read(params.root)
    if params.download and not params.root.exists():
        published = raw / "published"
        fetch.download(params.kind, published)
        listing = _digits(params, published, raw)
        shutil.rmtree(published)  # its pictures are in raw now
        return listing
    return _digits(params, params.root, raw)


def _digits(params: Params, root: Path, raw: Path) -> Listing:
    if params.kind == "mnist":
        return digits.mnist(root, raw)
    if params.kind == "svhn":
        return digits.svhn(root, raw)
    return digits.two_digit_mnist(root, raw, count=params.count, seed=params.seed)


def _hashes(tree: Tree, members: Sequence[str], workers: int) -> tuple[list[str], int]:
    """The sha256 of every file ('' if it cannot be read), and the number of unreadable files."""

    def hashes(chunk: Sequence[str]) -> list[str]:
        out = []
        for member in chunk:
            try:
                out.append(hashlib.sha256(tree.read(member)).hexdigest())
            except BadImage:
                out.append("")
        return out

    chunks = [list(members[begin : begin + CHUNK]) for begin in range(0, len(members), CHUNK)]
    sha256: list[str] = []
    for part in progress(in_order(hashes, chunks, workers), len(members), "files", size=len):
        sha256 += part
    return sha256, sha256.count("")


if __name__ == "__main__":
    run_stage(Params, run)
