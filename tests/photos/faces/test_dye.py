"""Hair gets another colour, and keeps its strands."""

import cv2
import numpy as np
import pytest

from facet.photos.faces import change
from facet.photos.faces.dye import DEEP, FLARE, RANGE, TINT, dye, natural

SIDE = 64


@pytest.fixture
def scene():
    """Dark hair with strands above a plain face, and the weights of the hair."""
    rng = np.random.default_rng(0)
    photo = np.full((SIDE, SIDE, 3), (200, 160, 140), np.float32)
    strands = rng.normal(0, 8, (1, SIDE, 1)).astype(np.float32)
    photo[: SIDE // 2] = np.array((60, 45, 35), np.float32) + strands
    hair = np.zeros((SIDE, SIDE), np.float32)
    hair[: SIDE // 2] = 1
    return photo, hair


def dyed(photo, hair, difference):
    """The photo after an edit whose decoded change is `difference`, and that acts on the hair alone."""
    reconstruction = np.full((SIDE // 2, SIDE // 2, 3), 90, np.float32)
    edited = reconstruction + cv2.resize(difference, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
    one = change.carried(photo, reconstruction, edited, np.zeros_like(hair), hair)
    return change.applied(change.redrawn(one))


def patches(mean):
    """A change with this mean that is strong in the left half and nothing in the right."""
    difference = np.zeros((SIDE, SIDE, 3), np.float32)
    difference[:, : SIDE // 2] = 2 * np.array(mean, np.float32)
    return difference


def test_hair_takes_the_mean_change_of_colour_evenly_and_nothing_else_does(scene):
    photo, hair = scene
    after = dyed(photo, hair, patches((90, 70, 45)))
    old = photo[0].mean(0)
    scaled = (old + FLARE) * (90 + FLARE + np.array((90, 70, 45))) / (90 + FLARE) - FLARE
    assert after[: SIDE // 2].mean((0, 1)) == pytest.approx(natural(scaled, old, np.array((180, 160, 135))), abs=1)
    gained = (after - photo)[: SIDE // 2].mean(0)
    assert np.abs(gained[: SIDE // 2].mean(0) - gained[SIDE // 2 :].mean(0)).max() < 8
    assert (after[SIDE // 2 :] == photo[SIDE // 2 :]).all()


def test_strands_stay_where_they_are_with_a_contrast_that_fits_the_new_brightness(scene):
    photo, hair = scene
    before = photo[0, :, 1]
    lighter = dyed(photo, hair, patches((90, 90, 90)))[0, :, 1]
    darker = dyed(photo, hair, patches((-25, -20, -20)))[0, :, 1]
    for after in (lighter, darker):
        assert np.corrcoef(before, after)[0, 1] > 0.99
    assert lighter.std() > 1.3 * before.std()
    assert darker.std() < 0.9 * before.std()


def test_no_change_of_colour_changes_nothing(scene):
    photo, hair = scene
    assert dyed(photo, hair, patches((0, 0, 0))) == pytest.approx(photo, abs=1e-3)


def test_no_hair_becomes_black_or_white_and_too_little_hair_is_not_dyed(scene):
    photo, hair = scene
    for mean, limit in ((-300, RANGE[0]), (900, RANGE[1])):
        after = dyed(photo, hair, patches((mean,) * 3))
        assert after[: SIDE // 2].mean() == pytest.approx(limit, abs=3)
    assert dye(photo, photo, photo + 90, np.zeros_like(hair)) is None


def test_no_hair_becomes_blue_green_purple_or_orange_but_the_light_of_the_photo_stays():
    for odd in ((60, 60, 90), (60, 90, 60), (90, 50, 90), (250, 150, 30)):
        red, green, blue = natural(np.array(odd, float), np.array((90, 70, 50)), np.array((90, 90, 90)))
        assert 0 < red - blue <= DEEP * red
        assert TINT[0] <= green - (red + blue) / 2 <= TINT[1]
    greenish = np.array((60.0, 90.0, 50.0))
    assert natural(greenish, greenish, greenish) == pytest.approx(greenish)


def test_dark_hair_is_as_warm_as_it_was_drawn_except_on_grey_photos():
    grey, blond, brown = (np.array(colour, float) for colour in ((80, 80, 80), (220, 190, 140), (90, 70, 50)))
    red, _, blue = natural(grey, blond, brown)
    assert red - blue > 0.2 * red
    assert natural(grey, grey, brown) == pytest.approx(grey)
