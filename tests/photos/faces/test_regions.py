"""Where attributes act."""

import numpy as np

from facet.photos.faces import paste
from facet.photos.faces.head import Head
from facet.photos.faces.regions import main_parts, regions

SIDE = 64


def cells():
    """A map that is strong at the mouth, around a hole, and weak on the forehead."""
    levels = np.zeros((32, 32), np.uint8)
    levels[20:28, 10:22] = 255
    levels[24, 16] = 0
    levels[2:5, 12:20] = 120
    return levels


def test_the_main_part_of_a_map_counts_without_holes_and_weak_parts_do_not():
    weights = main_parts(cells(), SIDE)
    assert weights[44:52, 24:40].min() > 0.99
    assert weights[:30].max() == 0
    assert (main_parts(np.full((32, 32), 200, np.uint8), SIDE) == 1).all()


def test_an_edit_acts_where_any_of_its_attributes_does_and_on_the_head_alone():
    size = SIDE + 2 * paste.padding(SIDE)
    pixels = np.full((size, size, 3), 120, np.uint8)
    weights = np.ones((size, size), np.float32)
    weights[:, : size // 2] = 0
    head = Head(pixels, weights, weights, None)
    inside = slice(paste.padding(SIDE), -paste.padding(SIDE))
    other = np.roll(cells(), -14, axis=0)
    both = regions(head, SIDE, {"Smiling": cells(), "Eyeglasses": other}).acts
    assert both[:, : SIDE // 2 - 1].max() == 0
    assert both[48, 36] > 0.99
    assert both[20, 36] > 0.99
    assert (regions(head, SIDE, {"Odd": None}).acts == weights[inside, inside]).all()
    assert (regions(None, SIDE, {"Smiling": cells()}).acts == 1).all()
