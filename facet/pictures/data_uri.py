"""Pictures as data URIs, so that a page is one file."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from facet.base.errors import InputError

QUALITY = 84  # of WebP


def uri(picture: Image.Image, *, quality: int = QUALITY) -> str:
    """A WebP data URI; the same pixels always give the same text."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def read(path: Path, *, widest: int) -> Image.Image:
    """Read a picture file and reduce it to at most `widest` pixels in width."""
    try:
        with Image.open(path) as image:
            picture = image.convert("RGB")
    except OSError as error:
        raise InputError(f"{path} is not a picture ({error}); run the stage that writes it again") from error
    if picture.width > widest:
        picture = picture.resize((widest, round(picture.height * widest / picture.width)), Image.Resampling.LANCZOS)
    return picture


def face(pixels: np.ndarray, *, scale: int) -> str:
    """A data URI of uint8 (S, S, C), enlarged `scale` times."""
    colour = np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels
    size = pixels.shape[0] * scale
    return uri(Image.fromarray(np.ascontiguousarray(colour)).resize((size, size), Image.Resampling.LANCZOS))
