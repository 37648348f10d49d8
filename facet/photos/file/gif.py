"""The blocks of a GIF (GIF89a, 1990): pictures, and extensions that hold comments, XMP and colour profiles."""

from typing import NamedTuple

SIGNATURES = (b"GIF87a", b"GIF89a")
PICTURE, EXTENSION, TRAILER = 0x2C, 0x21, 0x3B
CONTROL = 0xF9  # extension that says how a picture is shown


class Block(NamedTuple):
    """One block, by offsets; `label` is that of an extension, 0 for a picture."""

    label: int
    start: int
    end: int


def blocks(data: bytes) -> tuple[list[Block], int]:
    """The blocks of a GIF, and the offset behind its trailer; ValueError if it is damaged."""
    try:
        at, found = 13 + _table(data[10]), list[Block]()
        while data[at] != TRAILER:
            if data[at] == EXTENSION:
                label, inside = data[at + 1], at + 2
            elif data[at] == PICTURE:
                label, inside = 0, at + 10 + _table(data[at + 9]) + 1
            else:
                raise ValueError(f"byte {at} begins no block")
            end = _after(data, inside)
            found.append(Block(label, at, end))
            at = end
    except IndexError as error:
        raise ValueError("it is cut short") from error
    return found, at + 1


def text(data: bytes, block: Block) -> bytes:
    """What an extension holds."""
    at, parts = block.start + 2, list[bytes]()
    while data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(parts)


def _table(flags: int) -> int:
    """The bytes of a table of colours."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after(data: bytes, at: int) -> int:
    """The offset behind the parts that begin at an offset."""
    while data[at]:
        at += 1 + data[at]
    return at + 1
