"""Faces found in drawn scenes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facet.photos import scenes
from facet.photos.faces import mesh
from facet.photos.faces.detect import Detector, Face, Mtcnn, detector, landmarks_of, merged, with_mesh
from facet.pictures import crops
from tests.support import drawn_landmarks


def scene(index, size=(700, 600), faces=(200.0, 260.0)):
    """A scene's pixels and where the person's landmarks are."""
    composed = scenes.compose(4, index, size, faces)
    points = drawn_landmarks.landmarks_of(composed.person)
    return composed.pixels, points @ composed.matrix[:, :2].T + composed.matrix[:, 2]


def apart(face, landmarks):
    """Distances (5,) of a face's landmarks from the drawn ones, in distances between the eyes."""
    return np.linalg.norm(face.points - landmarks, axis=1) / np.linalg.norm(landmarks[1] - landmarks[0])


def test_two_detections_of_one_face_are_one_and_neighbours_stay_two():
    def face(left, score, side=100.0):
        return Face((left, 0.0, left + side, side), ((0.0, 0.0),) * 5, score)

    assert merged([face(0, 0.95), face(20, 0.99), face(150, 0.9), face(30, 0.91, 40)]) == [
        face(20, 0.99),
        face(150, 0.9),
    ]


def test_a_drawn_face_is_found_where_it_is():
    pixels, landmarks = scene(0)
    (face,) = detector().find(pixels)
    assert apart(face, landmarks).max() < 0.15
    left, top, right, bottom = face.box
    assert left < landmarks[:, 0].min() < landmarks[:, 0].max() < right
    assert top < landmarks[:, 1].min() < landmarks[:, 1].max() < bottom


@pytest.mark.parametrize("where", ["left", "corner", "fills"])
@pytest.mark.parametrize("index", [1, 5])
def test_a_face_at_the_border_or_filling_the_frame_is_found_where_it_is(where, index):
    pixels, landmarks = scene(index)
    eyes = np.linalg.norm(landmarks[1] - landmarks[0])
    low, high = np.zeros(2), np.array([700.0, 600.0])
    if where == "fills":
        reach = eyes * np.array([1.15, 1.2])
        low, high = landmarks.mean(0) - reach, landmarks.mean(0) + reach
    else:  # a third of the distance between the eyes left of the first
        low[0] = landmarks[:, 0].min() - 0.33 * eyes
    if where == "corner":
        low[1] = landmarks[:2, 1].min() - 0.6 * eyes
    (left, top), (right, bottom) = np.maximum(low, 0).astype(int), high.astype(int)
    (face,) = detector().find(np.ascontiguousarray(pixels[top:bottom, left:right]))
    assert apart(face, landmarks - (left, top)).mean() < 0.1


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_that_lies_or_stands_on_its_head_is_found(quarters):
    pixels, landmarks = scene(2)
    for width in (700, 600, 700)[:quarters]:
        landmarks = np.stack([landmarks[:, 1], width - landmarks[:, 0]], 1)
    (face,) = detector().find(np.ascontiguousarray(np.rot90(pixels, quarters)))
    assert apart(face, landmarks).mean() < 0.1


def test_a_small_face_in_a_large_photo_is_found_in_a_tile(monkeypatch):
    monkeypatch.setattr(Mtcnn, "find", lambda self, pixels: [])
    pixels, landmarks = scene(3, (1600, 1200), (80.0, 80.0))
    (face,) = detector().find(pixels)
    assert apart(face, landmarks).mean() < 0.1


def test_nobody_is_found_in_an_empty_room_and_in_hardly_any_pixels():
    assert detector().find(np.full((300, 400, 3), 90, np.uint8)) == []
    assert detector().find(np.zeros((10, 10, 3), np.uint8)) == []
    assert detector().find(np.zeros((2000, 1, 3), np.uint8)) == []


def test_mtcnn_is_asked_last_and_the_mesh_refines_what_it_finds(monkeypatch):
    pixels, landmarks = scene(0)
    rough = Face((0.0, 0.0, 9.0, 9.0), tuple(map(tuple, (landmarks + 4).tolist())), 0.95)
    nothing = Face((0.0, 0.0, 9.0, 9.0), ((2.0, 2.0), (6.0, 2.0), (4.0, 4.0), (2.0, 6.0), (6.0, 6.0)), 0.95)
    monkeypatch.setattr(Detector, "_seen", lambda *_: [])
    monkeypatch.setattr(Mtcnn, "find", lambda self, pixels: [rough, nothing])
    refined, kept = Detector().find(pixels)
    assert apart(refined, landmarks).mean() < apart(rough, landmarks).mean()
    assert kept == nothing


@pytest.mark.slow
def test_mtcnn_finds_drawn_people():
    found = [(Mtcnn().find(pixels), landmarks) for pixels, landmarks in map(scene, range(3))]
    assert all(len(faces) == 1 and apart(faces[0], landmarks).mean() < 0.15 for faces, landmarks in found)


def test_threads_that_share_a_detector_find_the_same():
    pictures = [scene(index)[0] for index in range(3)]
    alone = [detector().find(pixels) for pixels in pictures]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(detector().find, pictures * 3)) == alone * 3


def test_the_mesh_of_a_face_depends_on_its_landmarks_alone():
    pixels, landmarks = scene(0)
    (found,) = detector().find(pixels)
    read = Face((0.0, 0.0, 1.0, 1.0), tuple(map(tuple, found.points.astype(np.float32).tolist())), 1.0)
    first, second = with_mesh(pixels, found), with_mesh(pixels, read)
    assert first.mesh is not None
    np.testing.assert_array_equal(first.mesh, second.mesh)
    assert first.mesh.shape == (mesh.POINTS, 3)
    assert apart(Face(found.box, tuple(map(tuple, mesh.landmarks(first.mesh))), 1.0), landmarks).mean() < 0.1
    assert with_mesh(np.full_like(pixels, 90), found).mesh is None
    aligned = Face(found.box, (), 1.0)
    assert with_mesh(pixels, aligned) is aligned


@pytest.mark.slow
def test_landmarks_of_training_pictures_are_where_they_are_drawn_and_digits_have_none():
    from facet import drawn
    from facet.pictures.resize import resize

    people = [drawn.sample(5, index) for index in range(12)]
    found = landmarks_of(resize(map(drawn.draw, people), crops.crop("face120"), 64))
    assert found is not None
    left, top = 29, 49
    points = np.reshape(found, (5, 2)) * 120 + (left, top)
    where = np.median([drawn_landmarks.landmarks_of(person) for person in people], axis=0)
    np.testing.assert_allclose(points, where, atol=3)  # pixels; 38 between the eyes
    assert landmarks_of(np.random.default_rng(0).integers(0, 255, (6, 64, 64, 1), dtype=np.uint8)) is None
