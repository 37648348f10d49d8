"""Where faces are placed and what is cut, on arrays whose every answer is known."""

import numpy as np
import pytest

from facet.photos.faces import align
from facet.pictures import crops
from tests.support import photographs
from tests.support.photographs import placement_of

WHOLE = crops.crop("whole")


@pytest.mark.parametrize("angle", [0, 17, -90])
def test_landmarks_place_the_crop_and_the_nose_has_no_say(angle):
    placement = placement_of(angle)
    square = np.array([(0.3, 0.4), (0.7, 0.45), (0.5, 0.6), (0.35, 0.8), (0.65, 0.82)])
    points = square @ placement.matrix[:, :2].T + placement.matrix[:, 2]
    points[2] += 30
    found = align.from_landmarks(square.ravel(), points)
    np.testing.assert_allclose(found.matrix, placement.matrix, atol=1e-9)
    assert found.side == pytest.approx(100)


def test_a_nose_beside_the_middle_is_a_head_turned_away_whatever_its_tilt():
    face = np.array([(0.0, 0.0), (10.0, 0.0), (5.0, 6.0), (2.0, 12.0), (8.0, 12.0)])
    assert align.turned_away(face) == pytest.approx(0)
    face[2, 0] = 9
    tilt = np.deg2rad(25)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    assert align.turned_away(face) == pytest.approx(0.4)
    assert align.turned_away(3 * face @ turn.T) == pytest.approx(0.4)


@pytest.mark.parametrize("scale", [40, 64, 300, 2500])
def test_a_crop_is_what_lies_there_at_any_size(scale):
    """A picture that is a linear ramp is cut to the ramp, however it is turned."""
    rows, columns = np.mgrid[0:3000, 0:3000].astype(np.float32) + 0.5
    ramp = np.stack([columns * 0.08, rows * 0.08, np.full_like(rows, 90)], 2)
    placement = placement_of(10, scale, (450.0, 60.0))
    cut = align.cut(np.rint(ramp).astype(np.uint8), placement, WHOLE, 16).astype(float)
    at = (np.mgrid[0:16, 0:16].reshape(2, -1).T[:, ::-1] + 0.5) / 16
    expected = (at @ placement.matrix[:, :2].T + placement.matrix[:, 2]) * 0.08
    inside = np.abs(at - 0.5).max(1) < 0.4  # a resize repeats the border
    np.testing.assert_allclose(cut.reshape(-1, 3)[inside, :2], expected[inside], atol=1.5)


def test_an_upright_crop_at_its_own_size_is_the_photo_itself():
    pixels = photographs.pixels(120, 130)
    placement = align.from_box((20, 30, 84, 94))
    np.testing.assert_array_equal(align.cut(pixels, placement, WHOLE, 64), pixels[30:94, 20:84])


def test_beyond_the_photo_its_border_goes_on():
    pixels = np.full((50, 50, 3), 77, np.uint8)
    assert (align.cut(pixels, align.from_box((-30, -30, 34, 34)), WHOLE, 32) == 77).all()
