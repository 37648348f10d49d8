"""Read a photo: its pixels as stored, and everything that must be written back with them.

Nothing is converted without need: a face is edited in the photo's own mode (grey, CMYK, alpha, 16 bit), profile and
orientation. `notes` lists what an edit cannot keep."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from facet.photos.file import jpeg
from facet.photos.file.metadata import Metadata, metadata
from facet.pictures.decode import FORMATS, BadImage, decode_jpeg, opened

ORIENTATION = 0x0112
TURNS = {  # EXIF orientation -> mirror left to right, then counterclockwise quarter turns
    1: (False, 0), 2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1),
}  # fmt: skip
NOTES = {
    "first_frame": "an animation: its first frame is edited, the others are dropped",
    "first_picture": "several pictures in one file: the first is edited, the others are dropped",
    "palette_to_colour": "a palette cannot hold the new colours: written in full colour",
    "to_8_bit": "reduced to 8 bits per channel",
    "gif_to_png": "a GIF cannot hold the new colours: written as PNG",
    "colours_to_rgb": "its colour model cannot be written back: written as RGB",
    "profile_ignored": "its colour profile cannot be read: treated as sRGB",
    "credentials_dropped": "its content credentials, which belong to the photo before the edit, are dropped",
    "gps_kept": "it is a copy, and its GPS position could not be removed",
    "thumbnail_dropped": "its thumbnail, which showed the photo before the edit, left no room for a new one",
    "tags_dropped": "some of its TIFF tags cannot be written: dropped",
    "exif_dropped": "its EXIF was damaged: dropped",
    "xmp_replaced": "its XMP was damaged or too long: replaced",
}
MODES = ("L", "LA", "RGB", "RGBA", "CMYK")


@dataclasses.dataclass
class Photo:
    """A decoded photo."""

    pixels: np.ndarray  # (H, W) or (H, W, C), uint8 or uint16, as stored: not turned by the orientation
    mode: str  # one of MODES
    format: str  # to write, by Pillow's name
    orientation: int = 1  # EXIF, 1 to 8
    saving: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # arguments for Pillow to write it the same way
    notes: tuple[str, ...] = ()  # keys of NOTES
    metadata: Metadata = dataclasses.field(default_factory=Metadata)

    @property
    def profile(self) -> bytes | None:
        """The ICC profile."""
        return self.metadata.profile

    @property
    def upright(self) -> np.ndarray:
        """`pixels` turned upright: a view, so that writing into it edits the photo."""
        return turned(self.pixels, self.orientation)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright photo."""
        height, width = self.upright.shape[:2]
        return width, height


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """A view of an array (H, W, …) turned by an EXIF orientation; unknown orientations turn nothing."""
    mirrored, quarters = TURNS.get(orientation, TURNS[1])
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, quarters)


def read(data: bytes) -> Photo:
    """Decode the bytes of a photo file; BadImage with the reason if that fails."""
    if not data:
        raise BadImage("empty")
    try:
        return _read(data)
    except BadImage:
        if not data.startswith(b"\xff\xd8"):
            raise
        segments, rest = jpeg.segments(data)  # try again without a colour profile, which may be damaged
        plain = [segment for segment in segments if segment[0] != jpeg.APP2]
        if len(plain) == len(segments):
            raise
        photo = _read(jpeg.join(plain, rest))
        photo.notes += ("profile_ignored",)
        return photo


def _read(data: bytes) -> Photo:
    with opened(data, readable()) as picture:
        source_format = picture.format
        notes = []
        if getattr(picture, "n_frames", 1) > 1:
            notes.append("first_frame" if source_format in ("GIF", "PNG", "WEBP", "AVIF") else "first_picture")
        orientation = _orientation(picture)
        saving = _saving(picture, data)
        own_metadata = metadata(picture, data)
        pixels, mode = _pixels(picture, data, notes)
    written_format = {"MPO": "JPEG", "GIF": "PNG", "PPM": "PNG", "JPEG2000": "PNG"}.get(
        source_format or "", source_format or "PNG"
    )
    if source_format == "GIF":
        notes.append("gif_to_png")
    return Photo(np.ascontiguousarray(pixels), mode, written_format, orientation, saving, tuple(notes), own_metadata)


@functools.cache
def readable() -> tuple[str, ...]:
    """The formats that can be read: FORMATS, MPO, and HEIC if the extra is installed."""
    try:
        import pillow_heif
    except ImportError:
        return (*FORMATS, "MPO")
    pillow_heif.register_heif_opener()
    return (*FORMATS, "MPO", "HEIF")


def _orientation(picture: Image.Image) -> int:
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # broken EXIF raises many kinds of error; the picture may still be fine
        return 1
    return value if value in TURNS else 1


def _saving(picture: Image.Image, data: bytes) -> dict[str, Any]:
    """Arguments for Pillow to write the photo like its file."""
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        saving: dict[str, Any] = {
            "qtables": picture.quantization,
            "progressive": bool(picture.info.get("progressive", False)),
        }
        sampling = JpegImagePlugin.get_sampling(picture)  # type: ignore[no-untyped-call]
        return saving | ({"subsampling": sampling} if sampling >= 0 else {})
    if picture.format == "WEBP":
        return {"lossless": True} if b"VP8L" in data[:64] else {"quality": 95}
    if picture.format == "TIFF":
        compression = picture.info.get("compression")
        if picture.mode == "1":  # fax compression only holds black and white
            compression = "tiff_adobe_deflate"
        return {"compression": compression, "dpi": picture.info.get("dpi")}
    if picture.format in ("AVIF", "HEIF"):
        return {"quality": 95}
    return {"dpi": picture.info["dpi"]} if picture.format == "BMP" and "dpi" in picture.info else {}


def _pixels(picture: Image.Image, data: bytes, notes: list[str]) -> tuple[np.ndarray, str]:
    """The pixels of the first frame in one of MODES."""
    if picture.format in ("JPEG", "MPO") and picture.mode in ("L", "RGB") and picture.format == "JPEG":
        pixels = decode_jpeg(data, picture.mode)
        if pixels is not None:
            return pixels, picture.mode
    if _deep(picture, data):
        deep = _decode_deep(data)
        if deep is not None:
            return deep
        notes.append("to_8_bit")
    picture.seek(0) if getattr(picture, "n_frames", 1) > 1 else None
    picture.load()
    mode = picture.mode
    if mode.startswith("I;16") or mode == "I":
        levels = np.asarray(picture)
        if levels.min(initial=0) < 0 or levels.max(initial=0) > 65_535:
            raise BadImage("unreadable", "32 bits per channel")
        return levels.astype(np.uint16), "L"
    if mode == "F":
        raise BadImage("unreadable", "floating-point pixels")
    if mode in MODES and "transparency" not in picture.info:
        return np.array(picture), mode
    if mode == "1":
        return np.array(picture.convert("L")), "L"
    if mode in ("P", "PA", "RGBa", "La") or "transparency" in picture.info:
        if mode in ("P", "PA") and picture.format != "GIF":
            notes.append("palette_to_colour")
        clear = mode in ("PA", "RGBa", "La") or "transparency" in picture.info
        wanted = "RGBA" if clear else "RGB"
        return np.array(picture.convert(wanted)), wanted
    notes.append("colours_to_rgb")  # YCbCr, LAB, HSV
    return np.array(picture.convert("RGB")), "RGB"


def _deep(picture: Image.Image, data: bytes) -> bool:
    """True if the file has colours of more than 8 bits per channel, which Pillow would cut."""
    if picture.format == "PNG":
        return data[24] == 16 and data[25] in (2, 4, 6)
    return picture.format == "TIFF" and max(picture.tag_v2.get(258, (8,))) > 8 and picture.mode in ("RGB", "RGBA")  # type: ignore[attr-defined]


def _decode_deep(data: bytes) -> tuple[np.ndarray, str] | None:
    """A PNG with 16 bits per channel, uint16 (H, W, C), and its mode; None if it cannot be decoded."""
    if data[:4] != b"\x89PNG":
        return None
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        return None
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return pixels[:, :, [2, 1, 0, 3]], "RGBA"
    return (pixels[:, :, ::-1], "RGB") if pixels.ndim == 3 else (pixels, "L")
