"""Bytes of a picture file -> uint8 RGB, or BadImage with a reason.

JPEGs are decoded by libjpeg-turbo (simplejpeg, which releases the GIL), everything else by Pillow; both give the same
pixels. Pictures are turned by their EXIF orientation, alpha is composited over white, 16 bits become 8, and an MPO
gives its first picture. Colour profiles are not applied, as in all training sets of faces."""

import functools
import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

try:
    import simplejpeg
except ImportError:  # without it Pillow decodes the same pixels, more slowly
    simplejpeg = None

MAX_PIXELS = 50_000_000  # 7000 x 7000; larger pictures are refused by their header
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")  # without EPS, which runs a program
MAGIC = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
EXIF_ORIENTATION = 0x0112

REASONS = {
    "empty": "the file holds no bytes",
    "not_an_image": "the bytes are no picture of a format we read",
    "truncated": "the picture ends too early",
    "corrupt": "the compressed data is damaged",
    "unreadable": "the decoder or the file system refused the file",
    "too_large": f"more than {MAX_PIXELS:,} pixels, or a file of more than 256 MiB",
    "animated": "several frames or pages",
}


class BadImage(Exception):
    """A picture that cannot be used; `reason` is a key of REASONS, `detail` adds specifics."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def decode(data: bytes) -> np.ndarray:
    """The upright picture as uint8 (height, width, 3); BadImage if it cannot be decoded."""
    if not data:
        raise BadImage("empty")
    if simplejpeg is not None and data[:2] == b"\xff\xd8" and _plain_jpeg(data):
        pixels = decode_jpeg(data, "RGB")
        if pixels is not None:
            return pixels
    return _decode_pillow(data)


def decode_jpeg(data: bytes, mode: str) -> np.ndarray | None:
    """A JPEG as stored, decoded by libjpeg-turbo: uint8 (H, W) for mode L, (H, W, 3) for RGB. None if only Pillow may
    be able to decode it; BadImage if it is truncated or corrupt."""
    if simplejpeg is None:
        return None
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, colorspace="GRAY" if mode == "L" else "RGB")
    except ValueError as error:
        if "Premature end" in str(error):
            raise BadImage("truncated") from None
        if "Corrupt JPEG data" in str(error) and "extraneous bytes" not in str(error):  # common and harmless
            raise BadImage("corrupt", str(error)) from None
        return None
    return pixels[:, :, 0] if mode == "L" else pixels


def _plain_jpeg(data: bytes) -> bool:
    """Return True for an upright grey or three-channel 8-bit JPEG, by its header; BadImage if it is too large."""
    at, end = 2, len(data)
    while at + 10 <= end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in (0xC0, 0xC1, 0xC2):  # baseline, extended, progressive
            height, width = struct.unpack_from(">HH", data, at + 5)
            _check_size(width, height)
            return data[at + 4] == 8 and data[at + 9] in (1, 3) and width > 0 and height > 0
        elif marker == 0xDA or marker == 0xD9 or marker in (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF):
            return False
        else:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0" and _is_turned(data[at + 4 : at + 2 + length]):
                return False
            at += 2 + length
    return False


def _is_turned(exif: bytes) -> bool:
    tags = Image.Exif()
    try:
        tags.load(exif)
        return bool(tags.get(EXIF_ORIENTATION, 1) != 1)
    except Exception:  # broken EXIF does not spoil the picture; Pillow decides
        return True


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadImage("too_large", f"{width}x{height}")


def _decode_pillow(data: bytes) -> np.ndarray:
    with opened(data) as picture:
        if getattr(picture, "is_animated", False) and picture.format != "MPO":
            raise BadImage("animated", f"{getattr(picture, 'n_frames', 2)} frames")
        return _rgb(picture)


@contextmanager
def opened(data: bytes, formats: Sequence[str] = FORMATS) -> Iterator[Image.Image]:
    """Open a picture of acceptable size, reading its header only. Errors of decoders inside the block become
    BadImage."""
    try:
        with Image.open(io.BytesIO(data), formats=_supported(tuple(formats))) as picture:
            _check_size(*picture.size)
            yield picture
    except BadImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("too_large", str(error)) from None
    except UnidentifiedImageError:
        raise BadImage("unreadable" if data.startswith(MAGIC) else "not_an_image") from None
    except Exception as error:  # decoders raise many types of exceptions on damaged bytes
        text = f"{type(error).__name__}: {error}"
        early = any(word in text.lower() for word in ("truncated", "unexpected end", "eof", "not enough"))
        early |= data.startswith(b"\xff\xd8") and not data.endswith(b"\xff\xd9")
        raise BadImage("truncated" if early else "unreadable", text) from None


@functools.cache
def _supported(formats: tuple[str, ...]) -> tuple[str, ...]:
    """The formats that this build of Pillow supports."""
    Image.init()
    return tuple(name for name in formats if name in Image.OPEN)


def _rgb(picture: Image.Image) -> np.ndarray:
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16"):
        return _grey(np.asarray(picture).astype(np.uint16))
    if picture.mode == "I":  # some versions return 16-bit grey like this
        levels = np.asarray(picture)
        if levels.min(initial=0) < 0 or levels.max(initial=0) > 65_535:
            raise BadImage("unreadable", "32 bits per channel")
        return _grey(levels.astype(np.uint16))
    if picture.mode == "F":
        raise BadImage("unreadable", "floating-point pixels")
    if picture.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in picture.info:
        opaque = picture.convert("RGBA")
        white = Image.new("RGBA", opaque.size, (255, 255, 255, 255))
        return np.asarray(Image.alpha_composite(white, opaque).convert("RGB"))
    return np.asarray(picture.convert("RGB"))


def _grey(levels: np.ndarray) -> np.ndarray:
    """16-bit grey -> 8-bit RGB."""
    return np.repeat(to_8_bits(levels)[:, :, None], 3, axis=2)


def to_8_bits(levels: np.ndarray) -> np.ndarray:
    """uint16 -> uint8: divided by 257, rounded."""
    return ((levels.astype(np.uint32) + 128) // 257).astype(np.uint8)
