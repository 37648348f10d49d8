"""Encode an edited photo like the file it came from: format, compression, EXIF, ICC, XMP, IPTC, what lies behind it."""

import contextlib
import dataclasses
import io
import struct
from collections.abc import Mapping

import numpy as np
from PIL import Image, TiffImagePlugin

from facet.photos.file import behind, jpeg, png, riff
from facet.photos.file.exif import Exif, minimal
from facet.photos.file.metadata import Metadata
from facet.photos.file.photo import MOST, Photo, readable, to_primary
from facet.photos.file.place_walk import place_left
from facet.photos.file.places import without_places
from facet.photos.file.tiff import EXIF as EXIF_DIRECTORY
from facet.photos.file.tiff import GPS
from facet.photos.file.xmp import Packet
from facet.pictures.decode import BadImage, opened, to_8_bits, turned

BARE = ("BMP",)  # formats without metadata
DROPPED = {  # the note on each kind of what lies behind a picture
    "gain_maps": "extras_dropped",
    "pictures": "primary_picture",
    "video": "behind_dropped",
    "trailer": "behind_dropped",
}


def updated_metadata(photo: Photo, *, iptc: Mapping[str, str]) -> tuple[Metadata, tuple[str, ...]]:
    """The metadata of the edited photo, with a new thumbnail and these IPTC properties; and keys of NOTES."""
    old, notes = photo.metadata, []
    exif = old.exif
    if exif is not None:
        try:
            block = Exif(exif)
            if not block.renew_thumbnail(picture_of(photo, turned_upright=False)):
                notes.append("thumbnail_dropped")
            exif = block.to_bytes()
            if photo.format == "JPEG" and len(jpeg.EXIF) + len(exif) > jpeg.LONGEST:
                notes = ["exif_too_long"]
        except ValueError:
            notes = ["exif_dropped"]  # unreadable EXIF may still hold the old thumbnail
        if {"exif_too_long", "exif_dropped"} & set(notes):
            exif = minimal(photo.orientation) if photo.orientation != 1 else None
    try:
        packet = Packet(old.xmp)
    except ValueError:
        packet = Packet(None)
        notes.append("xmp_replaced")
    packet.set_iptc(iptc)
    xmp = packet.to_bytes()
    if photo.format == "JPEG" and len(jpeg.XMP) + len(xmp) > jpeg.LONGEST:
        xmp = packet.to_bytes(padding=0)
    if photo.format == "JPEG" and len(jpeg.XMP) + len(xmp) > jpeg.LONGEST:
        packet = Packet(None)
        packet.set_iptc(iptc)
        xmp = packet.to_bytes()
        notes.append("xmp_replaced")
    return Metadata(exif, xmp, old.iptc, old.profile), tuple(notes)


def stripped(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A file without coordinates, its pixels as they are, and keys of NOTES; BadImage if one may be left in it."""
    notes: tuple[str, ...] = ()
    with contextlib.suppress(Exception):  # of many kinds, for a damaged file: perhaps nothing has to be removed
        data, notes = without_places(data)
    check_places(data)
    return data, notes


def check_places(data: bytes) -> None:
    """BadImage if a coordinate may be left in a finished file."""
    left = place_left(data)
    if left:
        raise BadImage("place_left", left)


def picture_of(photo: Photo, *, turned_upright: bool) -> Image.Image:
    """The photo as an 8-bit Pillow image."""
    pixels = turned(photo.pixels, photo.orientation) if turned_upright else photo.pixels
    if pixels.dtype == np.uint16:
        pixels = to_8_bits(pixels)
    return Image.fromarray(np.ascontiguousarray(pixels), photo.mode)


def encode(photo: Photo, source: bytes, metadata: Metadata, *, alone: bool = False) -> bytes:
    """Encode an edited photo; `source` is the file it was read from, and `alone` leaves out what lies behind a JPEG.

    Notes of the photo say what could not be kept."""
    if source.startswith(b"\xff\xd8") and photo.format != "JPEG":
        metadata = _without_behind(photo, source, metadata)
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
            encoded = jpeg.with_metadata(encoded, source, exif=metadata.exif, xmp=metadata.xmp)
            return _with_behind(photo, encoded, source, alone=alone)
        return encoded
    if photo.format in BARE:
        picture.save(file, photo.format, **photo.saving)
        return file.getvalue()
    extra = {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.profile}
    picture.save(file, photo.format, **photo.saving, **{name: value for name, value in extra.items() if value})
    beyond = b""
    if photo.format == "WEBP" and riff.is_webp(source):
        with contextlib.suppress(ValueError):
            beyond = riff.chunks(source)[1]
    return file.getvalue() + beyond


def _with_behind(photo: Photo, encoded: bytes, source: bytes, *, alone: bool) -> bytes:
    """The edited JPEG with what lay behind the photo, if that is still right, or without a word of it."""
    beyond = behind.split(source)[1]
    kind = behind.kind(beyond)
    if kind and (alone or kind == "pictures"):  # of the photo before the edit, and of other sizes or eyes
        photo.notes += (DROPPED[kind],)
        return behind.without_claims(encoded)
    if kind == "video":
        photo.notes += ("video_kept",)
    return behind.joined(encoded, source, beyond)


def _without_behind(photo: Photo, source: bytes, metadata: Metadata) -> Metadata:
    """The metadata for another format than JPEG, which holds nothing behind the picture."""
    kind = behind.kind(behind.split(source)[1])
    if not kind:
        return metadata
    photo.notes += (DROPPED[kind],)
    xmp = behind.xmp_without_claims(metadata.xmp) if metadata.xmp is not None else None
    return dataclasses.replace(metadata, xmp=xmp)


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
    with opened(source, readable(), MOST) as old:
        to_primary(old)
        exif = old.getexif()
        directories = {tag: dict(exif.get_ifd(tag)) for tag in (EXIF_DIRECTORY, GPS)}
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
