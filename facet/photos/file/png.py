"""The chunks of a PNG, which hold EXIF, XMP, ICC and texts (ISO 15948, chapter 11; PNG 3 for eXIf)."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = b"XML:com.adobe.xmp\0"
CREDENTIALS = b"caBX"  # content credentials, which an edit invalidates
CODING = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"bKGD", b"hIST", b"sBIT", b"acTL", b"fcTL", b"fdAT"}

Chunk = tuple[bytes, bytes]  # type, data


def chunks(data: bytes) -> list[Chunk]:
    """Split a PNG into its chunks, up to its end or the first damaged one."""
    parts, at = [], len(SIGNATURE)
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        chunk = data[at + 4 : at + 8 + length]
        if data[at + 8 + length : at + 12 + length] != struct.pack(">I", zlib.crc32(chunk)):
            break
        parts.append((chunk[:4], chunk[4:]))
        at += 12 + length
        if chunk[:4] == b"IEND":
            break
    return parts


def join(parts: list[Chunk]) -> bytes:
    """The PNG of these chunks."""
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def with_metadata(
    encoded: bytes, source: bytes, *, exif: bytes | None, xmp: bytes | None, iptc: bytes | None, profile: bytes | None
) -> bytes:
    """The PNG `encoded` with the metadata of `source` if that is a PNG, and with this EXIF, XMP, IPTC (Photoshop's
    image resources) and ICC profile (None: without)."""
    own = [chunk for chunk in chunks(encoded) if chunk[0] in CODING]
    kept: list[Chunk] = []
    if source.startswith(SIGNATURE):
        kept = [
            (kind, data)
            for kind, data in chunks(source)
            if kind not in CODING
            and kind not in (b"eXIf", CREDENTIALS)
            and not (kind == b"iTXt" and data.startswith(XMP))
        ]
    elif profile is not None:
        kept = [(b"iCCP", b"icc\0\0" + zlib.compress(profile))]
    if exif is not None:
        kept.append((b"eXIf", exif))
    if xmp is not None:
        kept.append((b"iTXt", XMP + b"\0\0\0\0" + xmp))
    if iptc is not None:
        kept.append((b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(_raw(b"iptc", iptc))))
    return join(own[:1] + kept + own[1:])


def _raw(name: bytes, data: bytes) -> bytes:
    """The text form in which ImageMagick and exiftool store data that PNG has no chunk for."""
    digits = data.hex().encode()
    lines = b"\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    return b"\n%s\n%8d\n%s\n" % (name, len(data), lines)
