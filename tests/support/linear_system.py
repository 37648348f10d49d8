"""A system, a judge, an attributes table and prepared faces whose every answer is known.

Each latent dimension is the brightness of one 4 x 4 region of a 16 x 16 picture, and attribute k moves dimension k from
-1 to +1."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from facet.base.tables import FacesMeta, faces_schema, write_table
from facet.editing import table
from facet.editing.directions import Readout

ATTRIBUTES = ("Smiling", "Eyeglasses", "Black_Hair", "Blond_Hair")
SIZE, SIDE, DIMS = 16, 4, 16
BRIGHTNESS = 0.3  # of a region per unit of its latent


class LinearSystem:
    name = "linear"
    crop = "face120"
    size, channels, z_dim, y_dim = SIZE, 3, DIMS, 0
    attributes = ATTRIBUTES
    split_hash = "0" * 64

    def encode(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x.mean(1), SIZE // SIDE).flatten(1) / BRIGHTNESS

    def decode(self, latent: Tensor) -> Tensor:
        regions = (BRIGHTNESS * latent).view(-1, 1, SIDE, SIDE).expand(-1, 3, -1, -1)
        return F.interpolate(regions, scale_factor=SIZE // SIDE).clamp(-1, 1)


class LinearJudge:
    """Sees attribute k in the brightness of region k."""

    attributes = ATTRIBUTES
    judged = (True, True, True, True)
    thresholds = torch.full((4,), 0.5)

    def probabilities(self, x: Tensor) -> Tensor:
        return (3 * LinearSystem().encode(x)[:, : len(ATTRIBUTES)]).sigmoid()


def planted(**changes) -> table.AttributeTable:
    """The true directions and read-outs of the linear system: 80 % at .6 of the gap, `on` and `off` at .8."""
    strengths = {50: 0.4, 80: 0.6, 90: 0.65, 95: 0.8 / 1.1}
    directions, readouts = [], {}
    for k, name in enumerate(ATTRIBUTES):
        vector = 2 * np.eye(DIMS, dtype=np.float32)[k]
        directions.append(
            table.Direction(
                attribute=name,
                estimator="least_squares",
                chosen=True,
                vector=vector,
                standard_error=np.zeros(DIMS, np.float32),
                n_positive=100,
                n_negative=100,
                judged=True,
                add=strengths,
                remove=strengths,
                best=(None, None),
                fade=None,
                region=None,
                colours=None,
            )
        )
        readouts[name] = Readout(2 * vector, 0.0, 4.0, -4.0)
    meta = {
        "system": "linear",
        "crop": "face120",
        "split_hash": LinearSystem.split_hash,
        "z_dim": DIMS,
        "y_dim": 0,
        "mode": "add",
        "max_strength": 3.0,
        "margin": 1.1,
        "latent_low": (-1.5,) * DIMS,
        "latent_high": (1.5,) * DIMS,
        "refused": {},
    }
    return table.AttributeTable(tuple(directions), readouts, table.TableMeta(**(meta | changes)))


def faces(folder: Path, *, count: int, seed: int = 0, noise: float = 0.3) -> np.ndarray:
    """Write a prepared folder of `count` faces, Eyeglasses mostly on smiling ones; returns their labels."""
    rng = np.random.default_rng(seed)
    smiling = rng.random(count) < 0.5
    glasses = np.where(smiling, rng.random(count) < 0.7, rng.random(count) < 0.3)
    hair = rng.integers(3, size=count)  # black, blond, neither
    labels = np.where(np.stack([smiling, glasses, hair == 0, hair == 1], axis=1), 1, -1).astype(np.int8)
    latents = noise * rng.standard_normal((count, DIMS))
    latents[:, : len(ATTRIBUTES)] += labels
    x = LinearSystem().decode(torch.from_numpy(latents).float())
    x = x + 0.05 * torch.from_numpy(rng.standard_normal(x.shape)).float()  # detail that no latent holds
    pixels = x.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", pixels)
    split = np.array(["train", "train", "valid", "test"])[np.arange(count) % 4]
    meta = FacesMeta(
        source="drawn", crop="face120", size=SIZE, channels=3, attributes=ATTRIBUTES, split_hash=LinearSystem.split_hash
    )
    columns: dict[str, object] = {
        "image_id": [f"{i:06d}.jpg" for i in range(count)],
        "row": np.arange(count, dtype=np.int32),
        "split": split,
        "identity": pa.nulls(count, pa.int32()),
        "sha256": [hashlib.sha256(str(i).encode()).hexdigest() for i in range(count)],
        "status": ["ok"] * count,
        "reason": [""] * count,
    }
    columns |= {name: labels[:, k] for k, name in enumerate(ATTRIBUTES)}
    write_table(folder / "faces.parquet", pa.Table.from_pydict(columns, schema=faces_schema(meta)))
    return labels


def rewrite_meta(prepared: Path, **changes: object) -> None:
    """Change what faces.parquet says of itself."""
    import pyarrow.parquet as pq

    rows = pq.read_table(prepared / "faces.parquet")
    meta = json.loads(rows.schema.metadata[b"facet"]) | changes
    write_table(prepared / "faces.parquet", rows.replace_schema_metadata({b"facet": json.dumps(meta).encode()}))
