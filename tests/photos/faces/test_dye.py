"""Hair gets another colour, and keeps its strands."""

import numpy as np
import pytest

from facet.editing.table import Colours
from facet.photos.faces.dye import GAIN, LIGHTS, RANGE, Hair, dye, in_light, mean_colours
from facet.photos.faces.matting import Matte

SIDE, PAD = 64, 8
SKIN = np.array((200.0, 160, 140))


@pytest.fixture
def scene():
    """Dark hair with strands above a plain face, as float levels, and the hair in it."""
    rng = np.random.default_rng(0)
    photo = np.full((SIDE, SIDE, 3), SKIN, np.float32)
    photo[: SIDE // 2] = np.array((60, 45, 35), np.float32) + rng.normal(0, 8, (1, SIDE, 1)).astype(np.float32)
    weights = np.zeros((SIDE, SIDE), np.float32)
    weights[: SIDE // 2] = 1
    matte = Matte.of(np.rint(photo).clip(0, 255).astype(np.uint8), weights, np.ones_like(weights), SIDE)
    return photo, Hair(matte, mean_colours(photo, weights, 1 - weights), PAD)


def dyed(photo, hair, colour, amount=1.0, skin=SKIN):
    """The photo after a dye that takes hair beside `skin` to a colour."""
    one = dye(hair, Colours(np.array(colour, float), np.array(skin, float)), amount)
    return photo + one.added(photo, hair.matte)


def test_hair_takes_the_colour_that_is_wanted_and_skin_keeps_its_own(scene):
    photo, hair = scene
    after = dyed(photo, hair, (180, 150, 100))
    assert after[: SIDE // 2 - 4].mean((0, 1)) == pytest.approx((180, 150, 100), abs=2)
    assert after[SIDE // 2 + 4 :] == pytest.approx(photo[SIDE // 2 + 4 :], abs=0.5)


def test_a_share_of_the_dye_goes_a_share_of_the_way(scene):
    photo, hair = scene
    old = hair.colours.hair
    after = dyed(photo, hair, (180, 150, 100), amount=0.5)
    assert after[: SIDE // 2 - 4].mean((0, 1)) == pytest.approx((old + np.array((180, 150, 100))) / 2, abs=2)
    assert dyed(photo, hair, (180, 150, 100), amount=0) == pytest.approx(photo, abs=1e-3)


def test_strands_stay_where_they_are_with_a_contrast_that_fits_the_new_brightness(scene):
    photo, hair = scene
    before = photo[0, :, 1]
    lighter = dyed(photo, hair, (150, 150, 150))[0, :, 1]
    darker = dyed(photo, hair, (25, 20, 18))[0, :, 1]
    for after in (lighter, darker):
        assert np.corrcoef(before, after)[0, 1] > 0.95
    assert 1.3 * before.std() < lighter.std() < 1.1 * GAIN[1] * before.std()
    assert darker.std() < 0.9 * before.std()


def test_no_hair_becomes_black_or_white(scene):
    photo, hair = scene
    for colour, limit in (((-200,) * 3, RANGE[0]), ((400,) * 3, RANGE[1])):
        assert dyed(photo, hair, colour)[: SIDE // 2 - 4].mean() == pytest.approx(limit, abs=3)


def test_the_colour_follows_the_light_on_the_skin_but_not_all_of_the_way():
    wanted = Colours(np.array((150.0, 120, 80)), SKIN)
    assert in_light(wanted, SKIN) == pytest.approx(wanted.hair)
    dim = in_light(wanted, 0.8 * SKIN)
    assert (0.8 * wanted.hair < dim).all()
    assert (dim < wanted.hair).all()
    bluish = in_light(wanted, SKIN * (0.9, 1, 1.1))
    assert bluish[0] < wanted.hair[0]
    assert bluish[2] > wanted.hair[2]
    assert (in_light(wanted, 0 * SKIN) > LIGHTS[0] * wanted.hair * 0.8).all()  # dark skin is no lack of light


def test_the_crop_gets_what_its_part_of_the_square_gets(scene):
    photo, hair = scene
    one = dye(hair, Colours(np.array((180.0, 150, 100)), SKIN))
    inside = slice(PAD, -PAD)
    crop = photo[inside, inside]
    assert one.on_crop(crop) == pytest.approx(one.added(photo, hair.matte)[inside, inside], abs=1e-3)
