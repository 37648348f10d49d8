"""What is written for photos that are edited, unchanged, skipped or broken."""

import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from facet.photos.crop_editor import CropEditor
from facet.photos.file.place_walk import place_left
from facet.photos.folder.run import edit_folder
from tests.support import photographs
from tests.support.photo_jobs import aligned_job, fresh_hashes, hashes, rows

pytestmark = [pytest.mark.usefixtures("linear_editor"), pytest.mark.slow]

AROUND = np.s_[19:199, 0:178]  # face120 and a quarter of its 120 pixels on every side


def test_what_cannot_be_edited_is_copied_and_said(photos, tmp_path):
    (photos / "wide.jpg").write_bytes(photographs.encoded(Image.new("RGB", (300, 100)), "JPEG"))
    (photos / "broken.jpg").write_bytes(photographs.jpeg()[:3000])
    (photos / "empty.png").write_bytes(b"")
    (photos / "page.png").write_text("<html>not manifest</html>")
    (photos / "outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "secret.jpg").write_bytes(photographs.jpeg())
    (photos / "inside.jpg").symlink_to(photos / "a.jpg")
    (photos / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(photos / "pipe.jpg")
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    reasons = {name: (row["status"], row["reason"]) for name, row in rows(out).items() if row["status"] != "edited"}
    assert reasons == {
        "wide.jpg": ("skipped", "aspect"),
        "broken.jpg": ("failed", "truncated"),
        "empty.png": ("failed", "empty"),
        "page.png": ("failed", "not_an_image"),
        "outside.jpg": ("failed", "link_outside"),
        "elsewhere": ("failed", "link_folder"),
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


def test_faces_unlike_training_are_left_alone_unless_the_job_asks_for_them(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(CropEditor, "_unlike", lambda self, start: np.ones(len(start.x), bool))
    (photos / "there.png").write_bytes(photographs.encoded(Image.fromarray(photographs.pixels()), "PNG"))
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    row = rows(out)["there.png"]
    assert (row["status"], row["reason"]) == ("skipped", "unlike_training")
    assert (out / "there.png").read_bytes() == (photos / "there.png").read_bytes()
    edit_folder(aligned_job(photos, out, options={"unlike": True}))
    assert rows(out)["there.png"]["status"] == "edited"


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


def test_lossless_results_are_png_and_never_meet(photos, tmp_path):
    shutil.copy(photos / "a.jpg", photos / "写真.jpg")
    shutil.copy(photos / "Urlaub 2026/日本/写真.png", photos / "写真.png")
    (photos / "g.gif").write_bytes(photographs.encoded(Image.fromarray(photographs.pixels()), "GIF"))
    cmyk = Image.fromarray(photographs.pixels()).convert("CMYK")
    (photos / "k.jpg").write_bytes(photographs.encoded(cmyk, "JPEG"))
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out, lossless=True))
    manifest = rows(out)
    assert len({row["output"] for row in manifest.values()}) == len(manifest)
    assert manifest["a.jpg"]["output"] == "a.png"
    assert manifest["写真.jpg"]["output"] == "写真-jpg.png"
    assert manifest["k.jpg"]["output"] == "k-jpg.tif"
    assert manifest["g.gif"]["notes"].tolist() == ["gif_to_png"]
    before = np.asarray(Image.open(photos / "a.jpg"), int)
    after = np.asarray(Image.open(out / "a.png"), int)
    changed = (before != after).any(2)
    changed[AROUND] = False
    assert not changed.any()
    assert manifest["a.jpg"]["outside_share"] == 0


def test_lossy_results_tell_what_compression_did_to_the_rest(photos, tmp_path):
    edit_folder(aligned_job(photos, tmp_path / "out"))
    row = rows(tmp_path / "out")["a.jpg"]
    assert 0 < row["outside_share"] < 0.5
    assert 0 < row["outside_worst"] < 60


def test_the_place_leaves_copies_too_and_what_may_keep_it_is_left_out_and_counted(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    wide = Image.new("RGB", (300, 100))
    block = (0xE1, b"Exif\0\0" + photographs.exif())
    (photos / "copy.jpg").write_bytes(photographs.with_segments(photographs.encoded(wide, "JPEG"), block))
    (photos / "copy.webp").write_bytes(photographs.encoded(wide, "WEBP", exif=b"Exif\0\0" + photographs.exif()))
    (photos / "copy.gif").write_bytes(photographs.encoded(wide, "GIF", comment=b"GPSLatitude 48.8"))
    (photos / "copy.ppm").write_bytes(photographs.encoded(wide, "PPM").replace(b"P6\n", b"P6\n# GPSLatitude 48.8\n"))
    packet = (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + photographs.XMP)
    (photos / "twice.jpg").write_bytes(photographs.with_segments(photographs.jpeg(), block, block, packet, packet))
    (photos / "video.jpg").write_bytes(photographs.jpeg() + b"\0\0\0\x18ftypmp42" + bytes(99))
    out = tmp_path / "out"
    summary = edit_folder(aligned_job(photos, out, strip_gps=True))
    assert "1 failed (1 place_left)" in str(summary)
    for name in ("copy.jpg", "copy.webp", "copy.gif", "twice.jpg"):
        data = (out / name).read_bytes()
        assert 0x8825 not in Image.open(io.BytesIO(data)).getexif()
        assert place_left(data) == ""
        assert b"GPSLatitude" not in data
    manifest = rows(out)
    assert (manifest["copy.jpg"]["status"], manifest["copy.jpg"]["notes"].tolist()) == ("skipped", [])
    assert manifest["video.jpg"]["notes"].tolist() == ["behind_dropped"]
    assert manifest["video.jpg"]["status"] == "edited"
    left = manifest["copy.ppm"]
    assert (left["status"], left["reason"], left["output"]) == ("failed", "place_left", "")
    assert left["detail"] == "'GPSLat' in the file outside its pixels"
    assert not (out / "copy.ppm").exists()
