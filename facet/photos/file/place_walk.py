"""An independent look at a finished file: every chunk, segment, item and text of it, decompressed, for coordinates.

It shares no reader with the code that writes and strips files, so that what that code does not see is seen here."""

import io
import re
import zlib
from collections.abc import Iterator

from PIL import Image

from facet.photos.file.traces import trace, trace_of_text

ZLIB = re.compile(rb"[\x08\x18\x28\x38\x48\x58\x68\x78][\x01\x5e\x9c\xda]")
DIGITS = re.compile(rb"(?:[0-9a-fA-F]{2}\s*){40,}")
LONG = re.compile(rb"(?:[\t\r\n -~\xb0\xb4\xba]|\xc2[\xb0\xb4\xba]|\xe2\x80[\x98\x99\xb2\xb3]){10,}")
WIDE = re.compile(rb"(?:\0[\t\r\n -~\xb0\xb4\xba]|[\t\r\n -~\xb0\xb4\xba]\0){10,}")
MOST_COMMENT = 64 << 10  # bytes of one
MOST = 64 << 20  # bytes that are decompressed of one stream


def place_left(data: bytes) -> str:
    """Where in a photo's file a coordinate may be, and what; empty if there is none."""
    for where, value, is_text in _parts(data):
        found = trace_of_text(value) if is_text else trace(value)
        if found:
            return f"{found} in {where}"
    return ""


def _parts(data: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """What a file holds besides its pixels: the place, the bytes, and True for text."""
    if data[:2] == b"\xff\xd8":
        yield from _jpeg(data)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        yield from _png(data)
    elif data[:4] == b"RIFF":
        yield from _riff(data)
    else:  # TIFF, AVIF, HEIC, JPEG 2000, GIF, BMP, PPM: a place would stand there uncompressed
        if data[:2] in (b"II", b"MM"):
            data, others = _without_strips(data)
            yield "the file outside its pixels", others, True
        elif data[:2] in (b"BM", b"P4", b"P5", b"P6"):
            data = _without_raster(data)
            yield "the file outside its pixels", data, True
        yield "the file", data, False
        yield from _written(data)
        for start in _found(data, b"<x:xmpmeta", b"<rdf:RDF", b"<?xpacket b"):
            yield f"the text at byte {start}", data[start : start + (4 << 20)].split(b"<?xpacket e")[0], True
        for start in _found(data, b"acsp"):  # in the header of a colour profile
            size = int.from_bytes(data[start - 36 : start - 32], "big")
            yield f"the colour profile at byte {start - 36}", _long(data[start - 36 : start - 36 + size]), True


def _written(data: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """What people and programs wrote into formats that are mostly pixels, and behind them."""
    if data[:3] == b"GIF":
        yield from _gif(data)
    elif data[:1] == b"P" and data[1:2].isdigit():
        yield "the comments", b"\n".join(re.findall(rb"#[^\n]*", data[:MOST_COMMENT])), True
    elif data[4:8] in (b"ftyp", b"jP  ") or data[:2] == b"\xff\x4f":  # compressed throughout
        yield "the texts", _long(data), True


def _gif(data: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """The extensions of a GIF, and what lies behind it."""
    at = 13 + (3 << (data[10] % 8 + 1)) * (data[10] >> 7) if len(data) > 13 else len(data)
    while data[at : at + 1] in (b"\x21", b"\x2c"):
        begin, picture, text = at, data[at] == 0x2C, b""
        at += 2
        if picture:
            flags = data[at + 7] if at + 7 < len(data) else 0
            at += 9 + (3 << (flags % 8 + 1)) * (flags >> 7)
        while at < len(data) and data[at]:
            text, at = (text if picture else text + data[at + 1 : at + 1 + data[at]]), at + 1 + data[at]
        at += 1
        if not picture:
            yield f"the extension at byte {begin}", text, True
            yield f"the extension at byte {begin}", data[begin:at], True
    yield "what lies behind the picture", data[at:], True


def _without_raster(data: bytes) -> bytes:
    """A BMP, or a PPM, PGM or PBM of bytes, without its pixels, which Pillow finds."""
    try:
        with Image.open(io.BytesIO(data), formats=["BMP", "PPM"]) as picture:
            start, (width, height) = picture.tile[0][2], picture.size
        deepest = int(data[:start].split()[-1]) if data[:2] in (b"P5", b"P6") else 1
    except Exception:  # of many kinds, for a damaged file
        return data
    if data[:2] == b"BM":
        bits, size = int.from_bytes(data[28:30], "little"), int.from_bytes(data[34:38], "little")
        return _rest(data, [(start, start + (size or height * ((width * bits + 31) // 32 * 4)))])
    row = (
        (width + 7) // 8 if data[:2] == b"P4" else width * (3 if data[:2] == b"P6" else 1) * (2 if deepest > 255 else 1)
    )
    return _rest(data, [(start, start + height * row)])


def _long(data: bytes) -> bytes:
    """The runs of letters in compressed data, also of 16 bits, that are too long for chance."""
    return b"\0".join([*LONG.findall(data), *(run.replace(b"\0", b"") for run in WIDE.findall(data))])


def _without_strips(data: bytes) -> tuple[bytes, bytes]:
    """A TIFF without the pixels of its pages, as far as Pillow finds them: with those that are JPEGs, and without."""
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as picture:
            strips = [pair for page in range(getattr(picture, "n_frames", 1)) for pair in _strips(picture, page)]
    except Exception:  # of many kinds, for a damaged file: then all of it is looked at
        return data, b""
    places = sorted((start, start + size) for start, size in strips if isinstance(start, int) and isinstance(size, int))
    coded = [place for place in places if data[place[0] : place[0] + 2] == b"\xff\xd8"]
    return _rest(data, [place for place in places if place not in coded]), _rest(data, places)


def _rest(data: bytes, places: list[tuple[int, int]]) -> bytes:
    """What lies between places, and behind the last one."""
    rest, last = [], 0
    for start, end in places:
        rest.append(data[last:start])
        last = max(last, end)
    return b"\0".join([*rest, data[last:]])


def _strips(picture: Image.Image, page: int) -> list[tuple[int, int]]:
    """Offset and size of the strips or tiles of a page."""
    picture.seek(page)
    tags = picture.tag_v2  # type: ignore[attr-defined]
    return [
        pair
        for at, size in ((273, 279), (324, 325))
        for pair in zip(tags.get(at, ()), tags.get(size, ()), strict=False)
    ]


def _found(data: bytes, *words: bytes) -> Iterator[int]:
    for word in words:
        at = data.find(word)
        while at >= 0:
            yield at
            at = data.find(word, at + 1)


def _jpeg(data: bytes) -> Iterator[tuple[str, bytes, bool]]:
    at, gathered = 2, dict[bytes, bytes]()
    while at + 4 <= len(data):
        if data[at] != 0xFF or data[at + 1] in (0x00, 0xFF, *range(0xD0, 0xD9)):
            at += 1
            continue
        marker = data[at + 1]
        if marker == 0xD9:
            break
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker >= 0xE0:
            payload = data[at + 4 : at + 2 + length]
            text = marker == 0xFE or (marker == 0xE1 and payload[:5] == b"http:")
            yield f"segment {marker:#04x} at byte {at}", payload, text
            kind = payload[:28]  # blocks that go on in the next segment are looked at as a whole, too
            skipped = 35 + 40 if b"extension" in kind else 14 if kind[:4] == b"ICC_" else 6
            gathered[kind[:6] + bytes([marker])] = gathered.get(kind[:6] + bytes([marker]), b"") + payload[skipped:]
            yield from (part for part in _embedded(payload, f"segment {marker:#04x} at byte {at}"))
        at = at + 2 + length
        if marker == 0xDA:  # to the next marker
            while at + 1 < len(data) and not (data[at] == 0xFF and data[at + 1] not in (0, *range(0xD0, 0xD8))):
                step = data.find(b"\xff", at + 1)
                at = len(data) if step < 0 else step
    for kind, block in gathered.items():
        words = _long(block) if kind[:4] == b"ICC_" else block
        yield f"the segments {kind[-1]:#04x} together", words, kind[:4] == b"ICC_" or block.lstrip()[:1] == b"<"
    behind = data[at + 2 :]
    if behind:
        yield "what lies behind the picture", behind, False
        for start in _found(behind, b"\xff\xd8\xff"):
            if start == 0 or behind[start - 2 : start] == b"\xff\xd9" or not behind[:start].strip(b"\0"):
                yield from _jpeg(behind[start:])


def _embedded(payload: bytes, where: str) -> Iterator[tuple[str, bytes, bool]]:
    """PNGs within a block; JPEGs and TIFFs stand there as they are."""
    for start in _found(payload, b"\x89PNG\r\n\x1a\n"):
        for inner, value, text in _png(payload[start:]):
            yield f"{inner} in {where}", value, text


def _png(data: bytes) -> Iterator[tuple[str, bytes, bool]]:
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        value, where = data[at + 8 : at + 8 + length], f"chunk {kind.decode('latin-1')} at byte {at}"
        at += 12 + length
        if kind in (b"IDAT", b"fdAT"):
            continue
        yield where, value, kind not in (b"zTXt", b"iCCP")
        for packed in ZLIB.finditer(value):
            try:
                opened = zlib.decompressobj().decompress(value[packed.start() :], MOST)
            except zlib.error:
                continue
            yield f"{where}, decompressed", _long(opened) if kind == b"iCCP" else opened, True
            yield from _hexadecimal(opened, where)
        yield from _hexadecimal(value, where)
        if kind == b"IEND":
            break
    yield "what lies behind the picture", data[at:], True


def _hexadecimal(text: bytes, where: str) -> Iterator[tuple[str, bytes, bool]]:
    for digits in DIGITS.finditer(text):
        plain = b"".join(digits[0].split())
        yield f"{where}, in hexadecimal", bytes.fromhex(plain[: len(plain) // 2 * 2].decode()), True


def _riff(data: bytes) -> Iterator[tuple[str, bytes, bool]]:
    at = 12
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at + 4 : at + 8], "little"), data[at : at + 4]
        if kind not in (b"VP8 ", b"VP8L", b"ALPH", b"ANMF"):
            value = data[at + 8 : at + 8 + length]
            yield f"chunk {kind.decode('latin-1')} at byte {at}", _long(value) if kind == b"ICCP" else value, True
        at += 8 + length + length % 2
    yield "what lies behind the picture", data[at:], True
