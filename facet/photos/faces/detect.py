"""Face detection: boxes and five landmarks by MTCNN (Zhang et al. 2016, arXiv:1604.02878).

The weights are part of the facenet-pytorch wheel."""

import dataclasses
import functools
from typing import Any

import cv2
import numpy as np

LONGEST = (640, 1280)  # pixels of the longer side in the first search, and in the second if no face was found
LEAST = 20  # smallest face searched for, in pixels; P-Net sees 12, and its cost grows with the square of the scale
ENLARGED = 192  # side of crops when their landmarks are searched, in pixels
CERTAIN = 0.9  # lowest score of the last network for a face
SAME = 0.4  # overlap, as a share of the smaller box, from which two detections are one face


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in an upright photo, in pixels. Landmarks are eyes, nose and corners of the mouth, the left one in the
    picture first."""

    box: tuple[float, float, float, float]  # left, top, right, bottom
    landmarks: tuple[tuple[float, float], ...]
    score: float  # 0..1; 1 for given landmarks

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def points(self) -> np.ndarray:
        """Landmarks (5, 2)."""
        return np.array(self.landmarks, float)


class Detector:
    """MTCNN face detector. Threads may share one."""

    def __init__(self) -> None:
        from facenet_pytorch import MTCNN

        self._mtcnn = MTCNN(keep_all=True, min_face_size=LEAST, device="cpu").eval()

    def find(self, pixels: np.ndarray) -> list[Face]:
        """Find the faces of an upright RGB photo (H, W, 3) uint8, the largest first."""
        for longest in LONGEST:
            faces = self._search(pixels, longest)
            if faces or max(pixels.shape[:2]) <= longest:
                break
        return faces

    def _search(self, pixels: np.ndarray, longest: int) -> list[Face]:
        height, width = pixels.shape[:2]
        scale = min(1.0, longest / max(height, width))
        if min(height, width) * scale < LEAST:
            return []
        if scale < 1:
            small = cv2.resize(
                np.ascontiguousarray(pixels),
                (round(width * scale), round(height * scale)),
                interpolation=cv2.INTER_AREA,
            )
        else:
            small = np.ascontiguousarray(pixels)
        boxes, scores, points = self._detect(small)
        if boxes is None:
            return []
        stretch = np.array([width / small.shape[1], height / small.shape[0]])
        faces = [
            Face(
                box=tuple(_rounded(np.asarray(box, float).reshape(2, 2) * stretch).ravel().tolist()),
                landmarks=tuple(map(tuple, _rounded(np.asarray(landmarks, float) * stretch).tolist())),
                score=float(score),
            )
            for box, score, landmarks in zip(boxes, scores, points, strict=True)
            if score >= CERTAIN
        ]
        return merged(faces)

    def _detect(self, small: np.ndarray) -> tuple[Any, Any, Any]:
        try:
            detections: tuple[Any, Any, Any] = self._mtcnn.detect(small, landmarks=True)
        except (RuntimeError, ValueError, IndexError):  # raised by MTCNN when no window is left
            return None, None, None
        return detections


def landmarks_of(crops: np.ndarray) -> tuple[float, ...] | None:
    """The five landmarks of crops (N, S, S, C) uint8: the median x and y of each, as shares of the crop; None if half
    of the crops or more show no face."""
    landmarks, edge = [], ENLARGED // 3
    for crop in crops:
        colours = np.ascontiguousarray(np.broadcast_to(crop, (*crop.shape[:2], 3)))
        big = cv2.resize(colours, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(big, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        faces = detector().find(framed)
        if faces and faces[0].height > ENLARGED / 3:
            landmarks.append((faces[0].points - edge) / ENLARGED)
    if 2 * len(landmarks) <= len(crops):
        return None
    return tuple(np.median(landmarks, axis=0).ravel().tolist())


@functools.cache
def detector() -> Detector:
    """The detector of this process."""
    return Detector()


def _rounded(values: np.ndarray) -> np.ndarray:
    """Round to 1/64 pixel, which a manifest holds exactly, so that faces read from it give the same bytes as detected
    ones."""
    return np.asarray(np.rint(values * 64) / 64)


def merged(faces: list[Face]) -> list[Face]:
    """Drop repeated detections and sort the largest first. Of two boxes that share much of the smaller one, the one
    with the higher score stays."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (-face.score, face.box)):
        if all(_shared(face.box, other.box) < SAME for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: (-_area(face.box), face.box))


def _area(box: tuple[float, float, float, float]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _shared(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """The intersection of two boxes as a share of the smaller one."""
    both = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    return _area(both) / max(min(_area(a), _area(b)), 1e-9)
