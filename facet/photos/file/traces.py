"""Traces of a place in bytes of any kind: GPS directories of EXIF, and names and forms of coordinates in texts."""

import base64
import re
from collections.abc import Iterator

GPS, LATITUDE, LONGITUDE = 0x8825, 2, 4  # EXIF tags


def _entries(tag: int, kinds: tuple[int, ...], count: int) -> tuple[bytes, ...]:
    """How directory entries begin, in both byte orders and both widths of counts."""
    return tuple(
        _packed(order, (tag, 2), (kind, 2), (count, width))
        for order in ("little", "big")
        for kind in kinds
        for width in (4, 8)
    )


def _packed(order: str, *numbers: tuple[int, int]) -> bytes:
    return b"".join(value.to_bytes(width, order) for value, width in numbers)  # type: ignore[arg-type]


POINTERS = _entries(GPS, (3, 4, 13, 16, 18), 1)
LATITUDES, LONGITUDES = (_entries(tag, (5, 10), 3) for tag in (LATITUDE, LONGITUDE))
ANCHORS = (b"gps", b"geo", b"latitud", b"longitud", b"longtitud", b"iso6709", b"iso 6709", b"\xa9xyz",
           b"com.apple.quicktime.location")  # fmt: skip  # how WORDS begin
WORDS = re.compile(
    rb"gps[ _.:-]?(?:lat|lon|pos|coord|loc|alt|track|dest|date|time|map|info|img)|latitud|longt?itud|geo:l(?:at|on)"
    rb"|geo:-?\d{1,2}\.\d|geo[ _.:-]?(?:tag|loc|pos|coord)|iso ?6709|\xa9xyz[\0-\xff]{4}[+-]\d"
    rb"|com\.apple\.quicktime\.location",
    re.IGNORECASE,
)
FRACTION = re.compile(rb"\d\.\d{3}")
NUMBERS = re.compile(
    rb"(?<![\d.])[+-]\d{2}\.\d{3,}[+-]\d{3}\.\d{3,}"  # ISO 6709
    rb"|(?<![\d.])[+-]?\d{1,2}\.\d{4,}\xc2?\xb0? ?[NS]?[,;/ ] ?[+-]?\d{1,3}\.\d{4,}"
)
DEGREES = re.compile(rb"\d{1,3} ?(?:\xc2[\xb0\xba]|deg(?:rees)?|\xb0(?= ?\d{1,2}[\d.]* ?')) ?\d[^A-Za-z]{0,14}[NSEW]\b")
TAGS = re.compile(rb"[:<\s](?:lat|lon|long|lng)\s*[=>]", re.IGNORECASE)  # of XML
BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]{80,}={0,2}")


def trace(data: bytes) -> str:
    """What in these bytes may be a place, empty if nothing is."""
    if any(entry in data for entry in POINTERS):
        return "a GPS directory"
    if any(entry in data for entry in LATITUDES) and any(entry in data for entry in LONGITUDES):
        return "a latitude and a longitude"
    return next(filter(None, map(_written, _texts(data))), "")


def trace_of_text(data: bytes) -> str:
    """`trace` of what people or programs wrote as text, where degrees and short names of tags are a place, too; also of
    data in base64 within it."""
    found = trace(data)
    if found:
        return found
    for text in _texts(data):
        written = DEGREES.search(text) or TAGS.search(text)
        if written:
            return repr(written[0].decode("latin-1"))
        for block in BASE64.finditer(text):
            digits = block[0].replace(b"\r", b"").replace(b"\n", b"").rstrip(b"=")
            found = trace(base64.b64decode(digits[: len(digits) // 4 * 4]))
            if found:
                return f"{found} in base64"
    return ""


def _texts(data: bytes) -> Iterator[bytes]:
    """The bytes, and what they are as a text of 16 or 32 bits."""
    yield data
    if b"\0" in data:
        yield data.replace(b"\0", b"")


def _written(text: bytes) -> str:
    """A name or a form of coordinates; only places are looked at closely where one may begin, which is fast."""
    lower = text.lower()
    for anchor in ANCHORS:
        at = lower.find(anchor)
        while at >= 0:
            word = WORDS.match(text, at)
            if word:
                return repr(word[0].decode("latin-1"))
            at = lower.find(anchor, at + 1)
    for fraction in FRACTION.finditer(text):
        numbers = NUMBERS.search(text[max(fraction.start() - 4, 0) : fraction.end() + 60])
        if numbers:
            return repr(numbers[0].decode("latin-1"))
    return ""
