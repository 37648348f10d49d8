"""Remove coordinates from AVIF, HEIC and JPEG 2000, in place: every offset stays valid."""

from collections.abc import Callable, Iterable

from facet.photos.file import boxes
from facet.photos.file.boxes import Box, Item
from facet.photos.file.gaps import Range, clear_places
from facet.photos.file.icc import cleaned_profile
from facet.photos.file.place_blocks import cleaned_exif, cleaned_xmp
from facet.photos.file.traces import trace_of_text

READ = (b"ftyp", b"meta", b"moov", b"mdat", b"jP  ", b"jp2h", b"jp2c")  # of a file, which are looked into or are pixels
PROFILES = {b"prof": 4, b"rICC": 4, b"\2": 3, b"\3": 3}  # how a box of colours with a profile begins, and its head
CODESTREAM, END = b"\xff\x93", b"\xff\xd9"  # of JPEG 2000: markers of the first pixels and of the end

Clean = Callable[[bytes], bytes | None]


def cleaned_boxes(data: bytes) -> bytes:
    """The file without places; ValueError if the tables of its items are damaged."""
    top, end = boxes.split(data)
    result = bytearray(data)
    items = boxes.items(data)
    for item in items:
        clean, blank = _for_item(item)
        _replace(result, item.parts, clean, blank)
    for box in top:
        if box.kind not in READ:
            _replace(result, [(box.start, box.end - box.start)], _for_box(box), b" " if box.kind == b"xml " else b"\0")
    for start, size in _profiles(data, top):
        _replace(result, [(start, size)], cleaned_profile, b"\0")
    clear_places(result, [(0, end)])
    for box in top:
        if box.kind in (b"mdat", b"jp2c"):
            _clear_behind(result, box, items, moving=any(other.kind == b"moov" for other in top))
    return bytes(result)


def _replace(result: bytearray, parts: Iterable[tuple[int, int]], clean: Clean, blank: bytes) -> None:
    """Clean what stands in several parts, offset and length each, and fill up with `blank`."""
    whole = b"".join(result[at : at + length] for at, length in parts)
    new = clean(whole)
    if new is None or len(new) > len(whole):
        new = b""
    new = new.ljust(len(whole), blank)
    for at, length in parts:
        result[at : at + length] = new[:length]
        new = new[length:]


def _for_item(item: Item) -> tuple[Clean, bytes]:
    if item.kind == b"Exif":
        return _cleaned_exif_item, b"\0"
    if item.kind == b"mime" and b"xml" in item.content:
        return cleaned_xmp, b" "
    return (_cleaned_text if item.kind in (b"mime", b"uri ") else lambda value: value), b"\0"


def _cleaned_exif_item(data: bytes) -> bytes | None:
    """An item of EXIF in AVIF and HEIC, which begins with the offset of its TIFF header."""
    at = 4 + int.from_bytes(data[:4], "big")
    cleaned = cleaned_exif(data[at:])
    return None if cleaned is None else data[:at] + cleaned


def _for_box(box: Box) -> Clean:
    """How a box of the file is cleaned."""
    return _cleaned_uuid if box.kind == b"uuid" else _cleaned_text


def _cleaned_uuid(value: bytes) -> bytes | None:
    uuid, content = value[:16], value[16:]
    known: dict[bytes, Clean] = {boxes.XMP_UUID: cleaned_xmp} | dict.fromkeys(boxes.EXIF_UUIDS, cleaned_exif)
    cleaned = known.get(uuid, _cleaned_text)(content)
    blank = b" " if uuid == boxes.XMP_UUID else b"\0"
    return uuid + (cleaned or b"").ljust(len(content), blank)


def _cleaned_text(value: bytes) -> bytes | None:
    return None if trace_of_text(value) else value


def _profiles(data: bytes, top: list[Box]) -> list[tuple[int, int]]:
    """Offset and length of the colour profiles."""
    properties = boxes.inside(data, boxes.inside(data, [box for box in top if box.kind == b"meta"], b"iprp"), b"ipco")
    headers = [box for box in top if box.kind == b"jp2h"]
    return [
        (box.start + head, box.end - box.start - head)
        for box in boxes.inside(data, properties + headers, b"colr")
        for begin, head in PROFILES.items()
        if data[box.start : box.end].startswith(begin)
    ]


def _clear_behind(result: bytearray, box: Box, items: Iterable[Item], *, moving: bool) -> None:
    """Clear what lies behind the last pixels in the file's own box of them, which may go on to the end of the file."""
    used: list[Range] = [(at, at + length) for item in items for at, length in item.parts]
    last = max((end for start, end in used if box.start <= start < box.end), default=box.end)
    if box.kind == b"jp2c":
        first = result.find(CODESTREAM, box.start, box.end)
        at = result.find(END, first, box.end) if first >= 0 else -1
        last = at + len(END) if at >= 0 else box.end
    if not moving:  # else frames are found elsewhere
        clear_places(result, [(0, last), (box.end, len(result))])
