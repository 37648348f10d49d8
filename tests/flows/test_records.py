"""`facet record`: what it keeps of reports/, what it leaves out, when it refuses."""

import json
import shutil
from pathlib import Path

import pytest

from facet.cli import main
from flows import profiles, records
from flows.records import RecordError, record

BASE = """\
# Drawn faces.
compute: {threads: 2}
source: {kind: drawn, root: facet/drawn}
train_gan:
  dcgan: {steps: 5}
  ian: {steps: 6}
train_encoder:
  fc: {system: dcgan, steps: 7}
  zy: {system: icgan, steps: 8}
systems:
  dcgan: {model: data/encoders/fc}
"""
NUMBER = {"value": 0.123456789, "low": 0.1, "high": 0.2, "n": 50}
SHORT = NUMBER | {"value": 0.123457}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose reports fit params.yaml by dvc's word."""
    monkeypatch.setattr(records, "stale_reasons", lambda root, target: [])
    reports = tmp_path / "reports"
    for folder in (tmp_path / "profiles", reports / "metrics", reports / "train"):
        folder.mkdir(parents=True)
    (tmp_path / "profiles/drawn.yaml").write_text(BASE)
    (tmp_path / "profiles/mnist.yaml").write_text("# Digits.\nsource: {kind: mnist}\n")
    profiles.apply(tmp_path, "drawn")
    judge = {"auroc": NUMBER, "balanced_accuracy": NUMBER, "calibration_error": NUMBER}
    judges = {"attributes": {"Smiling": {"judged": True, "a": judge, "b": judge}}}
    splits = {"train": {"images": 80}, "test": {"images": 9}}
    metrics = {
        "psnr": 20.5,
        "edits": [
            {
                "attribute": "Smiling",
                "direction": "add",
                "setting": setting,
                "success": NUMBER,
                "flips": NUMBER,
                "undo": 1,
            }
            for setting in ("target", "s80")
        ],
        "reconstruction": [
            {"name": "fc", "kind": "encoder", "l2": NUMBER, "mse": NUMBER},
            {"name": "FC", "kind": "paper"},
        ],
        "controls": [{"zero": NUMBER | {"value": 0.0}}, {"zero": NUMBER | {"value": 0.5}}],
        "entanglement": [{"attribute": "Smiling"}],
        "digits": [],
        "swaps": [{"attribute": "all", "swapped": NUMBER}],
    }
    (reports / "metrics/dcgan.json").write_text(json.dumps(metrics))
    (reports / "metrics/ian.json").write_text("left by another profile")
    (reports / "judges.json").write_text(json.dumps(judges))
    (reports / "data_card.json").write_text(
        json.dumps({"source": "drawn", "crop": "face120", "size": 64, "splits": splits, "examples": {"bad": ["a.jpg"]}})
    )
    (reports / "train/dcgan.csv").write_text("step,images_seen,pixel,generator\n10,80,0.4,\n20,160,0.3,1.5\n")
    (reports / "train/zy.csv").write_text("step,images_seen,z\n10,80,0.4\n")
    return tmp_path


def test_a_record_keeps_what_the_papers_pages_show_and_the_settings_of_each_system(root):
    path = record(root)
    assert path == root / "docs/records/drawn.json"
    value = json.loads(path.read_text())
    assert value["profile"] == "drawn"
    assert value["data"] == {"source": "drawn", "crop": "face120", "size": 64, "images": {"train": 80, "test": 9}}
    assert value["judges"]["attributes"][0]["auroc"] == SHORT
    assert list(value["systems"]) == ["dcgan"]
    system = value["systems"]["dcgan"]
    assert system["headline"] == {"psnr": 20.5}
    assert system["edits"] == [{"attribute": "Smiling", "direction": "add", "success": NUMBER, "flips": NUMBER}]
    assert system["reconstruction"] == [{"name": "fc", "kind": "encoder", "l2": NUMBER}]
    assert system["zero"] == [{"levels": 0.5}]
    assert system["swaps"] == [{"attribute": "all", "swapped": NUMBER}]
    assert not {"entanglement", "digits", "controls"} & system.keys()
    fc = {"fc": {"system": "dcgan", "steps": 7}}
    assert system["settings"] == {"train_gan": {"steps": 5}, "train_encoder": fc}
    assert [(row["run"], row["term"], row["last"], row["low"], row["first_step"]) for row in system["training"]] == [
        ("dcgan", "pixel", 0.3, 0.3, 10), ("dcgan", "generator", 1.5, 1.5, 20)
    ]  # fmt: skip


def test_the_same_run_gives_the_same_bytes_wherever_its_pictures_lie(root):
    profiles.apply(root, "mnist", ["source.root=/mnt/a", "compute.threads=1"])
    first = record(root).read_bytes()
    assert b"/mnt" not in first
    assert json.loads(first)["changes"] == ["compute.threads=1"]
    profiles.apply(root, "mnist", ["source.root=/mnt/b", "compute.threads=1"])
    assert record(root).read_bytes() == first


def test_other_numbers_have_another_hash_and_need_a_name(root):
    first = json.loads(record(root).read_text())["params_sha256"]
    profiles.apply(root, "drawn", ["train_gan.dcgan.steps=9"])
    with pytest.raises(RecordError, match=r"drawn with train_gan\.dcgan\.steps=9; give the record a name"):
        record(root)
    value = json.loads(record(root, "longer").read_text())
    assert value["changes"] == ["train_gan.dcgan.steps=9"]
    assert value["params_sha256"] != first


def test_params_edited_by_hand_need_a_name_that_is_one(root):
    (root / "params.yaml").write_text(BASE.replace("steps: 5", "steps: 55"))
    with pytest.raises(RecordError, match="values of no profile"):
        record(root)
    with pytest.raises(RecordError, match=r"'\.\./a'.*letters"):
        record(root, "../a")
    assert json.loads(record(root, "by-hand").read_text())["profile"] is None


def test_reports_that_do_not_fit_params_yaml_are_refused_in_one_line(root, monkeypatch, capsys):
    monkeypatch.setattr(records, "stale_reasons", lambda root, target: ["stage evaluate@dcgan has not run", "another"])
    assert main(["record", "--root", str(root)]) == 2
    error = capsys.readouterr().err
    assert "stage evaluate@dcgan has not run and 1 more; run `dvc repro`" in error
    assert error.count("\n") == 1
    assert not (root / "docs").exists()


@pytest.mark.parametrize("missing", ["metrics/dcgan.json", "judges.json", "data_card.json"])
def test_a_report_that_is_missing_is_named(root, missing, capsys):
    (root / "reports" / missing).unlink()
    assert main(["record", "--root", str(root)]) == 2
    assert f"{missing} is missing" in capsys.readouterr().err


def speed(root, **changes):
    path = root / "speed.json"
    path.write_text(json.dumps({"machine": "a desk", "profile": "drawn", "rows": []} | changes))
    return path


def test_speed_of_the_profile_is_kept_and_stays_while_the_numbers_stay(root):
    path = record(root, speed=speed(root))
    assert json.loads(path.read_text())["speed"]["machine"] == "a desk"
    assert "speed" in json.loads(record(root).read_text())
    profiles.apply(root, "drawn", ["train_gan.dcgan.steps=9"])
    shutil.copy(path, path.with_name("longer.json"))
    assert "speed" not in json.loads(record(root, "longer").read_text())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"profile": "celeba"}, "measured at profile celeba, the run is drawn; run .*--profile drawn"),
        (None, "no speeds"),
        ({"rows": [{"system": "dcgan", "images_per_second": "fast"}]}, "cannot be shown on a page"),
    ],
)
def test_speed_of_another_profile_or_file_is_refused(root, changes, message):
    path = speed(root, **(changes or {}))
    if changes is None:
        path.write_text("[]")
    with pytest.raises(RecordError, match=message):
        record(root, speed=path)
    with pytest.raises(RecordError, match="cannot be read"):
        record(root, speed=root / "none.json")


def test_the_list_tells_system_and_data_of_every_record(root, capsys):
    assert main(["record", "list", "--root", str(root)]) == 0
    assert "no record yet" in capsys.readouterr().out
    record(root)
    assert main(["record", "list", "--root", str(root)]) == 0
    assert capsys.readouterr().out == "drawn            dcgan on 80 drawn images, 64 x 64\n"
