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
GEO_TIES = (*_entries(33922, (12,), 6), *_entries(33922, (12,), 24), *_entries(34264, (12,), 16))  # of GeoTIFF
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
    rb"|(?<![\d.])(?![+-]?0\.\d+\W+0\.)[+-]?\d{1,3}\.\d{4,}\xc2?\xb0? ?[NS]?[,;/ ] ?[+-]?\d{1,3}\.\d{4,}"
)
# Coordinates as people and programs write them into texts.
_UTF8 = rb"(?:\xc2[\xb0\xba]|\xcb\x9a|deg(?:rees)?\b)"
_DEGREE = rb"(?:\xc2[\xb0\xba]|\xcb\x9a|[\xb0\xba]|\?(?= ?\d)|deg(?:rees)?\b)"  # a ? by programs that know ASCII only
_MINUTE = rb"(?:['?\xb4]|\xe2\x80[\xb2\x98\x99]|\xc2\xb4|min\b)"
_AXIS = rb"(?<![A-Za-z])(?:lat|lon|lng)"
_FINE, _LARGE = rb"[+-]?\d{1,3}(?:\.|,(?=\d{4}))\d{3,}", rb"[+-]?\d{2,3}\.\d{3,}"  # degrees, to some 100 m
_FINER = rb"[+-]?\d{1,3}[.,]\d{4,}"
_BETWEEN = rb" ?[NSEWO]?[^\w.\x80-\xff]{1,6}(?:[NSEWO] ?)?"
_CODE = rb"[2-9CFGHJMPQRVWX]"
_SHARES = rb"(?![+-]?0[.,]\d+\W+0[.,])"  # shares of a picture; that place is in the sea
_GROUPS = (  # what has to be there, which is looked for first because it is fast, and the forms
    (rb"(?i)lat|lon|lng", (
        rb"(?i)" + _AXIS + rb"\s*>|[:<\s](?:lat|lon|long|lng)\s*[=>]",  # XML
        rb"(?i)" + _AXIS + rb"[\"'\\]*\s*[=:>]\s*[\"'\\]*[+-]?\d",  # JSON, addresses
        rb"(?i)(?<![A-Za-z])lat\.?\s+[+-]?\d{1,3}[.,]\d",
    )),
    (rb"(?i)\d ?" + _DEGREE, (
        rb"(?i)(?<![\d.,])\d{1,3} ?" + _UTF8 + rb" ?\d{1,2}(?:[.,]\d+)? ?" + _MINUTE,
        rb"(?i)(?<![\d.,])\d{1,3} ?" + _DEGREE + rb" ?\d{1,2}(?:[.,]\d+)? ?" + _MINUTE + rb" ?[NSEWO\d]",
        rb"(?<![A-Za-z])[NSEWO] ?\d{1,3} ?" + _DEGREE + rb" ?\d{1,2}[.,]\d{2,}",
        rb"\d{1,3} ?" + _UTF8 + rb" ?\d[^A-Za-z]{0,14}[NSEWO](?![a-z])",
        rb"(?<![\d.,])\d{1,3}[.,]\d{3,} ?" + _UTF8,
    )),
    (rb"\d[.,]\d{3}", (
        rb"(?<![\d.,])" + _SHARES + _FINER + rb"(?:" + _BETWEEN + rb"|(?=[+-]))" + _FINER,
        rb"(?<![\d.,])" + _LARGE + _BETWEEN + _FINE,
        rb"(?<![\d.,])" + _FINE + _BETWEEN + _LARGE,
    )),
    (rb"\d ?[NS]|[NS] ?\d", (
        rb"(?<![A-Za-z])[NS] ?\d{1,2}(?:[ :.,]\d+){1,3}[^\w.]{1,4}[EWO] ?\d{1,3}[ :.,]\d",
        rb"(?<![\d.,])\d{1,2}(?:[ :.]\d+){1,3} ?[NS][^\w.]{1,4}\d{1,3}(?:[ :.]\d+){1,3} ?[EWO]\b",
    )),
    (rb"\d[d,] ?[\dNS]|\$G", (
        rb"\$G[A-Z](?:GGA|RMC|GLL|GNS),",
        rb"(?<![\w.])\d{1,3}d ?\d{1,2}m ?\d{1,2}(?:\.\d+)?s",
        rb"\d{4}\.\d+,[NS],\d{5}\.\d+,[EW]\b",  # NMEA 0183
    )),
    (rb"[2-9A-Z]\+[2-9A-Z]", (  # plus code
        rb"(?<![\w+/])(?=[2-9]*[A-Z])(?:" + _CODE + rb"{4}){1,2}\+" + _CODE + rb"{2,3}(?![\w+/])",
    )),
    (rb"\d{6}", (rb"(?<![\w.])\d{1,2} ?[C-HJ-NP-X],? \d{6}(?:\.\d+)?(?: ?m)?(?: ?E)?[ ,]{1,2}\d{7}(?!\d)",)),  # UTM
)  # fmt: skip
WRITTEN = tuple((re.compile(sign), tuple(re.compile(form) for form in forms)) for sign, forms in _GROUPS)
RUN = re.compile(
    rb"(?:[\t\r\n -~\xb0\xb4\xba]|\xc2[\xb0\xb4\xba]|\xcb\x9a|\xe2\x80[\x98\x99\xb2\xb3])+"
)  # of what coordinates are written in
SHORTEST = 6  # bytes of such a run
ESCAPES = (  # of XML and JSON
    (b"&quot;", b'"'), (b"&#34;", b'"'), (b"&apos;", b"'"), (b"&#39;", b"'"),
    (b"&deg;", b"\xc2\xb0"), (b"&#176;", b"\xc2\xb0"), (b"\\u00b0", b"\xc2\xb0"), (b"\\u00B0", b"\xc2\xb0"),
)  # fmt: skip
BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]{80,}={0,2}")


def trace(data: bytes) -> str:
    """What in these bytes may be a place, empty if nothing is."""
    if any(entry in data for entry in POINTERS):
        return "a GPS directory"
    if any(entry in data for entry in GEO_TIES):
        return "the place of a map"
    if any(entry in data for entry in LATITUDES) and any(entry in data for entry in LONGITUDES):
        return "a latitude and a longitude"
    return next(filter(None, map(_written, _texts(data))), "")


def trace_of_text(data: bytes) -> str:
    """`trace` of what people or programs wrote as text, where degrees and short names of tags are a place, too; also of
    data in base64 within it."""
    found = trace(data)
    if found:
        return found
    for text in (*_texts(data), *_wide(data)):
        plain = b"\0".join(run for run in RUN.findall(text) if len(run) >= SHORTEST)
        plain = _unescaped(BASE64.sub(b"\0", plain))
        forms = (form for sign, some in WRITTEN if sign.search(plain) for form in some)
        written = next(filter(None, (form.search(plain) for form in forms)), None)
        if written:
            return repr(written[0].decode("utf-8", "replace"))
        for block in BASE64.finditer(text):
            digits = block[0].replace(b"\r", b"").replace(b"\n", b"").rstrip(b"=")
            inside = base64.b64decode(digits[: len(digits) // 4 * 4])
            found = trace_of_text(inside) if RUN.fullmatch(inside[:32]) else trace(inside)
            if found:
                return f"{found} in base64"
    return ""


def _texts(data: bytes) -> Iterator[bytes]:
    """The bytes, and what they are as a text of 16 or 32 bits."""
    yield data
    if b"\0" in data:
        yield data.replace(b"\0", b"")


def _wide(data: bytes) -> Iterator[bytes]:
    """The bytes as a text of 16 bits, in UTF-8, if they may be one: signs beyond Latin-1 are lost without zeros."""
    if b"\0" in data:
        for encoding in ("utf-16-le", "utf-16-be"):
            yield data.decode(encoding, "ignore").encode("utf-8", "ignore")


def _unescaped(text: bytes) -> bytes:
    for escape, sign in ESCAPES:
        if escape in text:
            text = text.replace(escape, sign)
    return text


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
        numbers = NUMBERS.search(text[max(fraction.start() - 5, 0) : fraction.end() + 60])
        if numbers:
            return repr(numbers[0].decode("latin-1"))
    return ""
