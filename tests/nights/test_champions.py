"""One pointer names the live model; however a promotion ends, that is the model before or the new one."""

import functools
import json
import shutil
import threading
from pathlib import Path

import pytest

from facet.base.errors import InputError
from facet.cli import main
from facet.nights import promotion
from facet.nights.champions import POINTER, TABLE, Champions, digest_of, live_paths
from facet.photos.folder.open_job import folder_hash
from tests.support.dying import kills


def trained(root: Path, content: str) -> tuple[Path, Path]:
    """A model folder and a table, of any content."""
    folder = root / "data" / "models" / "vigan"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps({"system": "vigan"}))
    (folder / "weights.safetensors").write_text(content)
    table = root / "data" / "attributes" / "vigan.parquet"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text(f"table of {content}")
    (root / "params.yaml").write_text("systems:\n  vigan: {model: data/models/vigan}\n")
    return folder, table


def test_promotion_rollback_and_their_history(tmp_path):
    store = Champions(tmp_path / "champions")
    assert store.live("vigan") is None
    with pytest.raises(InputError, match="no champion of vigan"):
        store.folder("vigan")
    first = store.promote("vigan", *trained(tmp_path, "one"), {"scores": {"success": 0.9}}, why="first")
    second = store.promote("vigan", *trained(tmp_path, "two"), {}, why="better")
    assert store.versions("vigan") == [first, second]
    assert store.live("vigan") == second
    assert (store.folder("vigan") / "weights.safetensors").read_text() == "two"
    assert (store.folder("vigan", first) / TABLE).read_text() == "table of one"
    assert store.rollback("vigan") == first
    assert store.promote("vigan", *trained(tmp_path, "two"), {}, why="again") == second
    assert store.versions("vigan") == [first, second]
    assert [(change.before, change.version, change.why) for change in store.changes()] == [
        (None, first, "first"), (first, second, "better"), (second, first, "rolled back"), (first, second, "again"),
    ]  # fmt: skip
    assert store.card("vigan", first)["scores"] == {"success": 0.9}
    folder = store.folder("vigan", first)
    assert digest_of(folder, folder / TABLE) == store.card("vigan", first)["sha256"]


def test_a_champion_carries_its_refiner(tmp_path):
    store, (model, table) = Champions(tmp_path / "champions"), trained(tmp_path, "one")
    plain = promotion.promote(tmp_path, store, "vigan", {}, why="without one")
    assert not (store.folder("vigan") / "refiner").exists()
    (tmp_path / "params.yaml").write_text("systems:\n  vigan: {model: data/models/vigan}\ntrain_refiner: {vigan: {}}\n")
    with pytest.raises(InputError, match="stage `train_refiner@vigan` writes it"):
        promotion.promote(tmp_path, store, "vigan", {}, why="too early")
    refiner = tmp_path / "data" / "refiners" / "vigan"
    refiner.mkdir(parents=True)
    for name in ("model.json", "weights.safetensors"):
        (refiner / name).write_text(f"refiner {name}")
    version = promotion.promote(tmp_path, store, "vigan", {}, why="with one")
    assert version != plain
    folder = store.folder("vigan")
    assert (folder / "refiner" / "weights.safetensors").read_text() == "refiner weights.safetensors"
    assert digest_of(folder, folder / TABLE) == digest_of(model, table, refiner) == store.card("vigan")["sha256"]
    assert store.fault("vigan") == ""
    (folder / "refiner" / "weights.safetensors").write_text("torn")
    assert "damaged" in store.fault("vigan")


@pytest.mark.parametrize("version", ["..", ".", "000009-missing", "../ian"])
def test_only_a_version_can_be_made_live(version, tmp_path):
    store = Champions(tmp_path / "champions")
    first = store.promote("vigan", *trained(tmp_path, "one"), {}, why="first")
    with pytest.raises(InputError, match=f"is no version of vigan; there are {first}"):
        store.rollback("vigan", version)
    assert store.live("vigan") == first


def test_a_promotion_that_is_killed_anywhere_leaves_the_champion_loadable(tmp_path):
    store = Champions(tmp_path / "champions")
    first = store.promote("vigan", *trained(tmp_path, "one"), {}, why="first")
    new = trained(tmp_path, "two")
    promote = functools.partial(store.promote, "vigan", *new, {}, why="better")
    for kill in kills("replace", "mkdir", "write_text", least=4):
        kill(promote)
        live = store.live("vigan")
        assert (store.folder("vigan") / "weights.safetensors").read_text() == ("one" if live == first else "two")
    assert (store.folder("vigan") / "weights.safetensors").read_text() == "two"
    assert len(store.versions("vigan")) == 2


def test_two_promotions_at_once_do_not_lose_each_other(tmp_path):
    store = Champions(tmp_path / "champions")
    made = [trained(tmp_path / str(number), str(number)) for number in range(8)]
    threads = [
        threading.Thread(target=store.promote, args=(f"s{number % 2}", *new, {}), kwargs={"why": str(number)})
        for number, new in enumerate(made)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(change.why for change in store.changes()) == [str(number) for number in range(8)]
    assert [len(store.versions(f"s{number}")) for number in range(2)] == [4, 4]


def test_prune_spares_the_live_version_and_the_one_before(tmp_path):
    store = Champions(tmp_path / "champions")
    versions = [store.promote("vigan", *trained(tmp_path, str(number)), {}, why="") for number in range(5)]
    store.rollback("vigan", versions[1])
    assert store.prune("vigan", keep=1, dry_run=True) == versions[2:4]
    assert store.prune("vigan", keep=1) == versions[2:4]
    assert store.versions("vigan") == [versions[0], versions[1], versions[4]]
    assert store.rollback("vigan") == versions[0]


def test_edits_follow_the_champion(tmp_path, capsys):
    model, table = trained(tmp_path, "one")
    assert live_paths(tmp_path, "vigan") == (model, table)
    assert main(["champion", "promote", "vigan", "--root", str(tmp_path), "--why", "tried"]) == 0
    trained(tmp_path, "two")
    folder, table = live_paths(tmp_path, "vigan")
    assert (folder / "weights.safetensors").read_text() == "one"
    assert table == folder / TABLE
    assert main(["champion", "list", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"* vigan  {folder.name}")
    assert main(["champion", "show", "vigan", "--root", str(tmp_path)]) == 0
    assert "tried" in capsys.readouterr().out
    assert main(["champion", "rollback", "vigan", "--root", str(tmp_path)]) == 2
    assert "no champion before" in capsys.readouterr().err
    assert main(["champion", "promote", "dragan", "--root", str(tmp_path)]) == 2
    assert "choose one of vigan" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["{", "[1]", '{"live": 3, "changes": []}', ""])
def test_a_damaged_pointer_is_named_and_can_be_made_anew(tmp_path, damage, capsys):
    store = Champions(tmp_path / "champions")
    store.promote("vigan", *trained(tmp_path, "one"), {}, why="")
    newest = store.promote("vigan", *trained(tmp_path, "two"), {}, why="")
    (tmp_path / "champions" / POINTER).write_text(damage)
    with pytest.raises(InputError, match=r"champion\.json is damaged"):
        store.live("vigan")
    assert main(["champion", "rebuild", "--root", str(tmp_path)]) == 0
    assert f"vigan {newest} is live" in capsys.readouterr().out
    assert store.live("vigan") == newest


def test_a_missing_champion_is_reported(tmp_path, capsys):
    store = Champions(tmp_path / "champions")
    store.promote("vigan", *trained(tmp_path, "one"), {}, why="")
    store.promote("vigan", *trained(tmp_path, "two"), {}, why="")
    assert store.fault("vigan") == ""
    shutil.rmtree(store.folder("vigan"))
    assert "facet champion rollback vigan" in store.fault("vigan")
    assert main(["champion", "list", "--root", str(tmp_path)]) == 0
    assert "is missing or damaged" in capsys.readouterr().out
    store.rollback("vigan")
    assert store.fault("vigan") == ""


def test_junk_beside_weights_changes_neither_a_champion_nor_the_photos_it_edits(tmp_path):
    model, table = trained(tmp_path, "one")
    before = digest_of(model, table), folder_hash(model)
    for name in ("._weights.safetensors", ".DS_Store", "Thumbs.db"):
        (model / name).write_bytes(b"left by a machine")
    assert (digest_of(model, table), folder_hash(model)) == before
