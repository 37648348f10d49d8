"""Faces found in drawn scenes."""

import numpy as np
import pytest

from facet.photos import scenes
from facet.photos.faces.detect import Face, detector, landmarks_of, merged
from facet.pictures import crops


def test_two_detections_of_one_face_are_one_and_neighbours_stay_two():
    def face(left, score, side=100.0):
        return Face((left, 0.0, left + side, side), ((0.0, 0.0),) * 5, score)

    assert merged([face(0, 0.95), face(20, 0.99), face(150, 0.9), face(30, 0.91, 40)]) == [
        face(20, 0.99),
        face(150, 0.9),
    ]


@pytest.mark.slow
def test_the_detector_finds_drawn_people_where_they_are_and_nobody_in_an_empty_room():
    apart = []
    for index in range(6):
        scene = scenes.compose(4, index)
        faces = detector().find(scene.pixels)
        assert len(faces) == 1
        apart.append(np.linalg.norm(faces[0].points[:2] - scene.landmarks[:2], axis=1).mean() / scene.face)
    assert np.mean(apart) < 0.06
    assert detector().find(np.full((300, 400, 3), 90, np.uint8)) == []
    assert detector().find(np.zeros((10, 10, 3), np.uint8)) == []


@pytest.mark.slow
def test_landmarks_of_training_pictures_are_where_they_are_drawn_and_digits_have_none():
    from facet import drawn
    from facet.pictures.resize import resize

    faces = resize((drawn.draw(drawn.sample(5, index)) for index in range(12)), crops.crop("face120"), 64)
    found = landmarks_of(faces)
    assert found is not None
    left, top = 29, 49
    np.testing.assert_allclose(np.array(found[:4]) * 120 + (left, top, left, top), (70, 111, 108, 111), atol=4)
    assert landmarks_of(np.random.default_rng(0).integers(0, 255, (6, 64, 64, 1), dtype=np.uint8)) is None
