"""Landmarks that others found: wrong ones are refused with the cause."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

from facet.photos import scenes
from facet.photos.faces.landmarks import COLUMNS
from facet.photos.folder.given_faces import given_faces
from facet.photos.folder.run import edit_folder
from facet.photos.options import Options
from facet.pictures.decode import BadImage, turned, turned_back
from tests.support import photographs
from tests.support.photo_jobs import SPEC, aligned_job, hashes, rows

WALL = photographs.pixels(400, 600)
FACE = np.array(photographs.LANDMARKS).reshape(5, 2) * 160 + (300, 120)
WRONG = {
    "shares of the photo": FACE / (600, 400),
    "left and right are swapped": FACE[[1, 0, 2, 4, 3]],
    "left and right of the mouth are swapped": FACE[[0, 1, 2, 4, 3]],
    "or x and y, are swapped": FACE[:, ::-1] - (0, 200),
    "the nose is not between eyes and mouth": FACE[[0, 1, 2, 3, 4]] + [[0, 0], [0, 0], [0, 200], [0, 0], [0, 0]],
    "eyes and mouth are on one line": FACE[[0, 1, 2, 1, 1]] + [[0, 0], [0, 0], [0, 0], [20, 0], [90, 1]],
    "are at one point": FACE[[0, 0, 2, 3, 4]],
    "left_eye at .* is outside 600 x 400": FACE - (420, 0),
    "left_mouth at .* is outside 600 x 400": FACE - (0, -300),
}


@pytest.mark.parametrize("cause", WRONG)
def test_landmarks_that_cannot_be_right_are_refused_with_the_cause(cause):
    with pytest.raises(BadImage, match=cause):
        given_faces([WRONG[cause]], WALL, (600, 400), 1)


def test_a_lying_face_and_one_at_the_border_are_faces():
    for points in (FACE[:, ::-1] * (1, -1) + (0, 500), FACE - (365, 0)):
        (face,) = given_faces([points], WALL, (600, 400), 1)
        np.testing.assert_allclose(face.points, points, atol=1 / 64)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_of_the_photo_before_it_is_turned_are_told_by_what_they_show(orientation):
    scene = scenes.compose(1, 2, (640, 480), (180.0, 200.0))
    stored = turned_back(scene.pixels, orientation)
    size = (stored.shape[1], stored.shape[0])
    marks = np.zeros(stored.shape[:2], np.uint8)
    for i, (x, y) in enumerate(scene.landmarks.astype(int)):
        turned(marks, orientation)[y, x] = i + 1
    points = np.array([np.argwhere(marks == i + 1)[0][::-1] + 0.5 for i in range(5)])
    assert given_faces([scene.landmarks], scene.pixels, size, orientation)
    if orientation == 1:
        return
    with pytest.raises(BadImage, match=r"before it is turned upright|swapped"):
        given_faces([points], scene.pixels, size, orientation)


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.6])
def test_points_of_a_smaller_or_larger_copy_are_told_by_what_they_show(scale):
    scene = scenes.compose(1, 5, (640, 480), (150.0, 160.0))
    with pytest.raises(BadImage) as bad:
        given_faces([scene.landmarks * scale], scene.pixels, (640, 480), 1)
    if bad.value.reason == "landmarks_wrong":
        told = re.fullmatch(r"they are in a copy of about ([\d.]+) times its size", bad.value.detail)
        assert told
        assert float(told[1]) == pytest.approx(scale, rel=0.05)
    else:
        assert "outside 640 x 480" in bad.value.detail


@pytest.mark.usefixtures("linear_editor")
def test_the_order_of_rows_changes_nothing(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(WALL).save(photos / "a.png")
    small, twice = FACE * 0.5, FACE + 3
    results = []
    for order in ([FACE, small, twice], [twice, small, FACE]):
        lines = [",".join(("file", *COLUMNS)), *(f"a.png,{','.join(map(str, p.ravel().tolist()))}" for p in order)]
        (tmp_path / "l.csv").write_text("\n".join(lines))
        job = aligned_job(photos, tmp_path / "out", landmarks=tmp_path / "l.csv")
        summary = edit_folder(dataclasses.replace(job, options=Options(spec=SPEC, faces="all")))
        results.append((hashes(tmp_path / "out"), rows(tmp_path / "out")["a.png"]["faces"]))
    assert results[0] == results[1]
    assert results[0][1] == 2
    assert summary.redone == 0
