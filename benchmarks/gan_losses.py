"""Ways to train the DCGAN generator, compared by the KID of their samples after the same computation.

    python benchmarks/gan_losses.py [--images 60000] [--seeds 1] [--only warm_r1 r1]

Needs data/prepared and data/judges (`dvc repro train_judge`). Each way gets as many multiply-adds as plain adversarial
steps on `--images` images, so its number of steps follows from its cost. KID is in judge B's features on the test
split; no judge takes part in training. The row `real` compares one half of the test images with the other."""

import argparse
import dataclasses
import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from facet import systems
from facet.base import compute, images
from facet.base.tables import read_faces
from facet.judges.judge import Judge
from facet.metrics.kid import kid, kid_floor
from facet.systems import dcgan
from facet.training.loop import Batch
from stages.train_gan import data_of

# Passes per image through a network of width `width`; gradients count as passes.
GENERATOR_COST, DISCRIMINATOR_COST = 3.0, 8.0  # G 3; D 3 + 3 + 2
PLAIN_COST = GENERATOR_COST + DISCRIMINATOR_COST
WARMUP_COST = 6.0  # encoder 3, decoder 3
TWO_RATES = {"learning_rate_g": 0.0001, "learning_rate_d": 0.0004}  # Heusel et al. 2017, usual with hinge and SN
SPECTRAL = {"norm": "spectral", "loss": "hinge", "r1_gamma": 0.0}
WAYS: dict[str, dict[str, Any]] = {
    "batch_norm": {"warmup": 0, "norm": "batch", "r1_gamma": 0.0},
    "r1": {"warmup": 0},
    "hinge_spectral": {"warmup": 0} | SPECTRAL | TWO_RATES,
    "warm_only": {"learning_rate_g": 0.0},
    "default": {},
    "warm_sharp": {"blur": False},
    "warm_augment": {"augment": True},
    "warm_r1_weak": {"r1_gamma": 0.1, "learning_rate_g": 0.0005, "learning_rate_d": 0.0005},
    "warm_hinge_spectral": SPECTRAL | TWO_RATES,
    "warm_slow_average": {"ema": 0.995},
    "warm_short": {"warmup": 600},
    "warm_narrow_critic": {"width_d": 16},
}


def plan(way: dict[str, Any], base: dict[str, Any], budget: int) -> dcgan.GanSettings:
    """The settings of one way with as many steps as the budget (images of plain adversarial steps) allows. A warm-up
    keeps its share of the computation."""
    chosen = base | way
    adversarial_cost = GENERATOR_COST + DISCRIMINATOR_COST * (chosen["width_d"] / chosen["width"]) ** 2
    per_step = chosen["batch_size"] * adversarial_cost
    total = budget * PLAIN_COST
    if chosen["warmup"]:
        warm, adversarial = chosen["warmup"] * WARMUP_COST, (chosen["steps"] - chosen["warmup"]) * adversarial_cost
        share = warm / (warm + adversarial)
        if chosen["learning_rate_g"] == 0:
            share = 1.0
        chosen["warmup"] = round(share * total / (chosen["batch_size"] * WARMUP_COST))
    else:
        share = 0.0
    chosen["steps"] = chosen["warmup"] + round((1 - share) * total / per_step)
    return dcgan.GanSettings(**chosen)


def train(settings: dcgan.GanSettings, data: systems.Data, pixels: Any, rows: Any, seed: int) -> dcgan.GanTrainer:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = dcgan.GanTrainer(settings, data, seed=seed, device=device, precision="auto")
    labels = torch.zeros(settings.batch_size, len(data.attributes), device=device)
    batches = images.batch_rows(rows, batch_size=settings.batch_size, seed=seed)
    for step, chosen in zip(range(1, settings.steps + 1), batches, strict=False):
        x = images.gather(pixels, chosen, images.flips(len(chosen), seed, step))
        trainer.step(step, Batch(x.to(device, memory_format=torch.channels_last), labels))
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--grids", type=Path, help="folder for a PNG of 64 samples of each way")
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS))
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    device = compute.start(device="auto", threads=options.threads)
    base = dict(yaml.safe_load(Path("params.yaml").read_text())["train_gan"]["dcgan"])
    base.pop("log_every")
    faces, pixels = read_faces(options.data / "prepared"), images.open_images(options.data / "prepared")
    judge = Judge.load(options.data / "judges", "b", device)
    real = judge.features(images.gather(pixels, faces.rows("test"))).cpu().numpy()
    people = faces.people()[faces.rows("test")]
    rows = [{"way": "real", **dataclasses.asdict(kid_floor(real, seed=1, people=people))}]
    for name in options.only:
        for seed in range(1, options.seeds + 1):
            settings = plan(WAYS[name], base, options.images)
            start = time.perf_counter()
            trainer = train(settings, data_of(faces, pixels.shape[-1]), pixels, faces.rows("train"), seed)
            seconds = time.perf_counter() - start
            for kind, network in (("raw", trainer.generator), ("ema", trainer.ema.network)):
                z = dcgan.sample_prior(settings.prior, options.samples, settings.z_dim, compute.generator(seed, 9))
                with torch.no_grad():
                    samples = torch.cat([network.eval()(part.to(device)) for part in z.split(100)])
                score = kid(real, judge.features(samples).cpu().numpy(), people=people)
                rows.append(
                    {"way": name, "weights": kind, "seed": seed, "steps": settings.steps, "warmup": settings.warmup,
                     "seconds": round(seconds), **dataclasses.asdict(score)}
                )  # fmt: skip
                if options.grids:
                    images.write_grid(
                        options.grids / f"{name}-{kind}-{seed}.png", images.to_pixels(samples[:64]), columns=8
                    )
            print(pd.DataFrame(rows).tail(2).to_string(index=False, header=False), flush=True)
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
