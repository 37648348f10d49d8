"""Drift: no alert without a change, however many dimensions there are; what changed is named."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from facet import systems
from facet.base import images
from facet.base.tables import read_faces, write_table
from facet.nights import drift
from facet.nights.drift import compare, stability
from tests.support.linear_system import LinearSystem, faces


class Memorising(LinearSystem):
    """Codes training photos unlike all others, as an encoder does that was trained on them long enough: further out."""

    seen: set[bytes]

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        known = torch.tensor([photo.numpy().tobytes() in self.seen for photo in x])
        return torch.where(known[:, None], 3.0, 1.0) * super().encode(x)


def test_newcomers_are_compared_with_people_held_out_of_training(tmp_path, monkeypatch):
    faces(tmp_path / "prepared", count=800)
    table = pq.read_table(tmp_path / "prepared" / "faces.parquet")
    names = [f"shard-2/{i}.jpg" if i >= 600 else f"shard-1/{i}.jpg" for i in range(800)]
    write_table(tmp_path / "prepared" / "faces.parquet", table.set_column(0, table.schema.field(0), [names]))
    read, pixels = read_faces(tmp_path / "prepared"), images.open_images(tmp_path / "prepared")
    trained = read.rows("train")
    Memorising.seen = {x.numpy().tobytes() for x in images.gather(pixels, trained[trained < 600])}
    monkeypatch.setattr(systems, "load", lambda model, device: Memorising())
    params = drift.Params(
        prepared=tmp_path / "prepared", champion=tmp_path, shard="shard-2", report=tmp_path / "drift.json",
        batch_size=64, seed=0, threads=1, device="cpu", precision="fp32",
    )  # fmt: skip
    drift.run(params)
    report = json.loads(params.report.read_text())
    assert (report["people"], report["reference"], report["alert"]) == (200, 150, False)
    assert report["summary"].startswith("no drift in 200 new people")


def people(seed: int, count: int, *, shift: float = 0.0, smiling: float = 0.5):
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(count, 40))
    latents[:, 7] += shift
    labels = {"Smiling": np.where(rng.random(count) < smiling, 1, -1), "Male": np.where(rng.random(count) < 0.4, 1, -1)}
    return latents, labels


@pytest.mark.slow
def test_the_same_people_again_are_no_drift():
    reference, before = people(0, 5000)
    alerts = 0
    for seed in range(1, 21):
        latents, now = people(seed, 100)
        found = compare(reference, latents, before, now)
        alerts += found.alert
        assert found.psi_mean < 0.05
    assert alerts <= 1


@pytest.mark.slow
def test_what_moved_is_named_first():
    reference, before = people(0, 5000)
    latents, now = people(1, 300, shift=1.5, smiling=0.9)
    found = compare(reference, latents, before, now)
    assert found.alert
    assert [row["name"] for row in found.dimensions if row["shifted"]] == ["z7"]
    assert [row["name"] for row in found.attributes if row["shifted"]] == ["Smiling"]
    assert "z7" in str(found)
    assert "Smiling 49 -> 92 %" in str(found)


@pytest.mark.slow
def test_too_few_pictures_say_nothing():
    reference, before = people(0, 5000)
    latents, now = people(1, 12, shift=9.0)
    found = compare(reference, latents, before, now)
    assert not found.alert
    assert str(found) == "12 new people are too few for a comparison"
    few = compare(reference[:12], people(1, 300)[0], before, now)
    assert str(few) == "12 people held out of training are too few for a comparison"


@pytest.mark.slow
def test_stability_of_a_known_shift():
    """A normal moved by its standard deviation has a PSI near 1 (the symmetric Kullback-Leibler divergence, binned)."""
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(100_000, 2))
    moved = rng.normal((1.0, 0.0), size=(100_000, 2))
    psi = stability(reference, moved)
    assert 0.8 < psi[0] < 1.0
    assert psi[1] < 1e-3
