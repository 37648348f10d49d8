"""The boxes of AVIF, HEIC and JPEG 2000 files (ISO 14496-12; ISO 23008-12 for items), which hold EXIF and XMP."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

EXIF_UUIDS = (b"JpgTiffExif->JP2", bytes.fromhex("05370cdab88d3a0cb92bdcbfb07a7f9b"))
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


class Box(NamedTuple):
    """One box, by offsets."""

    kind: bytes
    start: int  # of its content
    end: int


class Item(NamedTuple):
    """One item of a file's meta box."""

    kind: bytes
    content: bytes  # type of its content, for kind mime
    parts: tuple[tuple[int, int], ...]  # offset and length of each part in the file


def is_boxes(data: bytes) -> bool:
    """True for AVIF, HEIC and JPEG 2000."""
    return data[4:8] in (b"ftyp", b"jP  ")


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes between two offsets; ValueError if one is longer than its place."""
    end, at = len(data) if end is None else end, start
    while at + 8 <= end:
        length, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif length == 0:
            length = end - at
        if length < head or at + length > end:
            raise ValueError(f"the box at byte {at} is cut short")
        yield Box(kind, at + head, at + length)
        at += length


def split(data: bytes) -> tuple[list[Box], int]:
    """The boxes of a file, and the offset of what lies behind them, which is no box."""
    found, end = list[Box](), 0
    try:
        for box in boxes(data):
            if not box.kind.isascii() or not box.kind.decode().isprintable():
                break
            found.append(box)
            end = box.end
    except ValueError:
        pass
    return found, end


def inside(data: bytes, parents: list[Box], kind: bytes) -> list[Box]:
    """The boxes of a kind that are in others."""
    found = (boxes(data, parent.start + _version(parent), parent.end) for parent in parents)
    return [box for inner in found for box in inner if box.kind == kind]


def _version(box: Box) -> int:
    """The bytes of version and flags before what a box holds."""
    return 4 if box.kind == b"meta" else 0


def child(data: bytes, box: Box, kind: bytes) -> Box | None:
    """The first box of a kind in a box."""
    return next(iter(inside(data, [box], kind)), None)


def items(data: bytes) -> list[Item]:
    """The items of a file; ValueError if their tables are damaged."""
    meta = next((box for box in split(data)[0] if box.kind == b"meta"), None)
    if meta is None:
        return []
    infos, places = child(data, meta, b"iinf"), child(data, meta, b"iloc")
    inside = child(data, meta, b"idat")
    try:
        kinds = _kinds(data, infos) if infos else {}
        where = _places(data, places, inside.start if inside else 0) if places else {}
    except (struct.error, IndexError) as error:
        raise ValueError("the tables of its items are damaged") from error
    return [Item(*kinds[number], where.get(number, ())) for number in kinds]


def _kinds(data: bytes, infos: Box) -> dict[int, tuple[bytes, bytes]]:
    """The kind of each item, and its type of content."""
    kinds = {}
    start = infos.start + (8 if data[infos.start] else 6)
    for box in boxes(data, start, infos.end):
        version = data[box.start]
        if version < 2:
            continue
        width = 2 if version == 2 else 4
        number = int.from_bytes(data[box.start + 4 : box.start + 4 + width], "big")
        at = box.start + 4 + width + 2
        _, content, *_ = [*data[at + 4 : box.end].split(b"\0"), b"", b""]  # after its name
        kinds[number] = data[at : at + 4], content
    return kinds


def _places(data: bytes, box: Box, inside: int) -> dict[int, tuple[tuple[int, int], ...]]:
    """Offset and length of the parts of each item; `inside` is where the content of idat begins."""
    version, at = data[box.start], box.start + 4
    offset_size, length_size = data[at] >> 4, data[at] & 15
    base_size, index_size = data[at + 1] >> 4, data[at + 1] & 15 if version else 0
    at += 2

    def number(width: int) -> int:
        nonlocal at
        if at + width > box.end:
            raise IndexError
        at += width
        return int.from_bytes(data[at - width : at], "big")

    places = {}
    for _ in range(number(2 if version < 2 else 4)):
        item = number(2 if version < 2 else 4)
        method = number(2) & 15 if version else 0
        number(2)  # the file that holds the data: this one
        base = number(base_size) + (inside if method == 1 else 0)
        parts = []
        for _ in range(number(2)):
            number(index_size)
            offset, length = number(offset_size), number(length_size)
            parts.append((base + offset, length))
        if method in (0, 1):
            places[item] = tuple(parts)
    return places
