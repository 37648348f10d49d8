"""The segments before a JPEG's pixels: where EXIF, XMP, ICC, IPTC and comments are (ISO 10918-1, annex B.1.1)."""

import struct
from collections.abc import Iterator

EXIF, XMP, IRB = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
APP0, APP1, APP2, APP11, APP13, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE, 0xFE
LONGEST = 65_533  # bytes of one segment's payload
SCAN, END = 0xDA, 0xD9

Segment = tuple[int, bytes]  # marker, payload


def segments(data: bytes) -> tuple[list[Segment], bytes]:
    """Every segment before the first scan, and the rest from its marker on."""
    found, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in (SCAN, END):
            break
        length = struct.unpack_from(">H", data, at + 2)[0]
        found.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found, data[at:]


def join(found: list[Segment], rest: bytes) -> bytes:
    """The file of these segments."""
    return b"\xff\xd8" + b"".join(_written(found)) + rest


def _written(found: list[Segment]) -> Iterator[bytes]:
    for marker, payload in found:
        yield struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def is_metadata(segment: Segment) -> bool:
    """Whether a segment tells of the photo and not of how its pixels are coded; no index of further pictures, whose
    offsets hold for the old file alone, and no content credentials, which an edit breaks."""
    marker, payload = segment
    about = APP0 < marker <= 0xEF or marker == COMMENT
    return about and marker not in (APP11, APP14) and not (marker == APP2 and payload.startswith(b"MPF\0"))


def carried(encoded: bytes, source: bytes, *, exif: bytes | None, xmp: bytes | None) -> bytes:
    """`encoded` with the metadata of `source`, in its order, but with this EXIF and XMP (None: without)."""
    mine, rest = segments(encoded)
    theirs = [segment for segment in segments(source)[0] if is_metadata(segment)]
    new = {EXIF: exif, XMP: xmp}
    kept: list[Segment] = []
    for marker, payload in theirs:
        head = next((head for head in new if marker == APP1 and payload.startswith(head)), None)
        if head is None:
            kept.append((marker, payload))
        elif new[head] is not None and not _has(kept, head):  # a second one would tell what the first no longer does
            kept.append((APP1, head + new[head]))  # type: ignore[operator]
    added = [(APP1, head + value) for head, value in new.items() if value is not None and not _has(kept, head)]
    coding = [segment for segment in mine if not is_metadata(segment)]
    first = [segment for segment in coding if segment[0] == APP0]
    return join(first + added + kept + [segment for segment in coding if segment[0] != APP0], rest)


def _has(found: list[Segment], head: bytes) -> bool:
    return any(marker == APP1 and payload.startswith(head) for marker, payload in found)


def resources(data: bytes) -> bytes | None:
    """The Photoshop image resources (IPTC among them) of a JPEG."""
    parts = [
        payload[len(IRB) :] for marker, payload in segments(data)[0] if marker == APP13 and payload.startswith(IRB)
    ]
    return b"".join(parts) or None
