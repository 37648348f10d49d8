"""Tiny inputs for tests: a prepared folder of 64-pixel pictures, and settings small enough to train in a second."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa

from facet.base.tables import FacesMeta, faces_schema, read_faces, write_table

ATTRIBUTES = ("Bright", "Red")


def prepared(folder: Path, *, count: int = 48, size: int = 64, seed: int = 0, large: int = 0) -> Path:
    """Write images.npy and faces.parquet with two attributes of the pixels: bright and reddish images. With `large`, a
    multiple of `size`, large.npy holds them with repeated pixels."""
    rng = np.random.default_rng(seed)
    bright, red = rng.random(count) < 0.5, rng.random(count) < 0.5
    images = np.full((count, size, size, 3), 60, np.uint8)
    images[bright] += 100
    images[red, :, :, 0] += 60
    images += rng.integers(0, 30, images.shape, dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", images)
    if large:
        np.save(folder / "large.npy", images.repeat(large // size, 1).repeat(large // size, 2))
    meta = FacesMeta(
        source="tiny", crop="face120", size=size, large=large, channels=3, attributes=ATTRIBUTES, split_hash="h"
    )
    splits = np.array(["train", "train", "valid", "test"])[np.arange(count) % 4]
    columns = {
        "image_id": [f"{i:04d}.png" for i in range(count)],
        "row": np.arange(count, dtype=np.int32),
        "split": splits,
        "identity": np.arange(count, dtype=np.int32),
        "sha256": [""] * count,
        "status": ["ok"] * count,
        "reason": [""] * count,
        "Bright": np.where(bright, 1, -1).astype(np.int8),
        "Red": np.where(red, 1, -1).astype(np.int8),
    }
    write_table(folder / "faces.parquet", pa.table(columns, schema=faces_schema(meta)))
    return folder


def make_real(prepared: Path, name: str, values: np.ndarray, ends: tuple[float, float]) -> None:
    """Make an attribute of a prepared folder real-valued, by its values (files,), NaN for unknown, and those of -1 and
    +1."""
    faces = read_faces(prepared)
    schema = faces_schema(dataclasses.replace(faces.meta, ranges={name: ends}))
    columns = faces.table.assign(**{name: values})
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema]
    write_table(prepared / "faces.parquet", pa.Table.from_arrays(arrays, schema=schema))


GAN = {
    "z_dim": 6, "width": 4, "width_d": 4, "width_e": 4, "kernel": 4, "prior": "normal", "warmup": 0,
    "warmup_rate": 0.002, "warmup_kl": 0.001, "loss": "nonsaturating", "norm": "none", "r1_gamma": 1.0, "r1_every": 2,
    "blur": True, "augment": True, "generator_updates": 1, "learning_rate_g": 0.001, "learning_rate_d": 0.001,
    "beta1": 0.5, "ema": 0.9, "batch_size": 8, "steps": 4, "flip": True, "train_on": "train",
}  # fmt: skip

IN_DOMAIN = {
    "width": 4, "learning_rate": 0.002, "learning_rate_d": 0.0004, "final_rate": 0.1, "beta1": 0.9, "ema": 0.9,
    "centre": 2.0, "kl": 0.001, "feature": 0.3, "adversarial": 0.005, "adversarial_from": 0.5, "attribute": 0.02,
    "batch_size": 8, "steps": 4, "flip": True,
}  # fmt: skip

FROZEN = {
    "architecture": "fc", "loss": "l2", "width": 4, "freeze": True, "learning_rate": 0.001, "beta1": 0.5,
    "batch_size": 8, "steps": 3, "flip": True,
}  # fmt: skip
