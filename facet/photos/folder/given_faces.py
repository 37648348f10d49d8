"""Faces by landmarks that others found: they must form a face, and the photo must not show it elsewhere."""

from collections.abc import Sequence

import numpy as np

from facet.photos.faces.detect import Face, detector, merged, with_mesh
from facet.photos.faces.landmarks import POINTS
from facet.pictures.decode import BadImage, turned

NEAR = 0.3  # mean distance of landmarks of the same face, in distances between the eyes
OUTSIDE = 0.5  # how far a landmark of a face at the border may lie outside the photo, in distances between the eyes
FLAT = 0.15  # lowest sine of the angle between the line of the eyes and the line from the eyes to the mouth
SAME_SIZE = 0.1  # difference of two scales that counts as none


def given_faces(
    landmarks: Sequence[np.ndarray], pixels: np.ndarray, stored: tuple[int, int], orientation: int
) -> list[Face]:
    """The faces of landmarks (5, 2) in an upright photo (H, W, 3) uint8, merged and sorted as those of the detector.

    `stored` is width and height of the photo before it was turned by `orientation`. BadImage with the cause if the
    landmarks cannot be right: `off_photo`, or `landmarks_wrong`."""
    height, width = pixels.shape[:2]
    for points in landmarks:
        _check_geometry(points)
    unturned = [_turned(points, stored, orientation) for points in landmarks]
    for points in landmarks:
        if not _is_inside(points, (width, height)):
            fits = orientation != 1 and all(_is_inside(points, stored) for points in landmarks)
            cause = ", but in the photo before it is turned upright" if fits else ""
            name, (x, y) = _outermost(points, (width, height))
            raise BadImage("off_photo", f"{name} at ({x:g}, {y:g}) is outside {width} x {height}{cause}")
    faces = [with_mesh(pixels, Face.of(points)) for points in landmarks]
    if all(face.mesh is None for face in faces):
        _check_elsewhere(detector().find(pixels), landmarks, unturned if orientation != 1 else [])
    return merged(faces)


def _check_geometry(points: np.ndarray) -> None:
    """BadImage unless the points can be those of a face."""
    if (np.abs(points) <= 1.5).all():
        raise BadImage("landmarks_wrong", "all are from 0 to 1: shares of the photo; expected pixels")
    across, mouth = points[1] - points[0], points[4] - points[3]
    down = points[3:].mean(0) - points[:2].mean(0)
    apart, tall = np.linalg.norm(across), np.linalg.norm(down)
    if apart < 1 or tall < 1:
        raise BadImage("landmarks_wrong", "the eyes, or the eyes and the mouth, are at one point")
    sine = float(across[0] * down[1] - across[1] * down[0]) / float(apart * tall)
    if sine < -FLAT:
        swapped = "left and right, or x and y," if abs(across[1]) > abs(across[0]) else "left and right"
        raise BadImage("landmarks_wrong", f"{swapped} are swapped; left is the left one in the picture")
    if sine < FLAT:
        raise BadImage("landmarks_wrong", "eyes and mouth are on one line; expected eyes, nose, corners of the mouth")
    if across @ mouth < 0:
        raise BadImage(
            "landmarks_wrong", "left and right of the mouth are swapped; left is the left one in the picture"
        )
    along = float((points[2] - points[:2].mean(0)) @ down) / float(tall**2)
    if not -0.5 < along < 1.5:
        raise BadImage("landmarks_wrong", "the nose is not between eyes and mouth; look at the order of the columns")


def _is_inside(points: np.ndarray, size: tuple[int, int]) -> bool:
    room = OUTSIDE * float(np.linalg.norm(points[1] - points[0]))
    return bool((points >= -room).all() and (points <= np.array(size) + room).all())


def _outermost(points: np.ndarray, size: tuple[int, int]) -> tuple[str, np.ndarray]:
    """The landmark that is farthest outside, and its name."""
    away = np.maximum(-points, points - np.array(size)).max(1)
    return POINTS[int(away.argmax())], points[int(away.argmax())]


def _turned(points: np.ndarray, size: tuple[int, int], orientation: int) -> np.ndarray:
    """Points of a stored photo of `size` (width, height) in the photo turned upright."""
    width, height = size
    corners = np.array([[(0, 0), (width, 0)], [(0, height), (width, height)]], float)
    (upper_left, upper_right), (lower_left, _) = turned(corners, orientation)  # arranged as in the upright photo
    x_axis, y_axis = upper_right - upper_left, lower_left - upper_left  # of the upright photo, in the stored one
    lengths = np.array([np.abs(x_axis).sum(), np.abs(y_axis).sum()])
    axes = np.stack([x_axis, y_axis]) / lengths[:, None]
    return np.asarray((points - upper_left) @ axes.T)


def _check_elsewhere(found: Sequence[Face], landmarks: Sequence[np.ndarray], unturned: Sequence[np.ndarray]) -> None:
    """BadImage if the photo shows the faces where they would be in another copy of it."""
    for face in found:
        for points in unturned:
            if _same(face.points, points):
                raise BadImage("landmarks_wrong", "they are in the photo before it is turned upright")
        copies = [(points, "") for points in landmarks]
        copies += [(points, ", before it is turned upright") for points in unturned]
        for points, where in copies:
            scale = float((face.points * points).sum() / (points**2).sum())  # least squares
            if abs(scale - 1) > SAME_SIZE and _same(face.points, points * scale):
                raise BadImage("landmarks_wrong", f"they are in a copy of about {1 / scale:.2g} times its size{where}")


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """True if two sets of landmarks (5, 2) are those of one face; `a` has the right size."""
    return bool(np.linalg.norm(a - b, axis=1).mean() < NEAR * np.linalg.norm(a[1] - a[0]))
