"""Editing from Python: which faces, which options, which kinds of pictures."""

import dataclasses
import inspect

import numpy as np
import pytest
import torch
from PIL import Image

import facet
from facet.base.errors import InputError
from facet.editing.refine import refine
from facet.photos.batch import BATCH
from facet.photos.editor import PhotoEditor
from facet.photos.faces.user_masks import Masks
from facet.photos.file.photo import Photo
from facet.photos.options import Options, compositing_mode
from facet.pictures.decode import BadImage, turned, turned_back
from tests.support import photographs


def test_auto_moves_the_photo_s_own_pixels():
    assert compositing_mode("auto") == "move"
    assert compositing_mode("ian") == "ian"
    with pytest.raises(InputError, match="mode 'magic' is unknown"):
        compositing_mode("magic")


def test_faces_of_a_batch_are_edited_each_by_itself():
    editor = photographs.editor()
    options = Options(spec="Smiling=on", aligned=True)
    face_crops = [
        editor.face_crops(Photo(photographs.pixels(seed=seed), "RGB", "PNG"), options)[0] for seed in range(5)
    ]
    together = editor.edits(face_crops, editor.parse("Smiling=on"), options)
    for face, edit in zip(face_crops, together, strict=True):
        alone = editor.edits([face], editor.parse("Smiling=on"), options)[0]
        np.testing.assert_array_equal(alone.change.offset, edit.change.offset)
        assert alone.strengths == edit.strengths
    with pytest.raises(ValueError, match=f"{BATCH} at most"):
        editor.edits(face_crops * 4, editor.parse("Smiling=on"), options)


def test_python_edits_pictures_arrays_and_batches_alike():
    editor = photographs.editor()
    assert isinstance(editor, facet.Editor)
    batch = np.stack([photographs.pixels(seed=seed) for seed in range(3)])
    kept = batch.copy()
    edited = editor.edit(batch, "Smiling=on", aligned=True)
    np.testing.assert_array_equal(batch, kept)
    assert (edited != batch).any((1, 2, 3)).all()
    for one, result in zip(batch, edited, strict=True):
        np.testing.assert_array_equal(editor.edit(one, "Smiling=on", aligned=True), result)
        np.testing.assert_array_equal(np.asarray(editor.edit(Image.fromarray(one), "Smiling=on", aligned=True)), result)
    both = editor.edit([batch[0], Image.fromarray(batch[1])], "Smiling=on", aligned=True)
    np.testing.assert_array_equal(both[0], edited[0])
    np.testing.assert_array_equal(np.asarray(both[1]), edited[1])
    with pytest.raises(InputError, match="is a path: open it first"):
        editor.edit("photo.jpg", "Smiling=on")
    with pytest.raises(InputError, match=r"expected uint8 \(H, W, 3\)"):
        editor.edit(batch.astype(float), "Smiling=on")
    with pytest.raises(BadImage, match="aspect"):
        editor.edit(batch[0][:100], "Smiling=on", aligned=True)


def test_clipping_is_asked_for_with_each_edit():
    editor, photo = photographs.editor(), photographs.pixels()
    free, kept = (editor.edit(photo, "Smiling=+90", aligned=True, clip=clip) for clip in (False, True))
    assert np.abs(free.astype(int) - photo).sum() > 1.2 * np.abs(kept.astype(int) - photo).sum()
    np.testing.assert_array_equal(editor.edit(photo, "Smiling=+90", aligned=True), free)


def test_a_small_face_and_one_turned_away_are_refused_with_their_measure():
    editor = photographs.editor()
    photo = Photo(photographs.pixels(400, 400), "RGB", "PNG")
    points = np.array(photographs.LANDMARKS).reshape(5, 2) * 100 + 100
    editor.face_crops(photo, Options(spec=""), [points])
    with pytest.raises(BadImage) as bad:
        editor.face_crops(photo, Options(spec="", least=200), [points])
    assert (bad.value.reason, bad.value.detail) == ("too_small", "100 pixels; 200 are needed")
    points[2, 0] += 30
    with pytest.raises(BadImage) as bad:
        editor.face_crops(photo, Options(spec=""), [points])
    assert bad.value.reason == "off_frontal"
    editor.face_crops(photo, Options(spec="", away=0.0), [points])


def test_refinement_brings_a_latent_nearer_to_the_photo_each_face_by_itself():
    editor = photographs.editor().editor
    x = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1)) - 0.5
    far = editor.encode(x) + 0.5

    def error(latent):
        return (editor.decode(latent) - x).abs().mean((1, 2, 3))

    near = refine(editor, x, far, 60)
    assert (error(near) < error(far)).all()
    torch.testing.assert_close(refine(editor, x[1:2], far[1:2], 60), near[1:2])
    torch.testing.assert_close(refine(editor, x, far, 0), far)


def test_the_options_of_an_edit_in_python_are_the_options_of_a_job_with_their_defaults():
    shown = [p for p in inspect.signature(PhotoEditor.edit).parameters.values() if p.kind is p.KEYWORD_ONLY]
    fields = [field for field in dataclasses.fields(Options) if field.name != "spec"]
    assert {p.name: p.default for p in shown} == {field.name: field.default for field in fields}
    assert all(f"\n    {field.name} " in Options.__doc__ for field in dataclasses.fields(Options))


def test_options_of_an_edit_arrive_in_it(monkeypatch):
    changed = {"mode": "add", "faces": "all", "aligned": True, "clip": True, "refine": 2, "unless_already": True}
    changed |= {"least": 9, "away": 0.1, "unlike": True}
    seen = []
    editor = photographs.editor()
    monkeypatch.setattr(editor, "face_crops", lambda photo, options: seen.append(options) or [])
    editor.edit(photographs.pixels(), "Smiling=on", **changed)
    assert seen == [Options(spec="Smiling=on", **changed)]


def test_a_picture_of_a_face_unlike_training_is_refused(monkeypatch):
    editor = photographs.editor()
    monkeypatch.setattr(editor.crop_editor, "_unlike", lambda start: np.ones(len(start.x), bool))
    with pytest.raises(BadImage, match="unlike_training"):
        editor.edit(photographs.pixels(), "Smiling=on", aligned=True)
    edited = editor.edit(photographs.pixels(), "Smiling=on", aligned=True, unlike=True)
    assert not np.array_equal(edited, photographs.pixels())


@pytest.mark.parametrize("orientation", [3, 6, 7])
@pytest.mark.parametrize("form", ["TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("loaded", [False, True])
def test_a_picture_is_turned_once(tmp_path, form, orientation, loaded):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = photographs.pixels(seed=1)
    path = tmp_path / f"photo.{form}"
    stored = Image.fromarray(np.ascontiguousarray(turned_back(pixels, orientation)))
    stored.save(path, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    editor, picture = photographs.editor(), Image.open(path)
    if loaded:
        picture.load()
    upright = editor.edit(Image.fromarray(pixels), "Smiling=on", aligned=True)
    edited = np.asarray(editor.edit(picture, "Smiling=on", aligned=True))
    np.testing.assert_array_equal(edited if form == "TIFF" else turned(edited, orientation), np.asarray(upright))


@pytest.mark.parametrize("form", ["TIFF", "PNG"])
def test_a_mask_is_turned_once(tmp_path, form):
    exif = Image.Exif()
    exif[0x0112] = 6
    levels = photographs.pixels()[:, :, 0]
    Image.fromarray(np.ascontiguousarray(turned_back(levels, 6))).save(tmp_path / "mask.png", form, exif=exif)
    weights = Masks(tmp_path / "mask.png").read("a.jpg", (178, 218))
    np.testing.assert_array_equal(np.rint(weights * 255), levels)
