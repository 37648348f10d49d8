"""Intake: good photos become a shard, bad ones go to quarantine, nothing is lost."""

import dataclasses
import functools
import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facet.base.errors import InputError
from facet.base.files import write_json
from facet.cli import main
from facet.nights import leaving, quarantine
from facet.nights.intake import IntakeSettings, split_of, take_in
from facet.sources import shards
from facet.sources.tree import open_tree
from stages import source
from tests.support import nights
from tests.support.dying import kills
from tests.support.photographs import jpeg
from tests.support.pictures import write_celeba


@pytest.fixture
def settings(tmp_path):
    return IntakeSettings(
        drop=tmp_path / "drop", root=tmp_path / "faces", quarantine=tmp_path / "quarantine", settle=0.0
    )


def deliver(folder: Path, seeds: range, *, head: str = "file,identity,Smiling,Male", rows: str = "") -> None:
    """Write photos and their labels to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [head]
    for seed in seeds:
        (folder / f"{seed}.jpg").write_bytes(jpeg(seed=seed))
        lines.append(f"{seed}.jpg,p{seed % 7},{seed % 2},{seed % 3 % 2}" if not rows else rows.format(seed=seed))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def everything(settings: IntakeSettings) -> pd.DataFrame:
    return shards.read(settings.root).table


def test_the_first_delivery_makes_the_data_set_and_leaves_an_empty_drop_folder(settings):
    deliver(settings.drop, range(20))
    report = take_in(settings, "2026-11-27")
    assert (report.shard, report.taken, report.people, report.bad) == ("2026-11-27.zip", 20, 7, 0)
    assert list(settings.drop.iterdir()) == []
    table = everything(settings)
    assert table["image_id"][0] == "2026-11-27.zip/0.jpg".replace(".zip", "")
    assert sorted(table["sha256"]) == sorted(hashlib.sha256(jpeg(seed=seed)).hexdigest() for seed in range(20))
    assert set(table["official_split"]) <= {"train", "valid", "test"}
    assert (table.groupby("identity")["official_split"].nunique() == 1).all()
    assert table["Smiling"].isin([1, 0, -1]).all()
    tree = open_tree(settings.root)
    assert tree.read(table["member"][3]) == jpeg(seed=3)


def test_people_stay_in_their_split_and_old_pictures_where_they_are(settings):
    deliver(settings.drop, range(20))
    take_in(settings, "a")
    before = everything(settings)
    homes = dict(zip(before["identity"], before["official_split"], strict=True))
    head, row = "file,identity,split,Smiling", "{seed}.jpg,p{seed}%7,test,1"
    deliver(settings.drop, range(20, 40), head=head, rows=row.replace("%7", ""))
    (settings.drop / "labels.csv").write_text(
        "\n".join([head, *(f"{seed}.jpg,p{seed % 9},test,1" for seed in range(20, 40))])
    )
    report = take_in(settings, "b")
    after = everything(settings)
    pd.testing.assert_frame_equal(after[: len(before)], before)
    fresh = after[len(before) :]
    for identity, split in zip(fresh["identity"], fresh["official_split"], strict=True):
        assert split == homes.get(identity, "test")
    assert report.people == 2
    assert report.kept_split == sum(homes.get(i, "test") != "test" for i in fresh["identity"])
    assert (fresh["Male"] == 0).all()  # unknown


def test_copies_go_and_bad_pictures_are_set_aside_with_their_reasons(settings):
    deliver(settings.drop, range(5))
    take_in(settings, "a")
    deliver(settings.drop, range(3, 8))
    (settings.drop / "9.jpg").write_bytes(b"no picture")
    (settings.drop / "7.jpg").write_bytes(jpeg(seed=7)[:400])
    with (settings.drop / "labels.csv").open("a") as file:
        file.write("9.jpg,p9,1,1\n")
    (settings.drop / "stranger.jpg").write_bytes(jpeg(seed=77))
    report = take_in(settings, "b")
    assert (report.taken, report.duplicates) == (2, 2)
    assert report.quarantined == {"not_an_image": 1, "truncated": 1, "no_labels": 1}
    assert len(everything(settings)) == 7
    reasons = pd.read_csv(settings.quarantine / "b" / quarantine.REASONS)
    assert sorted(reasons["origin"]) == ["7.jpg", "9.jpg", "stranger.jpg"]
    for _, row in reasons.iterrows():
        assert (settings.quarantine / "b" / row["file"]).exists()
    assert list(settings.drop.iterdir()) == []
    assert str(take_in(settings, "c")) == f"nothing arrived in {settings.drop}"


def test_labels_that_cannot_be_read_hold_back_their_batch_alone(settings):
    deliver(settings.drop / "good", range(4))
    deliver(settings.drop / "broken", range(4, 8))
    (settings.drop / "broken" / "labels.csv").write_text('file,identity,Smiling\n"4.jpg,p1,1\n')
    with zipfile.ZipFile(settings.drop / "more.zip", "w") as archive:
        archive.writestr("labels.csv", "file,Smiling\n8.jpg,1\n")
        archive.writestr("8.jpg", jpeg(seed=8))
    deliver(settings.drop / "other", range(8, 10), head="file,identity,Legs,Wheels")
    report = take_in(settings, "a")
    assert report.taken == 5
    assert set(report.refused) == {"broken", "other"}
    assert "labels.csv" in report.refused["broken"]
    assert sorted(path.name for path in settings.drop.iterdir()) == ["broken", "other"]
    assert (settings.drop / "broken" / "4.jpg").read_bytes() == jpeg(seed=4)
    assert "refused broken" in str(report)


def test_a_stray_picture_blocks_nothing_and_other_files_are_not_lost(settings):
    deliver(settings.drop / "good", range(4))
    (settings.drop / "good" / "notes.txt").write_text("taken in Rome")
    with (settings.drop / "good" / "labels.csv").open("a") as file:
        file.write("gone.jpg,p1,1,1\n")
    (settings.drop / "loose.jpg").write_bytes(jpeg(seed=50))
    report = take_in(settings, "a")
    assert (report.taken, report.unmatched, report.quarantined) == (4, 1, {"no_picture": 1})
    assert "loose.jpg" in report.refused["drop"]
    assert "1 rows of labels without a photo (" in str(report)
    reasons = pd.read_csv(settings.quarantine / "a" / quarantine.REASONS)
    kept = settings.quarantine / "a" / reasons["file"][0]
    assert (reasons["origin"][0], kept.read_text()) == ("good/notes.txt", "taken in Rome")
    left = {path.relative_to(settings.drop).as_posix() for path in settings.drop.rglob("[!.]*") if path.is_file()}
    assert left == {"loose.jpg", "good/labels.csv"}  # gone.jpg may come yet


def test_labels_at_the_top_leave_deliveries_below_to_theirs(settings):
    deliver(settings.drop, range(3))
    deliver(settings.drop / "own", range(10, 13))
    deliver(settings.drop / "broken", range(20, 22))
    (settings.drop / "broken" / "labels.csv").write_text("file,Smiling\n")
    report = take_in(settings, "a")
    assert report.taken == 6
    assert set(report.refused) == {"broken"}
    assert report.bad == 0
    assert sorted(path.name for path in settings.drop.rglob("*")) == ["20.jpg", "21.jpg", "broken", "labels.csv"]


def test_attributes_that_the_data_set_does_not_have_are_named(settings):
    deliver(settings.drop, range(3))
    take_in(settings, "a")
    deliver(settings.drop, range(3, 6), head="file,Smiling,Horns", rows="{seed}.jpg,1,1")
    report = take_in(settings, "b")
    assert report.unknown_attributes == ["Horns"]
    assert "left out because the data set lacks them: Horns" in str(report)


def test_words_where_the_data_set_has_signs_wait(settings):
    deliver(settings.drop / "a", range(3))
    take_in(settings, "a")
    deliver(settings.drop / "b", range(3, 6), head="file,Smiling,Male", rows="{seed}.jpg,ja,1")
    report = take_in(settings, "b")
    assert "its column Smiling holds words where the data set has signs or numbers" in report.refused["b"]
    assert sorted(path.name for path in (settings.drop / "b").iterdir()) == ["3.jpg", "4.jpg", "5.jpg", "labels.csv"]


def test_what_changed_a_moment_ago_waits(settings):
    deliver(settings.drop, range(4))
    report = take_in(dataclasses.replace(settings, settle=3600.0), "a")
    assert report.arriving == ["drop"]
    assert len(list(settings.drop.iterdir())) == 5
    for path in (settings.drop, *settings.drop.iterdir()):
        os.utime(path, (0, 0))
    assert take_in(dataclasses.replace(settings, settle=3600.0), "a").taken == 4


@pytest.mark.slow
def test_a_kill_at_any_write_loses_nothing_and_takes_nothing_twice(tmp_path):
    """Each file operation of an intake is its last in turn; the next intake ends as an undisturbed one."""

    def fresh(name: str) -> IntakeSettings:
        chosen = IntakeSettings(
            drop=tmp_path / name / "drop", root=tmp_path / name / "r", quarantine=tmp_path / name / "q", settle=0.0
        )
        deliver(chosen.drop, range(6))
        (chosen.drop / "5.jpg").write_bytes(b"no picture")
        return chosen

    whole = fresh("whole")
    take_in(whole, "a")
    expected = sorted(everything(whole)["sha256"])
    for kill in kills("replace", "unlink", least=5):
        chosen = fresh(str(kill.number))
        kill(functools.partial(take_in, chosen, "a"))
        take_in(chosen, "b")
        assert sorted(everything(chosen)["sha256"]) == expected, kill.number
        reasons = [pd.read_csv(path) for path in chosen.quarantine.rglob(quarantine.REASONS)]
        assert {origin for table in reasons for origin in table["origin"]} == {"5.jpg"}
        assert not [path for path in chosen.drop.rglob("*") if path.is_file()]


def test_the_source_lists_shards_without_reading_their_photos(settings, tmp_path):
    deliver(settings.drop, range(6))
    take_in(settings, "a")
    params = source.Params(
        kind="shards", root=settings.root, raw=tmp_path / "raw", count=0, seed=1, workers=1, download=False
    )
    source.run(params)
    from facet.sources.labels import read_labels

    listing = read_labels(tmp_path / "raw")
    assert listing.images == "shards"
    assert listing.table["sha256"].tolist() == everything(settings)["sha256"].tolist()
    assert open_tree(listing.where(settings.root, tmp_path / "raw")).read(listing.table["member"][0]) == jpeg(seed=0)


def test_people_are_split_by_their_hash_in_the_ratios_asked_for():
    splits = [split_of(str(person), (0.8, 0.1, 0.1), 1) for person in range(3000)]
    shares = np.array([splits.count(split) for split in ("train", "valid", "test")]) / 3000
    np.testing.assert_allclose(shares, (0.8, 0.1, 0.1), atol=0.02)
    assert split_of("7", (0.8, 0.1, 0.1), 1) == splits[7]
    assert {split_of("7", (0.8, 0.1, 0.1), seed) for seed in range(60)} == {"train", "valid", "test"}


def test_folders_within_one_another_and_a_damaged_data_set_are_refused(settings):
    with pytest.raises(InputError, match="lie in one another"):
        take_in(dataclasses.replace(settings, root=settings.drop / "faces"), "a")
    with pytest.raises(InputError, match="cannot name a shard"):
        take_in(settings, "../a")
    deliver(settings.drop, range(3))
    settings.root.mkdir()
    write_json(settings.root / "dataset.json", {"attributes": 3})
    with pytest.raises(InputError, match=r"dataset\.json is damaged"):
        take_in(settings, "a")
    shutil.rmtree(settings.root)
    take_in(settings, "a")
    (settings.root / "a.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="is no shard"):
        everything(settings)


def test_a_dry_run_reports_what_would_become_of_deliveries_and_changes_nothing(settings):
    deliver(settings.drop / "good", range(6))
    take_in(settings, "a")
    deliver(settings.drop / "more", range(4, 9))
    (settings.drop / "more" / "8.jpg").write_bytes(b"none")
    deliver(settings.drop / "broken", range(20, 24))
    lines = ["file,Smiling,split", "20.jpg,1,", "21.jpg,perhaps,", "22.jpg,maybe,later", "23.jpg,maybe,", ",1,"]
    (settings.drop / "broken" / "labels.csv").write_text("\n".join(lines))
    before = {path: path.read_bytes() for path in settings.drop.parent.rglob("*") if path.is_file()}
    report = take_in(dataclasses.replace(settings, dry_run=True), "b")
    assert (report.taken, report.duplicates, report.examples) == (2, 2, ["more/8.jpg: not_an_image"])
    assert sum(report.splits.values()) == 2
    for fault in ("line 6 names no picture", "line 3 has 'perhaps'", "line 4 (and 1 more) has 'maybe'", "'later'"):
        assert fault in report.refused["broken"]
    assert {path: path.read_bytes() for path in settings.drop.parent.rglob("*") if path.is_file()} == before
    real = take_in(settings, "b")
    assert (real.taken, real.splits, real.people, real.examples) == (
        report.taken, report.splits, report.people, report.examples,
    )  # fmt: skip


def test_the_command_says_what_a_night_would_make_of_deliveries(tmp_path, capsys):
    root = nights.make(tmp_path / "project")
    assert main(["arrivals", "--root", str(root)]) == 0
    assert "nothing arrived in" in capsys.readouterr().out
    deliver(root / "arrivals/drop/x", range(3))
    (root / "arrivals/drop/x/2.jpg").write_bytes(b"none")
    assert main(["arrivals", "--root", str(root)]) == 1
    output = capsys.readouterr().out
    assert "2 photos taken in" in output
    assert "x/2.jpg: not_an_image" in output
    assert main(["arrivals", "--root", str(root), str(tmp_path / "none")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    params = json.loads((root / "params.yaml").read_text())
    params["source"]["kind"] = "drawn"
    (root / "params.yaml").write_text(json.dumps(params))
    assert main(["arrivals", "--root", str(root)]) == 2
    assert "source.kind is drawn" in capsys.readouterr().err


def test_a_delivery_that_cannot_be_read_in_any_way_holds_back_itself_alone(settings):
    deliver(settings.drop / "good", range(4))
    deliver(settings.drop.parent / "elsewhere", range(10, 13))
    (settings.drop / "linked").symlink_to(settings.drop.parent / "elsewhere")
    Path(os.fsdecode(os.fsencode(settings.drop) + b"/\xff\xfe")).mkdir()
    (settings.drop / "odd.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    table = settings.drop / "parquet" / "labels.parquet"
    deliver(table.parent, range(20, 22))
    (table.parent / "labels.csv").unlink()
    far = pa.array([10**15], pa.timestamp("s"))
    pq.write_table(pa.table({"file": ["20.jpg"], "when": far}), table)
    report = take_in(settings, "a")
    assert report.taken == 7
    assert set(report.refused) >= {ascii("\udcff\udcfe"), "parquet"}
    assert not (settings.drop / "linked").is_symlink()
    assert (settings.drop.parent / "elsewhere/10.jpg").exists()
    assert take_in(settings, "b").taken == 0
    (settings.drop / leaving.LEAVING).write_text("[")
    assert take_in(settings, "c").taken == 0
    assert not (settings.drop / leaving.LEAVING).exists()


def test_files_beside_a_published_zip_stay_in_the_drop_folder(settings):
    delivery = write_celeba(settings.drop / "a", 4)
    (delivery / "mine.jpg").write_bytes(jpeg(seed=1))
    (delivery / "notes.txt").write_text("mine")
    assert take_in(settings, "n1").taken == 4
    assert {path.name for path in settings.drop.rglob("*") if path.is_file()} == {"mine.jpg", "notes.txt"}
    assert list(take_in(settings, "n2").refused) == ["a"]
    assert (delivery / "mine.jpg").read_bytes() == jpeg(seed=1)
