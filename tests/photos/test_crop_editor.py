"""As much as each face needs: the search for the weakest edit of which the judge is sure."""

import dataclasses

import numpy as np
import pytest

from facet.judges.unlike import CELLS
from facet.photos.crop_editor import CropEditor
from facet.photos.file.photo import Photo
from facet.photos.options import Options
from facet.photos.search import FARTHEST, SCALES
from tests.support import photographs

OPTIONS = Options(spec="Smiling=on", aligned=True)


class Brightness:
    """A judge whose probability rises with the brightness of the crop."""

    attributes = ("Smiling",)

    def __init__(self, middle):
        self.middle = middle

    def probabilities(self, x):
        return (60 * (x.mean((1, 2, 3)) - self.middle)).sigmoid()[:, None]


def edited(middle, spec="Smiling=on", **options):
    editor = photographs.editor()
    crops = [editor.face_crops(Photo(photographs.pixels(seed=seed), "RGB", "PNG"), OPTIONS)[0] for seed in range(3)]
    crop_editor = CropEditor(editor.editor, Brightness(middle))
    return crop_editor.edits(crops, editor.parse(spec), dataclasses.replace(OPTIONS, spec=spec, **options))


def strengths(middle, spec="Smiling=on", **options):
    return np.array([edit.strengths[0] for edit in edited(middle, spec, **options)])


def test_a_face_gets_the_weakest_edit_of_which_the_judge_is_sure():
    crops = [edit.face_crop.crop for edit in edited(5.0)]
    start = np.mean(crops) / 127.5 - 1
    easy, hard = edited(start - 0.025, sure=0.9), edited(start - 0.01, sure=0.9)
    assert all(edit.reached and edit.after[0] >= 0.9 for edit in (*easy, *hard))
    assert all(0 < a.strengths[0] < b.strengths[0] for a, b in zip(easy, hard, strict=True))


def test_the_surer_the_stronger():
    crops = [edit.face_crop.crop for edit in edited(5.0)]
    middle = np.mean(crops) / 127.5 - 1 - 0.01
    assert (strengths(middle, sure=0.98) > strengths(middle, sure=0.6)).all()


def test_the_strongest_edit_is_kept_and_told_where_the_judge_is_never_sure():
    (one, *_) = edited(5.0)
    assert not one.reached
    full = strengths(5.0, mode="add")[0]
    assert one.strengths[0] == pytest.approx(min(full * SCALES[-1], FARTHEST), rel=0.01)


def test_a_face_of_which_the_judge_is_sure_beforehand_stays():
    for edit in edited(-5.0):
        assert not edit.moved
        assert edit.reached
        assert edit.after == edit.before


@pytest.mark.parametrize(("bias", "unlike"), [(-1e3, False), (1e3, True)])
def test_a_face_unlike_those_of_training_stays(bias, unlike):
    editor = photographs.editor()
    judge = Brightness(0.0)
    judge.trunk = lambda x: x
    numbers = (0.0,) * (2 * 3 * CELLS**2) + (bias,)
    meta = dataclasses.replace(editor.editor.table.meta, unlike=numbers)
    editor.editor.table = dataclasses.replace(editor.editor.table, meta=meta)
    crops = editor.face_crops(Photo(photographs.pixels(), "RGB", "PNG"), OPTIONS)
    (edit,) = CropEditor(editor.editor, judge).edits(crops, editor.parse("Smiling=+1"), OPTIONS)
    assert edit.unlike is unlike
    assert edit.moved is not unlike


def test_a_small_batch_edits_what_is_asked_for_whatever_it_is_like():
    editor = photographs.editor()
    crops = editor.face_crops(Photo(photographs.pixels(), "RGB", "PNG"), OPTIONS)
    options = dataclasses.replace(OPTIONS, unlike=True)
    (edit,) = CropEditor(editor.editor, Brightness(0.0), batch=2).edits(crops, editor.parse("Smiling=+1"), options)
    assert edit.moved


def test_numbers_keep_their_strength():
    np.testing.assert_array_equal(strengths(-5.0, "Smiling=+1"), strengths(5.0, "Smiling=+1"))
    np.testing.assert_array_equal(strengths(5.0, "Smiling=+1"), strengths(5.0, "Smiling=+1", mode="add"))
