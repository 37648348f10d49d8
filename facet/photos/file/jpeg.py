"""The segments before a JPEG's pixels, which hold EXIF, XMP, ICC, IPTC and comments (ISO 10918-1, annex B.1.1)."""

import struct
from collections.abc import Iterator

EXIF, XMP, IRB = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
EXTENDED, ICC, INDEX = b"http://ns.adobe.com/xmp/extension/\0", b"ICC_PROFILE\0", b"MPF\0"
APP0, APP1, APP2, APP11, APP12, APP13, APP14, APP15 = 0xE0, 0xE1, 0xE2, 0xEB, 0xEC, 0xED, 0xEE, 0xEF
COMMENT = 0xFE
LONGEST = 65_533  # bytes of one segment's payload
SCAN, END = 0xDA, 0xD9
TIFF_HEADERS = (b"II*\0", b"MM\0*")

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


def end(data: bytes) -> int:
    """The offset behind the picture that a JPEG begins with, or the length of `data` if it has no end."""
    at = len(data) - len(segments(data)[1])
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 2 > len(data):
            return len(data)
        marker = data[at + 1]
        if marker == END:
            return at + 2
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # a byte of the pixels, a fill byte, a restart
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


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


def exif_block(parts: list[Segment], number: int) -> bytes | None:
    """The EXIF that begins in a segment, with the segments that continue it; None if this one continues another."""
    own = parts[number][1]
    if number and own[len(EXIF) :][:4] not in TIFF_HEADERS and is_exif(parts[number - 1]):
        return None
    block = own
    for segment in parts[number + 1 :]:
        if not is_exif(segment) or segment[1][len(EXIF) :][:4] in TIFF_HEADERS:
            break
        block += segment[1][len(EXIF) :]
    return block


def is_exif(segment: Segment) -> bool:
    """True for a segment of EXIF, be it the first of its block or not."""
    return segment[0] == APP1 and segment[1].startswith(EXIF)


def exif_segments(block: bytes) -> list[Segment]:
    """The segments of an EXIF block, several if it is longer than one."""
    room = LONGEST - len(EXIF)
    return [(APP1, EXIF + block[start : start + room]) for start in range(0, max(len(block), 1), room)]


def extended_xmp(parts: list[Segment]) -> dict[bytes, bytes]:
    """The packets of extended XMP by their GUID (XMP specification, part 3, 1.1.3.1)."""
    packets: dict[bytes, list[tuple[int, bytes]]] = {}
    for marker, payload in parts:
        if marker == APP1 and payload.startswith(EXTENDED):
            guid, at = payload[len(EXTENDED) :][:32], len(EXTENDED) + 36
            packets.setdefault(guid, []).append((int.from_bytes(payload[at : at + 4], "big"), payload[at + 4 :]))
    return {guid: b"".join(part for _, part in sorted(found)) for guid, found in packets.items()}


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
