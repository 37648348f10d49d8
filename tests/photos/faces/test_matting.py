"""How much of a pixel is hair."""

import cv2
import numpy as np
import pytest

from facet.photos.faces.matting import Matte

SIDE = 128
HAIR, SKIN = np.array((50.0, 40, 30)), np.array((210.0, 170, 150))


def mixed(alpha, noise=2):
    """Pixels uint8 in which `alpha` (S, S) of each is hair and the rest skin."""
    rng = np.random.default_rng(0)
    pixels = alpha[:, :, None] * HAIR + (1 - alpha[:, :, None]) * SKIN + rng.normal(0, noise, (*alpha.shape, 1))
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


@pytest.fixture
def soft():
    """Hair in the upper half, with an edge over six pixels and a strand that the rough mask misses."""
    rows = np.arange(SIDE, dtype=np.float32)[:, None]
    alpha = np.clip((SIDE / 2 + 3 - rows) / 6, 0, 1) * np.ones((1, SIDE), np.float32)
    alpha[64:67, 40] = 0.9
    rough = np.repeat((rows < SIDE / 2).astype(np.float32), SIDE, axis=1)
    return alpha.astype(np.float32), rough


def test_the_edge_and_a_strand_are_told_by_their_colours(soft):
    alpha, rough = soft
    pixels = mixed(alpha)
    found = Matte.of(pixels, rough, np.ones_like(rough), SIDE).alpha(pixels.astype(np.float32))
    assert np.abs(found - alpha)[54:68].max() < 0.12
    assert found[:54].min() > 0.95
    assert found[80:].max() == 0


def test_where_colours_are_alike_the_rough_mask_stands(soft):
    _, rough = soft
    rough = cv2.GaussianBlur(rough, (0, 0), 2)
    pixels = np.full((SIDE, SIDE, 3), 100, np.uint8)
    found = Matte.of(pixels, rough, np.ones_like(rough), SIDE).alpha(pixels.astype(np.float32))
    assert found == pytest.approx(rough, abs=0.25)


def test_nothing_is_hair_beyond_the_limit(soft):
    alpha, rough = soft
    limit = np.ones_like(rough)
    limit[:, :50] = 0
    matte = Matte.of(mixed(alpha), rough, limit, SIDE)
    assert matte.alpha(mixed(alpha).astype(np.float32))[:, :50].max() == 0
    assert (matte.most >= matte.alpha(mixed(alpha).astype(np.float32)) - 1e-6).all()


def test_enlarged_maps_tell_the_alpha_of_every_pixel_of_the_photo(soft):
    alpha, rough = soft
    matte = Matte.of(mixed(alpha), rough, np.ones_like(rough), SIDE)
    large = cv2.resize(matte.maps[..., :4], None, fx=4, fy=4), cv2.resize(matte.maps[..., 4:8], None, fx=4, fy=4)
    last = cv2.resize(matte.maps[..., 8], None, fx=4, fy=4)
    fine = np.repeat(np.repeat(alpha, 4, 0), 4, 1)
    fine[250:262, 300] = 1  # a strand of one pixel of the photo
    pixels = mixed(fine).astype(np.float32)
    found = Matte.from_maps(np.dstack([*large, last])).alpha(pixels)
    assert np.abs(found - fine)[250:262, 300].max() < 0.1
    assert np.abs(found - fine)[250:262, 310:320].max() < 0.15


def test_at_the_edge_the_hair_s_share_has_the_colour_of_hair(soft):
    alpha, rough = soft
    pixels = mixed(alpha, noise=0)
    matte = Matte.of(pixels, rough, np.ones_like(rough), SIDE)
    assert matte.colour(pixels.astype(np.float32))[64, 10] == pytest.approx(HAIR, abs=6)
