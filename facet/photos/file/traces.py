"""Traces of a place in bytes of any kind: GPS directories of EXIF, and names and forms of coordinates in texts."""

import base64
import re

GPS, LATITUDE, LONGITUDE = 0x8825, 2, 4  # EXIF tags


def _entry(tag: int, kinds: tuple[int, ...], count: int) -> bytes:
    """A pattern of directory entries in both byte orders and both widths of counts."""
    forms = []
    for order in ("little", "big"):
        number, counted, wide = (n.to_bytes(w, order) for n, w in ((tag, 2), (count, 4), (count, 8)))  # type: ignore[arg-type]
        for kind in kinds:
            forms += [number + kind.to_bytes(2, order) + value for value in (counted, wide)]  # type: ignore[arg-type]
    return b"|".join(map(re.escape, forms))


POINTER = re.compile(_entry(GPS, (3, 4, 13, 16, 18), 1), re.DOTALL)
LATITUDES, LONGITUDES = (re.compile(_entry(tag, (5, 10), 3), re.DOTALL) for tag in (LATITUDE, LONGITUDE))
WORDS = re.compile(
    rb"gps[ _.:-]?(?:lat|lon|pos|coord|loc|alt|track|dest|date|time|map|info|img)|latitud|long?t?itud|geo:l(?:at|on)"
    rb"|geo:-?\d{1,2}\.\d|geo[ _.:-]?(?:tag|loc|pos|coord)|iso.?6709|\xa9xyz[\0-\xff]{4}[+-]\d"
    rb"|com\.apple\.quicktime\.location",
    re.IGNORECASE,
)
ISO_6709 = re.compile(rb"(?<![\d.])[+-]\d{2}\.\d{3,}[+-]\d{3}\.\d{3,}")
DEGREES = re.compile(rb"\d{1,3} ?(?:\xc2?\xb0|deg(?:rees)?|\xc2\xba) ?\d[^A-Za-z]{0,14}[NSEW]\b")
DECIMAL = re.compile(  # in a text of people
    rb"(?<![\d.])[+-]?\d{1,2}\.\d{4,}\xc2?\xb0? ?[NS]?[,;/ ] ?[+-]?\d{1,3}\.\d{4,}"
)
TAGS = re.compile(rb"[:<\s](?:lat|lon|long|lng)\s*[=>]", re.IGNORECASE)  # of XML
BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]{80,}={0,2}")


def trace(data: bytes) -> str:
    """What in these bytes may be a place, empty if nothing is."""
    if POINTER.search(data):
        return "a GPS directory"
    if LATITUDES.search(data) and LONGITUDES.search(data):
        return "a latitude and a longitude"
    for text in (data, data.replace(b"\0", b"")) if b"\0" in data else (data,):  # also UTF-16 and UTF-32
        for pattern in (WORDS, ISO_6709):
            found = pattern.search(text)
            if found:
                return repr(found[0].decode("latin-1"))
    return ""


def trace_of_text(data: bytes) -> str:
    """`trace` of what people or programs wrote as text, where two decimal fractions are a place, too; also of data in
    base64 within it."""
    found = trace(data)
    if found:
        return found
    for text in (data, data.replace(b"\0", b"")) if b"\0" in data else (data,):
        written = DECIMAL.search(text) or DEGREES.search(text) or TAGS.search(text)
        if written:
            return repr(written[0].decode("latin-1"))
        for block in BASE64.finditer(text):
            digits = block[0].replace(b"\r", b"").replace(b"\n", b"").rstrip(b"=")
            found = trace(base64.b64decode(digits[: len(digits) // 4 * 4]))
            if found:
                return f"{found} in base64"
    return ""
