"""Pictures and data sets for the tests of source and prepare."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

NAMES = ("Eyeglasses", "Male", "Smiling")


def picture(seed: int, width: int = 178, height: int = 218) -> np.ndarray:
    """A smooth coloured picture, different for every seed: uint8 (height, width, 3)."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))


def encoded(pixels: np.ndarray | Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(seed: int, width: int = 178, height: int = 218) -> bytes:
    """One JPEG, different for every seed."""
    return encoded(picture(seed, width, height), quality=92)


def name_of(index: int) -> str:
    """CelebA's name of the index-th picture, from 0."""
    return f"{index + 1:06d}.jpg"


def attribute_lines(count: int) -> list[str]:
    """list_attr_celeba.txt for `count` pictures: the signs are the bits of the index."""
    rows = [f"{name_of(i)} " + " ".join(f"{1 if i >> bit & 1 else -1:2d}" for bit in range(3)) for i in range(count)]
    return [str(count), " ".join(NAMES) + " ", *rows]


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """A text file with the line ends CelebA has."""
    path.write_bytes("".join(line + "\r\n" for line in lines).encode())


def write_celeba(
    root: Path, count: int, *, files: Mapping[str, bytes] | None = None, zipped: bool = True, per_identity: int = 2
) -> Path:
    """CelebA's layout of `count` pictures in `root`; `files` replaces or adds members of img_align_celeba.

    Identities hold `per_identity` neighbours; the official split is 60/20/20 in order."""
    root.mkdir(parents=True, exist_ok=True)
    pictures = {name_of(index): jpeg(index) for index in range(count)} | dict(files or {})
    if zipped:
        with zipfile.ZipFile(root / "img_align_celeba.zip", "w") as archive:
            for name, data in pictures.items():
                archive.writestr(f"img_align_celeba/{name}", data)
    else:
        (root / "img_align_celeba").mkdir()
        for name, data in pictures.items():
            (root / "img_align_celeba" / name).write_bytes(data)
    write_lines(root / "list_attr_celeba.txt", attribute_lines(count))
    parts = [0 if i < 0.6 * count else 1 if i < 0.8 * count else 2 for i in range(count)]
    write_lines(root / "list_eval_partition.txt", [f"{name_of(i)} {part}" for i, part in enumerate(parts)])
    write_lines(root / "identity_CelebA.txt", [f"{name_of(i)} {100 + i // per_identity}" for i in range(count)])
    return root
