"""Bytes of any picture -> uint8 RGB, or the reason why not.

JPEGs take libjpeg-turbo directly (simplejpeg, which releases the GIL), everything else Pillow; both decoders give the
same pixels. Turned by EXIF orientation, alpha laid over white, 16 bit brought to 8, the first picture of an MPO. Colour
profiles are not applied (no training set of faces does)."""

import functools
import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

try:
    import simplejpeg
except ImportError:  # a machine without the wheel decodes the same pixels, more slowly
    simplejpeg = None

MAX_PIXELS = 50_000_000  # 7000 x 7000; more is refused from the header alone
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")  # no EPS: it runs a program
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
    """One picture that cannot be used; `reason` is a word of REASONS, `detail` what exactly."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def decode(data: bytes) -> np.ndarray:
    """The picture as uint8 (height, width, 3), upright; BadImage says why there is none."""
    if not data:
        raise BadImage("empty")
    if simplejpeg is not None and data[:2] == b"\xff\xd8" and _plain_jpeg(data):
        pixels = decode_jpeg(data, "RGB")
        if pixels is not None:
            return pixels
    return _decode_pillow(data)


def decode_jpeg(data: bytes, mode: str) -> np.ndarray | None:
    """A grey (mode L) or three-channel (RGB) JPEG as it is stored, uint8 (H, W) or (H, W, 3), by libjpeg-turbo; None
    where only Pillow may manage. BadImage where it is cut short or corrupt."""
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
    """Whether this is an upright grey or three-channel 8-bit JPEG of acceptable size, from its header segments."""
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
            if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0" and _turned(data[at + 4 : at + 2 + length]):
                return False
            at += 2 + length
    return False


def _turned(exif: bytes) -> bool:
    tags = Image.Exif()
    try:
        tags.load(exif)
        return bool(tags.get(EXIF_ORIENTATION, 1) != 1)
    except Exception:  # broken EXIF is no reason to refuse the picture; Pillow decides
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
    """The picture of a file with its header read, of an acceptable size; BadImage where it, or what the caller does
    with it, meets damage."""
    try:
        with Image.open(io.BytesIO(data), formats=_known(tuple(formats))) as picture:
            _check_size(*picture.size)
            yield picture
    except BadImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("too_large", str(error)) from None
    except UnidentifiedImageError:
        raise BadImage("unreadable" if data.startswith(MAGIC) else "not_an_image") from None
    except Exception as error:  # decoders meet hostile bytes with a dozen types of exception; each is one bad picture
        text = f"{type(error).__name__}: {error}"
        early = any(word in text.lower() for word in ("truncated", "unexpected end", "eof", "not enough"))
        early |= data.startswith(b"\xff\xd8") and not data.endswith(b"\xff\xd9")
        raise BadImage("truncated" if early else "unreadable", text) from None


@functools.cache
def _known(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the formats that this build of Pillow knows."""
    Image.init()
    return tuple(name for name in formats if name in Image.OPEN)


def _rgb(picture: Image.Image) -> np.ndarray:
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16"):
        return _grey(np.asarray(picture).astype(np.uint16))
    if picture.mode == "I":  # how some versions hand over 16-bit grey
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
