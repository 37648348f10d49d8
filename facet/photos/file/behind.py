"""What lies behind the picture of a JPEG: a gain map, further pictures, a video, a maker's trailer.

Offsets into it are found in the index of pictures (CIPA DC-007, Multi-Picture Format), which counts from the first
picture and is mended here, or count from the end of the file (video, trailers) and stay valid."""

import struct

from facet.photos.file import jpeg
from facet.photos.file.tiff import Tiff
from facet.photos.file.xmp import Packet

ENTRIES = 0xB002  # tag of the index: 16 bytes a picture, of which 4..12 are length and offset
CONTAINER, GAIN_MAP = "http://ns.google.com/photos/1.0/container/", "http://ns.adobe.com/hdr-gain-map/1.0/"
NAMESPACES = (CONTAINER, f"{CONTAINER}item/", GAIN_MAP)
CLAIMS = ("MotionPhoto", "MotionPhotoVersion", "MotionPhotoPresentationTimestampUs", "MicroVideo", "MicroVideoVersion",
          "MicroVideoOffset", "MicroVideoPresentationTimestampUs")  # fmt: skip  # of XMP
HDR = b"urn:iso:std:iso:ts:21496:-1\0"  # begins a segment about the gain map
GAIN_MAPS = (GAIN_MAP.encode(), HDR, b"HDRGainMap", b":hdrgainmap")


def split(data: bytes) -> tuple[bytes, bytes]:
    """A JPEG, and what lies behind it."""
    at = jpeg.end(data)
    return data[:at], data[at:]


def kind(behind: bytes) -> str:
    """gain_maps, pictures (others among them), video, trailer, or nothing."""
    if not behind.strip(b"\0"):
        return ""
    first, rest = behind.lstrip(b"\0"), b""
    if not first.startswith(b"\xff\xd8\xff"):
        return "video" if first[4:8] == b"ftyp" or b"ftyp" in first[:65_536] else "trailer"
    first, rest = split(first)
    if not any(mark in _described(first) for mark in GAIN_MAPS):
        return "pictures"
    other = kind(rest)
    return other if other else "gain_maps"


def _described(picture: bytes) -> bytes:
    return b"".join(payload for _, payload in jpeg.segments(picture)[0])


def joined(picture: bytes, source: bytes, behind: bytes) -> bytes:
    """The JPEG `picture` with what lay behind `source`, and with the index of pictures of `source`, mended."""
    parts, rest = jpeg.segments(picture)
    parts = [segment for segment in parts if not _is_index(segment)]
    old, at = jpeg.segments(source)[0], 2
    for marker, payload in old:
        if _is_index((marker, payload)) and behind:
            where = next((i for i, segment in enumerate(parts) if not 0xE0 <= segment[0] <= 0xE1), len(parts))
            parts.insert(where, (marker, payload))
            start = 2 + sum(4 + len(p) for _, p in parts[:where]) + 8
            length = len(jpeg.join(parts, rest))
            index = _mended(payload[4:], at + 8, jpeg.end(source), start, length)
            if index is None:
                parts.pop(where)
            else:
                parts[where] = (marker, jpeg.INDEX + index)
            break
        at += 4 + len(payload)
    return jpeg.join(parts, rest) + behind


def _is_index(segment: jpeg.Segment) -> bool:
    return segment[0] == jpeg.APP2 and segment[1].startswith(jpeg.INDEX)


def _mended(index: bytes, old_start: int, old_end: int, start: int, end: int) -> bytes | None:
    """The index for a first picture that ends at `end` instead of `old_end`, and whose index starts at `start`; None if
    it is damaged."""
    try:
        block = Tiff(index)
        entry = block.find(block.directory(block.start), ENTRIES)
        if entry is None:
            return None
        for at in range(entry.value, entry.value + entry.size - 15, 16):
            offset = block.number("I", at + 8)
            if offset == 0:
                block.put("I", at + 4, end)
            else:
                block.put("I", at + 8, offset + old_start - old_end + end - start)
    except (ValueError, struct.error):
        return None
    return block.to_bytes()


def without_claims(picture: bytes) -> bytes:
    """A JPEG whose metadata no longer says that something lies behind it."""
    parts, rest = jpeg.segments(picture)
    kept: list[jpeg.Segment] = []
    for marker, payload in parts:
        if _is_index((marker, payload)) or (marker == jpeg.APP2 and payload.startswith(HDR)):
            continue
        if marker == jpeg.APP1 and payload.startswith(jpeg.XMP):
            payload = jpeg.XMP + xmp_without_claims(payload[len(jpeg.XMP) :])
        kept.append((marker, payload))
    return jpeg.join(kept, rest)


def xmp_without_claims(xmp: bytes) -> bytes:
    """A packet that no longer says that something lies behind the picture."""
    if not any(claim.encode() in xmp for claim in (CONTAINER, GAIN_MAP, *CLAIMS)):
        return xmp
    try:
        packet = Packet(xmp)
    except ValueError:
        return xmp
    packet.drop_claims(NAMESPACES, CLAIMS)
    return packet.to_bytes(padding=0)
