"""The shape of a face: MediaPipe's mesh of 468 points (Kartynnik et al. 2019, arXiv:1907.06724)."""

import functools

import numpy as np

from facet.photos.faces import align
from facet.photos.faces.align import Placement
from facet.photos.faces.networks import MESH, Runner

POINTS = 468
SIZE = 192  # pixels along the square that the network sees
SEEN = 0.5  # lowest confidence for a face
# The five landmarks in the square that the network sees, as shares of its side: half as much again as the face.
TEMPLATE = (0.37, 0.38, 0.63, 0.38, 0.5, 0.54, 0.38, 0.645, 0.62, 0.645)

# Points of the mesh. Left and right are those of the picture.
EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398),
)
BROWS = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
NOSE_TIP, NOSE_BASE, TOP, CHIN, MOUTH_CORNERS, JAW = 1, 2, 10, 152, (61, 291), (172, 397)


@functools.cache
def _runner() -> Runner:
    return Runner(MESH)


def mesh_in(pixels: np.ndarray, placement: Placement) -> tuple[np.ndarray, float]:
    """The mesh (468, 3) float64 of the face in a square of an upright RGB photo, and the network's confidence that
    there is one, 0 to 1.

    x and y are pixels of the photo; z, in pixels too, grows away from the camera."""
    square = align.sampled(pixels, placement, SIZE)
    points, logit = _runner()(square.astype(np.float32) / 255, ("conv2d_20", "conv2d_30"))
    points = points.reshape(POINTS, 3).astype(float) / SIZE
    across = points[:, :2] @ placement.matrix[:, :2].T + placement.matrix[:, 2]
    confidence = 1 / (1 + np.exp(-min(max(float(logit.item()), -50.0), 50.0)))
    return np.hstack([across, points[:, 2:] * placement.side]), confidence


def mesh_around(pixels: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """The mesh of the face with these five landmarks (5, 2), and the network's confidence; see `mesh_in`."""
    return mesh_in(pixels, align.from_landmarks(TEMPLATE, landmarks))


def landmarks(mesh: np.ndarray) -> np.ndarray:
    """The five landmarks (5, 2) of a mesh (468, 2 or more): middles of the eyes' outlines, tip of the nose, corners of
    the mouth."""
    points = mesh[:, :2]
    eyes = [points[list(eye)].mean(0) for eye in EYES]
    return np.array([*eyes, points[NOSE_TIP], *points[list(MOUTH_CORNERS)]])
