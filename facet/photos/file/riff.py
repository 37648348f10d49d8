"""The chunks of a WebP file (RFC 9649), which hold EXIF, XMP and ICC."""

import struct

EXIF, XMP, PROFILE = b"EXIF", b"XMP ", b"ICCP"
CODING = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", PROFILE}

Chunk = tuple[bytes, bytes]  # type, data


def is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def chunks(data: bytes) -> tuple[list[Chunk], bytes]:
    """Split a WebP file into its chunks and the bytes behind its end; ValueError if it is cut short."""
    end = 8 + int(struct.unpack_from("<I", data, 4)[0])
    parts, at = [], 12
    while at + 8 <= min(end, len(data)):
        kind, length = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if at + 8 + length > len(data):
            raise ValueError(f"the chunk at byte {at} is cut short")
        parts.append((kind, data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return parts, data[max(at, end) :]


def join(parts: list[Chunk], behind: bytes = b"") -> bytes:
    """The WebP file of these chunks."""
    body = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body + behind
