"""The settings of every system and encoder in params.yaml, reduced so that they train in a second."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from facet import systems
from facet.editing import table
from facet.editing.directions import Readout
from facet.refining import trainer
from stages import train_encoder, train_gan, train_refiner
from tests.support import tiny

PARAMS = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
LANDMARKS = (0.32, 0.46, 0.68, 0.46, 0.5, 0.64, 0.36, 0.8, 0.64, 0.8)  # a frontal face in its crop
SMALL = {
    "z_dim": 6, "width": 4, "width_d": 4, "width_e": 4, "hidden": 16, "hidden_z": 16, "hidden_y": 16, "kernels": 4,
    "warmup": 2, "batch_size": 8, "steps": 4, "ema": 0.9,
}  # fmt: skip


def settings_of(kind: type[Any], values: dict[str, Any], changes: dict[str, Any]) -> Any:
    """The dataclass `kind` from values of params.yaml, sizes as in SMALL, then `changes`."""
    names = {field.name for field in dataclasses.fields(kind)}
    small = {name: value for name, value in (SMALL | changes).items() if name in names}
    return kind(**({name: value for name, value in values.items() if name in names} | small))


def gan_settings(system: str, **changes: Any) -> Any:
    """Small GanSettings of a system."""
    return settings_of(systems.module(system).GanSettings, PARAMS["train_gan"][system], changes)


def gan_params(folder: Path, system: str, **changes: Any) -> train_gan.Params:
    """Stage `train_gan` of a system on tiny pictures, into folder/model."""
    return train_gan.Params(
        system=system, prepared=tiny.prepared(folder / "prepared"), model=folder / "model", history=folder / "gan.csv",
        samples=folder / "gan.png", resume=folder / "resume", log_every=2, seed=1, threads=1, device="cpu",
        precision="fp32", settings=gan_settings(system, **changes),
    )  # fmt: skip


def encoder_params(folder: Path, variant: str, **changes: Any) -> train_encoder.Params:
    """Stage `train_encoder` of a variant on top of folder/model, into folder/<variant>."""
    values = PARAMS["train_encoder"][variant]
    kind = systems.encoders(values["system"]).settings_class(variant)
    return train_encoder.Params(
        system=values["system"], variant=variant, gan=folder / "model", prepared=folder / "prepared",
        encoder=folder / variant, history=folder / "encoder.csv", samples=folder / "encoder.png",
        resume=folder / "resume_e", log_every=2, seed=1, threads=1, device="cpu", precision="fp32",
        settings=settings_of(kind, values, changes),
    )  # fmt: skip


def refiner_params(folder: Path, system: str, **changes: Any) -> train_refiner.Params:
    """Stage `train_refiner` of the system in folder/model, on tiny pictures of 128 pixels, into folder/refiner."""
    small = {"warmup": 2, "batch_size": 4, "r1_every": 2} | changes
    return train_refiner.Params(
        system=system, model=folder / model_of(system), prepared=tiny.prepared(folder / "prepared", large=128),
        refiner=folder / "refiner", history=folder / "refiner.csv", samples=folder / "refiner.png",
        resume=folder / "resume_r", log_every=2, seed=1, threads=1, device="cpu", precision="fp32",
        settings=settings_of(trainer.Settings, PARAMS["train_refiner"]["vigan"], small),
    )  # fmt: skip


def model_of(system: str) -> str:
    """The folder below the test's that holds the model params.yaml encodes with: `model`, or the encoder's variant."""
    path = Path(PARAMS["systems"][system]["model"])
    return "model" if path.parent.name == "models" else path.name


def train(folder: Path, system: str, **changes: Any) -> Path:
    """Train a small system, with its encoder if it has a separate one, and return the folder to load."""
    train_gan.run(gan_params(folder, system, **changes))
    if model_of(system) != "model":
        train_encoder.run(encoder_params(folder, model_of(system)))
    return folder / model_of(system)


def with_table(model: Path) -> Path:
    """The model with an attributes table of one made-up attribute in its folder."""
    system = systems.load(model, torch.device("cpu"))
    z, y = system.z_dim, system.y_dim
    vector = np.ones(z + y, np.float32)
    strengths = dict.fromkeys(table.LEVELS, 1.0)
    direction = table.Direction(
        attribute="Smiling", estimator="least_squares", chosen=True, vector=vector, standard_error=0 * vector,
        n_positive=1, n_negative=1, judged=True, add=strengths, remove=strengths, best=(None, None),
        fade=None, region=None, colours=None,
    )  # fmt: skip
    meta = table.TableMeta(
        system=system.name, crop=system.crop, split_hash=system.split_hash, z_dim=z, y_dim=y, mode="replace",
        max_strength=3.0, margin=1.1, latent_low=(-3.0,) * z, latent_high=(3.0,) * z, refused={}, landmarks=LANDMARKS,
    )  # fmt: skip
    own = table.AttributeTable((direction,), {"Smiling": Readout(vector, 0.0, 4.0, -4.0)}, meta)
    table.write(model / "attributes.parquet", own)
    return model
