"""One pass over the latents: everything that directions, read-outs and calibration need of them."""

import dataclasses
from pathlib import Path

import numpy as np

from facet.base.errors import InputError
from facet.base.tables import Faces, latents_meta, read_latents
from facet.editing.directions import LatentStatistics, Sample, choose_rows

SAMPLE_FACES = 20_000  # training faces for the estimators that need rows and for the quantiles


@dataclasses.dataclass(frozen=True)
class GatheredLatents:
    """Statistics and a sample of the train split, and some faces of the valid split."""

    statistics: LatentStatistics
    sample: Sample
    valid_rows: np.ndarray  # (v,) indices into images.npy
    valid: np.ndarray  # (v, d) float32 latents


def gather(folder: Path, prepared: Path, faces: Faces, *, validation_faces: int, seed: int) -> GatheredLatents:
    """Read the latents shard by shard, in the order of images.npy, so that memory does not grow with the data set.

    InputError if they are not one finite latent for each image of `prepared`, in its order."""
    meta = latents_meta(folder)
    dims, labels, ids = meta["z_dim"] + meta["y_dim"], faces.labels(), faces.ok["image_id"].to_numpy()
    train, valid = faces.rows("train"), faces.rows("valid")
    if not len(train):
        raise InputError(f"{prepared} has no training faces; check the split of stage `prepare`")
    sampled = train[choose_rows(SAMPLE_FACES, len(train), seed)]
    valid = valid[choose_rows(validation_faces, len(valid), seed)]
    statistics, start = LatentStatistics.empty(labels.shape[1], dims), 0
    samples, valids = [], []
    in_split = np.zeros((3, len(ids)), bool)
    for mask, rows in zip(in_split, (train, sampled, valid), strict=True):
        mask[rows] = True
    columns = ("image_id", "z", "y") if meta["y_dim"] else ("image_id", "z")
    for shard in read_latents(folder, columns):
        z = np.concatenate([shard["z"], shard["y"]], axis=1) if "y" in shard else shard["z"]
        rows = slice(start, start + len(z))
        if not np.array_equal(shard["image_id"], ids[rows]):
            raise InputError(
                f"{folder} does not follow {prepared}/faces.parquet from row {start} on; run `dvc repro encode`"
            )
        if not np.isfinite(z).all():
            raise InputError(f"{folder} holds latents that are not finite from row {start} on; train anew")
        is_train, is_sample, is_valid = in_split[:, rows]
        statistics.add(z[is_train], labels[rows][is_train])
        samples.append(z[is_sample])
        valids.append(z[is_valid])
        start += len(z)
    if start != len(ids):
        raise InputError(f"{folder} holds {start} latents for {len(ids)} images; run `dvc repro encode`")
    return GatheredLatents(statistics, Sample(np.concatenate(samples), labels[sampled]), valid, np.concatenate(valids))
