"""Small judges: flags of `train_judge` for tiny networks, prepared images that plainly show their attributes."""

from pathlib import Path

import numpy as np

from stages import train_judge
from tests.support import tiny


def judge_params(folder: Path, **changes: object) -> train_judge.Params:
    values: dict[str, object] = {
        "prepared": folder / "prepared", "judges": folder / "judges", "card": folder / "judges.json",
        "history": folder / "judges.csv", "resume": folder / "resume", "log_every": 5, "steps": 25, "batch_size": 8,
        "width_a": 4, "width_b": 4, "flip": True, "learning_rate": 0.01, "weight_decay": 0.01, "dropout": 0.1,
        "label_smoothing": 0.02, "min_balanced_accuracy": 0.8, "min_auroc": 0.9, "seed": 1, "threads": 1,
        "device": "cpu", "precision": "fp32",
    }  # fmt: skip
    return train_judge.Params(**(values | changes))  # type: ignore[arg-type]


def trained_judges(folder: Path) -> Path:
    """`folder` with prepared images and the outs of `train_judge`."""
    tiny.prepared(folder / "prepared", count=160, size=32)
    train_judge.run(judge_params(folder))
    return folder


def graded(folder: Path) -> Path:
    """A prepared folder whose Bright is real-valued: a quarter (10) to three (30) of the picture are white, unknown for
    some; Red stays an attribute of two states."""
    prepared = tiny.prepared(folder, count=240, size=16)
    pixels = np.load(prepared / "images.npy")
    bright = np.random.default_rng(3).uniform(10, 30, len(pixels)).astype(np.float32)
    height = np.clip(bright[:, None] / 40 * 16 - np.arange(16), 0, 1)[:, :, None, None]  # share of each row
    np.save(prepared / "images.npy", np.maximum(pixels, 255 * height).astype(np.uint8))
    bright[::9] = np.nan
    tiny.make_real(prepared, "Bright", bright, (10.0, 30.0))
    return prepared
