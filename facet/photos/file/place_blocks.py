"""Remove coordinates from the blocks that formats share: EXIF and other TIFF structures, XMP, Photoshop's resources."""

from collections.abc import Callable

from facet.photos.file import jpeg
from facet.photos.file.exif import THUMBNAIL_AT, THUMBNAIL_LENGTH, Exif, minimal
from facet.photos.file.gaps import clear_places
from facet.photos.file.icc import cleaned_profile
from facet.photos.file.tiff import GPS, Directory, Entry, Tiff
from facet.photos.file.traces import trace, trace_of_text
from facet.photos.file.xmp import Packet
from facet.pictures.decode import exif_orientation

XMP_TAG, IRB_TAG, PHOTOSHOP_TAG, PROFILE_TAG = 700, 34377, 37724, 34675
POINTERS = {254, 256, 257, 258, 259, 262, 273, 277, 278, 279, 322, 323, 324, 325, 330, 34665, 40965,
            THUMBNAIL_AT, THUMBNAIL_LENGTH}  # fmt: skip  # numbers about pixels and directories, never a place
GEO = {33550, 33920, 33922, 34264, 34735, 34736, 34737, 42112, 42113, 50844}  # GeoTIFF, GDAL, RPC: where pixels lie
LAST_OF_GPS = 0x1F  # tag of a GPS directory
EXIF_RESOURCES, XMP_RESOURCE, PROFILE_RESOURCE = (1058, 1059), 1060, 1039  # of Photoshop


def cleaned_exif(data: bytes) -> bytes | None:
    """A block of EXIF without places, of the same length. Of one that cannot be rewritten only the orientation stays;
    None if it has none."""
    orientation = exif_orientation(data)
    bare = minimal(orientation) if orientation != 1 else None
    try:
        block = Exif(data)
        clean_directories(block)
        small = Exif(block.to_bytes()).thumbnail()
        if small:
            block = Exif(block.to_bytes())
            block.put_thumbnail(_cleaned_thumbnail(small))
        result = block.to_bytes()
    except ValueError:
        return bare
    return bare if trace(result) or exif_orientation(result) != orientation else result


def _cleaned_thumbnail(small: bytes) -> bytes:
    """A thumbnail without all that describes it if a place may be in it; empty if one is left."""
    if not small.startswith(b"\xff\xd8"):
        return b"" if trace(small) else small
    segments, rest = jpeg.segments(small)
    described = b"".join(payload for segment in segments if jpeg.is_metadata(segment) for payload in segment[1:])
    behind = jpeg.end(small)
    if not trace_of_text(described) and not trace_of_text(small[behind:]):
        return small
    kept = jpeg.join([segment for segment in segments if not jpeg.is_metadata(segment)], rest)
    kept = kept[: jpeg.end(kept)]
    return b"" if trace(kept) else kept


def clean_directories(block: Tiff) -> None:
    """Remove GPS directories and every value that may be a place from the directories of a TIFF structure, of whatever
    page, and what nothing refers to and may be one."""
    for directory in list(block.directories()):
        directory = block.directory(directory.at)  # as an earlier removal has left it
        gone = set()
        for entry in directory.entries:
            if entry.tag == GPS:
                for at in filter(block.is_directory, block.offsets(entry)):
                    _clear_gps(block, block.directory(at))
                gone.add(GPS)
            elif entry.tag in GEO or (entry.tag not in POINTERS and not _clean_value(block, entry)):
                gone.add(entry.tag)
        if gone:
            block.remove(directory, gone)
    clear_places(block.data, block.used())


def _clear_gps(block: Tiff, directory: Directory) -> None:
    """Overwrite a directory of GPS and its values with zeros; others stay, to which a wrong offset may point."""
    if any(entry.tag > LAST_OF_GPS for entry in directory.entries):
        return
    for entry in directory.entries:
        block.clear(entry.value, entry.size)
    block.clear(directory.at, directory.following + block.offset_size - directory.at)


def _clean_value(block: Tiff, entry: Entry) -> bool:
    """Clean the values of an entry in place; False if it has to go."""
    if entry.size <= block.offset_size:
        return True
    value = block.value(entry)
    clean = CLEANED.get(entry.tag)
    if clean is not None:
        new = clean(value)
        if new is None or len(new) > len(value):
            return False
        blank = b" " if entry.tag == XMP_TAG else b"\0"
        block.data[entry.value : entry.value + entry.size] = new.ljust(len(value), blank)
        return True
    if entry.tag == PHOTOSHOP_TAG:
        return not trace(value)
    return not (trace_of_text(value) if entry.kind in (1, 2, 7) else trace(value))


def cleaned_xmp(data: bytes, *, without_extension: bool = False) -> bytes | None:
    """A packet of XMP without places, no longer than it was; None if they cannot be removed."""
    try:
        packet = Packet(data)
        found = packet.strip_places()
        if without_extension:
            packet.drop_claims((), ("HasExtendedXMP",))
        elif not found and not trace_of_text(data):
            return data
        new = packet.to_bytes(padding=0)
    except ValueError:
        return None if trace_of_text(data) else data
    if len(new) > len(data):
        new = packet.to_bytes(padding=0, wrapped=False)
    return None if trace_of_text(new) or len(new) > len(data) else new


def cleaned_resources(data: bytes) -> bytes:
    """Photoshop's image resources without those that hold a place."""
    kept, at = [], 0
    while data[at : at + 4] in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR") and at + 12 <= len(data):
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        name = 1 + data[at + 6]
        head = at + 6 + name + name % 2
        start, length = head + 4, int.from_bytes(data[head : head + 4], "big")
        value, end = data[start : start + length], start + length + length % 2
        if number in EXIF_RESOURCES:
            new = cleaned_exif(value)
        elif number == XMP_RESOURCE:
            new = cleaned_xmp(value)
        elif number == PROFILE_RESOURCE:
            new = cleaned_profile(value)
        else:
            new = None if trace_of_text(value) else value
        if new is not None:
            length_field = len(new).to_bytes(4, "big")
            kept.append(data[at:head] + length_field + new + bytes(len(new) % 2))
        at = end
    rest = data[at:]
    return b"".join(kept) + (b"" if trace_of_text(rest) else rest)


CLEANED: dict[int, Callable[[bytes], bytes | None]] = {  # values of TIFF tags
    XMP_TAG: cleaned_xmp,
    IRB_TAG: cleaned_resources,
    PROFILE_TAG: cleaned_profile,
}
