"""Faces in ordinary photos: boxes and five landmarks by MTCNN (Zhang et al. 2016, arXiv:1604.02878), whose networks
come inside the wheel of facenet-pytorch."""

import dataclasses
import functools
from typing import Any

import cv2
import numpy as np

LONGEST = (640, 1280)  # pixels of a photo's longer side when it is searched, and again where no face was found
LEAST = 20  # pixels of a face in it: P-Net sees 12, and its cost grows with the square of what is smaller
ENLARGED = 192  # pixels to which crops are enlarged to find their landmarks
CERTAIN = 0.9  # a face that the last network is less sure of is none
SAME = 0.4  # of the smaller box, from where two detections are one face


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in an upright photo, in pixels; landmarks: eyes, nose, corners of the mouth, the left of the picture
    first."""

    box: tuple[float, float, float, float]  # left, top, right, bottom
    landmarks: tuple[tuple[float, float], ...]
    score: float  # 0..1; 1 where somebody else gave the landmarks

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def points(self) -> np.ndarray:
        """Landmarks (5, 2)."""
        return np.array(self.landmarks, float)


class Detector:
    """Finds faces, the largest first. Threads may share one."""

    def __init__(self) -> None:
        from facenet_pytorch import MTCNN

        self._mtcnn = MTCNN(keep_all=True, min_face_size=LEAST, device="cpu").eval()

    def find(self, pixels: np.ndarray) -> list[Face]:
        """The faces of an upright RGB photo (H, W, 3) uint8."""
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
                landmarks=tuple(map(tuple, _rounded(np.asarray(found, float) * stretch).tolist())),
                score=float(score),
            )
            for box, score, found in zip(boxes, scores, points, strict=True)
            if score >= CERTAIN
        ]
        return merged(faces)

    def _detect(self, small: np.ndarray) -> tuple[Any, Any, Any]:
        try:
            found: tuple[Any, Any, Any] = self._mtcnn.detect(small, landmarks=True)
        except (RuntimeError, ValueError, IndexError):  # its way to say that no window was left
            return None, None, None
        return found


def landmarks_of(crops: np.ndarray) -> tuple[float, ...] | None:
    """Where crops (N, S, S, C) uint8 have their five landmarks: the median x and y of each, shares of the crop; None
    where half of them or more show no face."""
    found, edge = [], ENLARGED // 3
    for crop in crops:
        colours = np.ascontiguousarray(np.broadcast_to(crop, (*crop.shape[:2], 3)))
        big = cv2.resize(colours, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(big, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        faces = detector().find(framed)
        if faces and faces[0].height > ENLARGED / 3:
            found.append((faces[0].points - edge) / ENLARGED)
    if 2 * len(found) <= len(crops):
        return None
    return tuple(np.median(found, axis=0).ravel().tolist())


@functools.cache
def detector() -> Detector:
    """The process's own."""
    return Detector()


def _rounded(values: np.ndarray) -> np.ndarray:
    """To 1/64 pixel, which a manifest holds exactly: faces read from it give the same bytes as faces found."""
    return np.asarray(np.rint(values * 64) / 64)


def merged(faces: list[Face]) -> list[Face]:
    """Without second detections of a face, the largest first: of two boxes that share much of the smaller one, the one
    of the higher score stays."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (-face.score, face.box)):
        if all(_shared(face.box, other.box) < SAME for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: (-_area(face.box), face.box))


def _area(box: tuple[float, float, float, float]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _shared(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """What two boxes share, of the smaller one."""
    both = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    return _area(both) / max(min(_area(a), _area(b)), 1e-9)
