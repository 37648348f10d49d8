"""Hair is found by its colours and its place."""

import cv2
import numpy as np
import pytest

from facet.photos.faces.hair import hair

SIDE = 128
SKIN, DARK, SHINE = (190, 150, 130), (45, 35, 30), (245, 235, 230)


def head(colour, forehead=SKIN):
    """A crop with an oval face, hair of a colour around its upper part, and the weights that `hair` takes."""
    rng = np.random.default_rng(1)
    crop = np.full((SIDE, SIDE, 3), (90, 120, 160), np.uint8)
    person, face = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(person, (64, 64), (46, 56), 0, 0, 360, 1, -1)
    cv2.ellipse(face, (64, 76), (32, 40), 0, 0, 360, 1, -1)
    crop[person > 0] = colour
    crop[face > 0] = SKIN
    cv2.ellipse(crop, (64, 48), (16, 8), 0, 0, 360, forehead, -1)
    crop = np.clip(crop + rng.normal(0, 5, crop.shape), 0, 255).astype(np.uint8)
    crown = (person > 0) & (face == 0) & (cv2.distanceTransform(person, cv2.DIST_L2, 3) < 12)
    crown[70:] = False
    cheeks = np.zeros((SIDE, SIDE), bool)
    cheeks[78:92, 40:88] = True
    around = person.astype(np.float32)
    around[70:][face[70:] > 0] = 0
    return crop, around, face.astype(np.float32), crown, cheeks


@pytest.mark.parametrize("colour", [DARK, (150, 150, 150), (215, 190, 130)])
def test_hair_of_any_colour_is_told_from_skin_and_background(colour):
    weights = hair(*head(colour))
    above = weights[14:34, 54:74]  # the face
    assert above.mean() > 0.95
    assert above.min() > 0.6
    assert weights[50:66, 50:78].max() < 0.2  # the forehead
    assert weights[:, :14].max() < 0.1


def test_a_forehead_that_shines_is_no_hair():
    assert hair(*head(DARK, SHINE))[46:60, 44:84].max() < 0.2


def test_a_head_that_has_the_colour_of_skin_all_over_has_no_hair():
    assert hair(*head(SKIN)).max() == 0
