"""The head around a crop: which pixels belong to the person, and to which part of the head.

A network of MediaPipe says which pixels are a person's; the mesh says where the face, the eyes and the mouth are. Hair
is told in facet/photos/faces/hair.py."""

import dataclasses
import functools

import cv2
import numpy as np

from facet.photos.faces import align, mesh
from facet.photos.faces.align import Placement
from facet.photos.faces.detect import Face, with_mesh
from facet.photos.faces.hair import hair
from facet.photos.faces.networks import PERSON, Runner
from facet.photos.faces.ramps import smoothstep

SIZE = 256  # pixels along the square that the network sees
# The five landmarks in that square, as shares of its side: a head with its hair, and the shoulders.
TEMPLATE = (0.4, 0.47, 0.6, 0.47, 0.5, 0.59, 0.41, 0.67, 0.59, 0.67)
OWN = (0.5, 0.9)  # of the person mask: not the head's, the head's
TRUSTED = 0.7  # lowest mean of the person mask on the face; below, an ellipse around the face takes its place
# Half axes of a head with its hair, and the height of its centre above the middle of eyes and mouth, in distances from
# the middle of the eyes to the middle of the mouth; all of the head to NEAR half axes, nothing from GONE on, the face
# itself within ON_FACE, and above it, within CROWN, the hair whose colours count.
WIDE, HIGH, UP, NEAR, GONE, ON_FACE, CROWN = 1.7, 2.3, 0.35, 1.0, 1.35, 0.4, 1.0
FOREHEAD = 0.2  # height of the face: how far a forehead reaches above the mesh at most
RIM = 0.2  # height of the face: how far hair reaches inwards from the outline of the head at least
# Hair hangs down on a side where such a share of what is beside the face from the nose to the mouth, so near its axis
# and so far above the chin in heights of the face, is hair; further down, collars and shoulders may be.
HANGING, BESIDE, ABOVE = 0.35, 0.6, 0.13
REGIONS = ("face", "cheeks", "lower_face", "mouth", "eyes", "hair", "scalp", "neck", "background")


@functools.cache
def _runner() -> Runner:
    return Runner(PERSON)


def person_mask(pixels: np.ndarray, placement: Placement, face: Face, size: int = SIZE) -> np.ndarray:
    """Weights (size, size) float32 in [0, 1] of the person in the square of a placement in an upright RGB photo.

    The network sees the head and shoulders around the face; other people that touch nothing of this one are left out.
    Where it sees no person on the face, as on some drawn ones, an ellipse around the head takes the mask's place."""
    square = align.from_landmarks(TEMPLATE, face.points)
    mask = _of_one_person(_person(align.sampled(pixels, square, SIZE)))
    # from indices of the placement's square to indices of the network's
    there = square.to_crop(SIZE)
    step = there[:, :2] @ placement.matrix[:, :2] / size
    shift = there[:, :2] @ placement.matrix[:, 2] + there[:, 2] + step.sum(1) / 2 - 0.5
    result = cv2.warpAffine(
        mask,
        np.hstack([step, shift[:, None]]),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    away = distance(in_square(face.points, placement, size), size)
    on_face = away < ON_FACE
    if on_face.any() and result[on_face].mean() < TRUSTED:
        return smoothstep((GONE - away) / (GONE - NEAR))
    return np.asarray(result)


def distance(landmarks: np.ndarray, size: int) -> np.ndarray:
    """(size, size) float32: distance of each pixel of a square from the centre of the head with these five landmarks
    (5, 2) in its pixels, in half axes of an ellipse around a head with its hair."""
    eyes, mouth = landmarks[:2].mean(0), landmarks[3:].mean(0)
    down = mouth - eyes
    unit = max(float(np.linalg.norm(down)), 1e-6)
    down /= unit
    middle = (eyes + mouth) / 2 - UP * unit * down
    at = np.arange(size) + 0.5
    x, y = at[None] - middle[0], at[:, None] - middle[1]
    along, across = x * down[0] + y * down[1], x * down[1] - y * down[0]
    return np.hypot(along / (HIGH * unit), across / (WIDE * unit)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Head:
    """A head in a square (S, S) of a photo: weights float32 in [0, 1]."""

    pixels: np.ndarray  # (S, S, 3) uint8 sRGB, the square itself
    person: np.ndarray
    weights: np.ndarray  # of the head with its hair
    mesh: np.ndarray | None  # (468, 2) in pixels of the square; None if no network saw the face

    @classmethod
    def of(cls, photo_srgb: np.ndarray, placement: Placement, face: Face, size: int) -> "Head":
        """The head of a face in the square of a placement in an upright sRGB photo (H, W, 3) uint8."""
        face = with_mesh(photo_srgb, face)
        person = person_mask(photo_srgb, placement, face, size)
        away = distance(in_square(face.points, placement, size), size)
        weights = smoothstep((person - OWN[0]) / (OWN[1] - OWN[0])) * smoothstep((GONE - away) / (GONE - NEAR))
        points = None if face.mesh is None else in_square(face.mesh, placement, size)
        if points is not None:
            weights = np.maximum(weights, _filled([points[list(mesh.OVAL)]], size))
        return cls(align.sampled(photo_srgb, placement, size), person, weights, points)


def in_square(points: np.ndarray, placement: Placement, size: int) -> np.ndarray:
    """Points of the photo (N, 2 or more), as (N, 2) in pixels of a placement's square of `size` x `size`."""
    to_crop = placement.to_crop(size)
    return np.asarray(points[:, :2] @ to_crop[:, :2].T + to_crop[:, 2])


def head_regions(points: np.ndarray, person: np.ndarray, crop: np.ndarray) -> dict[str, np.ndarray]:
    """Weights (S, S) float32 in [0, 1] of REGIONS in a crop (S, S, 3) uint8 sRGB.

    `points` (468, 2) are the mesh in pixels of the crop (`in_square`), `person` is its person mask (S, S).

    face        the mesh's outline: ears and the hair's edge are outside
    cheeks      the face from the eyes to the nose
    lower_face  the face below the nose, and a rim around it: mouth, chin, beard
    mouth       the lips, and a rim
    eyes        eyes and brows, with a rim
    scalp       the person above the eyes without the face below the brows: where hair is, or can be
    hair        what has the colours along the head's outline rather than those of the cheeks, on the scalp and where it
                hangs down, as far as the shoulders; a hat counts as hair
    neck        the person below the jaw, no wider than it
    background  all but the person"""
    size = len(person)
    eyes, brows = (points[[*pair[0], *pair[1]]].mean(0) for pair in (mesh.EYES, mesh.BROWS))
    nose, chin = points[mesh.NOSE_BASE], points[mesh.CHIN]
    tall = max(float(np.linalg.norm(chin - points[mesh.TOP])), 1e-6)
    down = (chin - points[mesh.TOP]) / tall
    at = np.arange(size) + 0.5
    grid = np.stack(np.broadcast_arrays(at[None], at[:, None]), 2) - chin
    depth = (grid @ down / tall).astype(np.float32)  # below the chin, in heights of the face
    across = grid @ (down[1], -down[0])
    beside = np.abs(across)

    def below(height: float, soft: float = 0.04) -> np.ndarray:
        """0 above a height, 1 below it, over `soft` heights of the face to either side."""
        return smoothstep(((depth - height) / soft + 1) / 2)

    def height(point: np.ndarray) -> float:
        return float((point - chin) @ down / tall)

    outline = points[list(mesh.OVAL)]
    face = _filled([outline], size)
    head = np.maximum(person, face)
    lids = [_grown(_hull(points[[*eye, *brow]]), 1.25) for eye, brow in zip(mesh.EYES, mesh.BROWS, strict=True)]
    under_brows = below(height(brows) - 0.04)
    scalp = head * (1 - face * under_brows) * (1 - below(height(eyes)))
    jaw = max(float(np.abs((points[list(mesh.JAW)] - chin) @ (down[1], -down[0])).mean()), 1e-6)
    neck = person * (1 - face) * below(-0.1) * (1 - smoothstep((beside / jaw - 0.85) / 0.3))
    away = distance(mesh.landmarks(points), size)
    near = smoothstep((GONE - away) / (GONE - NEAR))
    around = near * head * (1 - face * under_brows) * (1 - neck) * (1 - below(0.45, 0.15))
    high = np.array([height(point) < height(brows) for point in outline])
    forehead = _filled([outline - FOREHEAD * tall * high[:, None] * down], size)
    crown = (scalp * (1 - face) > 0.7) & (away < CROWN) & (_inwards(head) < RIM * tall)
    cheeks = face * below(height(eyes)) * (1 - below(height(nose)))
    low = below(height(nose))
    near_face = (beside < BESIDE * tall) & (face < 0.5) & (low > 0.5) & (depth < -ABOVE)
    hairs = hair(crop, around, forehead, crown, cheeks > 0.5)
    for side in (across < 0, across >= 0):
        hanging = hairs[side & near_face]
        if not hanging.size or hanging.mean() < HANGING:  # what lies below short hair is a collar
            hairs *= 1 - side * low
    return {
        "face": face,
        "cheeks": cheeks,
        "lower_face": head * _filled([_grown(outline, 1.12)], size) * low,
        "mouth": _filled([_grown(points[list(mesh.LIPS)], 1.35)], size),
        "eyes": _filled(lids, size),
        "hair": hairs,
        "scalp": scalp * near,
        "neck": neck,
        "background": 1 - person,
    }


def _inwards(head: np.ndarray) -> np.ndarray:
    """How far pixels (S, S) of a head lie from its outline, in pixels; its end at the upper border is outline, too,
    where tall hair is cut off."""
    framed = cv2.copyMakeBorder((head > 0.5).astype(np.uint8), 1, 0, 0, 0, cv2.BORDER_CONSTANT)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:])


def _person(square: np.ndarray) -> np.ndarray:
    """The network's weights (SIZE, SIZE) float32 in [0, 1] for pixels (SIZE, SIZE, 3) uint8.

    The last layer, a transposed convolution of 2 x 2, is done here: OpenCV takes 70 % of the time for it."""
    runner = _runner()
    (features,) = runner(square.astype(np.float32) / 255, ("add_13__xeno_compat__1",))
    weight, bias = (np.asarray(runner.net.getParam("segment", i)) for i in (0, 1))
    channels, half = features.shape[1], SIZE // 2
    quarters = weight.reshape(channels, 4).T @ features.reshape(channels, -1)
    logits = quarters.reshape(2, 2, half, half).transpose(2, 0, 3, 1).reshape(SIZE, SIZE) + bias.ravel()[0]
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))), np.float32)


def _of_one_person(mask: np.ndarray) -> np.ndarray:
    """The person mask without people that do not touch the one in the middle."""
    _, labels = cv2.connectedComponents((mask > 0.5).astype(np.uint8))
    left, top, right, bottom = (int(share * SIZE) for share in (TEMPLATE[0], TEMPLATE[1], TEMPLATE[2], TEMPLATE[9]))
    counts = np.bincount(labels[top:bottom, left:right].ravel())
    counts[0] = 0
    if not counts.any():
        return mask
    own = cv2.dilate((labels == counts.argmax()).astype(np.uint8), np.ones((9, 9), np.uint8))
    return mask * cv2.GaussianBlur(own.astype(np.float32), (0, 0), 1.5)


def _filled(outlines: list[np.ndarray], size: int) -> np.ndarray:
    """Polygons (N, 2) filled, with a soft edge of two pixels of 128: (size, size) float32 in [0, 1]."""
    canvas = np.zeros((size, size), np.uint8)
    shapes = [np.rint((outline - 0.5) * 16).astype(np.int32) for outline in outlines]
    for shape in shapes:
        cv2.fillPoly(canvas, [shape], 255, cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), max(size / 128, 0.5))


def _grown(outline: np.ndarray, by: float) -> np.ndarray:
    """An outline enlarged about its middle."""
    middle = (outline.min(0) + outline.max(0)) / 2
    return np.asarray(middle + by * (outline - middle))


def _hull(points: np.ndarray) -> np.ndarray:
    """The convex outline of some points (N, 2)."""
    return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], float)
