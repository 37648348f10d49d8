"""Digits: MNIST (LeCun et al. 1998), two of its digits on one canvas (ViGAN), SVHN (Netzer et al. 2011).

Each class is an attribute: Digit_0 to Digit_9, or Left_0 to Left_9 and Right_0 to Right_9. The last VALID pictures of a
published training set are the validation split."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from facet.base.errors import InputError
from facet.base.progress import progress
from facet.sources.labels import Listing, table_of
from facet.sources.store import png, write_zip
from facet.sources.unread import misnamed

VALID = 5_000
PICTURES = "pictures.zip"
MNIST_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
MNIST_HOW = "expected the four published files train-images-idx3-ubyte(.gz) and so on, as torchvision keeps them too"
SVHN_HOW = "expected train_32x32.mat and test_32x32.mat (format 2), as published at ufldl.stanford.edu/housenumbers"
CANVAS = 64  # side of a canvas of two digits, in pixels
DIGIT = 28
LEFT, RIGHT = (0, 4), (32, 36)  # first and last column for the left edge of a digit
ROWS = (0, 36)  # first and last row for its upper edge

Digits = dict[str, tuple[np.ndarray, np.ndarray]]  # train, test -> uint8 pictures (N, 28, 28), labels (N,)


def mnist(root: Path, raw: Path) -> Listing:
    """MNIST's 70,000 digits, written to raw/pictures.zip."""
    digits = read_mnist(root)
    pixels = np.concatenate([digits[part][0] for part in ("train", "test")])
    labels = np.concatenate([digits[part][1] for part in ("train", "test")])
    return _listing("mnist", raw, pixels, {"Digit": labels}, _splits(len(digits["train"][1]), len(digits["test"][1])))


def two_digit_mnist(root: Path, raw: Path, *, count: int, seed: int) -> Listing:
    """`count` canvases of 64 x 64 with a digit at a random place in each half: eight tenths for training, a tenth each
    for validation and test. No two splits share a digit."""
    if count < 10:
        raise InputError(f"count {count}: two_digit_mnist needs the number of canvases to make, at least 10")
    digits = read_mnist(root)
    (pixels, labels), test = digits["train"], digits["test"]
    reserved = min(VALID, len(labels) // 10)
    pools = {
        "train": (pixels[:-reserved], labels[:-reserved]),
        "valid": (pixels[-reserved:], labels[-reserved:]),
        "test": test,
    }
    tenth = count // 10
    canvases, left, right, splits = [], [], [], []
    for number, (split, size) in enumerate({"train": count - 2 * tenth, "valid": tenth, "test": tenth}.items()):
        images, a, b = canvases_of(*pools[split], size, np.random.default_rng((seed, number)))
        canvases.append(images)
        left.append(a)
        right.append(b)
        splits += [split] * size
    named = {"Left": np.concatenate(left), "Right": np.concatenate(right)}
    return _listing("two_digit_mnist", raw, np.concatenate(canvases), named, splits)


def canvases_of(
    pixels: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Canvases (count, 64, 64) uint8 and the labels of their left and right digits, from pictures (N, 28, 28)."""
    out = np.zeros((count, CANVAS, CANVAS), np.uint8)
    chosen = rng.integers(len(labels), size=(2, count))
    tops = rng.integers(ROWS[0], ROWS[1] + 1, size=(2, count))
    lefts = np.stack([rng.integers(low, high + 1, size=count) for low, high in (LEFT, RIGHT)])
    for half in range(2):
        for i in range(count):
            top, left = tops[half, i], lefts[half, i]
            out[i, top : top + DIGIT, left : left + DIGIT] = pixels[chosen[half, i]]
    return out, labels[chosen[0]], labels[chosen[1]]


def svhn(root: Path, raw: Path) -> Listing:
    """SVHN's cropped digits, 32 x 32 in colour, written to raw/pictures.zip."""
    parts = {part: _read_mat(root / f"{part}_32x32.mat") for part in ("train", "test")}
    pixels = np.concatenate([pictures for pictures, _ in parts.values()])
    labels = np.concatenate([labels for _, labels in parts.values()])
    return _listing("svhn", raw, pixels, {"Digit": labels}, _splits(len(parts["train"][1]), len(parts["test"][1])))


def read_mnist(root: Path) -> Digits:
    """The published files in `root` or its MNIST/raw, gzipped or not; InputError names a file that is wrong."""
    if not root.exists():
        raise InputError(f"{root} is missing; {MNIST_HOW}")
    digits = {}
    for part, (pictures, labels) in MNIST_FILES.items():
        x, y = _read_idx(root, pictures, 3), _read_idx(root, labels, 1)
        if len(x) != len(y):
            raise InputError(
                f"{root}: {pictures} has {len(x):,} pictures and {labels} {len(y):,} labels; fetch both again"
            )
        if x.shape[1:] != (DIGIT, DIGIT) or y.max(initial=0) > 9:
            raise InputError(
                f"{root}/{pictures} holds {x.shape[1]}x{x.shape[2]} pictures of {y.max() + 1} classes; {MNIST_HOW}"
            )
        digits[part] = (x, y)
    return digits


def _read_idx(root: Path, name: str, dims: int) -> np.ndarray:
    places = [root / inside / (name + ending) for inside in ("", "MNIST/raw") for ending in ("", ".gz")]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise InputError(f"{root} has no {name}.gz{misnamed(root, name)}; {MNIST_HOW}")
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} is not a complete gzip file ({error}); fetch it again") from None
    header = 4 + 4 * dims
    if len(data) < header or data[:4] != bytes([0, 0, 8, dims]):
        raise InputError(
            f"{path} is not an IDX file of {dims} dimensions (it begins with {data[:8]!r}); fetch it again"
        )
    shape = tuple(np.frombuffer(data, ">u4", dims, offset=4).astype(int).tolist())
    if len(data) - header != np.prod(shape):
        raise InputError(
            f"{path} declares {shape} and holds {len(data) - header:,} bytes; it is truncated, fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 32, 32, 3) and labels 0..9 (published as 1..10, 10 for zero)."""
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"{path} is missing{misnamed(path.parent, path.name)}; {SVHN_HOW}")
    try:
        variables: dict[str, Any] = loadmat(path)
        x, y = variables["X"], variables["y"].reshape(-1)
    except KeyError as error:
        raise InputError(f"{path} has no variable {error}; {SVHN_HOW}") from None
    except Exception as error:  # SciPy raises many types of exceptions for other files
        raise InputError(f"{path} cannot be read as a MATLAB file ({error}); {SVHN_HOW}") from None
    if x.shape[:3] != (32, 32, 3) or x.ndim != 4 or x.shape[3] != len(y) or x.dtype != np.uint8:
        raise InputError(f"{path} holds X {x.dtype} {x.shape} and {len(y):,} labels; {SVHN_HOW}")
    if not np.isin(y, np.arange(1, 11)).all():
        raise InputError(f"{path} has labels from {y.min()} to {y.max()}; expected whole numbers from 1 to 10")
    return np.ascontiguousarray(x.transpose(3, 0, 1, 2)), (y % 10).astype(np.int64)


def _splits(train: int, test: int) -> list[str]:
    reserved = min(VALID, train // 10)
    return ["train"] * (train - reserved) + ["valid"] * reserved + ["test"] * test


def _listing(source: str, raw: Path, pixels: np.ndarray, labels: dict[str, np.ndarray], splits: list[str]) -> Listing:
    ids = [f"{index + 1:06d}.png" for index in range(len(pixels))]
    write_zip(
        raw / PICTURES,
        ((name, png(picture)) for name, picture in progress(zip(ids, pixels, strict=True), len(ids), "pictures")),
    )
    values = {
        f"{prefix}_{digit}": np.where(classes == digit, 1, -1).astype(np.int8)
        for prefix, classes in labels.items()
        for digit in range(10)
    }
    return Listing(
        source=source,
        images="zip",
        place="raw",
        container=PICTURES,
        attributes=tuple(values),
        real=(),
        table=table_of(ids, ids, splits=splits, values=values),
        notes={},
    )
