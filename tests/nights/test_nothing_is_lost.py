"""What a night does not understand stays, or goes to quarantine with its labels, and the night says so."""

import dataclasses
import functools
import os
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from facet.nights import deliveries, leaving, quarantine
from facet.nights.intake import IntakeSettings, take_in
from facet.nights.intake_report import IntakeReport
from facet.sources import shards
from tests.support import arrivals, junk
from tests.support.arrivals import deliver, deliver_everything, deliver_zip, encrypt, labels, photo, spoil
from tests.support.dying import kills
from tests.support.pictures import jpeg, write_celeba


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Nothing waits for the disk; a machine that loses power is not tested here."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def settings(tmp_path):
    return arrivals.settings_in(tmp_path)


@pytest.fixture
def drop(settings):
    """The drop folder, of a data set that has the photos 0 to 3."""
    deliver(settings.drop / "begin", range(4))
    take_in(settings, "0")
    return settings.drop


def signs(settings: IntakeSettings, *seeds: int) -> list[tuple[int, int]]:
    """The labels of photos in the data set."""
    table = shards.read(settings.root).table.set_index("sha256")
    return [tuple(table.loc[arrivals.digest(photo(seed)), ["Smiling", "Male"]]) for seed in seeds]


def right(*seeds: int) -> list[tuple[int, int]]:
    return [(1 if seed % 2 else -1, 1 if seed // 2 % 2 else -1) for seed in seeds]


def left(place: Path) -> list[str]:
    """The files of a folder, without hidden ones."""
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("[!.]*") if path.is_file())


def reasons(settings: IntakeSettings, night: str) -> dict[str, str]:
    table = pd.read_csv(settings.quarantine / night / quarantine.REASONS)
    return dict(zip(table["origin"], table["reason"], strict=True))


def test_labels_wait_for_photos_that_have_not_arrived(settings, drop):
    deliver(drop / "a", range(10, 13), labels(range(10, 16)))
    report = take_in(settings, "1")
    assert (report.taken, report.unmatched) == (3, 3)
    assert report.needs_attention
    assert "3 rows of labels are kept for photos that have not arrived" in report.waiting["a"]
    assert left(drop) == ["a/labels.csv"]
    assert "3 rows" in take_in(settings, "2").waiting["a"]
    for seed in range(13, 16):
        (drop / "a" / f"{seed}.jpg").write_bytes(photo(seed))
    report = take_in(settings, "3")
    assert (report.taken, report.unmatched, report.waiting) == (3, 0, {})
    assert signs(settings, *range(10, 16)) == right(*range(10, 16))
    assert list(drop.iterdir()) == []


def test_a_table_that_comes_again_with_more_rows_belongs_to_the_photos_that_left_before(settings, drop):
    deliver(drop, range(10, 12), labels(range(10, 13)))
    assert take_in(settings, "1").unmatched == 1
    deliver(drop, (12, 13), labels(range(10, 14), flip=True))  # and corrects those of the first
    report = take_in(settings, "2")
    assert (report.taken, report.unmatched, report.corrected, report.duplicates) == (2, 0, 2, 0)
    assert signs(settings, 10, 11) == right(10, 11)
    assert left(drop) == []


def test_another_table_in_the_place_of_one_that_waits_knows_nothing_of_its_photos(settings, drop):
    folder = deliver(drop / "a", (10,), labels((10, 11)))
    take_in(settings, "1")
    deliver(folder, (), labels((20, 21)))
    assert "holds no picture" in take_in(settings, "2").refused["a"]
    (folder / "20.jpg").write_bytes(photo(20))
    report = take_in(settings, "3")
    assert (report.taken, report.unmatched, report.corrected, report.bad) == (1, 1, 0, 0)
    (folder / "21.jpg").write_bytes(photo(21))
    assert take_in(settings, "4").taken == 1
    assert signs(settings, 20, 21) == right(20, 21)
    assert list(drop.iterdir()) == []


def test_corrections_in_a_table_that_waits_are_kept_once_and_named_every_night(settings, drop):
    deliver(drop / "a", (0,), labels((0, 11), flip=True))
    for night in ("1", "2", "3"):
        assert take_in(settings, night).corrected == 1
    assert [path.parent.name for path in settings.quarantine.rglob(quarantine.CORRECTIONS)] == ["1"]


def test_lists_of_celeba_wait_for_photos_that_have_not_arrived(settings):
    drop = settings.drop
    write_celeba(drop / "a", 6)
    with zipfile.ZipFile(drop / "a/img_align_celeba.zip") as archive:
        photos = {name: archive.read(name) for name in archive.namelist()}
    deliver_zip(drop / "a/img_align_celeba.zip", dict(list(photos.items())[:3]))
    assert take_in(settings, "1").taken == 3
    assert left(drop) == ["a/identity_CelebA.txt", "a/list_attr_celeba.txt", "a/list_eval_partition.txt"]
    deliver_zip(drop / "a/img_align_celeba.zip", dict(list(photos.items())[3:]))
    report = take_in(settings, "2")
    assert (report.taken, report.unmatched, report.waiting) == (3, 0, {})
    assert list(drop.iterdir()) == []
    table = shards.read(settings.root).table
    assert table["Male"].tolist() == [1 if index >> 1 & 1 else -1 for index in range(6)]


def test_labels_in_a_zip_whose_photos_have_not_arrived_go_to_quarantine(settings, drop):
    table = labels((10, 11))
    deliver_zip(drop / "a.zip", {"labels.csv": table, "10.jpg": photo(10)})
    report = take_in(settings, "1")
    assert (report.taken, report.unmatched) == (1, 1)
    assert "1 rows of labels have no photo" in report.kept["a.zip"]
    assert (settings.quarantine / "1/tables/a.zip/labels.csv").read_text() == table
    assert left(drop) == []


@pytest.mark.parametrize("harm", ["crc", "encrypted", "twice", "outside", "hidden", "other format", "behind another"])
def test_a_zip_of_which_not_all_can_be_read_goes_to_quarantine_whole(settings, drop, harm):
    path = deliver_zip(drop / "a.zip", {"labels.csv": labels((10, 11)), "10.jpg": photo(10), "11.jpg": photo(11)})
    if harm == "crc":
        spoil(path, photo(11))
    elif harm == "encrypted":
        encrypt(path, "11.jpg")
    elif harm == "behind another":  # as `cat one.zip other.zip` makes it; programs see the last one
        other = deliver_zip(drop.parent / "b.zip", {"labels.csv": labels((12,)), "12.jpg": photo(12)})
        path.write_bytes(other.read_bytes() + path.read_bytes())
    else:
        name = {"twice": "10.jpg", "outside": "../12.jpg", "hidden": ".12.jpg", "other format": "12.heic"}[harm]
        with zipfile.ZipFile(path, "a") as archive:
            if harm == "twice":
                with pytest.warns(UserWarning, match="Duplicate"):
                    archive.writestr(name, photo(12))
            else:
                archive.writestr(name, photo(12))
    data = path.read_bytes()
    report = take_in(settings, "1")
    assert report.taken == (1 if harm in ("crc", "encrypted") else 2)
    assert report.needs_attention
    assert "the whole zip" in report.kept["a.zip"]
    assert (settings.quarantine / "1/a.zip").read_bytes() == data
    assert left(drop) == []
    if harm in ("crc", "encrypted"):
        assert list(reasons(settings, "1")) == ["a.zip/11.jpg"]
    deliver_zip(drop / "a.zip", {"labels.csv": labels((10,)), "10.jpg": photo(10), "x.heic": b"x"})
    take_in(settings, "1")
    assert len(list((settings.quarantine / "1").glob("a*.zip"))) == 2  # neither replaces the other


def test_a_zip_that_holds_absolute_names_alone_says_so(settings, drop):
    deliver_zip(drop / "a.zip", {"/abs/labels.csv": labels((10,)), "/abs/10.jpg": photo(10)})
    assert "/abs/labels.csv, /abs/10.jpg: its name would leave" in take_in(settings, "1").refused["a.zip"]
    assert left(drop) == ["a.zip"]


def test_a_zip_with_only_what_macs_add_is_not_kept(settings, drop):
    deliver_zip(drop / "a.zip", {"labels.csv": labels((10,)), "10.jpg": photo(10), "__MACOSX/._10.jpg": b"x"})
    assert not take_in(settings, "1").needs_attention
    assert not settings.quarantine.exists()


def test_files_that_cannot_be_read_stay_with_their_labels(settings, drop):
    folder = deliver(drop / "a", (10,), labels((10, 11, 12)))
    os.mkfifo(folder / "11.jpg")
    (folder / "12.heic").write_bytes(b"of a phone")
    (folder / "more.tar.gz").write_bytes(b"packed")
    report = take_in(settings, "1")
    assert (report.taken, report.bad) == (1, 0)
    for words in (
        "11.jpg (unreadable: no regular file)",
        "12.heic: it is a photo in a format",
        "more.tar.gz: it is an arch",
    ):
        assert words in report.waiting["a"]
    assert left(drop) == ["a/12.heic", "a/labels.csv", "a/more.tar.gz"]
    for name in ("11.jpg", "12.heic", "more.tar.gz"):
        (folder / name).unlink()
    for seed in (11, 12):
        (folder / f"{seed}.jpg").write_bytes(photo(seed))
    assert take_in(settings, "2").taken == 2
    assert signs(settings, 10, 11, 12) == right(10, 11, 12)
    assert list(drop.iterdir()) == []


def test_bad_photos_go_to_quarantine_with_the_table_of_their_labels(settings, drop):
    folder = deliver(drop / "a", (10,), labels((10, 11)))
    (folder / "11.jpg").write_bytes(b"no picture")
    report = take_in(settings, "1")
    assert report.quarantined == {"not_an_image": 1}
    assert report.needs_attention
    assert (settings.quarantine / "1/tables/a/labels.csv").read_text() == labels((10, 11))
    assert left(drop) == []


@pytest.mark.parametrize(
    "name",
    ["9.jpg.part", "9.jpg.crdownload", "9.jpg.filepart", "9.jpg.PARTIAL", ".9.jpg.Ab3dEf", "9.jpg.6Ea9B2c1", "9.tmp",
     "~$labels.xlsx", ".~lock.labels.csv#", ".pending-1790000000-9.jpg"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["a", "a/deep", ""])
def test_an_upload_that_has_not_ended_and_an_open_file_hold_their_delivery_back(settings, drop, name, place):
    folder = deliver(drop / place.split("/")[0], (10,), labels((10, 11)))
    (drop / place).mkdir(exist_ok=True)
    (drop / place / name).write_bytes(b"begun")
    deliver(drop / "whole", (20,))
    before = arrivals.contents(drop)
    report = take_in(settings, "1")
    assert report.taken == 1
    assert name in report.refused[place.split("/")[0] or "drop"]
    assert arrivals.contents(drop) == before - {arrivals.digest(photo(20)), arrivals.digest(labels((20,)).encode())}
    assert (drop / place / name).exists()
    (drop / place / name).unlink()
    assert take_in(settings, "2").taken == 1
    assert left(folder) == ["labels.csv"]


def test_every_table_of_a_delivery_has_the_photos_in_its_folder(settings, drop):
    deliver(drop / "a/first", (10, 11))
    deliver(drop / "a/second", (12,))
    (drop / "a/second/deep/more").mkdir(parents=True)
    (drop / "a/second/deep/more/13.jpg").write_bytes(photo(13))
    (drop / "a/second/labels.csv").write_text(labels((12, 13)))
    deliver(drop / "a/second/deep/other", (14,))
    members = {f"{name}/{seed}.jpg": photo(seed) for seed, name in ((15, "x"), (16, "y"))}
    deliver_zip(drop / "b.zip", members | {"x/labels.csv": labels((15,)), "y/labels.csv": labels((16,))})
    report = take_in(settings, "1")
    assert (report.taken, report.bad, report.refused, report.waiting) == (7, 0, {}, {})
    assert signs(settings, *range(10, 17)) == right(*range(10, 17))
    assert list(drop.iterdir()) == []
    assert "1/a/second/deep/more/13.jpg" in set(shards.read(settings.root).table["image_id"])


def test_tables_side_by_side_keep_photos_of_one_name_apart(settings, drop):
    for seed, name in ((10, "first"), (11, "second")):
        deliver(drop / "a" / name, (), labels((seed,), name="1.jpg"))
        (drop / "a" / name / "1.jpg").write_bytes(photo(seed))
    assert take_in(settings, "1").taken == 2
    assert signs(settings, 10, 11) == right(10, 11)


def test_one_broken_table_of_several_holds_back_its_folder_alone_but_a_zip_as_a_whole(settings, drop):
    broken = 'file,Smiling\n"11.jpg,1\n'
    deliver(drop / "a/first", (10,))
    deliver(drop / "a/second", (11,), broken)
    (drop / "a/lonely.jpg").write_bytes(photo(12))
    deliver(drop / "c/first", (17,))
    deliver(drop / "c/second", (18,))
    (drop / "c/notes.txt").write_text("of both")
    members = {f"{name}/{seed}.jpg": photo(seed) for seed, name in ((15, "x"), (16, "y"))}
    zipped = deliver_zip(drop / "b.zip", members | {"x/labels.csv": labels((15,)), "y/labels.csv": broken})
    data = zipped.read_bytes()
    report = take_in(settings, "1")
    assert report.taken == 3
    assert set(report.refused) == {"a/second", "a", "b.zip", "c"}
    assert "notes.txt" in report.refused["c"]
    assert "lonely.jpg" in report.refused["a"]
    assert left(drop) == ["a/lonely.jpg", "a/second/11.jpg", "a/second/labels.csv", "b.zip", "c/notes.txt"]
    assert zipped.read_bytes() == data


def test_labels_at_the_top_have_the_photos_of_folders_without_a_table_and_no_others(settings, drop):
    deliver(drop, (10,), labels((10, 11, 12)))
    deliver(drop / "x/deep", (13,))
    deliver(drop / "own", (14,))
    (drop / "y/z").mkdir(parents=True)
    (drop / "x/11.jpg").write_bytes(photo(11))
    (drop / "y/z/12.jpg").write_bytes(photo(12))
    report = take_in(settings, "1")
    assert (report.taken, report.needs_attention) == (5, False)
    assert signs(settings, *range(10, 15)) == right(*range(10, 15))
    assert list(drop.iterdir()) == []


def test_the_lists_of_celeba_outlive_a_damaged_zip(settings):
    folder = write_celeba(settings.drop / "a", 3)
    spoil(folder / "img_align_celeba.zip", jpeg(1))
    tables = {path.name: path.read_bytes() for path in folder.glob("*.txt")}
    assert take_in(settings, "1").taken == 2
    assert (settings.quarantine / "1/a/img_align_celeba.zip").exists()
    assert {path.name: path.read_bytes() for path in (settings.quarantine / "1/tables/a").iterdir()} == tables
    with zipfile.ZipFile(settings.root / "1.zip") as archive:
        assert {name: archive.read(f"tables/a/{name}") for name in tables} == tables
    assert left(settings.drop) == []


def test_two_data_sets_in_celeba_s_layout_in_one_delivery(settings):
    write_celeba(settings.drop / "a/one", 3)
    write_celeba(settings.drop / "a/two", 5, zipped=False)
    report = take_in(settings, "1")
    assert (report.taken, report.duplicates, report.needs_attention) == (5, 3, False)
    assert list(settings.drop.iterdir()) == []


def test_one_table_has_all_photos_of_its_delivery_wherever_it_lies(settings, drop):
    deliver(drop / "a/labels", (), labels((10,)))
    (drop / "a/images").mkdir()
    (drop / "a/images/10.jpg").write_bytes(photo(10))
    assert take_in(settings, "1").taken == 1


def test_corrected_labels_are_counted_and_kept(settings, drop):
    table = f"{arrivals.HEAD}\n0.jpg,p0,1,\n1.jpg,somebody else,1,0\n2.jpg,,0,1\n"
    deliver(drop / "a", (0, 1, 2), table)
    report = take_in(settings, "1")
    assert (report.duplicates, report.corrected) == (3, 2)
    assert report.needs_attention
    assert "a/0.jpg: Smiling 1 for -1" in str(report)
    differing = pd.read_csv(settings.quarantine / "1" / quarantine.CORRECTIONS)
    assert differing[["origin", "image_id", "column"]].values.tolist() == [
        ["a/0.jpg", "0/begin/0.jpg", "Smiling"], ["a/1.jpg", "0/begin/1.jpg", "identity"],
    ]  # fmt: skip
    assert (settings.quarantine / "1/tables/a/labels.csv").read_text() == table
    assert signs(settings, 0) == right(0)
    assert left(drop) == []
    deliver(drop / "b", (0,), f"{arrivals.HEAD}\n0.jpg,12345678,0,0\n")
    assert "identity 12345678 for " in str(take_in(settings, "1"))
    deliver(drop / "b", (0, 1), "file,Male\n0.jpg,0\n1.jpg,0\n")  # the same as before, as far as it says anything
    assert not take_in(settings, "2").needs_attention


def test_the_same_photo_twice_in_one_night_with_other_labels_is_a_conflict_with_its_names(settings, drop):
    deliver(drop / "a", (10,))
    deliver(drop / "b", (10,), labels((10,), flip=True))
    report = take_in(settings, "1")
    assert (report.taken, report.duplicates, report.corrected) == (1, 1, 1)
    assert "b/10.jpg: Smiling 1 for -1" in report.corrected_examples
    assert signs(settings, 10) == right(10)


def test_columns_that_the_data_set_lacks_and_names_of_people_stay_in_the_shard(settings, drop):
    table = "file,identity,Smiling,Horns,remark\n10.jpg,Ada,1,1,at noon\n"
    deliver(drop / "a", (10,), table)
    take_in(settings, "1")
    with zipfile.ZipFile(settings.root / "1.zip") as archive:
        assert archive.read("tables/a/labels.csv").decode() == table
    deliver(drop / "a", (10,), table)
    take_in(settings, "2")
    assert not settings.quarantine.exists()  # a shard has the table already
    deliver(drop / "a", (10,), table.replace("at noon", "at night"))
    take_in(settings, "3")
    assert "at night" in (settings.quarantine / "3/tables/a/labels.csv").read_text()


def test_words_where_the_data_set_has_signs_make_a_delivery_wait(settings, drop):
    deliver(drop / "a", (10,), "file,Smiling,Male\n10.jpg,broadly,1\n")
    report = take_in(settings, "1")
    assert "its column Smiling holds words" in report.refused["a"]
    assert left(drop) == ["a/10.jpg", "a/labels.csv"]


def test_what_a_table_warns_of_is_said(settings):
    write_celeba(settings.drop / "a", 3, files={"small/000001.jpg": photo(1)})
    report = take_in(settings, "1")
    assert report.taken == 3
    assert "a: 1 pictures have the name of another and are left out" in str(report)


TOP = {
    "a.tar.gz": "an archive that is not read", "a.7z": "an archive that is not read", "a.HEIC": "convert it to JPEG",
    "a.xlsx": "save it as labels.csv", "annotations.csv": "save it as labels.csv", "a.zip.part": "has not ended",
    "a.docx": "neither photo nor labels",
}  # fmt: skip


@pytest.mark.parametrize("name", TOP)
def test_whatever_lies_at_the_top_of_the_drop_folder_is_named(settings, drop, name):
    (drop / name).write_bytes(b"something")
    report = take_in(settings, "1")
    assert not report.empty
    assert report.needs_attention
    assert f"refused {name}: it is" in str(report)
    assert TOP[name] in report.refused[name]
    assert left(drop) == [name]
    deliver(drop, (10,))
    report = take_in(settings, "2")  # it holds nothing else back
    assert (report.taken, list(report.refused)) == (1, [name])
    assert left(drop) == [name]


def test_many_files_of_one_kind_at_the_top_make_one_line(settings, drop):
    for number in range(20):
        (drop / f"{number:02d}.heic").write_bytes(b"a phone's")
    report = take_in(settings, "1")
    assert list(report.refused) == ["00.heic"]
    assert "01.heic, 02.heic, 03.heic and 16 more" in report.refused["00.heic"]


@pytest.mark.parametrize("place", ["a/10.jpg", "a/labels.csv", "a", "b.zip", "labels.csv"])
def test_a_time_stamp_in_the_future_is_named(settings, drop, place):
    deliver(drop / "a", (10,))
    deliver_zip(drop / "b.zip", {"labels.csv": labels((11,)), "11.jpg": photo(11)})
    deliver(drop, (12,))
    os.utime(drop / place, (time.time() + 1e6,) * 2)
    report = take_in(settings, "1")
    assert report.taken == 2
    assert report.arriving == []
    (why,) = report.refused.values()
    assert f"{place} has a time stamp in the future" in why
    assert "touch" in why
    os.utime(drop / place)
    assert take_in(settings, "2").taken == 1


def test_a_clock_that_is_a_little_ahead_only_means_that_a_delivery_is_arriving(settings, drop):
    deliver(drop / "a", (10,))
    os.utime(drop / "a/10.jpg", (time.time() + 30,) * 2)
    assert take_in(dataclasses.replace(settings, settle=60.0), "1").arriving == ["a"]


def test_junk_in_the_drop_folder_is_no_delivery_and_only_caches_leave_with_theirs(settings):
    drop = settings.drop
    drop.mkdir()
    junk.scatter(drop, photo(90), table=labels((1,)), locks=False)
    folder = deliver(drop / "a", (1, 2))
    junk.scatter(folder, photo(91), table=labels((1,)), locks=False)
    before = {path.relative_to(drop) for path in drop.rglob("*") if path.is_file()}
    report = take_in(settings, "1")
    assert (report.taken, report.bad, report.needs_attention) == (2, 0, False)
    assert shards.schema_of(settings.root).attributes == ("Smiling", "Male")
    after = {path.relative_to(drop) for path in drop.rglob("*") if path.is_file()}
    assert after == before - {Path("a/labels.csv"), Path("a/1.jpg"), Path("a/2.jpg")}
    assert str(take_in(settings, "2")) == f"nothing arrived in {drop}"


def test_a_folder_of_which_only_caches_are_left_goes(settings, drop):
    folder = deliver(drop / "a", (10,))
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "@eaDir/10.jpg").mkdir(parents=True)
    (folder / "@eaDir/10.jpg/SYNOFILE_THUMB_M.jpg").write_bytes(photo(11))
    assert take_in(settings, "1").taken == 1
    assert list(drop.iterdir()) == []


def test_a_file_that_changed_while_it_was_taken_in_stays(settings, drop, monkeypatch):
    folder = deliver(drop / "a", (10, 11))
    real = leaving.leave

    def late(*words, **more):
        (folder / "labels.csv").write_text(labels((10, 11), flip=True) + "\n")
        (folder / "12.jpg").write_bytes(photo(12))
        return real(*words, **more)

    monkeypatch.setattr(leaving, "leave", late)
    assert take_in(settings, "1").taken == 2
    assert left(drop) == ["a/12.jpg", "a/labels.csv"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), NotImplementedError("zip version 9")])
def test_a_delivery_that_cannot_be_opened_holds_back_itself_alone(settings, drop, monkeypatch, error):
    deliver(drop / "a", (10,))
    data = deliver_zip(drop / "b.zip", {"labels.csv": labels((11,)), "11.jpg": photo(11)}).read_bytes()

    def broken(path):
        raise error

    monkeypatch.setattr(deliveries, "Zip", broken)
    report = take_in(settings, "1")
    assert report.taken == 1
    assert str(error) in report.refused["b.zip"]
    assert (drop / "b.zip").read_bytes() == data


def test_a_delivery_that_cannot_be_removed_is_named_and_holds_nothing_else_back(settings, drop, monkeypatch):
    deliver(drop / "a", (10, 11))
    deliver(drop / "b", (12,))
    real = Path.unlink

    def unlink(path, **how):
        if path.parent.name == "a":
            raise PermissionError(13, "Permission denied", str(path))
        real(path, **how)

    monkeypatch.setattr(Path, "unlink", unlink)
    for night in ("1", "2"):
        report = take_in(settings, night)
        assert "a/10.jpg cannot be removed (Permission denied)" in report.waiting["a"]
    assert left(drop) == ["a/10.jpg", "a/11.jpg", "a/labels.csv"]


def test_a_kept_archive_of_deliveries_is_never_touched(settings, drop):
    deliver_everything(settings)
    before = {path: leaving.stamp(path) for path in drop.rglob("*")}
    report = take_in(dataclasses.replace(settings, keep=True), "1")
    assert report.taken > 10
    assert {path: leaving.stamp(path) for path in drop.rglob("*")} == before


def test_a_dry_run_says_what_a_night_will_say(settings, drop):
    deliver_everything(settings)
    before = arrivals.contents(settings.drop.parent)
    dry = take_in(dataclasses.replace(settings, dry_run=True), "1")
    assert arrivals.contents(settings.drop.parent) == before
    real = take_in(settings, "1")
    assert dataclasses.asdict(dry) == dataclasses.asdict(real) | {"shard": ""}


def ended(settings: IntakeSettings) -> tuple[list[str], list[str], list[str]]:
    """What an intake leaves: photos of the data set, files of the drop folder, names of bad photos."""
    hashes = sorted(shards.read(settings.root).table["sha256"])
    tables = [pd.read_csv(path) for path in settings.quarantine.rglob(quarantine.REASONS)]
    return hashes, left(settings.drop), sorted({name for table in tables for name in table["origin"]})


def after_each_kill(folder, night, everything, *, least):
    """Settings and number of each kill of the night of this number, after the next one, from copies of folder/first:
    `everything` was there after both."""
    for kill in kills(least=least):
        place = folder / str(kill.number)
        chosen = arrivals.copy(folder / "first", place)
        kill(functools.partial(take_in, chosen, str(night)))
        assert everything <= arrivals.contents(place), kill.number
        take_in(chosen, str(night + 1))
        assert everything <= arrivals.contents(place), kill.number
        yield chosen, kill.number


@pytest.mark.slow
def test_a_kill_at_any_file_operation_loses_no_byte_and_no_label(tmp_path):
    """Every delivery of this file at once; after each kill, and after the next night, every byte is somewhere, tables
    of labels included, and the next night ends as an undisturbed one."""
    first = arrivals.settings_in(tmp_path / "first")
    deliver(first.drop / "begin", range(4))
    take_in(first, "0")
    deliver_everything(first)
    everything = arrivals.contents(tmp_path / "first") - arrivals.whole_zips(tmp_path / "first" / "drop")
    whole = arrivals.copy(tmp_path / "first", tmp_path / "whole")
    report = take_in(whole, "1")
    assert isinstance(report, IntakeReport)
    expected = ended(whole)
    assert everything <= arrivals.contents(tmp_path / "whole")
    for chosen, number in after_each_kill(tmp_path, 1, everything, least=40):
        assert ended(chosen) == expected, number
        assert signs(chosen, 10, 20, 30, 40, 44, 70) == right(10, 20, 30, 40, 44, 70)


@pytest.mark.slow
def test_a_kill_while_the_rest_of_a_delivery_is_taken_in_loses_no_label(tmp_path):
    first = arrivals.settings_in(tmp_path / "first")
    for name in ("a", "b"):
        deliver(first.drop / name, (10, 11), labels((10, 11, 12, 13), flip=name == "b"))
    take_in(first, "1")
    (first.drop / "a/12.jpg").write_bytes(photo(12))
    (first.drop / "a/13.jpg").write_bytes(photo(13))
    (first.drop / "b/12.jpg").write_bytes(photo(12))
    everything = arrivals.contents(tmp_path / "first")
    for chosen, number in after_each_kill(tmp_path, 2, everything, least=10):
        assert left(chosen.drop) == ["b/labels.csv"], number
        assert signs(chosen, 10, 11, 12, 13) == right(10, 11, 12, 13)
        assert take_in(chosen, "4").unmatched == 1
