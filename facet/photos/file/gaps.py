"""Bytes of a file that nothing refers to, where old or foreign data may lie."""

from collections.abc import Iterable, Iterator

from facet.photos.file.traces import trace_of_text

Range = tuple[int, int]  # from one offset to the one behind


def gaps(used: Iterable[Range], start: int, end: int) -> Iterator[Range]:
    """The ranges between two offsets that are not used."""
    at = start
    for first, last in sorted(used):
        if first >= end:
            break
        if first > at:
            yield at, first
        at = max(at, last)
    if at < end:
        yield at, end


def clear_places(data: bytearray, used: Iterable[Range]) -> None:
    """Overwrite with zeros what is not used and may hold a place."""
    for first, last in gaps(used, 0, len(data)):
        if trace_of_text(bytes(data[first:last])):
            data[first:last] = bytes(last - first)
