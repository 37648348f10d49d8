"""The segments before a JPEG's pixels, which hold EXIF, XMP, ICC, IPTC and comments (ISO 10918-1, annex B.1.1)."""

import struct
from collections.abc import Iterator

EXIF, XMP, IRB = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
APP0, APP1, APP2, APP11, APP13, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE, 0xFE
LONGEST = 65_533  # bytes of one segment's payload
SCAN, END = 0xDA, 0xD9

Segment = tuple[int, bytes]  # marker, payload


def segments(data: bytes) -> tuple[list[Segment], bytes]:
    """Split a JPEG into the segments before the first scan, and the rest from its marker on."""
    parts, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in (SCAN, END):
            break
        length = struct.unpack_from(">H", data, at + 2)[0]
        parts.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
    return parts, data[at:]


def join(parts: list[Segment], rest: bytes) -> bytes:
    """The JPEG of these segments and the rest."""
    return b"\xff\xd8" + b"".join(_encoded(parts)) + rest


def _encoded(parts: list[Segment]) -> Iterator[bytes]:
    for marker, payload in parts:
        yield struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def is_metadata(segment: Segment) -> bool:
    """True if a segment describes the photo and not the coding of its pixels.

    Excludes the index of further pictures, whose offsets only hold for the old file, and content credentials, which an
    edit invalidates."""
    marker, payload = segment
    descriptive = APP0 < marker <= 0xEF or marker == COMMENT
    return descriptive and marker not in (APP11, APP14) and not (marker == APP2 and payload.startswith(b"MPF\0"))


def with_metadata(encoded: bytes, source: bytes, *, exif: bytes | None, xmp: bytes | None) -> bytes:
    """The JPEG `encoded` with the metadata of the JPEG `source`, but with this EXIF and XMP (None: without)."""
    own, rest = segments(encoded)
    described = [segment for segment in segments(source)[0] if is_metadata(segment)]
    new = {EXIF: exif, XMP: xmp}
    kept: list[Segment] = []
    for marker, payload in described:
        head = next((head for head in new if marker == APP1 and payload.startswith(head)), None)
        if head is None:
            kept.append((marker, payload))
        elif new[head] is not None and not _has(kept, head):  # a repeated block would keep the old metadata
            kept.append((APP1, head + new[head]))  # type: ignore[operator]
    added = [(APP1, head + value) for head, value in new.items() if value is not None and not _has(kept, head)]
    coding = [segment for segment in own if not is_metadata(segment)]
    first = [segment for segment in coding if segment[0] == APP0]
    return join(first + added + kept + [segment for segment in coding if segment[0] != APP0], rest)


def _has(parts: list[Segment], head: bytes) -> bool:
    return any(marker == APP1 and payload.startswith(head) for marker, payload in parts)


def resources(data: bytes) -> bytes | None:
    """The Photoshop image resources of a JPEG, among them IPTC; None if it has none."""
    parts = [
        payload[len(IRB) :] for marker, payload in segments(data)[0] if marker == APP13 and payload.startswith(IRB)
    ]
    return b"".join(parts) or None
