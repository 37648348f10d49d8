"""The gate on a system whose every answer is known: the same model passes, a worse one is rejected with a reason."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from facet import systems
from facet.base.errors import InputError
from facet.base.tables import META_KEY, write_table
from facet.metrics.kid import kid
from facet.nights import gate
from tests.support.evaluated import linear
from tests.support.linear_system import LinearSystem


class Dim(LinearSystem):
    """Loses half of every region's brightness: reconstructions are off, and edits do less."""

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return super().decode(0.5 * latent)


class Leaky(LinearSystem):
    """Every edit of region 0 moves region 1 as well."""

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        moved = latent.clone()
        moved[:, 1] -= latent[:, 0]
        return super().decode(moved)


MODELS: dict[str, type[LinearSystem]] = {"linear": LinearSystem, "dim": Dim, "leaky": Leaky, "champion": LinearSystem}


@pytest.fixture(scope="module")
def linear_files(tmp_path_factory):
    """All that stages before the gate write, and a champion that is the linear system."""
    folder = tmp_path_factory.mktemp("gate")
    with linear(folder) as params:
        for name in MODELS:
            (folder / name).mkdir(exist_ok=True)
            shutil.copy(params.model / "model.json", folder / name / "model.json")
        shutil.copy(params.attributes, folder / "champion" / "attributes.parquet")
        for which in ("a", "b"):
            (folder / f"{which}.safetensors").write_bytes(which.encode())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(systems, "load", lambda model, device: MODELS[Path(model).name]())
            yield gate.Params(
                system="linear",
                prepared=params.prepared,
                judges=folder,
                candidate=folder / "linear",
                attributes=params.attributes,
                champion=folder / "champion",
                frozen=folder / "frozen.json",
                verdict=folder / "verdict.json",
                mode="add",
                least_success=0.5,
                success=0.02,
                preservation=0.02,
                reconstruction=0.03,
                kernel_distance=1.0,
                gap=0.05,
                faces=40,
                reconstructions=150,
                bootstrap=200,
                batch_size=64,
                seed=0,
                threads=1,
                device="cpu",
                precision="fp32",
            )


def verdict(params: gate.Params, **changes: object) -> dict:
    chosen = dataclasses.replace(params, **changes)
    gate.run(chosen)
    return json.loads(chosen.verdict.read_text())


def test_the_same_model_again_is_no_worse(linear_files):
    result = verdict(linear_files)
    assert result["promote"]
    assert {one["name"] for one in result["measures"]} == {
        "success",
        "preservation",
        "reconstruction",
        "kernel_distance",
    }
    for one in result["measures"]:
        assert one["candidate"] == one["champion"]
        assert one["difference"]["low"] == one["difference"]["high"] == 0
    assert result["test_faces"] == 200


@pytest.mark.parametrize(("name", "measure"), [("dim", "reconstruction"), ("leaky", "preservation")])
def test_a_worse_model_stays_out_with_the_reason(linear_files, name, measure):
    result = verdict(linear_files, candidate=linear_files.candidate.with_name(name))
    assert not result["promote"]
    assert any(reason.startswith(f"{measure.replace('_', ' ')} is worse") for reason in result["reasons"])
    worse = next(one for one in result["measures"] if one["name"] == measure)
    assert worse["difference"]["high"] < 0


def test_a_better_model_goes_live(linear_files, monkeypatch):
    monkeypatch.setitem(MODELS, "champion", Dim)
    result = verdict(linear_files)
    assert result["promote"]
    gains = {one["name"]: one["difference"]["low"] for one in result["measures"]}
    assert gains["reconstruction"] > 0
    assert gains["success"] > 0


def test_the_first_champion_needs_some_success(linear_files, tmp_path):
    first = verdict(linear_files, champion=tmp_path / "none")
    assert first["promote"]
    assert "edits of 4 attributes succeed; the first champion needs 50.0 %" in first["reasons"][0]
    assert not verdict(linear_files, champion=tmp_path / "none", least_success=1.01)["promote"]


def test_test_faces_are_frozen_by_the_first_gate(linear_files, tmp_path):
    params = dataclasses.replace(linear_files, frozen=tmp_path / "frozen.json", verdict=tmp_path / "verdict.json")
    before = verdict(params)
    grown = tmp_path / "prepared"
    shutil.copytree(params.prepared, grown)
    table = pq.read_table(grown / "faces.parquet")
    meta = table.schema.metadata[META_KEY]
    frame = table.to_pandas()
    later = frame.index[frame["split"] == "train"][:50]
    frame.loc[later, "split"] = "test"  # as if 50 new people had been delivered to the test split
    changed = table.set_column(2, table.schema.field(2), [frame["split"].tolist()])
    write_table(grown / "faces.parquet", changed.replace_schema_metadata({META_KEY: meta}))
    after = verdict(params, prepared=grown)
    assert after["test_faces"] == before["test_faces"]
    assert after["scores"] == before["scores"]
    frame.loc[frame.index[frame["split"] == "test"], "split"] = "train"
    lost = table.set_column(2, table.schema.field(2), [frame["split"].tolist()])
    write_table(grown / "faces.parquet", lost.replace_schema_metadata({META_KEY: meta}))
    with pytest.raises(InputError, match="frozen test faces"):
        gate.run(dataclasses.replace(params, prepared=grown))
    params.frozen.write_text("[]")
    with pytest.raises(InputError, match=r"frozen\.json is damaged"):
        gate.run(params)


def test_an_attribute_that_can_no_longer_be_edited_is_a_reason(linear_files, monkeypatch):
    real = gate.Exam.open

    def poorer(editor, *args, **kwargs):
        exam = real(editor, *args, **kwargs)
        if isinstance(editor.system, Dim):
            exam = dataclasses.replace(exam, reasons=dict(exam.reasons) | {"Eyeglasses": "no direction was estimated"})
        return exam

    monkeypatch.setattr(gate.Exam, "open", poorer)
    result = verdict(linear_files, candidate=linear_files.candidate.with_name("dim"))
    assert "Eyeglasses can no longer be edited: no direction was estimated" in result["reasons"]


def test_the_kernel_distance_s_difference_is_that_of_two_estimates(linear_files):
    rng = np.random.default_rng(0)
    real, own, theirs = rng.normal(size=(60, 8)), rng.normal(size=(60, 8)), rng.normal(0.5, 1, size=(60, 8))
    people = np.arange(60) // 2
    measure = gate._kernel_distance(linear_files, real, own, theirs, people)
    assert measure.candidate == pytest.approx(1000 * kid(real, own, people=people, other_people=people).value)
    assert measure.champion > measure.candidate + 100
    assert measure.difference.low > 0
    assert measure.difference.low < measure.difference.value < measure.difference.high
