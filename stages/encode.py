"""Stage `encode`: every prepared image to its latent, as Parquet shards in data/latents/<system>/."""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages import compute, images, systems
from stages.files import replacing_folder
from stages.match import check_images
from stages.parallel import in_order
from stages.params import Device, InputError, Precision, run_stage
from stages.progress import progress
from stages.tables import LATENT_SHARD, latents_schema, read_faces, write_latents_part

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Params:
    """Encode every prepared image with one trained system."""

    model: Path  # model folder: a system that can encode
    prepared: Path  # folder written by `prepare`
    latents: Path  # out: part-*.parquet in the order of faces.parquet
    batch_size: int  # images per forward pass
    threads: int
    device: Device
    precision: Precision


def run(params: Params) -> None:
    device = compute.start(device=params.device, threads=params.threads)
    faces = read_faces(params.prepared)
    system = systems.load(params.model, device)
    check_images(system, params.model, faces.meta, params.prepared)
    table = faces.ok
    ids, splits = table["image_id"].tolist(), table["split"].tolist()
    if not ids:
        raise InputError(f"{params.prepared} holds no image; look at the reasons in its faces.parquet")
    if len(images.open_images(params.prepared)) != len(ids):
        raise InputError(f"{params.prepared}: images.npy does not fit faces.parquet; run `dvc repro -f prepare`")
    meta = {
        "system": system.name,
        "crop": system.crop,
        "size": system.size,
        "z_dim": system.z_dim,
        "y_dim": system.y_dim,
        "split_hash": system.split_hash,
    }
    schema = latents_schema(system.z_dim, meta, system.y_dim)

    def encode(x: Tensor) -> Tensor:
        with torch.inference_mode(), compute.autocast(device, params.precision):
            return system.encode(x.to(device, non_blocking=True)).float()

    with replacing_folder(params.latents) as folder, ThreadPoolExecutor(max_workers=1) as writer:
        writing: Future[None] | None = None
        for part, codes in enumerate(_shards(_encoded(params, len(ids), encode))):
            rows = slice(part * LATENT_SHARD, part * LATENT_SHARD + len(codes))
            columns = (codes[:, : system.z_dim], codes[:, system.z_dim :])[: 2 if system.y_dim else 1]
            if writing is not None:
                writing.result()
            writing = writer.submit(write_latents_part, folder, part, schema, ids[rows], splits[rows], *columns)
        if writing is not None:
            writing.result()
    log.info("%s: wrote %d latents of %d dimensions", system.name, len(ids), system.z_dim + system.y_dim)


def _encoded(params: Params, count: int, encode: Callable[[Tensor], Tensor]) -> Iterator[np.ndarray]:
    """Latents batch by batch; the next batches are read and converted while one is encoded."""

    def read(start: int) -> Tensor:
        # a fresh map per batch: pages already read do not count towards the memory of the process
        return images.to_tensor(np.array(images.open_images(params.prepared)[start : start + params.batch_size]))

    for x in progress(in_order(read, range(0, count, params.batch_size), workers=1), count, "images", size=len):
        yield encode(x).cpu().numpy()


def _shards(batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same rows in pieces of LATENT_SHARD, the last one shorter.

    Rows are copied into one array per shard: many small arrays kept among the large ones that come and go would tear
    holes into the heap, and memory would grow with the data set."""
    shard, filled = np.zeros((0, 0), np.float32), 0
    for batch in batches:
        while len(batch):
            if not filled:
                shard = np.empty((LATENT_SHARD, batch.shape[1]), np.float32)
            count = min(len(batch), LATENT_SHARD - filled)
            shard[filled : filled + count] = batch[:count]
            batch, filled = batch[count:], filled + count
            if filled == LATENT_SHARD:
                yield shard
                filled = 0
    if filled:
        yield shard[:filled]


if __name__ == "__main__":
    run_stage(Params, run)
