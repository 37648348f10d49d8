"""Movement between two pictures."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from facet.photos.faces.movement import LEAST_AREA, movement


def texture(size=128):
    noise = gaussian_filter(np.random.default_rng(1).normal(size=(size, size)), 4)
    return np.clip(128 + 120 * noise / np.abs(noise).max(), 0, 255)


@pytest.mark.parametrize("by", [(0, 3), (2, 0), (-2, 2)])
def test_a_shifted_picture_has_moved_by_its_shift(by):
    before = texture()
    after = shift(before, by, order=1, mode="nearest")
    flow = movement(before.astype(np.uint8), after.astype(np.uint8), np.ones(before.shape, np.float32))
    inner = flow[24:-24, 24:-24]
    np.testing.assert_allclose(inner.mean((0, 1)), (-by[1], -by[0]), atol=0.3)


def test_nothing_moves_where_the_weight_is_0_or_the_pictures_agree():
    before = texture().astype(np.uint8)
    after = np.roll(before, 3, axis=1)
    weight = np.zeros(before.shape, np.float32)
    weight[:, :64] = 1
    assert not movement(before, after, weight)[:, 64:].any()
    assert np.abs(movement(before, before, np.ones_like(weight))).max() < 0.05


def test_a_movement_never_folds():
    before, after = (np.random.default_rng(seed).integers(0, 256, (128, 128), np.uint8) for seed in (1, 2))
    before, after = (gaussian_filter(picture.astype(float), 2).astype(np.uint8) for picture in (before, after))
    before, after = (np.clip((picture - 128.0) * 8 + 128, 0, 255).astype(np.uint8) for picture in (before, after))
    flow = movement(before, after, np.ones(before.shape, np.float32))
    assert np.abs(flow).max() > 1
    dy, dx = np.gradient(flow, axis=(0, 1))
    area = (1 + dx[:, :, 0]) * (1 + dy[:, :, 1]) - dx[:, :, 1] * dy[:, :, 0]
    assert area.min() >= 0.9 * LEAST_AREA
