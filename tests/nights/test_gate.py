"""The gate on a system whose every answer is known: the same model passes, a worse one is rejected with a reason."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from facet import systems
from facet.base.errors import InputError
from facet.base.tables import read_faces, write_table
from facet.metrics.kid import kid, kid_floor
from facet.nights import comparison, gate
from facet.nights.champions import Champions
from facet.nights.frozen_faces import frozen_faces
from facet.nights.standards import spared, standards
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
                store=folder / "champions",
                frozen=folder / "frozen.json",
                verdict=folder / "verdict.json",
                mode="add",
                least_success=0.5,
                success=0.02,
                preservation=0.02,
                reconstruction=0.03,
                kernel_distance_floors=0.5,
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
    assert result["test_faces"] == result["test_people"] == 100  # the other half is the reserve
    assert result["standards"] == []  # the store is empty


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


def rewritten(prepared: Path, folder: Path, splits: Callable[[pd.Series], pd.Series]) -> Path:
    """A copy of a prepared folder with other splits."""
    if not folder.exists():
        shutil.copytree(prepared, folder)
    table = pq.read_table(prepared / "faces.parquet")
    split = splits(table.column("split").to_pandas())
    changed = table.set_column(2, table.schema.field(2), [split.tolist()])
    write_table(folder / "faces.parquet", changed)
    return folder


def test_test_faces_are_frozen_by_the_first_gate(linear_files, tmp_path):
    params = dataclasses.replace(linear_files, frozen=tmp_path / "frozen.json", verdict=tmp_path / "verdict.json")
    before = verdict(params)
    # as if 50 new people had been delivered to the test split
    grown = rewritten(
        params.prepared, tmp_path / "grown", lambda split: split.mask(split.eq("train") & (split.index < 100), "test")
    )
    after = verdict(params, prepared=grown)
    assert after["test_faces"] == before["test_faces"]
    assert after["scores"] == before["scores"]
    lost = rewritten(params.prepared, tmp_path / "lost", lambda split: split.replace("test", "train"))
    with pytest.raises(InputError, match="frozen test faces"):
        gate.run(dataclasses.replace(params, prepared=lost))
    params.frozen.write_text("[]")
    with pytest.raises(InputError, match=r"frozen\.json is damaged"):
        gate.run(params)
    params.frozen.write_text('{"sha256": [], "reserve": ["a"]}')
    with pytest.raises(InputError, match="1 faces of the reserve are not among the frozen ones"):
        gate.run(params)


def test_the_reserve_is_half_of_the_people_and_shares_none_with_the_nightly_faces(linear_files, tmp_path):
    table = pq.read_table(linear_files.prepared / "faces.parquet")
    people = pa.array(np.arange(800) // 16, pa.int32())  # four photos of each in the test split
    shutil.copytree(linear_files.prepared, tmp_path / "prepared")
    write_table(tmp_path / "prepared" / "faces.parquet", table.set_column(3, table.schema.field(3), people))
    faces = read_faces(tmp_path / "prepared")
    frozen = frozen_faces(faces, tmp_path / "frozen.json", seed=1)
    parts = [faces.people()[part.rows("test")] for part in (frozen.nightly, frozen.reserve)]
    assert [len(part) for part in parts] == [100, 100]
    assert [len(np.unique(part)) for part in parts] == [25, 25]
    assert not np.isin(*parts).any()
    again = frozen_faces(faces, tmp_path / "frozen.json", seed=2)
    assert again.reserve.rows("test").tolist() == frozen.reserve.rows("test").tolist()


def test_frozen_faces_of_a_version_without_reserve_are_kept_and_halved(linear_files, tmp_path):
    path, faces = tmp_path / "frozen.json", read_faces(linear_files.prepared)
    hashes = faces.ok["sha256"].to_numpy()[faces.rows("test")[:60]].tolist()
    path.write_text(json.dumps({"sha256": hashes}))
    frozen = frozen_faces(faces, path, seed=1)
    assert len(frozen.nightly.rows("test")) == len(frozen.reserve.rows("test")) == 30
    content = json.loads(path.read_text())
    assert content["sha256"] == sorted(hashes)
    assert len(content["reserve"]) == 30


def test_too_few_test_people_are_refused_before_anything_is_frozen(linear_files, tmp_path):
    few = rewritten(
        linear_files.prepared,
        tmp_path / "few",
        lambda split: split.mask(split.eq("test") & (split.index > 40), "train"),
    )
    path = tmp_path / "frozen.json"
    with pytest.raises(InputError, match="test faces of 10 people are too few for a gate; at least 12 are needed"):
        frozen_faces(read_faces(few), path, seed=1)
    assert not path.exists()


def champions(params: gate.Params, *names: str) -> Champions:
    """A store whose versions are these models, promoted in this order by their own verdicts of the gate."""
    store = Champions(params.store)
    for name in names:
        judged = verdict(params, candidate=params.candidate.with_name(name), champion=params.store / "none")
        folder = params.candidate.with_name(name)
        (folder / "weights.safetensors").write_text(name)
        store.promote("linear", folder, params.attributes, {"scores": judged["scores"], "verdict": judged}, why="")
    return store


def test_champions_cannot_creep_down_below_the_best_and_the_first(linear_files, tmp_path, monkeypatch):
    """A candidate as good as a weak champion stays out if a better one was live before."""
    store = champions(dataclasses.replace(linear_files, store=tmp_path / "store"), "linear", "dim")
    monkeypatch.setattr(systems, "load", lambda model, device: named(Path(model))())
    weak = dataclasses.replace(
        linear_files,
        store=store.root,
        champion=store.folder("linear"),
        candidate=linear_files.candidate.with_name("dim"),
    )
    first = store.versions("linear")[0]
    result = verdict(weak)
    assert all(one["holds"] for one in result["measures"])
    assert not result["promote"]
    (standard,) = result["standards"]  # the best is the first
    assert (standard["version"], standard["faces"]) == (first, 100)
    assert standard["against"] == "the first champion and the best champion so far"
    assert any(
        reason.startswith(f"against {standard['against']} ({first}), success is worse") for reason in result["reasons"]
    )
    good = verdict(weak, candidate=linear_files.candidate)
    assert good["promote"]
    assert good["reasons"][-1] == f"nor worse than {standard['against']} ({first}) on 100 faces kept for that"


def test_an_earlier_champion_of_another_crop_is_left_out_and_named(linear_files, tmp_path, monkeypatch):
    store = champions(dataclasses.replace(linear_files, store=tmp_path / "store"), "linear")
    (first,) = store.versions("linear")

    class Other(LinearSystem):
        crop = "dcgan108"

    def load(model, device):
        return Other() if Path(model).parent == store.root / "linear" else LinearSystem()

    monkeypatch.setattr(systems, "load", load)
    result = verdict(linear_files, store=store.root)
    assert result["promote"]
    assert result["standards"] == []
    assert result["reasons"][-1].startswith(
        f"not compared with the first champion and the best champion so far ({first})"
    )
    assert "dcgan108" in result["reasons"][-1]


def named(model: Path) -> type[LinearSystem]:
    """The system in a folder, by its name or, in a store, by its weights."""
    weights = model / "weights.safetensors"
    return MODELS[weights.read_text() if weights.exists() else model.name]


def test_the_best_has_the_highest_success_by_the_same_judges_and_was_not_rolled_back(tmp_path):
    store = Champions(tmp_path / "champions")
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.json").write_text("{}")
    (tmp_path / "table").write_text("t")

    def promoted(success: float | None, judges: str = "j", frozen: str = "f") -> str:
        (model / "weights.safetensors").write_text(str((success, judges, frozen)))
        card = {"scores": {"success": success}, "verdict": {"judges": judges, "frozen": frozen}}
        return store.promote("ian", model, tmp_path / "table", card, why="")

    assert standards(store, "ian", judges="j", frozen="f") == {}
    first = promoted(None)
    assert standards(store, "ian", judges="j", frozen="f") == {"reference": first}
    good, _, _, last = promoted(0.9), promoted(0.99, judges="k"), promoted(0.98, frozen="g"), promoted(0.8)
    found = {"reference": first, "best": good}
    assert standards(store, "ian", judges="j", frozen="f") == found
    better = promoted(0.95)
    assert standards(store, "ian", judges="j", frozen="f")["best"] == better
    store.rollback("ian", last)
    assert standards(store, "ian", judges="j", frozen="f") == found
    assert {first, good} < spared(store, "ian")
    store.rollback("ian", better)
    assert standards(store, "ian", judges="j", frozen="f")["best"] == better


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
    measure = comparison._kernel_distance(linear_files, real, own, theirs, people)
    mine, other = (kid(real, one, people=people, other_people=people).value for one in (own, theirs))
    assert measure.candidate == pytest.approx(1000 * mine)
    assert measure.champion == pytest.approx(1000 * other)
    assert measure.difference.value == pytest.approx(1000 * (other - mine))
    assert 0 < measure.difference.low < measure.difference.value < measure.difference.high


def test_the_kernel_distance_s_tolerance_is_in_units_of_its_floor(linear_files):
    """Features in another unit of the kernel change what may be lost as they change what chance makes."""
    rng = np.random.default_rng(0)
    real, own = rng.normal(size=(80, 8)), rng.normal(0.1, 1, size=(80, 8))
    tolerances = []
    for size in (1.0, 3.0):
        measure = comparison._kernel_distance(linear_files, size * real, size * own, size * own, np.arange(80))
        floor = kid_floor(size * real, seed=linear_files.seed, people=np.arange(80))
        half = 1000 * (floor.high - floor.low) / 2
        assert measure.tolerance == pytest.approx(linear_files.kernel_distance_floors * half)
        assert (measure.floor.low, measure.floor.high) == pytest.approx((1000 * floor.low, 1000 * floor.high))
        assert measure.to_json()["floor"]["n"] == 40
        tolerances.append(measure.tolerance)
    assert tolerances[1] > 5 * tolerances[0]
