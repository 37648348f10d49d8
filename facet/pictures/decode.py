"""Bytes of a picture file -> uint8 RGB, or BadImage with a reason.

JPEGs are decoded by libjpeg-turbo (simplejpeg, which releases the GIL), everything else by Pillow; both give the same
pixels. Pictures are turned by their EXIF orientation, alpha is composited over white, 16 bits become 8, and an MPO
gives its first picture. Colour profiles are not applied, as in all training sets of faces. What is damaged is refused
as a whole: decoders fill what they cannot read with black or grey."""

import functools
import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image, UnidentifiedImageError

try:
    import simplejpeg
except ImportError:  # without it Pillow decodes the same pixels, more slowly
    simplejpeg = None

MAX_PIXELS = 50_000_000  # 7000 x 7000; larger pictures are refused by their header
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")  # without EPS, which runs a program
MAGIC = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
EXIF_ORIENTATION = 0x0112
TURNS = {  # EXIF orientation -> mirror left to right, then counterclockwise quarter turns
    1: (False, 0), 2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1),
}  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\n"
CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")  # chunks of a PNG without which it cannot be decoded
DAMAGES = ("broken data stream", "unrecognized data stream", "broken png", "decoder error", "corrupt", "bad huffman")

REASONS = {
    "empty": "the file holds no bytes",
    "not_an_image": "the bytes are no picture of a format we read",
    "truncated": "the picture ends too early",
    "corrupt": "the compressed data is damaged",
    "unreadable": "the decoder or the file system refused the file",
    "too_large": "too many pixels, or too large a file",
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
    if data[:2] == b"\xff\xd8" and _is_plain_jpeg(data):
        pixels = decode_jpeg(data, "RGB")
        if pixels is not None:
            return np.ascontiguousarray(turned(pixels, jpeg_orientation(data)))
    return _decode_pillow(data)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """A view of an array (H, W, …) turned by an EXIF orientation; unknown orientations turn nothing."""
    mirrored, quarters = TURNS.get(orientation, TURNS[1])
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, quarters)


def turned_back(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """A view of an array (H, W, …) whose `turned` is `pixels`."""
    return turned(pixels, {6: 8, 8: 6}.get(orientation, orientation))  # the others undo themselves


def orientation_of(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, by which a loaded picture has to be turned; 1 if it says none.

    Pillow turns a TIFF when it loads it, and forgets its orientation. XMP is not asked: viewers do not."""
    if picture.format == "TIFF":
        value = picture.tag_v2.get(EXIF_ORIENTATION, 1)  # type: ignore[attr-defined]
        return value if value in TURNS else 1
    exif, raw = picture.info.get("exif"), picture.info.get("Raw profile type exif")
    if not exif and isinstance(raw, str):  # as ImageMagick writes it into a PNG
        try:
            exif = bytes.fromhex("".join(raw.split("\n")[3:]))
        except ValueError:
            return 1
    return exif_orientation(exif or b"")


def turned_by_loading(picture: Image.Image) -> int:
    """The orientation by which Pillow will turn an opened picture when it loads it: that of a TIFF."""
    return orientation_of(picture) if picture.format == "TIFF" else 1


def exif_orientation(exif: bytes) -> int:
    """The orientation in a block of EXIF, however damaged the rest is; 1 if it says none."""
    exif = exif.removeprefix(b"Exif\0\0")
    end = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        first = struct.unpack_from(f"{end}I", exif, 4)[0] if end else len(exif)
        for entry in range(struct.unpack_from(f"{end}H", exif, first)[0] if end else 0):
            at = first + 2 + 12 * entry
            tag, kind = struct.unpack_from(f"{end}HH", exif, at)
            if tag == EXIF_ORIENTATION:
                value: int = struct.unpack_from(f"{end}{'I' if kind == 4 else 'H'}", exif, at + 8)[0]
                return value if value in TURNS else 1
    except struct.error:  # cut short
        pass
    return 1


def decode_jpeg(data: bytes, mode: str) -> np.ndarray | None:
    """A JPEG as stored, decoded by libjpeg-turbo: uint8 (H, W) for mode L, (H, W, 3) for RGB. None if only Pillow may
    be able to decode it; BadImage if it is truncated or corrupt."""
    if simplejpeg is None:
        return None
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, colorspace={"L": "GRAY"}.get(mode, mode))
    except ValueError as error:
        if "bad ICC marker" in str(error):  # the profile is damaged, not the picture
            plain = without_profile(data)
            return decode_jpeg(plain, mode) if plain != data else None
        if "Premature end" in str(error):
            raise BadImage("truncated") from None
        if "Corrupt JPEG data" in str(error) and "extraneous bytes" not in str(error):  # common and harmless
            raise BadImage("corrupt", str(error)) from None
        return None
    return pixels[:, :, 0] if mode == "L" else pixels


def _headers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The segments of a JPEG before its first scan: marker, and offset and end of what it holds."""
    at, end = 2, len(data)
    while at + 4 <= end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at + 4, at + 2 + length
        at += 2 + length


def without_profile(data: bytes) -> bytes:
    """A JPEG without the segments of its colour profile."""
    parts, last = [], 0
    for marker, start, end in _headers(data):
        if marker == 0xE2 and data[start : start + 12] == b"ICC_PROFILE\0":
            parts.append(data[last : start - 4])
            last = end
    return b"".join([*parts, data[last:]])


def _is_plain_jpeg(data: bytes) -> bool:
    """Return True for a grey or three-channel 8-bit JPEG, by its header; BadImage if it is too large."""
    for marker, start, end in _headers(data):
        if marker in (0xC0, 0xC1, 0xC2) and end <= len(data):  # baseline, extended, progressive
            height, width = struct.unpack_from(">HH", data, start + 1)
            _check_size(width, height)
            return data[start] == 8 and data[start + 5] in (1, 3) and width > 0 and height > 0
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return False
    return False


def jpeg_orientation(data: bytes) -> int:
    """The orientation in the first EXIF of a JPEG, 1 if it says none."""
    for marker, start, end in _headers(data):
        if marker == 0xE1 and data[start : start + 6] == b"Exif\0\0":
            return exif_orientation(data[start:end])
    return 1


def _check_size(width: int, height: int, most: int = MAX_PIXELS) -> None:
    if width * height > most:
        raise BadImage("too_large", f"{width}x{height}; {most:,} pixels at most")


def _decode_pillow(data: bytes) -> np.ndarray:
    with opened(data) as picture:
        if getattr(picture, "is_animated", False) and picture.format != "MPO":
            raise BadImage("animated", f"{getattr(picture, 'n_frames', 2)} frames")
        return _rgb(picture, data)


@contextmanager
def opened(data: bytes, formats: Sequence[str] = FORMATS, most: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Open a picture of at most `most` pixels, reading its header only. Errors of decoders inside the block become
    BadImage."""
    try:
        with Image.open(io.BytesIO(data), formats=_supported(tuple(formats))) as picture:
            _check_size(*picture.size, most)
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
        damaged = any(word in text.lower() for word in DAMAGES)
        raise BadImage("truncated" if early else "corrupt" if damaged else "unreadable", text) from None


def load(picture: Image.Image, data: bytes) -> None:
    """Load the pixels of an opened picture; BadImage if they are damaged. Its other attributes have to be asked after
    this: asking a PNG loads it, and a second attempt succeeds, with black rows."""
    if data.startswith(PNG):
        _check_chunks(data)
    if picture.format in ("JPEG", "MPO") and picture.mode in ("L", "RGB", "CMYK"):
        decode_jpeg(data, picture.mode)  # Pillow is silent about damage
    picture.load()


def _check_chunks(data: bytes) -> None:
    """BadImage if the checksum of a chunk that Pillow does not check is wrong."""
    at = len(PNG)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        checked = data[at + 4 : at + 8] in CRITICAL and end + 4 <= len(data)
        if checked and zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise BadImage("corrupt", f"the checksum of the chunk at byte {at} differs")
        at = end + 4


@functools.cache
def _supported(formats: tuple[str, ...]) -> tuple[str, ...]:
    """The formats that this build of Pillow supports."""
    Image.init()
    return tuple(name for name in formats if name in Image.OPEN)


def _rgb(picture: Image.Image, data: bytes) -> np.ndarray:
    load(picture, data)
    return np.ascontiguousarray(turned(_colours(picture), orientation_of(picture)))


def _colours(picture: Image.Image) -> np.ndarray:
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
