"""Read a photo: its pixels as stored, and everything that must be written back with them.

Nothing is converted without need: a face is edited in the photo's own mode (grey, CMYK, alpha, 16 bit), profile and
orientation. `notes` lists what an edit cannot keep."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from facet.photos.file.metadata import Metadata, metadata
from facet.pictures.decode import (
    FORMATS,
    BadImage,
    decode_jpeg,
    load,
    opened,
    orientation_of,
    turned,
    turned_back,
    turned_by_loading,
    without_profile,
)

MOST = 200_000_000  # pixels of a photo
if Image.MAX_IMAGE_PIXELS is not None:  # Pillow refuses twice as many
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MOST)
REDUCED, SUBFILE = 1, 254  # flag and tag of a TIFF's pages that are small copies of others
NOTES = {
    "first_frame": "an animation: its first frame is edited, the others are dropped",
    "primary_picture": "several pictures in one file: the primary one is edited, the others are dropped",
    "extras_dropped": "its gain map, depth map or the like cannot be kept: dropped",
    "behind_dropped": "what lay behind the picture (a video, a maker's data) cannot be kept: dropped",
    "video_kept": "its video is kept and shows what it showed before the edit",
    "palette_to_colour": "a palette cannot hold the new colours: written in full colour",
    "to_8_bit": "reduced to 8 bits per channel",
    "gif_to_png": "a GIF cannot hold the new colours: written as PNG",
    "colours_to_rgb": "its colour model cannot be written back: written as RGB",
    "profile_ignored": "its colour profile cannot be read: treated as sRGB",
    "credentials_dropped": "its content credentials, which belong to the photo before the edit, are dropped",
    "thumbnail_dropped": "its thumbnail, which showed the photo before the edit, left no room for a new one",
    "tags_dropped": "some of its TIFF tags cannot be written: dropped",
    "exif_dropped": "its EXIF was damaged: dropped but for the orientation",
    "exif_too_long": "its EXIF is longer than the one segment that a JPEG has for it: dropped but for the orientation",
    "xmp_replaced": "its XMP was damaged or too long: replaced",
}
FINE = 95  # quality of a JPEG within a TIFF whose own is not known
LUMA = (  # quantisation of luma in the order of files (ISO 10918-1, table K.1)
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
    60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113,
    121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip
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
    def lossy(self) -> bool:
        """True if writing the photo changes pixels that an edit left alone."""
        if self.format == "TIFF":
            return self.saving.get("compression") in ("jpeg", "webp")
        return self.format in ("JPEG", "WEBP", "AVIF", "HEIF") and not self.saving.get("lossless")

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


def read(data: bytes) -> Photo:
    """Decode the bytes of a photo file; BadImage with the reason if that fails."""
    if not data:
        raise BadImage("empty")
    try:
        return _read(data)
    except BadImage:
        if not data.startswith(b"\xff\xd8"):
            raise
        plain = without_profile(data)  # try again without a colour profile, which may be damaged
        if plain == data:
            raise
        photo = _read(plain)
        photo.notes = tuple(dict.fromkeys((*photo.notes, "profile_ignored")))
        return photo


def pixel_count(data: bytes) -> int:
    """The pixels of a photo by its header; 0 if it cannot be read."""
    try:
        with opened(data, readable(), MOST) as picture:
            return picture.size[0] * picture.size[1]
    except BadImage:
        return 0


def _read(data: bytes) -> Photo:
    with opened(data, readable(), MOST) as picture:
        source_format = picture.format
        notes = _notes_of_others(picture)
        to_primary(picture)
        done = turned_by_loading(picture)
        compression = picture.info.get("compression")
        pixels, mode = _pixels(picture, data, notes)
        pixels, orientation = (turned_back(pixels, done), done) if done != 1 else (pixels, orientation_of(picture))
        own_metadata = metadata(picture, data)
        saving = _saving(picture, data, compression)
    if own_metadata.profile is None and source_format in ("JPEG", "MPO") and without_profile(data) != data:
        notes.append("profile_ignored")  # its segments do not fit together
    written_format = {"MPO": "JPEG", "GIF": "PNG", "PPM": "PNG", "JPEG2000": "PNG"}.get(
        source_format or "", source_format or "PNG"
    )
    if source_format == "GIF":
        notes.append("gif_to_png")
    return Photo(np.ascontiguousarray(pixels), mode, written_format, orientation, saving, tuple(notes), own_metadata)


def to_primary(picture: Image.Image) -> None:
    """Turn to the primary page of a TIFF: the first that is no small copy of another. Other formats open there."""
    if picture.format != "TIFF":
        return
    count = getattr(picture, "n_frames", 1)
    for page in range(count):
        picture.seek(page)
        if not picture.tag_v2.get(SUBFILE, 0) & REDUCED:  # type: ignore[attr-defined]
            return
    picture.seek(0)


def _notes_of_others(picture: Image.Image) -> list[str]:
    """The notes on what a file holds besides the picture; whether that of a JPEG can be kept, the writer says."""
    notes = []
    if picture.format not in ("JPEG", "MPO") and getattr(picture, "n_frames", 1) > 1:
        notes.append("first_frame" if picture.format in ("GIF", "PNG", "WEBP", "AVIF") else "primary_picture")
    if picture.info.get("depth_images") or picture.info.get("aux"):  # of HEIC
        notes.append("extras_dropped")
    return notes


@functools.cache
def readable() -> tuple[str, ...]:
    """The formats that can be read: FORMATS, MPO, and HEIC if the extra is installed."""
    try:
        import pillow_heif
    except ImportError:
        return (*FORMATS, "MPO")
    pillow_heif.register_heif_opener()
    return (*FORMATS, "MPO", "HEIF")


def _saving(picture: Image.Image, data: bytes, compression: str | None) -> dict[str, Any]:
    """Arguments for Pillow to write the photo like its file; `compression` is that of a TIFF."""
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        saving: dict[str, Any] = {
            "qtables": picture.quantization,
            "progressive": bool(picture.info.get("progressive", False)),
        }
        if picture.mode == "RGB":
            if _is_rgb_coded(picture):
                saving["keep_rgb"] = True
            sampling = JpegImagePlugin.get_sampling(picture)  # type: ignore[no-untyped-call]
            saving["subsampling"] = max(sampling, 0)  # none, for a sampling that Pillow cannot write
        return saving
    if picture.format == "WEBP":
        return {"lossless": True} if b"VP8L" in data[:64] else {"quality": 95}
    if picture.format == "TIFF":
        if picture.mode == "1":  # fax compression only holds black and white
            compression = "tiff_adobe_deflate"
        saving = {"compression": compression, "dpi": picture.info.get("dpi")}
        return saving | ({"quality": _quality(picture)} if compression == "jpeg" else {})
    if picture.format in ("AVIF", "HEIF"):
        return {"quality": 95}
    return {"dpi": picture.info["dpi"]} if picture.format == "BMP" and "dpi" in picture.info else {}


def _is_rgb_coded(picture: JpegImagePlugin.JpegImageFile) -> bool:
    """True if the components of a JPEG are red, green and blue themselves, by the rules of libjpeg."""
    if "jfif" in picture.info:
        return False
    if "adobe" in picture.info:
        return bool(picture.info.get("adobe_transform") == 0)
    return [component[0] for component in picture.layer] == [*b"RGB"]


def _quality(picture: Image.Image) -> int:
    """The quality of the JPEGs within a TIFF: the lowest whose table of luma is as fine as theirs."""
    tables = picture.tag_v2.get(347, b"")  # type: ignore[attr-defined]
    at = tables.find(b"\xff\xdb")
    own = tables[at + 5 : at + 69] if at >= 0 and tables[at + 4] == 0 else b""
    if len(own) < 64:
        return FINE
    for quality in range(1, 100):
        scale = 5000 / quality if quality < 50 else 200 - 2 * quality
        standard = (min(max(int((base * int(scale) + 50) / 100), 1), 255) for base in LUMA)
        if all(a <= b for a, b in zip(standard, own, strict=True)):
            return quality
    return 100


def _pixels(picture: Image.Image, data: bytes, notes: list[str]) -> tuple[np.ndarray, str]:
    """The pixels of the first frame in one of MODES."""
    if picture.format in ("JPEG", "MPO") and picture.mode in ("L", "RGB"):
        pixels = decode_jpeg(data, picture.mode)
        if pixels is not None:
            return pixels, picture.mode
    load(picture, data)
    if _deep(picture, data):
        deep = _decode_deep(data)
        if deep is not None:
            return deep
        notes.append("to_8_bit")
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
