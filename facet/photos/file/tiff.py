"""The directories of a TIFF structure (TIFF 6.0, BigTIFF), which holds a TIFF file or a block of EXIF.

Everything is changed in place: maker notes and pixels hold offsets that must stay valid."""

import functools
import struct
from collections.abc import Iterator
from typing import NamedTuple

from facet.photos.file.gaps import Range, gaps

HEADERS = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
SUBS, EXIF, GPS, INTEROPERABILITY = 330, 0x8769, 0x8825, 0xA005  # tags whose values point to directories
STRIPS = ((273, 279), (324, 325))  # tags of the offsets and sizes of strips and tiles
OTHERS = ((513, 514), (288, 289))  # of a thumbnail, and of room that is free
MOST = 1000  # directories that are followed


class Entry(NamedTuple):
    """One entry of a directory, by offsets."""

    at: int  # of the entry
    tag: int
    kind: int  # type of the values
    value: int  # offset of the values
    size: int  # bytes of the values, cut at the end of the data


class Directory(NamedTuple):
    """One directory, by offsets."""

    at: int
    entries: tuple[Entry, ...]
    following: int  # of the field that holds the next directory's offset


class Tiff:
    """The bytes of a TIFF structure; ValueError if they hold none."""

    def __init__(self, data: bytes):
        if bytes(data[:4]) not in HEADERS:
            raise ValueError("no TIFF header")
        self.data = bytearray(data)
        self._end, self.big = HEADERS[bytes(data[:4])]
        self.offset_size = 8 if self.big else 4
        self._count = ("Q", 8) if self.big else ("H", 2)
        self.entry_size = 20 if self.big else 12

    @property
    def start(self) -> int:
        """The offset of the first directory."""
        return self.offset(8 if self.big else 4)

    def number(self, kind: str, at: int) -> int:
        """The number of a struct type at an offset."""
        try:
            return int(struct.unpack_from(self._end + kind, self.data, at)[0])
        except (struct.error, OverflowError) as error:
            raise ValueError(f"it is cut short before byte {at}") from error

    def offset(self, at: int) -> int:
        """The offset stored at an offset."""
        return self.number("Q" if self.big else "I", at)

    def put(self, kind: str, at: int, value: int) -> None:
        struct.pack_into(self._end + kind, self.data, at, value)

    def directory(self, at: int) -> Directory:
        """The directory at an offset; ValueError if it is cut short."""
        kind, width = self._count
        count = self.number(kind, at)
        following = at + width + self.entry_size * count
        if following + self.offset_size > len(self.data):
            raise ValueError(f"the directory at byte {at} is cut short")
        entries = tuple(self._entry(at + width + self.entry_size * i) for i in range(count))
        return Directory(at, entries, following)

    def _entry(self, at: int) -> Entry:
        tag, kind, count = self.number("H", at), self.number("H", at + 2), self.offset(at + 4)
        value, size = at + 4 + self.offset_size, WIDTHS.get(kind, 1) * count
        if size > self.offset_size:
            value = self.offset(value)
        return Entry(at, tag, kind, value, min(size, max(len(self.data) - value, 0)))

    def value(self, entry: Entry) -> bytes:
        """The bytes of an entry's values."""
        return bytes(self.data[entry.value : entry.value + entry.size])

    def offsets(self, entry: Entry) -> list[int]:
        """The values of an entry as offsets or counts."""
        width = WIDTHS.get(entry.kind, 0)
        if width not in (2, 4, 8) or entry.kind in (5, 10, 12):
            return []
        kind = {2: "H", 4: "I", 8: "Q"}[width]
        return [self.number(kind, entry.value + i) for i in range(0, entry.size - width + 1, width)]

    def directories(self) -> Iterator[Directory]:
        """Every directory that can be reached, those of the file first in their order; ValueError if one of the file
        is cut short. Entries that point to what is no directory, as Pillow leaves in later pages, are not followed."""
        waiting, seen = [self.start], set[int]()
        while waiting:
            at = waiting.pop(0)
            if not at or at in seen:
                continue
            if len(seen) == MOST:
                raise ValueError(f"it has more than {MOST} directories")
            seen.add(at)
            directory = self.directory(at)
            yield directory
            waiting.append(self.offset(directory.following))
            for entry in directory.entries:
                if entry.tag in (SUBS, EXIF, GPS, INTEROPERABILITY):
                    waiting += filter(self.is_directory, self.offsets(entry))

    def is_directory(self, at: int) -> bool:
        """True if there is a directory at an offset, by the types of its entries."""
        try:
            entries = self.directory(at).entries
        except ValueError:
            return False
        return bool(entries) and all(entry.kind in WIDTHS for entry in entries)

    @functools.cached_property
    def pixels(self) -> list[Range]:
        """Where the strips and tiles of all pages are."""
        return [place for directory in self.directories() for place in self._places(directory, STRIPS)]

    def used(self) -> list[Range]:
        """Where the header, directories, values, pixels and thumbnails are."""
        ranges = [*self.pixels, (0, 16 if self.big else 8)]
        for directory in self.directories():
            ranges.append((directory.at, directory.following + self.offset_size))
            ranges += [(entry.value, entry.value + entry.size) for entry in directory.entries]
            ranges += self._places(directory, OTHERS)
        return ranges

    def _places(self, directory: Directory, tags: tuple[tuple[int, int], ...]) -> Iterator[Range]:
        """What a directory refers to by these tags; to the end of the data where the sizes are missing."""
        for at, size in tags:
            starts, sizes = (self.find(directory, tag) for tag in (at, size))
            offsets = self.offsets(starts) if starts else []
            lengths = self.offsets(sizes) if sizes else []
            if len(lengths) < len(offsets):
                lengths = [len(self.data)] * len(offsets)
            yield from ((start, start + length) for start, length in zip(offsets, lengths, strict=False))

    def find(self, directory: Directory, tag: int) -> Entry | None:
        """The first entry of a tag."""
        return next((entry for entry in directory.entries if entry.tag == tag), None)

    def remove(self, directory: Directory, tags: set[int]) -> Directory:
        """Remove entries of these tags with their values; returns the directory as it is now."""
        kept = [bytes(self.data[e.at : e.at + self.entry_size]) for e in directory.entries if e.tag not in tags]
        for entry in directory.entries:
            if entry.tag in tags:
                self.clear(entry.value, entry.size)
        kind, width = self._count
        following = self.offset(directory.following)
        entries = b"".join(kept)
        first = directory.at + width
        self.clear(first, directory.following + self.offset_size - first)
        self.data[first : first + len(entries)] = entries
        self.put("Q" if self.big else "I", first + len(entries), following)
        self.put(kind, directory.at, len(kept))
        return self.directory(directory.at)

    def clear(self, at: int, size: int) -> None:
        """Overwrite bytes with zeros, except pixels, to which a wrong offset may point."""
        for first, last in gaps(self.pixels, at, min(at + size, len(self.data))):
            self.data[first:last] = bytes(last - first)

    def to_bytes(self) -> bytes:
        return bytes(self.data)
