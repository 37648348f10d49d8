"""Changes pasted into photos, pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from facet.photos.faces import align, head_mask, paste
from facet.photos.faces.paste import Change
from facet.photos.file.colour import Colours
from facet.photos.file.photo import Photo
from tests.support import photographs
from tests.support.photographs import placement_of


def change(size=16, level=60.0, weight=1.0):
    grey = np.full((size, size, 3), 100, np.float32)
    return Change(
        grey,
        np.full_like(grey, level),
        grey,
        np.full((size, size), weight, np.float32),
        np.zeros((size, size), np.float32),
    )


@pytest.mark.parametrize("angle", [0, 20])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_change_arrives_in_full_inside_fades_beyond_the_border_and_ends_there(angle, orientation):
    photo = Photo(np.full((300, 260, 3), 100, np.uint8), "RGB", "PNG", orientation)
    placement = placement_of(angle, 120, (90.0, 60.0))
    touched = paste.paste(photo, Colours(photo), placement, change(), None)
    moved = photo.upright[:, :, 0].astype(int) - 100
    rows, columns = np.mgrid[0 : moved.shape[0], 0 : moved.shape[1]] + 0.5
    inverse = np.linalg.inv(placement.matrix[:, :2])
    u, v = np.tensordot(inverse, np.stack([columns, rows]) - placement.matrix[:, 2][:, None, None], 1)
    depth = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    assert (np.abs(moved[depth > 0.03] - 60) <= 3).all()  # a cubic rings
    assert (moved[depth > 0.2] == 60).all()
    assert (moved[depth < -0.25] == 0).all()  # 4 of 16 pixels
    assert 15 < moved[(depth < -0.1) & (depth > -0.15)].mean() < 45
    assert touched.pixels == (moved != 0).sum()
    left, top, right, bottom = touched.box
    moved[top:bottom, left:right] = 0
    assert not moved.any()


def test_beyond_the_border_a_change_goes_on_in_the_same_colour_alone():
    pixels = np.full((200, 200, 3), 100, np.uint8)
    pixels[:, :50] = 180  # left of the crop
    pixels[42:46, 60:140] = 20  # a line above it
    photo = Photo(pixels.copy(), "RGB", "PNG")
    paste.paste(photo, Colours(photo), align.from_box((60, 60, 140, 140)), change())
    moved = photo.pixels[:, :, 0].astype(int) - pixels[:, :, 0]
    assert (moved[60:140, 142:150] >= 20).all()
    assert (moved[60:140, 54:58] >= 20).all()
    assert moved[:, :46].max() < 3
    assert (moved[52:60, 70:130] > 20).all()
    assert moved[:42].max() < 3


def test_what_lies_away_from_the_head_in_a_colour_of_its_own_stays():
    size, pad = 64, 13
    away = head_mask.distance(tuple(photographs.LANDMARKS), size, pad)
    around = np.full((*away.shape, 3), (90, 60, 40), np.uint8)
    around[away > 1] = (40, 120, 200)
    around[(away > 1) & (np.arange(len(away)) > len(away) // 2)] = (90, 60, 40)  # on its right the same as the head
    own = head_mask.head_weights(around, away)
    middle = len(away) // 2
    assert (own[away < 0.9] > 0.99).all()
    background = (away > 1.1) & (np.arange(len(away)) < middle - 5)
    assert background.any()
    assert own[background].max() < 0.05
    assert own[away > head_mask.GONE].max(initial=0) == 0
    same = (away > 1.05) & (away < 1.15) & (np.arange(len(away)) > middle + 5)
    assert own[same].min() > 0.2


def test_no_weight_touches_nothing_and_a_mask_of_the_user_nothing_outside_it():
    photo = Photo(photographs.pixels(300, 260), "RGB", "PNG")
    before = photo.pixels.copy()
    assert paste.paste(photo, Colours(photo), placement_of(5), change(weight=0.0), None).pixels == 0
    np.testing.assert_array_equal(photo.pixels, before)
    user = np.zeros((300, 260), np.float32)
    user[:, :90] = 1
    assert paste.paste(photo, Colours(photo), placement_of(5), change(), user).pixels > 100
    np.testing.assert_array_equal(photo.pixels[:, 90:], before[:, 90:])


def test_a_change_follows_the_photo_s_edges():
    """Where D follows luma in the crop, its enlargement steps where the photo steps, not a blurred step."""
    size, scale = 16, 12
    small = np.full((size, size, 3), 40, np.float32)
    small[:, size // 2 :] = 200
    step = np.where(small > 100, -50, 0).astype(np.float32)
    one = np.ones((size, size), np.float32)
    sharp = np.full((size * scale, size * scale, 3), 40, np.uint8)
    sharp[:, size * scale // 2 :] = 200
    photo = Photo(sharp.copy(), "RGB", "PNG")
    paste.paste(photo, Colours(photo), align.from_box((0, 0, 192, 192)), Change(small, step, small, one, 0 * one), None)
    found = photo.pixels[96, :, 0].astype(int) - sharp[96, :, 0]
    plain = np.asarray(Image.fromarray(step[:, :, 0]).resize((192, 192), Image.Resampling.BICUBIC))[96]
    wanted = np.where(sharp[96, :, 0] > 100, -50, 0)
    near = slice(84, 108)
    assert np.abs(found - wanted)[near].mean() < 0.6 * np.abs(plain - wanted)[near].mean()


def test_fading_takes_the_photo_s_detail_out():
    photo = Photo(photographs.pixels(160, 160), "RGB", "PNG")
    flat = np.full((16, 16, 3), 100, np.float32)
    one = np.ones((16, 16), np.float32)
    paste.paste(photo, Colours(photo), align.from_box((0, 0, 160, 160)), Change(flat, 0 * flat, flat, one, one), None)
    assert (photo.pixels[40:120, 40:120] == 100).all()
