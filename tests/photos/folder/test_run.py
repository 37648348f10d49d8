"""A whole job: what comes back, and what a second, an interrupted and a concurrent run do."""

import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facet.base.errors import InputError
from facet.photos.faces.landmarks import COLUMNS
from facet.photos.folder import results
from facet.photos.folder.job import JobError
from facet.photos.folder.run import edit_folder
from tests.support import photographs
from tests.support.photo_jobs import aligned_job, fresh_hashes, hashes, rows

pytestmark = [pytest.mark.usefixtures("linear_editor"), pytest.mark.slow]

AROUND = np.s_[19:199, 0:178]  # face120 and a quarter of its 120 pixels on every side


def test_a_folder_comes_back_with_its_names_and_the_change_in_it(photos, tmp_path):
    summary = edit_folder(aligned_job(photos, tmp_path / "out"))
    assert summary.counts == {"edited": 6}
    assert summary.others == 1
    assert set(hashes(tmp_path / "out")) == {
        p.relative_to(photos).as_posix() for p in photos.rglob("*.*") if p.suffix != ".txt"
    }
    before = np.asarray(Image.open(photos / "Urlaub 2026/日本/写真.png"), int)
    after = np.asarray(Image.open(tmp_path / "out/Urlaub 2026/日本/写真.png"), int)
    row = rows(tmp_path / "out")["Urlaub 2026/日本/写真.png"]
    assert row["changed_pixels"] == (before != after).any(2).sum() > 500
    changed = (before != after).any(2)
    changed[AROUND] = False
    assert not changed.any()
    assert (after[60:70, 40:60] - before[60:70, 40:60]).mean() > 20  # region 0, brighter where it smiles
    assert row["input_sha256"] == hashlib.sha256((photos / row["file"]).read_bytes()).hexdigest()
    assert row["output_sha256"] == hashes(tmp_path / "out")[row["output"]]
    page = (tmp_path / "out/contact.html").read_text()
    assert page.count("<img") == 12
    assert "写真" in page


def test_a_second_run_does_nothing_and_a_changed_spec_all_it_must(photos, tmp_path):
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    stamps = {out / name: (out / name).stat().st_mtime_ns for name in (*hashes(out), "contact.html")}
    assert edit_folder(aligned_job(photos, out, spec=" Smiling = ON")).redone == 0
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert edit_folder(aligned_job(photos, out, spec="Smiling=off")).redone == 6
    (photos / "a.jpg").write_bytes(photographs.jpeg(seed=77))
    (out / "b c.JPG").unlink()
    (out / "-x.webp").unlink()
    summary = edit_folder(aligned_job(photos, out, spec="Smiling=off"))
    assert summary.redone == 3
    assert hashes(out) == fresh_hashes(photos, tmp_path / "again", spec="Smiling=off")


@pytest.mark.parametrize("spec", ["", "Nope=on", "Smiling=maybe", "Smiling=on, Smiling=off"])
def test_a_refused_edit_leaves_no_folder(photos, tmp_path, spec):
    with pytest.raises(InputError, match="edit"):
        edit_folder(aligned_job(photos, tmp_path / "out", spec=spec))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(photos, tmp_path, monkeypatch, after):
    out, calls = tmp_path / "out", []
    real = results.ResultWriter._write

    def write(self, name, data, row, journal):
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(name)
        real(self, name, data, row, journal)

    with monkeypatch.context() as patch:
        patch.setattr(results.ResultWriter, "_write", write)
        with pytest.raises(KeyboardInterrupt):
            edit_folder(aligned_job(photos, out))
    with (out / ".facet/journals/local.jsonl").open("ab") as file:
        file.write(b'{"file": "cut sho')  # as a kill leaves it
    (out / ".facet/parts/left").write_bytes(b"half a photo")
    summary = edit_folder(aligned_job(photos, out))
    assert 6 - after <= summary.redone <= 6
    assert hashes(out) == fresh_hashes(photos, tmp_path / "other")
    assert not list((out / ".facet/parts").iterdir())


def test_a_full_disk_stops_the_job_with_its_name_and_nothing_half_written(photos, tmp_path, monkeypatch):
    out, real = tmp_path / "out", Path.open

    def full(self, *how, **more):
        if "parts" in self.parts and len(list(out.glob("*.*"))) >= 2:
            self.touch()
            raise OSError(28, "No space left on device")
        return real(self, *how, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(JobError, match=r"cannot be written: No space left on device"):
            edit_folder(aligned_job(photos, out))
    assert not list((out / ".facet/parts").iterdir())
    edit_folder(aligned_job(photos, out))
    assert hashes(out) == fresh_hashes(photos, tmp_path / "other")


def test_a_summary_tells_reasons_and_whether_all_was_in_vain(photos, tmp_path):
    shutil.rmtree(photos)
    photos.mkdir()
    (photos / "wide.jpg").write_bytes(photographs.encoded(Image.new("RGB", (300, 100)), "JPEG"))
    summary = edit_folder(aligned_job(photos, tmp_path / "out"))
    assert str(summary).startswith("1 skipped (1 aspect) (1 done now")
    assert summary.in_vain
    assert str(edit_folder(aligned_job(photos, tmp_path / "out"))) == "1 skipped (1 aspect) (nothing to do)"


def test_two_jobs_in_one_folder_do_not_meet(photos, tmp_path):
    import fcntl

    out = tmp_path / "out"
    (out / ".facet").mkdir(parents=True)
    with (out / ".facet/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(JobError, match="another job is writing to"):
            edit_folder(aligned_job(photos, out))


def test_hostile_files_each_have_their_line_and_none_stops_the_job(tmp_path):
    photos, rng = tmp_path / "photos", np.random.default_rng(5)
    photos.mkdir()
    picture = Image.fromarray(photographs.pixels())
    good = {f".{form.lower()}": photographs.encoded(picture, form) for form in ("PNG", "WEBP", "TIFF", "GIF")}
    good[".jpg"] = photographs.camera_jpeg(6)
    for number in range(500):
        suffix = list(good)[number % len(good)]
        data = bytearray(good[suffix])
        kind = number % 4
        if kind == 0:
            data = data[: int(rng.integers(0, len(data)))]
        elif kind == 1:
            for _ in range(20):
                data[int(rng.integers(0, min(len(data), 1500)))] = int(rng.integers(256))
        elif kind == 2:
            data = bytearray(rng.integers(0, 256, int(rng.integers(1, 5000)), dtype=np.uint8).tobytes())
        else:
            at = int(rng.integers(0, len(data)))
            data[at:at] = rng.integers(0, 256, 200, dtype=np.uint8).tobytes()
        (photos / f"{number:03d}{suffix}").write_bytes(bytes(data))
    summary = edit_folder(aligned_job(photos, tmp_path / "out"), sheet=0)
    assert sum(summary.counts.values()) == 500
    manifest = rows(tmp_path / "out")
    assert all(row["reason"] for row in manifest.values() if row["status"] in ("failed", "skipped"))
    assert not [row["detail"] for row in manifest.values() if row["reason"] == "error"]
    for row in manifest.values():
        if row["status"] == "edited":
            Image.open(io.BytesIO((tmp_path / "out" / row["output"]).read_bytes())).load()


def test_files_that_no_job_wrote_are_not_replaced(photos, tmp_path):
    out = tmp_path / "my own"
    (out / "Urlaub 2026").mkdir(parents=True)
    own = out / "Urlaub 2026" / "Ä#%.jpeg"
    own.write_bytes(b"mine")
    with pytest.raises(InputError, match=r"holds files that results would replace: Urlaub 2026/Ä#%\.jpeg"):
        edit_folder(aligned_job(photos, out))
    assert [path for path in out.rglob("*") if path.is_file()] == [own]
    own.rename(out / "another name.jpeg")
    edit_folder(aligned_job(photos, out))
    edit_folder(aligned_job(photos, out, spec="Eyeglasses=on"))  # results of a job are replaced by those of another
    assert (out / "another name.jpeg").read_bytes() == b"mine"


def test_landmarks_of_other_photos_are_named(photos, tmp_path, caplog):
    header = "file," + ",".join(COLUMNS)
    points = "60,90,118,90,90,120,70,145,110,145"
    table = tmp_path / "landmarks.csv"
    table.write_text(f"{header}\n./a.jpg,{points}\n")
    with pytest.raises(InputError, match=r"names none of the photos: it has \./a\.jpg, they are"):
        edit_folder(aligned_job(photos, tmp_path / "out", landmarks=table))
    table.write_text(f"{header}\na.jpg,{points}\nb.jpg,{points}\n")
    edit_folder(aligned_job(photos, tmp_path / "out", landmarks=table))
    assert "1 names are no photo of this job: b.jpg" in caplog.text
