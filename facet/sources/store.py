"""A byte-stable zip of the pictures that stage `source` makes: stored, in order, with fixed dates."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

DATE = (2000, 1, 1, 0, 0, 0)


def write_zip(path: Path, pictures: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip of (member, bytes), in the order given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in pictures:
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, data)


def png(pixels: np.ndarray) -> bytes:
    """uint8 (H, W) or (H, W, 3) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
