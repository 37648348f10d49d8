"""Masks of heads in drawn scenes."""

import dataclasses

import numpy as np
import pytest

from facet.photos import scenes
from facet.photos.faces import align, head, mesh
from facet.photos.faces.align import Placement
from facet.photos.faces.detect import detector, with_mesh
from facet.photos.faces.networks import PERSON, Runner

SIZE = 96
TEMPLATE = (0.36, 0.51, 0.66, 0.51, 0.52, 0.7, 0.38, 0.8, 0.63, 0.8)


def seen(index):
    """Pixels of a scene, its face with its mesh, and the placement of a crop around it with some room."""
    pixels = scenes.compose(4, index, (700, 600), (200.0, 260.0)).pixels
    (face,) = detector().find(pixels)
    return pixels, with_mesh(pixels, face), align.from_landmarks(TEMPLATE, face.points).widened(0.2)


def at(weights, point):
    """The weight at a point of a crop."""
    column, row = np.clip(np.floor(point).astype(int), 0, len(weights) - 1)
    return weights[row, column]


@pytest.mark.parametrize("index", [6, 8])
def test_regions_hold_what_their_names_say(index):
    pixels, face, placement = seen(index)
    crop = align.sampled(pixels, placement, SIZE)
    points = head.in_square(face.mesh, placement, SIZE)
    person = head.person_mask(pixels, placement, face, SIZE)
    regions = head.head_regions(points, person, crop)
    assert tuple(regions) == head.REGIONS
    for weights in regions.values():
        assert weights.shape == (SIZE, SIZE)
        assert weights.dtype == np.float32
        assert 0 <= weights.min() <= weights.max() <= 1
    left, right, nose, *mouth = mesh.landmarks(points)
    chin, down = points[mesh.CHIN], points[mesh.CHIN] - points[mesh.TOP]
    crown, throat = points[mesh.TOP] - 0.12 * down, chin + 0.1 * down
    wanted = {
        "face": ([left, right, nose, *mouth], [crown, throat]),
        "lower_face": ([*mouth, chin - 0.05 * down], [left, right, crown]),
        "mouth": ([np.mean(mouth, axis=0)], [left, nose, chin]),
        "eyes": ([left, right], [nose, *mouth, crown]),
        "hair": ([crown], [nose, *mouth, chin, throat]),
        "scalp": ([crown], [left, nose, *mouth, throat]),
        "neck": ([throat], [crown, nose, *mouth]),
        "background": ([], [left, nose, *mouth, crown, throat]),
    }
    for name, (inside, outside) in wanted.items():
        assert all(at(regions[name], point) > 0.7 for point in inside), name
        assert all(at(regions[name], point) < 0.3 for point in outside), name


def test_weights_of_a_head_are_one_on_the_face_and_nothing_far_from_it():
    pixels, face, placement = seen(6)
    wide = placement.widened(1)
    weights = head.Head.of(pixels, wide, face, SIZE).weights
    assert all(at(weights, point) > 0.95 for point in head.in_square(face.points, wide, SIZE))
    away = head.distance(head.in_square(face.points, wide, SIZE), SIZE)
    assert weights[away >= head.GONE].max() == 0
    assert 0.5 < (weights > 0.5).sum() / (away < 0.8).sum() < 1.5
    bare = dataclasses.replace(face, mesh=None)
    np.testing.assert_array_equal(head.Head.of(pixels, wide, bare, SIZE).weights, weights)


def test_weights_turn_with_the_placement():
    pixels, face, placement = seen(6)
    upright = head.Head.of(pixels, placement, face, SIZE).weights
    corner = placement.matrix[:, :2].sum(1) + placement.matrix[:, 2]
    half_turn = head.Head.of(pixels, Placement(np.column_stack([-placement.matrix[:, :2], corner])), face, SIZE).weights
    np.testing.assert_allclose(half_turn[::-1, ::-1], upright, atol=0.15)


def test_an_ellipse_around_the_face_takes_the_place_of_a_mask_that_misses_it(monkeypatch):
    pixels, face, placement = seen(6)
    monkeypatch.setattr(head, "_person", lambda square: np.zeros((head.SIZE, head.SIZE), np.float32))
    weights = head.person_mask(pixels, placement, face, SIZE)
    away = head.distance(head.in_square(face.points, placement, SIZE), SIZE)
    assert (weights[away < head.NEAR] == 1).all()
    assert (weights[away > head.GONE] == 0).all()


def test_people_beside_are_left_out(monkeypatch):
    pixels, face, _ = seen(6)
    mask = np.zeros((head.SIZE, head.SIZE), np.float32)
    mask[60:, 80:180] = 1
    mask[40:, 210:] = 1
    monkeypatch.setattr(head, "_person", lambda square: mask)
    square = align.from_landmarks(head.TEMPLATE, face.points)
    weights = head.person_mask(pixels, square, face, head.SIZE)
    assert weights[60:, 85:175].min() > 0.9
    assert weights[:, 200:].max() == 0


def test_the_last_layer_by_hand_is_the_network_s():
    square = seen(6)[0][:256, :256]
    (whole,) = Runner(PERSON)(square.astype(np.float32) / 255, ("activation_10",))
    np.testing.assert_allclose(head._person(square), whole[0, 0], atol=1e-4)
