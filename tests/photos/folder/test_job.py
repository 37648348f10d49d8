"""A folder of photos: what comes back, what is said of each file, what a second and an interrupted run do."""

import dataclasses
import hashlib
import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facet.base.errors import InputError
from facet.photos.editor import Options
from facet.photos.folder import job
from facet.photos.folder import run as folder
from facet.photos.folder.job import JobError
from facet.photos.folder.run import edit_folder, estimate
from tests.support import photographs
from tests.support.photo_jobs import SPEC, aligned_job, fresh_hashes, hashes, rows

pytestmark = pytest.mark.usefixtures("linear_editor")

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
    (out / "b c.JPG").write_bytes(b"someone wrote here")
    (out / "-x.webp").unlink()
    summary = edit_folder(aligned_job(photos, out, spec="Smiling=off"))
    assert summary.redone == 3
    assert hashes(out) == fresh_hashes(photos, tmp_path / "again", spec="Smiling=off")


@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(photos, tmp_path, monkeypatch, after):
    out, calls = tmp_path / "out", []
    real = job.Shard._put

    def put(self, name, data, row):
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(name)
        real(self, name, data, row)

    with monkeypatch.context() as patch:
        patch.setattr(job.Shard, "_put", put)
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


def test_what_cannot_be_edited_is_copied_and_said(photos, tmp_path):
    (photos / "wide.jpg").write_bytes(photographs.encoded(Image.new("RGB", (300, 100)), "JPEG"))
    (photos / "broken.jpg").write_bytes(photographs.jpeg()[:3000])
    (photos / "empty.png").write_bytes(b"")
    (photos / "page.png").write_text("<html>not found</html>")
    (photos / "outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "secret.jpg").write_bytes(photographs.jpeg())
    (photos / "inside.jpg").symlink_to(photos / "a.jpg")
    (photos / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(photos / "pipe.jpg")
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    found = {name: (row["status"], row["reason"]) for name, row in rows(out).items() if row["status"] != "edited"}
    assert found == {
        "wide.jpg": ("skipped", "aspect"),
        "broken.jpg": ("failed", "truncated"),
        "empty.png": ("failed", "empty"),
        "page.png": ("failed", "not_an_image"),
        "outside.jpg": ("failed", "link_outside"),
        "pipe.jpg": ("failed", "unreadable"),
    }
    assert (out / "wide.jpg").read_bytes() == (photos / "wide.jpg").read_bytes()
    assert (out / "broken.jpg").read_bytes() == (photos / "broken.jpg").read_bytes()
    assert not (out / "outside.jpg").exists()
    assert (out / "inside.jpg").exists()
    assert not (out / "elsewhere").exists()
    bare = tmp_path / "bare"
    edit_folder(aligned_job(photos, bare, copy=False))
    assert not (bare / "wide.jpg").exists()
    assert edit_folder(aligned_job(photos, bare)).redone >= 3  # now with copies
    assert (bare / "wide.jpg").exists()


def test_faces_that_show_it_already_stay_bit_for_bit(photos, tmp_path):
    out = tmp_path / "out"
    bright = photographs.pixels()
    bright[49:79, 29:59] = 250
    (photos / "there.png").write_bytes(photographs.encoded(Image.fromarray(bright), "PNG"))
    edit_folder(aligned_job(photos, out, options={"unless_already": True}))
    row = rows(out)["there.png"]
    assert (row["status"], row["reason"]) == ("unchanged", "already")
    assert (out / "there.png").read_bytes() == (photos / "there.png").read_bytes()


def test_a_mask_that_lets_nothing_in_leaves_the_photo_and_says_so(photos, tmp_path):
    Image.new("L", (178, 218)).save(tmp_path / "black.png")
    out = tmp_path / "out"
    assert edit_folder(aligned_job(photos, out, masks=tmp_path / "black.png")).counts == {"unchanged": 6}
    assert {row["reason"] for row in rows(out).values()} == {"masked"}
    assert (out / "a.jpg").read_bytes() == (photos / "a.jpg").read_bytes()


def test_results_of_another_name_give_way_unless_somebody_changed_them(photos, tmp_path):
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out, lossless=True))
    (out / "b c.png").write_bytes(b"mine now")
    edit_folder(aligned_job(photos, out))
    assert set(hashes(out)) == set(fresh_hashes(photos, tmp_path / "fresh")) | {"b c.png"}
    (photos / "empty.jpg").write_bytes(b"")
    edit_folder(aligned_job(photos, out))
    assert (out / "empty.jpg").read_bytes() == b""
    edit_folder(aligned_job(photos, out, copy=False))
    assert not (out / "empty.jpg").exists()


def test_a_summary_tells_reasons_and_whether_all_was_in_vain(photos, tmp_path):
    shutil.rmtree(photos)
    photos.mkdir()
    (photos / "wide.jpg").write_bytes(photographs.encoded(Image.new("RGB", (300, 100)), "JPEG"))
    summary = edit_folder(aligned_job(photos, tmp_path / "out"))
    assert str(summary).startswith("1 skipped (1 aspect) (1 done now")
    assert summary.in_vain
    assert str(edit_folder(aligned_job(photos, tmp_path / "out"))) == "1 skipped (1 aspect) (nothing to do)"


def test_lossless_results_are_png_and_never_meet(photos, tmp_path):
    shutil.copy(photos / "a.jpg", photos / "写真.jpg")
    shutil.copy(photos / "Urlaub 2026/日本/写真.png", photos / "写真.png")
    (photos / "g.gif").write_bytes(photographs.encoded(Image.fromarray(photographs.pixels()), "GIF"))
    cmyk = Image.fromarray(photographs.pixels()).convert("CMYK")
    (photos / "k.jpg").write_bytes(photographs.encoded(cmyk, "JPEG"))
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out, lossless=True))
    found = rows(out)
    assert len({row["output"] for row in found.values()}) == len(found)
    assert found["a.jpg"]["output"] == "a.png"
    assert found["写真.jpg"]["output"] == "写真-jpg.png"
    assert found["k.jpg"]["output"] == "k-jpg.tif"
    assert found["g.gif"]["notes"].tolist() == ["gif_to_png"]
    before = np.asarray(Image.open(photos / "a.jpg"), int)
    after = np.asarray(Image.open(out / "a.png"), int)
    changed = (before != after).any(2)
    changed[AROUND] = False
    assert not changed.any()
    assert found["a.jpg"]["outside_share"] == 0


def test_lossy_results_tell_what_compression_did_to_the_rest(photos, tmp_path):
    edit_folder(aligned_job(photos, tmp_path / "out"))
    row = rows(tmp_path / "out")["a.jpg"]
    assert 0 < row["outside_share"] < 0.5
    assert 0 < row["outside_worst"] < 60


def test_a_mask_limits_the_edit(photos, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    white = np.zeros((218, 178), np.uint8)
    white[:, :45] = 255
    Image.fromarray(white).save(masks / "a.png")
    Image.fromarray(white[:100]).save(masks / "b c.png")
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out, masks=masks, lossless=True))
    before, after = np.asarray(Image.open(photos / "a.jpg"), int), np.asarray(Image.open(out / "a.png"), int)
    assert (before[:, 45:] == after[:, 45:]).all()
    assert (before[:, :45] != after[:, :45]).any()
    found = rows(out)
    assert found["b c.JPG"]["reason"] == "mask_size"
    assert found["-x.webp"]["reason"] == "mask_missing"
    Image.fromarray(255 - white).save(masks / "a.png")
    assert edit_folder(aligned_job(photos, out, masks=masks, lossless=True)).redone == 1
    assert (before[:, :45] == np.asarray(Image.open(out / "a.png"), int)[:, :45]).all()


def landmarks_of(scale, shift):
    """Landmarks of a face whose crop is `scale` pixels wide at `shift`."""
    return np.array(photographs.LANDMARKS).reshape(5, 2) * scale + shift


def test_landmarks_of_others_place_the_crop(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    Image.fromarray(photographs.pixels(400, 600)).save(photos / "a.png")
    Image.fromarray(photographs.pixels(400, 600)).save(photos / "b.png")
    head = ["file", *(f"{p}_{a}" for p in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for a in "xy")]
    points = landmarks_of(160, (300, 120)).ravel()
    lines = [",".join(head), "a.png," + ",".join(f"{value:.3f}" for value in points)]
    (tmp_path / "l.csv").write_text("\n".join(lines))
    chosen = dataclasses.replace(aligned_job(photos, out, landmarks=tmp_path / "l.csv"), options=Options(spec=SPEC))
    edit_folder(chosen)
    found = rows(out)
    assert found["a.png"]["side"].tolist() == pytest.approx([160], abs=0.1)
    assert found["b.png"]["reason"] == "no_landmarks"
    before, after = np.asarray(Image.open(photos / "a.png"), int), np.asarray(Image.open(out / "a.png"), int)
    changed = np.argwhere((before != after).any(2))
    assert (changed.min(0) >= (80, 260)).all()
    assert (changed.max(0) < (280, 460)).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has columns a, b; expected file, left_eye_x"),
        ("", "has columns none"),
        ("file\n", "columns none"),
    ],
)
def test_landmarks_that_are_none_are_a_clear_error(tmp_path, text, message):
    from facet.photos.faces.landmarks import read_landmarks

    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_landmarks(tmp_path / "l.csv")


def test_a_zip_a_list_and_one_photo_are_folders_too(photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as file:
        for path in photos.rglob("*.*"):
            file.write(path, path.relative_to(photos).as_posix())
        file.writestr("../escape.jpg", photographs.jpeg())
    whole = fresh_hashes(photos, tmp_path / "out")
    assert fresh_hashes(tmp_path / "p.zip", tmp_path / "zipped") == whole
    assert not (tmp_path / "escape.jpg").exists()
    (tmp_path / "list.txt").write_text("photos/a.jpg\n" + str(photos / "Urlaub 2026/Ä#%.jpeg") + "\nphotos/gone.jpg\n")
    listed = fresh_hashes(tmp_path / "list.txt", tmp_path / "listed")
    assert listed == {name: whole[name] for name in ("a.jpg", "Urlaub 2026/Ä#%.jpeg")}
    assert rows(tmp_path / "listed")["gone.jpg"]["reason"] == "unreadable"
    assert fresh_hashes(photos / "a.jpg", tmp_path / "one") == {"a.jpg": whole["a.jpg"]}


@pytest.mark.parametrize(
    ("photos_at", "out_at", "message"),
    [
        ("p", "p", "results would be edited again"),
        ("p", "p/out", "results would be edited again"),
        ("p/in", "p", "results could replace photos"),
        ("p/gone", "o", "is missing; expected a folder of photos"),
        ("p", "f", "is a file"),
        ("p", "new.jpg", "has the name of a picture"),
    ],
)
def test_folders_that_cannot_work_are_refused_before_anything_is_written(tmp_path, photos_at, out_at, message):
    (tmp_path / "p/in").mkdir(parents=True)
    (tmp_path / "f").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message):
        edit_folder(aligned_job(tmp_path / photos_at, tmp_path / out_at))
    assert sorted(tmp_path.rglob("*")) == before


def test_two_jobs_in_one_folder_do_not_meet(photos, tmp_path):
    import fcntl

    out = tmp_path / "out"
    (out / ".facet").mkdir(parents=True)
    with (out / ".facet/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(JobError, match="another job is writing to"):
            edit_folder(aligned_job(photos, out))


def test_a_dry_run_writes_nothing_and_tells_what_there_is_to_do(photos, tmp_path):
    (photos / "wide.jpg").write_bytes(photographs.encoded(Image.new("RGB", (300, 100)), "JPEG"))
    told = estimate(aligned_job(photos, tmp_path / "out"))
    assert (told.photos, told.done, told.others, told.refused) == (7, 0, 1, {"aspect": 1})
    assert not (tmp_path / "out").exists()
    edit_folder(aligned_job(photos, tmp_path / "out"))
    assert estimate(aligned_job(photos, tmp_path / "out")).done == 7


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
    found = rows(tmp_path / "out")
    assert all(row["reason"] for row in found.values() if row["status"] in ("failed", "skipped"))
    assert not [row["detail"] for row in found.values() if row["reason"] == "error"]
    for row in found.values():
        if row["status"] == "edited":
            Image.open(io.BytesIO((tmp_path / "out" / row["output"]).read_bytes())).load()


def test_a_shard_is_the_same_on_its_own(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "SHARD", 2)
    folder._worker.cache_clear()
    out = tmp_path / "out"

    def run(job, shards):
        for number in reversed(range(shards)):
            yield folder.edit_shard(job, "a run", number)

    assert edit_folder(aligned_job(photos, out), run).counts == {"edited": 6}
    folder._worker.cache_clear()
    assert hashes(out) == fresh_hashes(photos, tmp_path / "other")


def test_a_list_of_photos_in_out_is_refused_and_its_dots_do_not_lead_out_of_out(photos, tmp_path):
    (tmp_path / "list.txt").write_text("photos/a.jpg\n")
    with pytest.raises(InputError, match="results could replace photos"):
        edit_folder(aligned_job(tmp_path / "list.txt", photos))
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/list.txt").write_text("../../photos/a.jpg\n../../photos/b c.JPG\n")
    assert set(fresh_hashes(tmp_path / "deep/er/list.txt", tmp_path / "deep/out")) == {"a.jpg", "b c.JPG"}


def test_three_names_that_would_meet_stay_three(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    gif = photographs.encoded(Image.fromarray(photographs.pixels()), "GIF")
    png = photographs.encoded(Image.fromarray(photographs.pixels()), "PNG")
    for name, data in (("a.gif", gif), ("a.png", png), ("a-gif.png", png)):
        (photos / name).write_bytes(data)
    assert set(fresh_hashes(photos, tmp_path / "out")) == {"a.png", "a-gif.png", "a-gif-2.png"}


def test_names_that_out_cannot_hold_fail_alone(photos, tmp_path):
    (photos / "a.png").mkdir()
    shutil.copy(photos / "a.jpg", photos / "a.png/in.jpg")
    (photos / "a.gif").write_bytes(photographs.encoded(Image.fromarray(photographs.pixels()), "GIF"))
    (photos / "contact.html").mkdir()
    shutil.copy(photos / "a.jpg", photos / "contact.html/in.jpg")
    (photos / "self.jpg").symlink_to("self.jpg")
    with zipfile.ZipFile(tmp_path / "long.zip", "w") as file:
        file.writestr("y" * 300 + ".jpg", photographs.jpeg())
        file.writestr("b.jpg", photographs.jpeg())
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    found = {name: row["reason"] for name, row in rows(out).items() if row["status"] == "failed"}
    assert found == {
        "contact.html/in.jpg": "reserved_name",
        "self.jpg": "link_outside",
    }
    edit_folder(aligned_job(tmp_path / "long.zip", tmp_path / "zipped"))
    assert [row["status"] for row in rows(tmp_path / "zipped").values()] == ["edited", "failed"]
    assert rows(out)["a.gif"]["output"] == "a-gif.png"


def test_the_place_leaves_copies_too_and_what_keeps_it_says_so(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    wide = Image.new("RGB", (300, 100))
    block = (0xE1, b"Exif\0\0" + photographs.exif())
    (photos / "copy.jpg").write_bytes(photographs.with_segments(photographs.encoded(wide, "JPEG"), block))
    (photos / "copy.webp").write_bytes(photographs.encoded(wide, "WEBP", exif=b"Exif\0\0" + photographs.exif()))
    packet = (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + photographs.XMP)
    (photos / "twice.jpg").write_bytes(photographs.with_segments(photographs.jpeg(), block, block, packet, packet))
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out, strip_gps=True))
    for name in ("copy.jpg", "twice.jpg"):
        data = (out / name).read_bytes()
        assert 0x8825 not in Image.open(io.BytesIO(data)).getexif()
        assert data.count(b"Exif\0\0") == 1
        assert b"GPSLatitude" not in data
    found = rows(out)
    assert (found["copy.jpg"]["status"], found["copy.jpg"]["notes"].tolist()) == ("skipped", [])
    assert found["copy.webp"]["notes"].tolist() == ["gps_kept"]


def test_landmarks_outside_the_photo_and_an_empty_edit_are_refused(photos, tmp_path):
    head = ["file", *(f"{p}_{a}" for p in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for a in "xy")]
    points = landmarks_of(160, (-900, -900)).ravel()
    (tmp_path / "l.csv").write_text(",".join(head) + "\na.jpg," + ",".join(f"{value:.1f}" for value in points))
    chosen = aligned_job(photos, tmp_path / "out", landmarks=tmp_path / "l.csv")
    edit_folder(dataclasses.replace(chosen, options=Options(spec=SPEC)))
    assert rows(tmp_path / "out")["a.jpg"]["reason"] == "off_photo"
    with pytest.raises(InputError, match="the edit is empty"):
        edit_folder(aligned_job(photos, tmp_path / "other", spec=" "))


def test_a_mask_of_sixteen_bits_is_the_mask_of_eight(photos, tmp_path):
    half = np.full((218, 178), 128, np.uint8)
    Image.fromarray(half).save(tmp_path / "8.png")
    Image.fromarray(half.astype(np.uint16) * 257).save(tmp_path / "16.png")
    results = [fresh_hashes(photos, tmp_path / f"out{bits}", masks=tmp_path / f"{bits}.png") for bits in (8, 16)]
    assert results[0] == results[1]


def test_a_torn_journal_loses_no_row(tmp_path):
    from facet.photos.folder.manifest import EMPTY, Journal, Known

    path = tmp_path / "journals/x.jsonl"
    for name in ("a", "b"):
        journal = Journal(path)
        journal.add(EMPTY | {"file": name})
        journal.close()
        path.write_bytes(path.read_bytes() + b'{"file": "to')
    path.write_bytes(path.read_bytes() + b'\n{"file": ["x"]}\n')
    assert Known(tmp_path, path.parent).names == {"a", "b"}
