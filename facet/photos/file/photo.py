"""One photograph as its file holds it: pixels as stored, and all that must come back with them.

Nothing is converted that need not be: a face is edited in the photo's own mode (grey, CMYK, alpha, 16 bit), profile and
orientation. What no edit can keep is changed, and `notes` says so."""

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
TURNS = {  # EXIF orientation -> mirrored left to right, then quarter turns against the clock
    1: (False, 0), 2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1),
}  # fmt: skip
NOTES = {
    "first_frame": "an animation: its first frame is edited, the others are gone",
    "first_picture": "several pictures in one file: the first is edited, the others are gone",
    "palette_to_colour": "a palette cannot hold the new colours: written in full colour",
    "to_8_bit": "brought from more bits a channel to 8",
    "gif_to_png": "a GIF cannot hold the new colours: written as PNG",
    "colours_to_rgb": "its colour model cannot be written back: written as RGB",
    "profile_ignored": "its colour profile cannot be read: taken for sRGB",
    "credentials_dropped": "its content credentials were of the photo before the edit",
    "gps_kept": "it is a copy, and the place in it could not be taken out",
    "thumbnail_dropped": "its old thumbnail showed the photo before the edit and left no room for a new one",
    "tags_dropped": "some of its TIFF tags cannot be written: left out",
    "exif_dropped": "its EXIF was damaged: left out",
    "xmp_replaced": "its XMP was damaged or too long: written anew",
}
MODES = ("L", "LA", "RGB", "RGBA", "CMYK")


@dataclasses.dataclass
class Photo:
    """A decoded photograph. `pixels` (H, W) or (H, W, C), uint8 or uint16, are those of the file, not turned."""

    pixels: np.ndarray
    mode: str  # one of MODES
    format: str  # Pillow's name of the format to write
    orientation: int = 1  # EXIF, 1 to 8
    saving: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # what Pillow needs to write it alike
    notes: tuple[str, ...] = ()  # words of NOTES
    metadata: Metadata = dataclasses.field(default_factory=Metadata)

    @property
    def profile(self) -> bytes | None:
        """ICC."""
        return self.metadata.profile

    @property
    def upright(self) -> np.ndarray:
        """`pixels` as one looks at them: a view, so that writing into it edits the photo."""
        return turned(self.pixels, self.orientation)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as one looks at it."""
        height, width = self.upright.shape[:2]
        return width, height


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The view of an array (H, W, …) that an EXIF orientation asks for; unknown ones ask for nothing."""
    mirrored, quarters = TURNS.get(orientation, TURNS[1])
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, quarters)


def read(data: bytes) -> Photo:
    """The photograph that the bytes of a file hold; BadImage says why there is none."""
    if not data:
        raise BadImage("empty")
    try:
        return _read(data)
    except BadImage:
        if not data.startswith(b"\xff\xd8"):
            raise
        found, rest = jpeg.segments(data)  # a damaged profile hides no picture
        plain = [segment for segment in found if segment[0] != jpeg.APP2]
        if len(plain) == len(found):
            raise
        photo = _read(jpeg.join(plain, rest))
        photo.notes += ("profile_ignored",)
        return photo


def _read(data: bytes) -> Photo:
    with opened(data, readable()) as picture:
        found = picture.format
        notes = []
        if getattr(picture, "n_frames", 1) > 1:
            notes.append("first_frame" if found in ("GIF", "PNG", "WEBP", "AVIF") else "first_picture")
        orientation = _orientation(picture)
        saving = _saving(picture, data)
        about = metadata(picture, data)
        pixels, mode = _pixels(picture, data, notes)
    form = {"MPO": "JPEG", "GIF": "PNG", "PPM": "PNG", "JPEG2000": "PNG"}.get(found or "", found or "PNG")
    if found == "GIF":
        notes.append("gif_to_png")
    return Photo(np.ascontiguousarray(pixels), mode, form, orientation, saving, tuple(notes), about)


@functools.cache
def readable() -> tuple[str, ...]:
    """The formats that are read: FORMATS, and HEIC where the extra is installed."""
    try:
        import pillow_heif
    except ImportError:
        return (*FORMATS, "MPO")
    pillow_heif.register_heif_opener()
    return (*FORMATS, "MPO", "HEIF")


def _orientation(picture: Image.Image) -> int:
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # EXIF of broken files fails in many ways, none of which hides the picture
        return 1
    return value if value in TURNS else 1


def _saving(picture: Image.Image, data: bytes) -> dict[str, Any]:
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        found: dict[str, Any] = {
            "qtables": picture.quantization,
            "progressive": bool(picture.info.get("progressive", False)),
        }
        sampling = JpegImagePlugin.get_sampling(picture)  # type: ignore[no-untyped-call]
        return found | ({"subsampling": sampling} if sampling >= 0 else {})
    if picture.format == "WEBP":
        return {"lossless": True} if b"VP8L" in data[:64] else {"quality": 95}
    if picture.format == "TIFF":
        compression = picture.info.get("compression")
        if picture.mode == "1":  # fax's codes hold nothing but black and white
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
    """Whether the file has more than 8 bits a channel in colours, which Pillow would cut."""
    if picture.format == "PNG":
        return data[24] == 16 and data[25] in (2, 4, 6)
    return picture.format == "TIFF" and max(picture.tag_v2.get(258, (8,))) > 8 and picture.mode in ("RGB", "RGBA")  # type: ignore[attr-defined]


def _decode_deep(data: bytes) -> tuple[np.ndarray, str] | None:
    """16 bits a channel of a PNG, uint16 (H, W, C); None where they cannot be had."""
    if data[:4] != b"\x89PNG":
        return None
    import cv2

    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        return None
    if found.ndim == 3 and found.shape[2] == 4:
        return found[:, :, [2, 1, 0, 3]], "RGBA"
    return (found[:, :, ::-1], "RGB") if found.ndim == 3 else (found, "L")
