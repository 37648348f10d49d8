"""The texts of a colour profile (ICC.1:2022, clauses 7 and 10), which may hold a place. Its colours stay."""

import struct

from facet.photos.file.gaps import clear_places
from facet.photos.file.traces import trace_of_text

HEADER, NUMBERED = 128, 132  # bytes of the header, and with the number of tags
IDENTITY = slice(84, 100)  # the header's digest of the profile; zeros say that there is none
NUMBERS = {b"XYZ ", b"curv", b"para", b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet", b"sf32", b"uf32", b"ui08", b"ui16",
           b"ui32", b"ui64", b"sig ", b"dtim", b"view", b"meas", b"chrm", b"clro", b"cicp", b"vcgt"}  # fmt: skip


def cleaned_profile(profile: bytes) -> bytes | None:
    """A profile of the same length whose texts are blank where they may hold a place; None if it is damaged and may
    hold one."""
    try:
        tags = _tags(profile)
    except ValueError:
        return None if trace_of_text(profile) else profile
    result = bytearray(profile)
    for start, end in tags:
        value = profile[start:end]
        if value[:4] not in NUMBERS and trace_of_text(value):
            result[start:end] = _blank(value)
    clear_places(result, [(0, NUMBERED + 12 * len(tags)), *tags])
    if result == profile:
        return profile
    result[IDENTITY] = bytes(16)
    return bytes(result)


def _tags(profile: bytes) -> list[tuple[int, int]]:
    """Where the values of the tags begin and end; ValueError if the table of them is damaged."""
    if profile[36:40] != b"acsp" or len(profile) < NUMBERED:
        raise ValueError("no colour profile")
    count = int.from_bytes(profile[HEADER:NUMBERED], "big")
    if NUMBERED + 12 * count > len(profile):
        raise ValueError("the table of its tags is cut short")
    places = [struct.unpack_from(">II", profile, NUMBERED + 12 * number + 4) for number in range(count)]
    if any(start < NUMBERED + 12 * count or start + size > len(profile) for start, size in places):
        raise ValueError("a tag is outside the profile")
    return [(start, start + size) for start, size in places]


def _blank(value: bytes) -> bytes:
    """The value of a tag, of the same type and length, with spaces or zeros instead of its text."""
    kind, size = value[:4], len(value)
    if kind == b"text":
        return value[:8] + b" " * (size - 9) + b"\0"
    if kind == b"desc":  # the text in ASCII, and others that may be missing
        length = min(int.from_bytes(value[8:12], "big"), size - 12)
        return (value[:12] + b" " * (length - 1)).ljust(size, b"\0")
    if kind == b"mluc":
        return _blank_languages(value)
    return value[:8].ljust(size, b"\0")


def _blank_languages(value: bytes) -> bytes:
    """A text in several languages, UTF-16, whose records stay."""
    result = bytearray(value)
    count, width = struct.unpack_from(">II", value, 8)
    records = range(16, min(16 + count * width, len(value) - 11), max(width, 12))
    for at in records:
        length, start = struct.unpack_from(">II", value, at + 4)
        end = min(start + length, len(value))
        result[start:end] = (b"\0 " * (length // 2 + 1))[: max(end - start, 0)]
    clear_places(result, [(0, 16 + len(records) * 12)])
    return bytes(result)
