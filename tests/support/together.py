"""The trainings that test_ranks.py runs on one process and on two: `torchrun -m tests.support.together FOLDER` trains
every case in FOLDER, whose prepared folders exist already."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import torch

from facet.nets import ranks
from stages import train_encoder, train_gan
from tests.support import small, tiny

BATCH_NORM = {"norm": "batch", "r1_gamma": 0.0, "warmup": 0}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "dcgan": ("dcgan", {}),
    "dcgan_paper": ("dcgan", BATCH_NORM | {"prior": "uniform", "generator_updates": 2}),
    "dcgan_spectral": ("dcgan", {"norm": "spectral", "warmup": 0}),
    "dcgan_r1_through_batch_norm": ("dcgan", {"norm": "batch", "warmup": 0}),
    "icgan": ("icgan", {}),
    "icgan_paper": ("icgan", BATCH_NORM | {"variant": "cs230"}),
    "ian": ("ian", {}),
    "ian_paper": ("ian", {"variant": "full", "norm": "batch", "iaf": "published", "warmup": 0}),
    "vigan": ("vigan", {}),
    "vigan_paper": ("vigan", BATCH_NORM | {"body": "paper", "residual": False}),
    "vigan_noise": ("vigan", {"noise": 0.2, "warmup": 1, "edits": 0.5}),
}
RATES = ("learning_rate", "learning_rate_d", "learning_rate_g", "learning_rate_v", "warmup_rate")
STILL = dict.fromkeys(
    RATES, 1e-9
)  # Adam turns rounding errors into whole steps, after which weights cannot be compared
STEPS = {"steps": 4, "r1_every": 2}
ENCODERS = {"dcgan": ("in_domain", "deep_conv"), "icgan": ("icgan_zy",)}


def train(folder: Path) -> None:
    """Train every case into folder/<case>, and a system's encoders beside the GAN of its plain case."""
    for case, (system, changes) in CASES.items():
        gan = small.gan_params(folder / case, system, **(STEPS | STILL | changes))
        train_gan.run(dataclasses.replace(gan, log_every=1))
        for variant in ENCODERS.get(case, ()):
            encoder = small.encoder_params(folder / case, variant, **STEPS, **STILL)
            history = folder / case / f"{variant}.csv"
            train_encoder.run(dataclasses.replace(encoder, log_every=1, history=history))


def prepare(folder: Path) -> None:
    """Write the prepared folders of all cases."""
    for case in CASES:
        tiny.prepared(folder / case / "prepared")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    tiny.prepared = lambda folder: folder
    train(Path(sys.argv[1]))
    assert ranks.count() == 2
    torch.distributed.destroy_process_group()
