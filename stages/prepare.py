"""Stage `prepare`: the pictures of a source as square crops in one array, and a list of the unusable ones with reasons.

Pictures stream through threads in batches and are appended to images.npy, so memory does not grow with their number.
A second array, large.npy, keeps the same crops at a larger size, from the same decoded picture; row for row and rule
for rule it follows images.npy, whose bytes do not depend on it.
Every source file has one row in faces.parquet: ok, quarantined (a bad file) or excluded (a good file, but a duplicate
or a leak between splits)."""

import contextlib
import dataclasses
import logging
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch

from facet.base.errors import InputError
from facet.base.files import replacing_folder, write_json
from facet.base.limits import Limit, Natural, Share
from facet.base.params import run_stage
from facet.base.progress import progress
from facet.base.tables import SPLITS, FacesMeta, write_table
from facet.base.threads import worker_count
from facet.pictures import crops
from facet.preparation import reuse
from facet.preparation.card import data_card
from facet.preparation.pixels import growing_npy, prepared_batches
from facet.preparation.rows import FaceRows, selected_attributes
from facet.sources.labels import read_labels
from facet.sources.tree import open_tree

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Crop, resize and split the pictures that `source` listed, and quarantine bad ones with a reason."""

    raw: Path  # folder written by `source`
    root: Path  # place of the pictures, as given to `source`
    # out: images.npy uint8 (images, size, size, channels), large.npy with the same rows at the larger side, and
    # faces.parquet
    prepared: Path
    card: Path  # out: JSON of counts, attribute balance and exclusions
    crop: str  # name of a crop in facet.pictures.crops
    size: Annotated[int, Limit(8, 1024)]  # side of the square, in pixels
    large: Annotated[int, Limit(0, 1024)]  # side of the same squares for the refiner; 0: not kept
    channels: Annotated[int, Limit(1, 3)]  # 3 for colour, 1 for grey (luma).
    split: Literal["official", "identity", "random"]  # seeded ratios of whole identities, or of single pictures
    ratios: tuple[Share, Share, Share]  # train, valid and test; unused if split is official
    seed: Natural
    workers: Natural  # threads, 0 for one per core; no effect on the bytes
    reuse: Path  # pictures of the last run; not an out, no effect on the bytes
    attributes: tuple[str, ...]  # names to keep, in this order, or `all`


def run(params: Params) -> None:
    _check(params)
    workers = worker_count(params.workers)
    torch.set_num_threads(1)  # this stage has its own threads
    crop = crops.crop(params.crop)
    listing = read_labels(params.raw)
    names, real = selected_attributes(listing, params.attributes)
    faces = FaceRows(listing.table)
    faces.quarantine_problems()
    faces.exclude_equal_bytes()
    if params.split == "official":
        faces.split_officially()
    else:
        faces.split_by_ratios(params.ratios, params.seed, whole_identities=params.split == "identity")

    needed = [name for name, r in zip(SPLITS, params.ratios) if r > 0 or name == "train" or params.split == "official"]
    tree = open_tree(listing.where(params.root, params.raw))
    sides = {"images.npy": params.size} | ({"large.npy": params.large} if params.large else {})
    key = reuse.key(crop=dataclasses.asdict(crop), size=params.size, large=params.large, channels=params.channels)
    old = reuse.Prepared(params.reuse, key, tuple(sides))
    with replacing_folder(params.prepared) as prepared:
        todo = np.flatnonzero(faces.status == "ok")
        with contextlib.ExitStack() as stack:
            files = [
                stack.enter_context(growing_npy(prepared / name, (side, side, params.channels)))
                for name, side in sides.items()
            ]
            members = listing.table["member"].to_numpy()
            batches = prepared_batches(
                tree, members, todo, faces.sha256, old, crop, params.size, params.large, params.channels, workers
            )
            for batch in progress(batches, len(todo), "images", size=len):
                faces.add(batch, *files)
        faces.finish(tree.path, needed, crop.name)
        faces.check_classes(names, real)
        meta = FacesMeta(
            source=listing.source,
            crop=crop.name,
            size=params.size,
            large=params.large,
            channels=params.channels,
            attributes=(*names, *real),
            split_hash=faces.split_hash(),
            ranges={name: faces.range(name) for name in real},
        )
        table = faces.table(meta)
        write_table(prepared / "faces.parquet", table)
    old.keep(params.prepared)
    del faces, listing, tree  # to free memory: the card needs only the table
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
    if params.channels not in (1, 3):
        raise InputError(f"channels {params.channels}: expected 3 (colour) or 1 (grey)")
    if params.large and params.large <= params.size:
        raise InputError(f"large {params.large}: expected more than the size {params.size}, or 0 to keep none")
    ratios = params.ratios
    if len(ratios) != 3 or abs(sum(ratios) - 1) > 1e-6:
        raise InputError(f"ratios {ratios}: expected three shares (train, valid, test) that add up to 1")


if __name__ == "__main__":
    run_stage(Params, run)
