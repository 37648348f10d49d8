"""Grey and tinted photos."""

import numpy as np

from facet.photos.faces.tint import tint, tinted
from tests.support import photographs


def test_only_photos_of_one_tint_have_one():
    grey = photographs.pixels(150, 150)[:, :, :1]
    assert tint(photographs.pixels(150, 150)) is None
    np.testing.assert_array_equal(tint(np.repeat(grey, 3, axis=2)), np.repeat(np.arange(256.0)[:, None], 3, axis=1))
    sepia = np.rint(grey * (1, 0.85, 0.7)).astype(np.uint8)
    noise = np.random.default_rng(1).integers(-2, 3, sepia.shape)
    colours = tint(np.clip(sepia + noise, 0, 255).astype(np.uint8))
    assert colours is not None
    np.testing.assert_allclose(colours[120], np.array([1, 0.85, 0.7]) * 120 / 0.878, atol=3)


def test_what_does_not_change_keeps_its_own_colour():
    srgb = photographs.pixels(60, 60)
    colours = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
    np.testing.assert_array_equal(tinted(srgb, srgb.astype(np.float32), colours), srgb)
