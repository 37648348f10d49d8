"""The metadata of a photo file."""

import dataclasses

from PIL import Image

from facet.photos.file import jpeg, png


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Metadata in the forms that file formats share."""

    exif: bytes | None = None  # a TIFF structure without the head `Exif\0\0`
    xmp: bytes | None = None
    iptc: bytes | None = None  # Photoshop's image resources
    profile: bytes | None = None  # ICC


def metadata(picture: Image.Image, data: bytes) -> Metadata:
    """Read the metadata of an opened file."""
    info = picture.info
    profile = info.get("icc_profile") or None
    if picture.format == "TIFF":
        tags = picture.tag_v2  # type: ignore[attr-defined]
        return Metadata(None, _bytes(tags.get(700)), _bytes(tags.get(34377)), profile)
    if data.startswith(png.SIGNATURE):
        exif, xmp = png.metadata(data)
        return Metadata(exif, xmp, None, profile)
    exif = info.get("exif")
    if data.startswith(b"\xff\xd8"):  # of several blocks the first one is read
        segments, _ = jpeg.segments(data)
        blocks = (jpeg.exif_block(segments, i) for i, part in enumerate(segments) if jpeg.is_exif(part))
        exif = next(blocks, None)
    iptc = jpeg.resources(data) if picture.format in ("JPEG", "MPO") else None
    return Metadata(exif.removeprefix(b"Exif\0\0") if exif else None, _bytes(info.get("xmp")), iptc, profile)


def _bytes(value: bytes | str | tuple[int, ...] | None) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value or None
    return value.encode() if isinstance(value, str) else bytes(value)
