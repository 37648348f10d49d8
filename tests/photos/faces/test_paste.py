"""Changes pasted into photos, pixel by pixel."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from facet.photos.faces import align, paste
from facet.photos.faces.change import Carried, Change, composited, redrawn
from facet.photos.faces.head import Head
from facet.photos.file.colour import Colours
from facet.photos.file.photo import Photo
from tests.support import photographs
from tests.support.photographs import placement_of


def change(size=16, level=60.0, weight=1.0):
    grey = np.full((size, size, 3), 100, np.float32)
    a = np.full((size, size), weight, np.float32)
    return composited(grey, grey, grey + np.float32(level), a, 0 * a)


def head(weights):
    """A head of these weights."""
    return Head(np.zeros((*weights.shape, 3), np.uint8), weights, weights, None)


def depths(shape, placement):
    """How far inside the crop each pixel of a photo lies, in sides of the crop; negative outside."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    inverse = np.linalg.inv(placement.matrix[:, :2])
    u, v = np.tensordot(inverse, np.stack([columns, rows]) - placement.matrix[:, 2][:, None, None], 1)
    return np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))


@pytest.mark.parametrize("angle", [0, 20])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_change_arrives_in_full_inside_fades_beyond_the_border_and_ends_there(angle, orientation):
    photo = Photo(np.full((300, 260, 3), 100, np.uint8), "RGB", "PNG", orientation)
    placement = placement_of(angle, 120, (90.0, 60.0))
    touched = paste.paste(photo, Colours(photo), placement, change(), None, head(np.ones((24, 24), np.float32)))
    moved = photo.upright[:, :, 0].astype(int) - 100
    depth = depths(moved.shape, placement)
    assert (np.abs(moved[depth > 0.03] - 60) <= 3).all()  # a cubic rings
    assert (moved[depth > 0.2] == 60).all()
    assert (moved[depth < -0.25] == 0).all()  # 4 of 16 pixels
    assert 15 < moved[(depth < -0.1) & (depth > -0.15)].mean() < 45
    assert touched.pixels == (moved != 0).sum()
    left, top, right, bottom = touched.box
    moved[top:bottom, left:right] = 0
    assert not moved.any()


def test_without_a_head_a_change_ends_at_the_border_of_the_crop():
    photo = Photo(np.full((300, 260, 3), 100, np.uint8), "RGB", "PNG")
    placement = placement_of(0, 120, (90.0, 60.0))
    paste.paste(photo, Colours(photo), placement, change())
    moved = photo.pixels[:, :, 0].astype(int) - 100
    depth = depths(moved.shape, placement)
    assert (moved[depth > 0.1] == 60).all()
    assert (moved[depth < -0.1] == 0).all()


def test_what_is_not_the_head_s_stays():
    pixels = photographs.pixels(200, 200)
    weights = np.ones((90, 90), np.float32)  # larger than the change's own maps
    weights[:, :45] = 0
    photo = Photo(pixels.copy(), "RGB", "PNG")
    paste.paste(photo, Colours(photo), align.from_box((60, 60, 140, 140)), change(), None, head(weights))
    moved = photo.pixels.astype(int) - pixels
    assert not moved[:, :95].any()
    assert (moved[70:130, 110:130] == 60).all()


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
    paste.paste(
        photo, Colours(photo), align.from_box((0, 0, 192, 192)), composited(small, small, small + step, one, 0 * one)
    )
    found = photo.pixels[96, :, 0].astype(int) - sharp[96, :, 0]
    plain = np.asarray(Image.fromarray(step[:, :, 0]).resize((192, 192), Image.Resampling.BICUBIC))[96]
    wanted = np.where(sharp[96, :, 0] > 100, -50, 0)
    near = slice(84, 108)
    assert np.abs(found - wanted)[near].mean() < 0.6 * np.abs(plain - wanted)[near].mean()


def test_fading_takes_the_photo_s_detail_out():
    photo = Photo(photographs.pixels(160, 160), "RGB", "PNG")
    flat = np.full((16, 16, 3), 100, np.float32)
    one = np.ones((16, 16), np.float32)
    paste.paste(photo, Colours(photo), align.from_box((0, 0, 160, 160)), composited(flat, flat, flat, one, one))
    assert (photo.pixels[40:120, 40:120] == 100).all()


def test_what_is_new_is_put_over_the_moved_photo():
    flat = np.full((32, 32, 3), 100, np.float32)
    one = np.ones((32, 32), np.float32)
    flow = np.zeros((32, 32, 2), np.float32)
    bare = Carried(
        photo=flat, weight=one, slope=0 * one, offset=0 * flat, fade=0 * one, flow=flow, new=one, edited=flat
    )
    pixels = photographs.pixels(160, 160)
    photo = Photo(pixels.copy(), "RGB", "PNG")
    paste.paste(photo, Colours(photo), align.from_box((0, 0, 160, 160)), redrawn(bare, flat + 50))
    inside = photo.pixels[20:140, 20:140].astype(float)
    assert np.abs(inside - 150).max() < 10
    lumas = (one @ (0.299, 0.587, 0.114) for one in (inside, pixels[20:140, 20:140]))
    fine, was = (luma - gaussian_filter(luma, 1.5) for luma in lumas)
    assert 0.8 < fine.std() / was.std() < 1.1  # with the photo's grain


def test_a_movement_takes_the_photo_s_own_pixels_and_leaves_the_rest():
    size = 64
    flat = np.full((size, size, 3), 100, np.float32)
    weight = np.zeros((size, size), np.float32)
    weight[16:48, 16:48] = 1
    flow = np.zeros((size, size, 2), np.float32)
    flow[16:48, 16:48, 0] = 2  # pixels of the crop; its pixels are 4 of the photo
    change = Change(photo=flat, weight=weight, slope=0 * weight, offset=0 * flat, fade=0 * weight, flow=flow)
    pixels = np.random.default_rng(1).integers(0, 256, (256, 256, 4), np.uint8)
    photo = Photo(pixels.copy(), "RGBA", "PNG")
    paste.paste(photo, Colours(photo), align.from_box((0, 0, 256, 256)), change)
    np.testing.assert_array_equal(photo.pixels[80:176, 80:176, :3], pixels[80:176, 88:184, :3])
    np.testing.assert_array_equal(photo.pixels[:, :, 3], pixels[:, :, 3])
    np.testing.assert_array_equal(photo.pixels[:52], pixels[:52])


@pytest.mark.parametrize("colour", [(1.0, 1.0, 1.0), (1.0, 0.8, 0.6)])
def test_grey_photos_stay_grey_and_tinted_ones_keep_their_tint(colour):
    grey = photographs.pixels(200, 200)[:, :, 1].astype(np.float32)
    pixels = np.rint(grey[:, :, None] * colour).astype(np.uint8)
    purple = np.array([30, -20, 40], np.float32)
    flat = np.full((16, 16, 3), 100, np.float32)
    one = np.ones((16, 16), np.float32)
    photo = Photo(pixels.copy(), "RGB", "PNG")
    paste.paste(
        photo, Colours(photo), align.from_box((20, 20, 180, 180)), composited(flat, flat, flat + purple, one, 0 * one)
    )
    assert (photo.pixels != pixels).any()
    wanted = photo.pixels[:, :, :1] * np.array(colour)
    assert np.abs(photo.pixels - wanted).max() <= (0 if colour[2] == 1 else 1.5)
