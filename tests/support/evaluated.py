"""Stage `evaluate` on a system whose every answer is known (linear_system.py): its parameters, with all that it reads
written, and the patches that put the linear system in the place of trained ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from facet import systems
from facet.base.tables import read_faces
from facet.judges.judge import Judge
from stages import attributes, encode, evaluate
from tests.support import tiny
from tests.support.linear_system import ATTRIBUTES, LinearJudge, LinearSystem, faces


class FullJudge(LinearJudge):
    """LinearJudge with all that an evaluation asks of a judge."""

    def logits(self, x: Tensor) -> Tensor:
        return 3 * LinearSystem().encode(x)[:, : len(ATTRIBUTES)]

    def predict(self, x: Tensor) -> Tensor:
        return self.probabilities(x) >= self.thresholds

    def features(self, x: Tensor) -> Tensor:
        return LinearSystem().encode(x)


class LinearModule:
    """In the place of a system's module: draws from N(0, I)."""

    @staticmethod
    def prior(folder: Path, device: torch.device):
        return systems.Prior(
            "z ~ N(0, I)", lambda count, random: torch.randn(count, LinearSystem.z_dim, generator=random)
        )


class DescribedSystem(LinearSystem):
    """LinearSystem whose latent is z, then a description: the regions of the attributes."""

    z_dim, y_dim = LinearSystem.z_dim - len(ATTRIBUTES), len(ATTRIBUTES)

    def encode(self, x: Tensor) -> Tensor:
        return super().encode(x).roll(-self.y_dim, 1)

    def decode(self, latent: Tensor) -> Tensor:
        return super().decode(latent.roll(self.y_dim, 1))


@contextmanager
def linear(
    folder: Path, *, system: type[LinearSystem] = LinearSystem, real: str | None = None
) -> Iterator[evaluate.Params]:
    """Everything written below `folder`, laid out as by dvc.yaml; patches hold until the block ends. `real`: the
    attribute to be real-valued."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(systems, "load", lambda folder, device: system())
        patch.setattr(systems, "module", lambda name: LinearModule)
        patch.setattr(Judge, "load", lambda *args, **kwargs: FullJudge())
        patch.setattr(attributes, "landmarks_of", lambda crops: None)  # these pictures show no face to search for
        faces(folder / "data" / "prepared", count=800)
        if real is not None:  # 2 to 3 for absent, 4 to 5 for present
            signs = read_faces(folder / "data" / "prepared").table[real]
            values = 3.5 + signs + np.random.default_rng(0).uniform(-0.5, 0.5, len(signs))
            tiny.make_real(folder / "data" / "prepared", real, values, (2.0, 5.0))
        (folder / "data" / "encoders" / "linear").mkdir(parents=True)
        (folder / "data" / "encoders" / "linear" / "model.json").write_text('{"system": "linear"}')
        (folder / "data" / "encoders" / "stranger").mkdir()
        (folder / "data" / "encoders" / "stranger" / "model.json").write_text('{"system": "another"}')
        common = {"batch_size": 64, "threads": 1, "device": "cpu", "precision": "fp32"}
        encode.run(
            encode.Params(
                model=folder / "data" / "encoders" / "linear",
                prepared=folder / "data" / "prepared",
                latents=folder / "data" / "latents",
                **common,
            )
        )
        attributes.run(
            attributes.Params(
                latents=folder / "data" / "latents",
                prepared=folder / "data" / "prepared",
                model=folder / "data" / "encoders" / "linear",
                judges=folder,
                attributes=folder / "data" / "attributes" / "linear.parquet",
                report=folder / "reports" / "attributes" / "linear.json",
                estimators=("least_squares",),
                min_count=20,
                ridge=1e-6,
                validation_faces=1000,
                calibration_faces=40,
                max_strength=3.0,
                strengths=12,
                margin=1.1,
                mode="add",
                seed=0,
                **common,
            )
        )
        yield evaluate.Params(
            system="linear",
            prepared=folder / "data" / "prepared",
            model=folder / "data" / "encoders" / "linear",
            gan=folder,
            encoders=folder / "data" / "encoders",
            latents=folder / "data" / "latents",
            attributes=folder / "data" / "attributes" / "linear.parquet",
            judges=folder,
            metrics=folder / "reports" / "metrics" / "linear.json",
            plots=folder / "reports" / "plots" / "linear",
            exhibits=folder / "data" / "exhibits" / "linear",
            faces=30,
            reconstructions=100,
            samples=80,
            strokes=20,
            semi_supervised=2,
            graded=20,
            strengths=(0.5, 1.0, 1.5),
            mode="add",
            bootstrap=60,
            seed=0,
            **common,
        )
