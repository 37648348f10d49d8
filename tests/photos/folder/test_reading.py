"""Landmarks and masks of the user."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from facet.base.errors import InputError
from facet.photos.faces.user_masks import Masks
from facet.photos.folder.run import edit_folder
from facet.photos.options import Options
from tests.support import photographs
from tests.support.photo_jobs import SPEC, aligned_job, fresh_hashes, rows

pytestmark = [pytest.mark.usefixtures("linear_editor"), pytest.mark.slow]


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
    manifest = rows(out)
    assert manifest["a.png"]["side"].tolist() == pytest.approx([160], abs=0.1)
    assert manifest["b.png"]["reason"] == "no_landmarks"
    before, after = np.asarray(Image.open(photos / "a.png"), int), np.asarray(Image.open(out / "a.png"), int)
    changed = np.argwhere((before != after).any(2))
    assert (changed.min(0) >= (80, 260)).all()
    assert (changed.max(0) < (280, 460)).all()


def test_landmarks_outside_the_photo_and_an_empty_edit_are_refused(photos, tmp_path):
    head = ["file", *(f"{p}_{a}" for p in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for a in "xy")]
    points = landmarks_of(160, (-900, -900)).ravel()
    (tmp_path / "l.csv").write_text(",".join(head) + "\na.jpg," + ",".join(f"{value:.1f}" for value in points))
    chosen = aligned_job(photos, tmp_path / "out", landmarks=tmp_path / "l.csv")
    edit_folder(dataclasses.replace(chosen, options=Options(spec=SPEC)))
    assert rows(tmp_path / "out")["a.jpg"]["reason"] == "off_photo"
    with pytest.raises(InputError, match="the edit is empty"):
        edit_folder(aligned_job(photos, tmp_path / "other", spec=" "))


@pytest.mark.parametrize("kind", ["bytes", "empty folder"])
def test_masks_that_no_photo_can_use_are_refused_before_anything_is_written(photos, tmp_path, kind):
    masks = tmp_path / "masks"
    if kind == "bytes":
        masks.write_bytes(b"no picture")
    else:
        masks.mkdir()
    with pytest.raises(InputError, match=f"{masks}.* expected a? ?grey picture"):
        edit_folder(aligned_job(photos, tmp_path / "out", masks=masks))
    assert not (tmp_path / "out").exists()


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
    manifest = rows(out)
    assert manifest["b c.JPG"]["reason"] == "mask_size"
    assert manifest["-x.webp"]["reason"] == "mask_missing"
    Image.fromarray(255 - white).save(masks / "a.png")
    assert edit_folder(aligned_job(photos, out, masks=masks, lossless=True)).redone == 1
    assert (before[:, :45] == np.asarray(Image.open(out / "a.png"), int)[:, :45]).all()


def test_a_mask_that_lets_nothing_in_leaves_the_photo_and_says_so(photos, tmp_path):
    Image.new("L", (178, 218)).save(tmp_path / "black.png")
    out = tmp_path / "out"
    assert edit_folder(aligned_job(photos, out, masks=tmp_path / "black.png")).counts == {"unchanged": 6}
    assert {row["reason"] for row in rows(out).values()} == {"masked"}
    assert (out / "a.jpg").read_bytes() == (photos / "a.jpg").read_bytes()


def test_a_mask_of_sixteen_bits_is_the_mask_of_eight(photos, tmp_path):
    half = np.full((218, 178), 128, np.uint8)
    Image.fromarray(half).save(tmp_path / "8.png")
    Image.fromarray(half.astype(np.uint16) * 257).save(tmp_path / "16.png")
    results = [fresh_hashes(photos, tmp_path / f"out{bits}", masks=tmp_path / f"{bits}.png") for bits in (8, 16)]
    assert results[0] == results[1]


def test_a_mask_lies_as_viewers_show_it(tmp_path):
    upright = np.zeros((218, 178), np.uint8)
    upright[:100] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("mask.png", "mask.tif"):
        Image.fromarray(np.rot90(upright)).save(tmp_path / name, exif=exif)
        levels = Masks(tmp_path / name).read("photo.jpg", (178, 218))
        np.testing.assert_array_equal(levels, upright / np.float32(255))
