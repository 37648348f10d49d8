"""The mesh of a face."""

import numpy as np

from facet.photos.faces import align, mesh

NOBODY = np.full((200, 200, 3), 120, np.uint8)


def test_the_network_sees_no_face_where_there_is_none():
    points, confidence = mesh.mesh_in(NOBODY, align.from_box((20, 20, 180, 180)))
    assert points.shape == (mesh.POINTS, 3)
    assert confidence < mesh.SEEN / 10


def test_landmarks_are_middles_of_eyes_tip_of_the_nose_and_corners_of_the_mouth():
    points = np.zeros((mesh.POINTS, 3))
    for x, eye in zip((10, 30), mesh.EYES, strict=True):
        points[list(eye), 0] = x + np.linspace(-1, 1, len(eye))
    points[[mesh.NOSE_TIP, *mesh.MOUTH_CORNERS]] = [(20, 15, 9), (13, 25, 9), (27, 25, 9)]
    np.testing.assert_allclose(mesh.landmarks(points), [(10, 0), (30, 0), (20, 15), (13, 25), (27, 25)])


def test_outlines_name_every_point_once():
    for outline in (*mesh.EYES, *mesh.BROWS, mesh.OVAL, mesh.LIPS):
        assert len(set(outline)) == len(outline)
        assert max(outline) < mesh.POINTS
