"""Stage `encode`: prepared images -> latents, as Parquet shards in data/latents/<system>/."""

import dataclasses
import functools
import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facet import systems
from facet.base import compute, images
from facet.base.compatibility import check_images
from facet.base.engines import spread
from facet.base.errors import InputError
from facet.base.files import replacing_folder
from facet.base.limits import Count
from facet.base.params import Device, Precision, run_stage
from facet.base.progress import progress
from facet.base.tables import LATENT_SHARD, latents_schema, read_faces, write_latents_part
from facet.base.threads import in_order
from facet.systems import System

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Encode every prepared image with one trained system."""

    model: Path  # model folder of a system that can encode
    prepared: Path  # folder written by `prepare`
    latents: Path  # out: folder of part-*.parquet in the order of faces.parquet
    batch_size: Count  # images per forward pass
    threads: Count
    device: Device
    precision: Precision


def run(params: Params) -> None:
    device = compute.start(device=params.device, threads=params.threads)
    faces = read_faces(params.prepared)
    system = systems.load(params.model, device)
    check_images(system, params.model, faces.meta, params.prepared)
    count = len(faces.ok)
    if not count:
        raise InputError(f"{params.prepared} holds no image; its faces.parquet lists the reasons")
    if len(images.open_images(params.prepared)) != count:
        raise InputError(
            f"{params.prepared}: images.npy and faces.parquet differ in length; run `dvc repro -f prepare`"
        )
    with replacing_folder(params.latents) as folder:
        _opened.cache_clear()
        starts = range(0, count, LATENT_SHARD)
        pieces = [Piece(params, folder, part, first, first + LATENT_SHARD) for part, first in enumerate(starts)]
        for _ in progress(spread(encode_part, pieces), count, "images", size=int):
            pass
        _opened.cache_clear()
    log.info("%s: wrote %d latents of %d dimensions", system.name, count, system.z_dim + system.y_dim)


@dataclasses.dataclass(frozen=True)
class Piece:
    """One shard of latents to write."""

    params: Params
    folder: Path
    part: int
    first: int  # first row
    stop: int  # row after the last


def encode_part(piece: Piece) -> int:
    """Encode the images of one shard in any process, write it, and return their number."""
    params, first = piece.params, piece.first
    device, system, ids, splits = _opened(params)
    ids, splits = ids[first : piece.stop], splits[first : piece.stop]
    codes = np.empty((len(ids), system.z_dim + system.y_dim), np.float32)

    def read(start: int) -> Tensor:
        # a new map per batch, so that the pages read before do not count as memory of the process
        stop = min(start + params.batch_size, len(ids))
        return images.to_tensor(np.array(images.open_images(params.prepared)[first + start : first + stop]))

    done = 0
    for x in in_order(read, range(0, len(ids), params.batch_size), workers=1):  # reads the next batch meanwhile
        with torch.inference_mode(), compute.autocast(device, params.precision):
            latents = system.encode(x.to(device, non_blocking=True)).float()
        codes[done : done + len(latents)] = latents.cpu().numpy()
        done += len(latents)
    meta = {
        "system": system.name,
        "crop": system.crop,
        "size": system.size,
        "z_dim": system.z_dim,
        "y_dim": system.y_dim,
        "split_hash": system.split_hash,
    }
    columns = (codes[:, : system.z_dim], codes[:, system.z_dim :])[: 2 if system.y_dim else 1]
    schema = latents_schema(system.z_dim, meta, system.y_dim)
    write_latents_part(piece.folder, piece.part, schema, ids, splits, *columns)
    return len(ids)


@functools.lru_cache(maxsize=1)
def _opened(params: Params) -> tuple[torch.device, System, list[str], list[str]]:
    """The device, the system, and the names and splits of all images, loaded once per process."""
    device = compute.start(device=params.device, threads=params.threads)
    table = read_faces(params.prepared).ok
    return device, systems.load(params.model, device), table["image_id"].tolist(), table["split"].tolist()


if __name__ == "__main__":
    run_stage(Params, run)
