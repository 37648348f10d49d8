"""Encode an edited photo like the file it came from: format, compression, EXIF, ICC, XMP, IPTC."""

import io
import struct
from collections.abc import Mapping

import numpy as np
from PIL import Image, TiffImagePlugin

from facet.photos.file import jpeg, png
from facet.photos.file.exif import GPS, Exif
from facet.photos.file.metadata import Metadata
from facet.photos.file.photo import Photo, readable, turned
from facet.photos.file.xmp import Packet
from facet.pictures.decode import BadImage, opened, to_8_bits

EXIF_DIRECTORY = 0x8769  # TIFF tag
BARE = ("BMP",)  # formats without metadata


def updated_metadata(photo: Photo, *, iptc: Mapping[str, str], strip_gps: bool) -> tuple[Metadata, tuple[str, ...]]:
    """The metadata of the edited photo, with a new thumbnail, these IPTC properties, and no GPS position if
    `strip_gps`; and keys of NOTES."""
    old, notes = photo.metadata, []
    exif = old.exif
    if exif is not None:
        try:
            block = Exif(exif)
            small = picture_of(photo, turned_upright=False)
            if not block.renew_thumbnail(small):
                notes.append("thumbnail_dropped")
            if strip_gps:
                block.strip_gps()
            exif = block.to_bytes()
            if photo.format == "JPEG" and len(jpeg.EXIF) + len(exif) > jpeg.LONGEST:
                raise ValueError("it is longer than a segment")
        except ValueError:
            exif = None  # unreadable EXIF may still hold the old thumbnail
            notes.append("exif_dropped")
    try:
        packet = Packet(old.xmp)
    except ValueError:
        packet = Packet(None)
        notes.append("xmp_replaced")
    packet.set_iptc(iptc)
    if strip_gps:
        packet.strip_gps()
    xmp = packet.to_bytes()
    if photo.format == "JPEG" and len(jpeg.XMP) + len(xmp) > jpeg.LONGEST:
        xmp = packet.to_bytes(padding=0)
    if photo.format == "JPEG" and len(jpeg.XMP) + len(xmp) > jpeg.LONGEST:
        packet = Packet(None)
        packet.set_iptc(iptc)
        xmp = packet.to_bytes()
        notes.append("xmp_replaced")
    return Metadata(exif, xmp, old.iptc, old.profile, gps=not strip_gps), tuple(notes)


def without_gps(data: bytes) -> tuple[bytes, bool]:
    """Remove the GPS position from a file, leaving its pixels alone.

    Also returns True if a position is left, in a format or a block that cannot be rewritten."""
    left = False

    def exif(value: bytes) -> bytes:
        nonlocal left
        try:
            block = Exif(value)
            block.strip_gps()
            return block.to_bytes()
        except ValueError:
            left = True
            return value

    def xmp(value: bytes) -> bytes:
        nonlocal left
        try:
            packet = Packet(value)
            packet.strip_gps()
            return packet.to_bytes(padding=0)
        except ValueError:
            left = True
            return value

    if data.startswith(b"\xff\xd8"):
        segments, rest = jpeg.segments(data)
        kept = []
        for marker, payload in segments:
            if marker == jpeg.APP1 and payload.startswith(jpeg.EXIF):
                payload = jpeg.EXIF + exif(payload[len(jpeg.EXIF) :])
            elif marker == jpeg.APP1 and payload.startswith(jpeg.XMP) and b"GPS" in payload:
                payload = jpeg.XMP + xmp(payload[len(jpeg.XMP) :])
            kept.append((marker, payload))
        return jpeg.join(kept, rest), left
    if data.startswith(png.SIGNATURE):
        chunks = []
        for kind, value in png.chunks(data):
            if kind == b"eXIf":
                value = exif(value)
            elif kind == b"iTXt" and value.startswith(png.XMP) and b"GPS" in value:
                value = png.XMP + b"\0\0\0\0" + xmp(value[len(png.XMP) + 4 :])
            chunks.append((kind, value))
        complete = bool(chunks) and chunks[-1][0] == b"IEND"
        return (png.join(chunks), left) if complete else (data, b"GPS" in data)
    try:
        with opened(data, readable()) as picture:
            return data, GPS in picture.getexif() or b"exif:GPS" in data
    except BadImage:
        return data, False


def picture_of(photo: Photo, *, turned_upright: bool) -> Image.Image:
    """The photo as an 8-bit Pillow image."""
    pixels = turned(photo.pixels, photo.orientation) if turned_upright else photo.pixels
    if pixels.dtype == np.uint16:
        pixels = to_8_bits(pixels)
    return Image.fromarray(np.ascontiguousarray(pixels), photo.mode)


def encode(photo: Photo, source: bytes, metadata: Metadata) -> bytes:
    """Encode an edited photo; `source` is the file it was read from."""
    if photo.format == "PNG":
        return _png(photo, source, metadata)
    file = io.BytesIO()
    if photo.format == "TIFF":
        _tiff(photo, source, metadata, file)
        return file.getvalue()
    picture = _stored(photo)
    if photo.format == "JPEG":
        picture.save(file, "JPEG", **photo.saving)
        encoded = file.getvalue()
        if source.startswith(b"\xff\xd8"):
            return jpeg.with_metadata(encoded, source, exif=metadata.exif, xmp=metadata.xmp)
        return encoded
    if photo.format in BARE:
        picture.save(file, photo.format, **photo.saving)
        return file.getvalue()
    extra = {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.profile}
    picture.save(file, photo.format, **photo.saving, **{name: value for name, value in extra.items() if value})
    return file.getvalue()


def _stored(photo: Photo) -> Image.Image:
    """The photo's pixels as a Pillow image; of 16-bit images Pillow only holds grey ones."""
    return Image.fromarray(photo.pixels, photo.mode if photo.pixels.dtype == np.uint8 else None)


def _png(photo: Photo, source: bytes, metadata: Metadata) -> bytes:
    if photo.pixels.dtype == np.uint16 and photo.mode != "L":
        import cv2

        order = {"RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}[photo.mode]
        encoded = cv2.imencode(".png", photo.pixels[:, :, order])[1].tobytes()
    else:
        file = io.BytesIO()
        _stored(photo).save(file, "PNG", compress_level=6)
        encoded = file.getvalue()
    return png.with_metadata(
        encoded, source, exif=metadata.exif, xmp=metadata.xmp, iptc=metadata.iptc, profile=metadata.profile
    )


SHAPE_TAGS = {  # TIFF tags of the layout of pixels, which the new file has of its own
    254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339, 330, 347,
    34665, 34853, 40965,
}  # fmt: skip


def _tiff(photo: Photo, source: bytes, metadata: Metadata, file: io.BytesIO) -> None:
    picture = _stored(photo)
    info = TiffImagePlugin.ImageFileDirectory_v2()
    with opened(source, readable()) as old:
        exif = old.getexif()
        directories = {
            tag: dict(exif.get_ifd(tag)) for tag in (EXIF_DIRECTORY, GPS) if tag == EXIF_DIRECTORY or metadata.gps
        }
        if old.format == "TIFF":
            tags = old.tag_v2  # type: ignore[attr-defined]
            for tag, value in tags.items():
                if tag not in SHAPE_TAGS:
                    info[tag] = value
                    info.tagtype[tag] = tags.tagtype[tag]
    for tag, directory in directories.items():
        if directory:
            info[tag] = directory
    if metadata.xmp is not None:
        info[700] = metadata.xmp
        info.tagtype[700] = 1
    saving = {name: value for name, value in photo.saving.items() if value is not None}
    try:
        picture.save(file, "TIFF", tiffinfo=info, icc_profile=metadata.profile, **saving)
    except (struct.error, OverflowError, TypeError, ValueError, AttributeError):  # Pillow reads more than it can write
        photo.notes += ("tags_dropped",)
        file.seek(0)
        file.truncate()
        picture.save(file, "TIFF", tiffinfo={700: metadata.xmp}, icc_profile=metadata.profile, **saving)
