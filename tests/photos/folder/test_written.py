"""Nothing in an output folder that no job wrote, or that somebody changed since, is overwritten or removed."""

import shutil

import pyarrow.parquet as pq
import pytest
from PIL import Image

from facet.photos.folder import manifest
from facet.photos.folder.manifest import NAME, Journal
from facet.photos.folder.run import edit_folder
from tests.support import photographs
from tests.support.photo_jobs import aligned_job, fresh_hashes, hashes, rows

pytestmark = [pytest.mark.usefixtures("linear_editor"), pytest.mark.slow]

OTHER = "Smiling=off"


@pytest.mark.parametrize("spec", ["Smiling=on", OTHER])
def test_a_result_that_somebody_changed_is_kept_until_it_is_moved_away(photos, tmp_path, spec, caplog):
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    first = (out / "a.jpg").read_bytes()
    (out / "a.jpg").write_bytes(b"retouched by hand")
    for _ in range(2):
        summary = edit_folder(aligned_job(photos, out, spec=spec))
        assert "1 failed (1 result_changed)" in str(summary)
        assert (out / "a.jpg").read_bytes() == b"retouched by hand"
    row = rows(out)["a.jpg"]
    assert (row["status"], row["output"]) == ("failed", "")
    assert row["detail"] == "a.jpg has 17 bytes that no job wrote"
    assert "holds 1 files that no job wrote, or that were changed since" in caplog.text
    (out / "a.jpg").rename(tmp_path / "mine.jpg")
    assert edit_folder(aligned_job(photos, out, spec=spec)).counts == {"edited": 6}
    assert hashes(out) == fresh_hashes(photos, tmp_path / "fresh", spec=spec)
    assert ((out / "a.jpg").read_bytes() == first) == (spec != OTHER)


@pytest.mark.parametrize("copy", [True, False])
def test_a_file_that_was_put_there_is_kept_from_results_and_copies(photos, tmp_path, copy):
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    mine = {"new.jpg": b"mine", "wide.jpg": b"mine, too", "linked.jpg": b"elsewhere"}
    wide = photographs.encoded(Image.new("RGB", (300, 100)), "JPEG")
    for name in mine:
        (photos / name).write_bytes(wide if name == "wide.jpg" else photographs.jpeg(seed=9))
        (out / name).write_bytes(mine[name])
    (out / "linked.jpg").rename(tmp_path / "elsewhere.jpg")
    (out / "linked.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    edit_folder(aligned_job(photos, out, copy=copy))
    assert {name: (out / name).read_bytes() for name in mine} == mine
    assert (out / "linked.jpg").is_symlink()
    reasons = {name: rows(out)[name]["reason"] for name in mine}
    assert reasons == dict.fromkeys(mine, "result_changed") | ({} if copy else {"wide.jpg": "aspect"})


def test_an_empty_file_in_the_place_of_a_result_gives_way(photos, tmp_path):
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    (out / "a.jpg").write_bytes(b"")  # as a power cut leaves it
    assert edit_folder(aligned_job(photos, out)).counts == {"edited": 6}


@pytest.mark.parametrize("second", ["Smiling=on", OTHER])
@pytest.mark.parametrize("after", [0, 2, 5])
def test_what_a_killed_job_wrote_is_known_though_it_was_not_noted(photos, tmp_path, monkeypatch, after, second):
    out = tmp_path / "out"
    for spec in ("Smiling=+1", "Smiling=+2"):  # two kills in a row, each between a rename and its row
        noted = []

        def add(self, row, noted=noted, real=Journal.add):
            if len(noted) == after:
                raise KeyboardInterrupt
            noted.append(row)
            real(self, row)

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "add", add)
            with pytest.raises(KeyboardInterrupt):
                edit_folder(aligned_job(photos, out, spec=spec))
    assert edit_folder(aligned_job(photos, out, spec=second)).counts == {"edited": 6}
    assert hashes(out) == fresh_hashes(photos, tmp_path / "fresh", spec=second)
    assert not (out / ".facet/written.jsonl").exists()


def test_results_of_photos_that_were_not_in_the_last_job_are_known(photos, tmp_path):
    out, some = tmp_path / "out", tmp_path / "some"
    some.mkdir()
    shutil.copy(photos / "a.jpg", some)
    (some / "z.jpg").write_bytes(photographs.jpeg(seed=5))
    edit_folder(aligned_job(photos, out))
    edit_folder(aligned_job(some, out, spec=OTHER))
    assert set(rows(out)) == {"a.jpg", "z.jpg"}
    (out / "-x.webp").write_bytes(b"changed")
    (out / "b c.JPG").unlink()
    kept = (out / ".facet/written.jsonl").read_text()
    assert kept.count("\n") == 5
    summary = edit_folder(aligned_job(photos, out))
    assert summary.counts == {"edited": 5, "failed": 1}
    assert (out / "-x.webp").read_bytes() == b"changed"
    edit_folder(aligned_job(some, out, spec=OTHER))
    assert (out / ".facet/written.jsonl").read_text().count('"z.jpg"') == 0


def test_results_under_another_name_than_their_photo_s_are_known(photos, tmp_path):
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out, lossless=True))
    assert rows(out)["a.jpg"]["output"] == "a.png"
    assert edit_folder(aligned_job(photos, out, lossless=True, spec=OTHER)).counts == {"edited": 6}
    (photos / "a.png").write_bytes(photographs.encoded(Image.fromarray(photographs.pixels(seed=7)), "PNG"))
    assert edit_folder(aligned_job(photos, out)).counts == {"edited": 7}
    assert hashes(out) == fresh_hashes(photos, tmp_path / "fresh")


def test_results_of_an_older_version_are_known(photos, tmp_path):
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    table = pq.read_table(out / NAME)
    pq.write_table(table.drop_columns(["reached"]), out / NAME)
    (out / "a.jpg").write_bytes(b"mine")
    assert edit_folder(aligned_job(photos, out, spec=OTHER)).counts == {"edited": 5, "failed": 1}
    assert (out / "a.jpg").read_bytes() == b"mine"


def test_a_manifest_that_cannot_be_read_stops_the_job(photos, tmp_path):
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    (out / NAME).write_bytes(b"no table")
    with pytest.raises(manifest.InputError, match=r"is not a Parquet file .* choose another output folder"):
        edit_folder(aligned_job(photos, out))
    assert (out / NAME).read_bytes() == b"no table"
