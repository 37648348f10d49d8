"""Photos in the forms that cameras and image editors write, and a photo editor whose every answer is known."""

import dataclasses
import io
import struct
from typing import Any

import numpy as np
import torch
from PIL import Image

from facet.editing.editor import Editor
from facet.photos.editor import PhotoEditor
from facet.photos.faces.align import Placement
from tests.support.linear_system import LinearSystem, planted

LANDMARKS = (0.34, 0.52, 0.66, 0.52, 0.5, 0.66, 0.4, 0.8, 0.6, 0.8)
EXIF, GPS = "Exif", b"GPS"


def editor() -> PhotoEditor:
    """An editor for which attribute k is the brightness of the k-th of 4 x 4 regions of the crop."""
    table = planted()
    table = dataclasses.replace(table, meta=dataclasses.replace(table.meta, landmarks=LANDMARKS))
    return PhotoEditor(Editor(LinearSystem(), table, device=torch.device("cpu")))


def pixels(height: int = 218, width: int = 178, seed: int = 0) -> np.ndarray:
    """A smooth RGB array (height, width, 3) with grain, no two corners alike."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    picture = np.stack([80 + 60 * rows / height, 90 + 50 * columns / width, 120 - 40 * rows / height], 2)
    picture[: height // 4, : width // 4] += (60, -40, 0)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def placement_of(angle: float, scale: float = 100.0, shift: tuple[float, float] = (40.0, 70.0)) -> Placement:
    """The placement of a crop of `scale` pixels, turned by `angle` degrees about its corner at `shift`."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return Placement(np.array([[scale * c, -scale * s, shift[0]], [scale * s, scale * c, shift[1]]]))


def encoded(picture: Image.Image, form: str, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **how)
    return file.getvalue()


def jpeg(seed: int = 0, **how: Any) -> bytes:
    return encoded(Image.fromarray(pixels(seed=seed)), "JPEG", **({"quality": 90} | how))


def thumbnail(side: int = 300) -> bytes:
    """A red JPEG."""
    return encoded(Image.new("RGB", (side, side), (250, 10, 10)), "JPEG", quality=95, subsampling=0)


def exif(orientation: int = 1, *, small: bytes | None = None, end: str = "<") -> bytes:
    """A TIFF structure with Make, Orientation, and a GPS directory with a latitude; the thumbnail `small` in IFD1."""
    make, latitude = b"Facet Camera\0", struct.pack(f"{end}6I", 48, 1, 51, 1, 30, 1)
    entries = 3
    at = 8 + 2 + 12 * entries + 4
    make_at, gps_at = at, at + len(make) + 1
    gps_size = 2 + 12 * 2 + 4
    latitude_at = gps_at + gps_size
    second_at = latitude_at + len(latitude) if small else 0
    data = (b"II*\0" if end == "<" else b"MM\0*") + struct.pack(f"{end}I", 8)
    data += struct.pack(f"{end}H", entries)
    data += struct.pack(f"{end}HHII", 0x010F, 2, len(make), make_at)
    data += struct.pack(f"{end}HHIHH", 0x0112, 3, 1, orientation, 0)
    data += struct.pack(f"{end}HHII", 0x8825, 4, 1, gps_at)
    data += struct.pack(f"{end}I", second_at) + make + b"\0"
    data += struct.pack(f"{end}H", 2) + struct.pack(f"{end}HHI4s", 1, 2, 2, b"N\0\0\0")
    data += struct.pack(f"{end}HHII", 2, 5, 3, latitude_at) + struct.pack(f"{end}I", 0) + latitude
    if small is not None:
        small_at = second_at + 2 + 12 * 3 + 4
        data += struct.pack(f"{end}H", 3) + struct.pack(f"{end}HHIHH", 0x0103, 3, 1, 6, 0)
        data += struct.pack(f"{end}HHII", 0x0201, 4, 1, small_at) + struct.pack(f"{end}HHII", 0x0202, 4, 1, len(small))
        data += struct.pack(f"{end}I", 0) + small
    return data


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    ' exif:GPSLatitude="48,51.5N" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture">'
    '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Älteste Straße</rdf:li></rdf:Alt></dc:title>'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
).encode()
IPTC = b"8BIM\x04\x04\0\0\0\0\0\x0e\x1c\x02\x78\0\x09A caption"  # record 2, dataset 120


def with_segments(data: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with more segments after its SOI."""
    return data[:2] + b"".join(struct.pack(">BBH", 0xFF, m, len(p) + 2) + p for m, p in segments) + data[2:]


def camera_jpeg(orientation: int = 1, *, seed: int = 0, small: bytes | None = None) -> bytes:
    """A JPEG with EXIF (thumbnail, GPS), XMP, IPTC and a comment, its pixels as stored."""
    block = b"Exif\0\0" + exif(orientation, small=thumbnail() if small is None else small)
    return with_segments(
        jpeg(seed),
        (0xE1, block),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        (0xED, b"Photoshop 3.0\0" + IPTC),
        (0xFE, b"a comment"),
    )
