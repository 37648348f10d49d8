"""The chunks of a PNG, which hold EXIF, XMP, ICC and texts (ISO 15948, chapter 11; PNG 3 for eXIf)."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = b"XML:com.adobe.xmp\0"
CREDENTIALS = b"caBX"  # content credentials, which an edit invalidates
EXIF, JPEG_XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
RAW = (b"Raw profile type exif", b"Raw profile type APP1", b"Raw profile type xmp")
MOST_TEXT = 64 << 20  # bytes of a text that are decompressed
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


def behind(data: bytes) -> bytes:
    """What lies behind the end of a PNG."""
    return data[len(join(chunks(data))) :]


def text(kind: bytes, value: bytes) -> tuple[bytes, bytes | None]:
    """The keyword and the text of a chunk tEXt, zTXt or iTXt; None if it cannot be decompressed."""
    keyword, _, rest = value.partition(b"\0")
    if kind == b"tEXt":
        return keyword, rest
    packed = kind == b"zTXt" or rest[:1] == b"\1"
    if kind == b"iTXt":
        rest = rest[2:].split(b"\0", 2)[-1]  # without method, language and translated keyword
    else:
        rest = rest[1:]
    if not packed:
        return keyword, rest
    try:
        return keyword, zlib.decompressobj().decompress(rest, MOST_TEXT)
    except zlib.error:
        return keyword, None


def raw_profile(text: bytes) -> bytes | None:
    """The data in the text of a raw profile; None if it is none."""
    try:
        _, length, digits = text.split(None, 2)
        return bytes.fromhex(digits.decode("ascii"))[: int(length)]
    except ValueError:
        return None


def metadata(data: bytes) -> tuple[bytes | None, bytes | None]:
    """EXIF, without its head, and XMP of a PNG, wherever they are; None if there is none."""
    found: dict[bytes, bytes] = {}
    for kind, value in chunks(data):
        if kind == b"eXIf":
            found[EXIF] = value.removeprefix(EXIF)
        elif kind in TEXTS:
            keyword, words = text(kind, value)
            block = raw_profile(words) if keyword in RAW and words is not None else None
            if keyword == XMP[:-1] and words:
                found[XMP] = words
            elif block is not None:
                head = next((head for head in (EXIF, JPEG_XMP) if block.startswith(head)), b"")
                name = EXIF if head == EXIF or block[:4] in (b"II*\0", b"MM\0*") else XMP
                found.setdefault(name, block[len(head) :])
    return found.get(EXIF), found.get(XMP)


def _is_read(chunk: Chunk) -> bool:
    """True for a chunk that `metadata` reads."""
    kind, value = chunk
    return kind == b"eXIf" or (kind in TEXTS and value.partition(b"\0")[0] in (XMP[:-1], *RAW))


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
            chunk
            for chunk in chunks(source)
            if chunk[0] not in CODING and chunk[0] != CREDENTIALS and not _is_read(chunk)
        ]
    elif profile is not None:
        kept = [(b"iCCP", b"icc\0\0" + zlib.compress(profile))]
    if exif is not None:
        kept.append((b"eXIf", exif))
    if xmp is not None:
        kept.append((b"iTXt", XMP + b"\0\0\0\0" + xmp))
    if iptc is not None:
        kept.append((b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(raw_text(b"iptc", iptc))))
    return join(own[:1] + kept + own[1:]) + (behind(source) if source.startswith(SIGNATURE) else b"")


def raw_text(name: bytes, data: bytes) -> bytes:
    """The text form in which ImageMagick and exiftool store data that PNG has no chunk for."""
    digits = data.hex().encode()
    lines = b"\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    return b"\n%s\n%8d\n%s\n" % (name, len(data), lines)
