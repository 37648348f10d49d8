"""Masks that the user provides to limit an edit: white allows the change, black keeps the photo."""

import hashlib
import io
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from facet.base.errors import InputError
from facet.base.junk import is_junk
from facet.pictures.decode import BadImage, orientation_of, turned

EXTENSIONS = (".png", ".webp", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")


class Masks:
    """One mask for all photos, or a folder of masks named like the photos, with any extension."""

    def __init__(self, path: Path):
        if not path.exists():
            raise InputError(f"{path} is missing; expected a grey picture, or a folder of them named like the photos")
        self.path = path
        if path.is_file():
            try:
                _levels(path)
            except BadImage as bad:
                raise InputError(f"{bad.detail}: expected a grey picture that Pillow can read") from None
        elif not any(file.suffix.lower() in EXTENSIONS and not is_junk(file.name) for file in path.rglob("*")):
            raise InputError(f"{path} holds no mask; expected grey pictures named like the photos")

    def _path(self, name: str) -> Path:
        if self.path.is_file():
            return self.path
        stem = self.path / PurePosixPath(name).with_suffix("")
        path = next((p for ext in EXTENSIONS if (p := stem.with_name(stem.name + ext)).is_file()), None)
        if path is None:
            raise BadImage("mask_missing", f"{stem}{EXTENSIONS[0]}")
        return path

    def digest(self, name: str) -> bytes:
        """SHA-256 of the bytes of a photo's mask; BadImage if there is none."""
        return hashlib.sha256(self._path(name).read_bytes()).digest()

    def read(self, name: str, size: tuple[int, int]) -> np.ndarray:
        """Weights (H, W) float32 in [0, 1] for an upright photo of `size` (width, height); BadImage if the mask is
        missing, unreadable or of another size."""
        levels = _levels(self._path(name))
        height, width = levels.shape
        if (width, height) != size:
            raise BadImage("mask_size", f"{width}x{height} for {size[0]}x{size[1]}")
        return levels


def _levels(path: Path) -> np.ndarray:
    """A mask (H, W) float32 in [0, 1]; BadImage if it cannot be read."""
    try:
        picture = Image.open(io.BytesIO(path.read_bytes()))
        picture.load()
        orientation = orientation_of(picture)
        deep = picture.mode.startswith("I")
        levels = np.asarray(picture if deep else picture.convert("L"), np.float32) / (65_535 if deep else 255)
    except Exception as error:
        raise BadImage("mask_unreadable", f"{path}: {type(error).__name__}") from None
    return turned(levels, orientation).clip(0, 1)
