"""Face detection: MediaPipe's full-range detector (after Bazarevsky et al. 2019, arXiv:1907.05047) finds faces; the
mesh of each confirms it and gives its landmarks.

Where that finds none, tiles of the photo are searched, the photo turned by quarters, and last MTCNN (Zhang et al. 2016,
arXiv:1604.02878), whose weights are part of the facenet-pytorch wheel."""

import dataclasses
import functools
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from facet.photos.faces import mesh
from facet.photos.faces.align import Placement
from facet.photos.faces.networks import FULL_RANGE, Runner

SIZE, CELLS = 192, 48  # pixels along the square that the detector sees, and cells along it that find one face each
SAMPLES = 4  # pixels along each of the detector's that are averaged; of large photos the rest is left out
MARGIN = 0.2  # empty border around a photo, in longer sides: faces at its border are seen better
LIKELY, SURE = 0.3, 0.5  # lowest scores of the detector for a face, whose mesh decides, and for not looking further
AROUND = 1.5  # side of the square for the mesh, in sides of the detector's box
MOVED = 0.25  # largest difference of the landmarks of two meshes of a face, in distances between the eyes
TILED = 480  # pixels of the longer side from which on tiles are searched: half of it each

LONGEST = (640, 1280)  # MTCNN: pixels of the longer side in the first search, and in the second if no face was found
LEAST = 20  # smallest face MTCNN searches for, in pixels; P-Net sees 12, and its cost grows with the scale's square
ENLARGED = 192  # side of crops when their landmarks are searched, in pixels
CERTAIN = 0.9  # lowest score of MTCNN's last network for a face
SAME = 0.4  # overlap, as a share of the smaller box, from which two detections are one face


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in an upright photo, in pixels. Landmarks are eyes, nose and corners of the mouth, the left one in the
    picture first (of the face turned upright)."""

    box: tuple[float, float, float, float]  # left, top, right, bottom
    landmarks: tuple[tuple[float, float], ...]
    score: float  # 0..1; 1 for given landmarks
    # (468, 3), see facet/photos/faces/mesh.py; None before `with_mesh`, or if the mesh sees no face
    mesh: np.ndarray | None = dataclasses.field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, points: np.ndarray) -> "Face":
        """A face with these landmarks (5, 2), rounded as a manifest holds them, and a box around them."""
        points = _rounded(points)
        low, high = points.min(0), points.max(0)
        reach = _rounded(0.8 * (high - low))
        box = (*(low - reach).tolist(), *(high + reach).tolist())
        return cls(box, tuple(map(tuple, points.tolist())), 1.0)

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def points(self) -> np.ndarray:
        """Landmarks (5, 2)."""
        return np.array(self.landmarks, float)


class Detector:
    """Finds faces. Threads may share one."""

    def __init__(self) -> None:
        self._full_range = Runner(FULL_RANGE)
        self._mtcnn = Mtcnn()

    def find(self, pixels: np.ndarray) -> list[Face]:
        """Find the faces of an upright RGB photo (H, W, 3) uint8, the largest first."""
        height, width = pixels.shape[:2]
        longest = max(height, width)
        if min(height, width) < LEAST:
            return []
        whole = _square((width - longest) / 2, (height - longest) / 2, longest).widened(MARGIN)
        faces = self._seen(pixels, whole)
        if not faces:
            faces = [face for tile in _tiles(width, height) for face in self._seen(pixels, tile)]
        if not any(face.score >= SURE for face in faces):  # lying or upside down, perhaps
            faces += [face for quarters in (1, 2, 3) for face in self._seen(pixels, whole, quarters)]
        return merged(faces) or [_refined(pixels, face) for face in self._mtcnn.find(pixels)]

    def _seen(self, pixels: np.ndarray, square: Placement, quarters: int = 0) -> list[Face]:
        """The faces in a square of a photo that the detector and the mesh see when it is turned by quarters, counter
        to the clock."""
        found = merged(list(self._boxes(pixels, square, quarters)))
        faces = (_confirmed(pixels, face) for face in found)
        return [face for face in faces if face is not None]

    def _boxes(self, pixels: np.ndarray, square: Placement, quarters: int) -> Iterator[Face]:
        """What the detector takes for faces in a square of a photo, with the two eyes as landmarks."""
        small = np.ascontiguousarray(np.rot90(_reduced(pixels, square), quarters))
        outputs = ("reshaped_regressor_face_4", "reshaped_classifier_face_4")
        values, logits = self._full_range(small.astype(np.float32) / 127.5 - 1, outputs)
        scores = 1 / (1 + np.exp(-np.clip(logits.ravel().astype(float), -50, 50)))
        side = square.side
        for cell in np.flatnonzero(scores >= LIKELY):
            # x and y of the box's middle from the cell's middle, width and height, then six points like the middle
            value = values[0, cell].astype(float).reshape(8, 2) / SIZE
            middle = (np.array([cell % CELLS, cell // CELLS]) + 0.5) / CELLS
            points = np.vstack([value[:1], value[2:4]]) + middle
            for _ in range(quarters):  # back: np.rot90 turned (x, y) to (y, 1 - x)
                points = np.stack([1 - points[:, 1], points[:, 0]], 1)
            points = points * side + square.matrix[:, 2]
            reach = value[1].max() * side / 2
            box = (*(points[0] - reach), *(points[0] + reach))
            yield Face(tuple(map(float, box)), tuple(map(tuple, points[1:].tolist())), float(scores[cell]))  # type: ignore[arg-type]


def _square(left: float, top: float, side: float) -> Placement:
    return Placement(np.array([[side, 0, left], [0, side, top]], float))


def _tiles(width: int, height: int) -> Iterator[Placement]:
    """Squares of half a large photo's longer side that overlap by half or more and cover it."""
    longest = max(width, height)
    if longest <= TILED:
        return
    side = longest / 2
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield _square(left, top, side)


def _starts(length: int, side: float) -> np.ndarray:
    """Where tiles along a length start; one tile that covers it is centred."""
    if length <= side:
        return np.array([(length - side) / 2])
    return np.linspace(0, length - side, int(np.ceil((length - side) / (side / 2))) + 1)


def _reduced(pixels: np.ndarray, square: Placement) -> np.ndarray:
    """An upright square of a photo (H, W, 3) uint8 at SIZE x SIZE pixels, black outside the photo."""
    height, width = pixels.shape[:2]
    (left, top), side = square.matrix[:, 2], square.side
    low = np.clip(np.floor((left, top)).astype(int), 0, (width - 1, height - 1))
    high = np.clip(np.ceil((left + side, top + side)).astype(int), low + 1, (width, height))
    scale = SIZE / side
    step = max(1, int(1 / scale / SAMPLES))
    part = np.ascontiguousarray(pixels[low[1] : high[1] : step, low[0] : high[0] : step])
    start = np.rint((low - (left, top)) * scale).astype(int)
    size = np.clip(np.rint((high - low) * scale).astype(int), 1, SIZE - start)
    square_pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    by = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    end = start + size
    square_pixels[start[1] : end[1], start[0] : end[0]] = cv2.resize(part, tuple(map(int, size)), interpolation=by)
    return square_pixels


def _confirmed(pixels: np.ndarray, face: Face) -> Face | None:
    """A face of the detector with the landmarks of its mesh; None if the mesh sees no face or none that stays."""
    left, top, right, bottom = face.box
    across = face.points[1] - face.points[0]  # from eye to eye
    across *= AROUND * (right - left) / max(float(np.linalg.norm(across)), 1e-9)
    turn = np.array([[across[0], -across[1]], [across[1], across[0]]])
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    points, confidence = mesh.mesh_in(pixels, Placement(np.hstack([turn, (middle - turn.sum(1) / 2)[:, None]])))
    if confidence < mesh.SEEN:
        return None
    first = mesh.landmarks(points)
    points, confidence = mesh.mesh_around(pixels, first)
    second = mesh.landmarks(points)
    moved = np.linalg.norm(second - first, axis=1).max() / max(float(np.linalg.norm(second[1] - second[0])), 1e-9)
    if confidence < mesh.SEEN or moved > MOVED:
        return None
    return _face(points, face.score)


def _refined(pixels: np.ndarray, face: Face) -> Face:
    """A face of MTCNN with the landmarks of its mesh, if the mesh sees it."""
    points, confidence = mesh.mesh_around(pixels, face.points)
    return face if confidence < mesh.SEEN else _face(points, face.score)


def _face(points: np.ndarray, score: float) -> Face:
    """The face of a mesh, rounded as a manifest holds it."""
    box = _rounded(np.concatenate([points[:, :2].min(0), points[:, :2].max(0)]))
    landmarks = _rounded(mesh.landmarks(points))
    return Face(tuple(box.tolist()), tuple(map(tuple, landmarks.tolist())), score)


def with_mesh(pixels: np.ndarray, face: Face) -> Face:
    """The face of an upright RGB photo with its mesh, which depends on the photo and the landmarks alone: that of a
    face read from a manifest is the same."""
    if face.mesh is not None or len(face.landmarks) != 5:
        return face
    points, confidence = mesh.mesh_around(pixels, face.points)
    return dataclasses.replace(face, mesh=points) if confidence >= mesh.SEEN else face


class Mtcnn:
    """MTCNN face detector, loaded when first used. Threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @functools.cached_property
    def network(self) -> Any:
        from facenet_pytorch import MTCNN

        return MTCNN(keep_all=True, min_face_size=LEAST, device="cpu").eval()

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
        with self._lock:
            network = self.network
        try:
            detections: tuple[Any, Any, Any] = network.detect(small, landmarks=True)
        except (RuntimeError, ValueError, IndexError):  # raised by MTCNN when no window is left
            return None, None, None
        return detections


def landmarks_of(crops: np.ndarray) -> tuple[float, ...] | None:
    """The five landmarks of crops (N, S, S, C) uint8: the median x and y of each, as shares of the crop; None if half
    of the crops or more show no face."""
    landmarks, without, edge = [], 0, ENLARGED // 3
    for crop in crops:
        colours = np.ascontiguousarray(np.broadcast_to(crop, (*crop.shape[:2], 3)))
        big = cv2.resize(colours, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(big, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        faces = detector().find(framed)
        if faces and faces[0].height > ENLARGED / 3:
            landmarks.append((faces[0].points - edge) / ENLARGED)
        else:
            without += 1
        if 2 * without >= len(crops):
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
