"""Alignment: place the crop that the networks were trained on in a photo, and cut it out.

Coordinates are continuous: the centre of a pixel is at (column + .5, row + .5). A placement maps the unit square of the
crop into the upright photo."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from facet.pictures import resize
from facet.pictures.crops import Crop
from facet.pictures.decode import BadImage

WEIGHTS = np.array([1, 1, 0, 0.5, 0.5]) / 3  # of the five landmarks
WIDEST = 1024  # pixels along a crop before it is resized; more add nothing to the face
# Largest distance of the nose from the face's midline, in distances between the eyes: a head turned by 37 degrees. Of
# photos in the press, such as LFW's, one in a hundred shows a head turned further, so systems have hardly seen any.
TURNED_AWAY = 0.5
NOSE = 2 / 3  # the same distance for a head turned by 45 degrees


@dataclasses.dataclass(frozen=True)
class Placement:
    """The place of a crop: `matrix` (2, 3) maps (u, v) of its unit square to (x, y) of the photo."""

    matrix: np.ndarray

    @property
    def corners(self) -> np.ndarray:
        """The crop's corners in the photo (4, 2): top left, top right, bottom right, bottom left."""
        square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)
        return square @ self.matrix[:, :2].T + self.matrix[:, 2]

    @property
    def side(self) -> float:
        """Pixels of the photo along one side of the crop."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def widened(self, by: float) -> "Placement":
        """The crop widened on every side by `by` times its own side."""
        turn = self.matrix[:, :2]
        return Placement(np.hstack([turn * (1 + 2 * by), (self.matrix[:, 2] - turn.sum(1) * by)[:, None]]))

    def to_crop(self, size: int) -> np.ndarray:
        """The matrix (2, 3) from the photo to the pixels of a crop of `size` x `size`."""
        return np.asarray(cv2.invertAffineTransform(self.matrix)) * size


def from_box(box: tuple[float, float, float, float]) -> Placement:
    """The placement of an upright box of the photo."""
    left, top, right, bottom = box
    return Placement(np.array([[right - left, 0, left], [0, bottom - top, top]], float))


def from_framed(crop: Crop, width: int, height: int, size: int) -> Placement:
    """The crop of a photo framed like CelebA's aligned pictures; BadImage if it is not."""
    return from_box(resize.box_on(crop, width, height, size))


def from_landmarks(template: Sequence[float], landmarks: np.ndarray) -> Placement:
    """The crop around five landmarks (5, 2) of a photo: eyes, nose, corners of the mouth, left before right.

    `template` holds x and y of the landmarks in training pictures, as shares of the crop. Fits the least-squares
    similarity transform under WEIGHTS: the eyes decide, as in CelebA's own alignment, and the mouth stabilises them;
    the nose is left out because it moves with the head's turn."""
    a, b = (np.asarray(points, float).reshape(5, 2) @ (1, 1j) for points in (template, landmarks))
    middle, aim = WEIGHTS @ a, WEIGHTS @ b
    # in complex numbers: b = turn a + shift
    turn = (WEIGHTS * np.conj(a - middle)) @ (b - aim) / (WEIGHTS @ np.abs(a - middle) ** 2)
    shift = aim - turn * middle
    return Placement(np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]]))


def turned_away(landmarks: np.ndarray) -> float:
    """Distance of the nose from the line between the middle of the eyes and the middle of the mouth, in distances
    between the eyes: 0 for a frontal face."""
    eyes, nose, mouth = landmarks[:2].mean(0), landmarks[2], landmarks[3:].mean(0)
    down = mouth - eyes
    away = (nose - eyes)[0] * down[1] - (nose - eyes)[1] * down[0]
    apart = np.linalg.norm(landmarks[1] - landmarks[0])
    return float(abs(away) / max(np.linalg.norm(down) * apart, 1e-6))


def turn_of(away: float) -> float:
    """The turn of a head in degrees for the distance of its nose from its midline in distances between the eyes."""
    return float(np.rad2deg(np.arctan(away / NOSE)))


def cut(pixels: np.ndarray, placement: Placement, crop: Crop, size: int) -> np.ndarray:
    """Cut the crop of an upright RGB photo (H, W, 3) uint8 -> (size, size, 3) uint8, antialiased as in training.

    Outside the photo its border is repeated."""
    return cut_sizes(pixels, placement, crop, (size,))[0]


def cut_sizes(pixels: np.ndarray, placement: Placement, crop: Crop, sizes: Sequence[int]) -> list[np.ndarray]:
    """`cut` at several sizes."""
    side = placement.side
    shrink = _shrink(placement)
    native = max(*sizes, min(round(side / shrink), WIDEST))
    square = _warped(pixels, placement, native, shrink)
    return [resize.resize_parts(square[None], crop, size)[0] for size in sizes]


def sampled(pixels: np.ndarray, placement: Placement, size: int) -> np.ndarray:
    """The square of a placement in an upright RGB photo (H, W, 3) uint8 -> (size, size, 3) uint8, quickly.

    Outside the photo its border is repeated."""
    return _warped(pixels, placement, size, max(1, int(placement.side // size)))


def around(pixels: np.ndarray, placement: Placement) -> tuple[np.ndarray, Placement]:
    """The part of an upright photo (H, W) or (H, W, C) from which `cut_sizes` cuts the same crop, and its placement
    there."""
    part, offset = _around(pixels, placement, margin=2 * _shrink(placement) + 1)
    return part, Placement(np.hstack([placement.matrix[:, :2], (placement.matrix[:, 2] - offset)[:, None]]))


def _shrink(placement: Placement) -> int:
    """The whole factor by which a photo is reduced before a crop is cut from it."""
    return max(1, int(placement.side // WIDEST))


def _warped(pixels: np.ndarray, placement: Placement, size: int, shrink: int) -> np.ndarray:
    """The square of a placement at `size` x `size` pixels, from the photo reduced by the whole factor `shrink`."""
    part, offset = _around(pixels, placement, margin=2 * shrink)
    matrix = placement.matrix.copy()
    matrix[:, 2] -= offset
    if shrink > 1:  # whole parts of shrink x shrink pixels: OpenCV averages those fast
        height, width = (max(length // shrink, 1) for length in part.shape[:2])
        part = cv2.resize(part[: height * shrink, : width * shrink], (width, height), interpolation=cv2.INTER_AREA)
        matrix /= shrink
    # from pixel indices of the square to pixel indices of the part: centres are half a pixel from corners
    step = matrix[:, :2] / size
    index = np.hstack([step, (matrix[:, 2] + step.sum(1) / 2 - 0.5)[:, None]])
    return np.asarray(
        cv2.warpAffine(
            part, index, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
    )


def _around(pixels: np.ndarray, placement: Placement, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of the photo under a crop, at least one pixel, and its offset (x, y)."""
    height, width = pixels.shape[:2]
    low = np.clip(np.floor(placement.corners.min(0)).astype(int) - margin, 0, (width - 1, height - 1))
    high = np.clip(np.ceil(placement.corners.max(0)).astype(int) + margin, low + 1, (width, height))
    return np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]]), low


def cut_framed(pixels: np.ndarray, crop: Crop, sizes: Sequence[int]) -> list[np.ndarray]:
    """Cut the crop of a photo framed as in training, at the smallest of `sizes` exactly as stage `prepare` does;
    BadImage if it is not framed so."""
    part = np.ascontiguousarray(resize.cut(pixels, crop, min(sizes)))
    return [resize.resize_parts(part[None], crop, size)[0] for size in sizes]


def check_size(placement: Placement, least: int) -> None:
    """BadImage `too_small` if the face has fewer than `least` pixels along the crop."""
    if placement.side < least:
        raise BadImage("too_small", f"{placement.side:.0f} pixels; {least} are needed")
