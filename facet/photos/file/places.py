"""Remove where a photo was taken: coordinates in EXIF, XMP and texts of JPEG, PNG, WebP, TIFF, AVIF, HEIC, JPEG 2000.

Pixels stay as they are. What may hold a place and cannot be rewritten is removed as a whole. Names of places (cities,
countries) stay. `facet.photos.file.place_walk` checks the result."""

import zlib
from collections.abc import Callable

from facet.photos.file import behind, boxes, jpeg, png, riff
from facet.photos.file.exif import HEAD, THUMBNAIL_AT, THUMBNAIL_LENGTH, Exif, minimal
from facet.photos.file.tiff import GPS, HEADERS, Entry, Tiff
from facet.photos.file.traces import trace, trace_of_text
from facet.photos.file.xmp import Packet
from facet.pictures.decode import exif_orientation

XMP_TAG, IRB_TAG, PHOTOSHOP_TAG = 700, 34377, 37724
POINTERS = {254, 256, 257, 258, 259, 262, 273, 277, 278, 279, 322, 323, 324, 325, 330, 34665, 40965,
            THUMBNAIL_AT, THUMBNAIL_LENGTH}  # fmt: skip  # numbers about pixels and directories, never a place
GEO = {33550, 33920, 33922, 34264, 34735, 34736, 34737, 42112, 42113, 50844}  # GeoTIFF, GDAL, RPC: where pixels lie
ADOBE = 12  # bytes of Adobe's segment of a JPEG
EXIF_RESOURCES, XMP_RESOURCE = (1058, 1059), 1060  # of Photoshop


def without_places(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A photo's file without coordinates, and keys of NOTES; ValueError if it is damaged where they are. Files of other
    formats come back as they are."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(png.SIGNATURE):
        return _png(data), ()
    if riff.is_webp(data):
        return _webp(data), ()
    if data[:4] in HEADERS:
        return _tiff(data), ()
    if boxes.is_boxes(data):
        return _boxes(data), ()
    return data, ()


def _jpeg(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    segments, rest = jpeg.segments(data)
    extended = jpeg.extended_xmp(segments)
    gone = {guid for guid, packet in extended.items() if _cleaned_xmp(packet) != packet}
    credentials = b"".join(payload for marker, payload in segments if marker == jpeg.APP11)
    if trace(credentials):  # of several segments, none of which can be read without the others
        segments = [segment for segment in segments if segment[0] != jpeg.APP11]
    kept: list[jpeg.Segment] = []
    for number, (marker, payload) in enumerate(segments):
        if marker == jpeg.APP1 and payload.startswith(HEAD):
            block = jpeg.exif_block(segments, number)
            if block is None:  # part of the one before
                continue
            cleaned = _cleaned_exif(block[len(HEAD) :])
            kept += [] if cleaned is None else jpeg.exif_segments(cleaned)
        elif marker == jpeg.APP1 and payload.startswith(jpeg.XMP):
            new = _cleaned_xmp(payload[len(jpeg.XMP) :], without_extension=bool(gone))
            kept += [] if new is None else [(marker, jpeg.XMP + new)]
        elif marker == jpeg.APP1 and payload.startswith(jpeg.EXTENDED):
            kept += [] if payload[len(jpeg.EXTENDED) :][:32] in gone else [(marker, payload)]
        elif marker == jpeg.APP13 and payload.startswith(jpeg.IRB):
            kept.append((marker, jpeg.IRB + _cleaned_resources(payload[len(jpeg.IRB) :])))
        elif marker == jpeg.APP14 and payload.startswith(b"Adobe"):  # says how colours are coded
            kept.append((marker, payload[:ADOBE] if trace_of_text(payload) else payload))
        elif not _may_hold_a_place(marker, payload):
            kept.append((marker, payload))
    scans, beyond = behind.split(jpeg.join([], rest))
    picture = jpeg.join(kept, scans[2:])
    if not beyond:
        return picture, ()
    if behind.kind(beyond) in ("", "gain_maps", "pictures") and not trace(beyond):
        return behind.joined(picture, data, beyond), ()
    return behind.without_claims(picture), ("behind_dropped",)


def _may_hold_a_place(marker: int, payload: bytes) -> bool:
    """True for a segment of a JPEG that has to go: with traces of a place, or of a kind that nobody here can read."""
    if marker == jpeg.COMMENT:
        return bool(trace_of_text(payload))
    known = {jpeg.APP0: (b"JF",), jpeg.APP2: (jpeg.ICC, jpeg.INDEX, behind.HDR), jpeg.APP11: (b"JP",),
             jpeg.APP12: (b"Ducky",)}  # fmt: skip
    if jpeg.APP0 <= marker <= jpeg.APP15 and not payload.startswith(known.get(marker, ())):
        return True
    looked_at = trace if payload.startswith(jpeg.ICC) else trace_of_text
    return jpeg.APP0 <= marker <= jpeg.APP15 and bool(looked_at(payload))


def _png(data: bytes) -> bytes:
    kept: list[png.Chunk] = []
    parts = png.chunks(data)
    if not parts or parts[-1][0] != b"IEND":
        raise ValueError("it is damaged")
    for kind, value in parts:
        if kind == b"eXIf":
            cleaned = _cleaned_exif(value)
            kept += [] if cleaned is None else [(kind, cleaned)]
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            kept += _png_text(kind, value)
        elif kind in png.CODING or kind == b"iCCP" or not trace_of_text(value):
            kept.append((kind, value))
    beyond = png.behind(data)
    return png.join(kept) + (b"" if trace_of_text(beyond) else beyond)


def _png_text(kind: bytes, value: bytes) -> list[png.Chunk]:
    """The chunks that take the place of a text chunk."""
    keyword, text = png.text(kind, value)
    if text is None:  # it cannot be decompressed
        return []
    raw = png.raw_profile(text) if keyword.startswith(b"Raw profile type ") else None
    if raw is not None:
        cleaned = _cleaned_raw(raw)
        if cleaned == raw:
            return [(kind, value)]
        name = keyword.removeprefix(b"Raw profile type ")
        return [] if cleaned is None else [(b"zTXt", keyword + b"\0\0" + zlib.compress(png.raw_text(name, cleaned)))]
    if keyword == b"XML:com.adobe.xmp":
        cleaned = _cleaned_xmp(text)
        if cleaned == text:
            return [(kind, value)]
        return [] if cleaned is None else [(b"iTXt", png.XMP + b"\0\0\0\0" + cleaned)]
    return [] if trace_of_text(keyword + b" " + text) else [(kind, value)]


def _cleaned_raw(data: bytes) -> bytes | None:
    """The data of a raw profile: EXIF, XMP as in a JPEG's segment, or Photoshop's resources; None if it has to go."""
    if data.startswith(HEAD) or data[:4] in HEADERS:
        head = HEAD if data.startswith(HEAD) else b""
        cleaned = _cleaned_exif(data[len(head) :])
        return None if cleaned is None else head + cleaned
    if data.startswith(jpeg.XMP):
        new = _cleaned_xmp(data[len(jpeg.XMP) :])
        return None if new is None else jpeg.XMP + new
    if data.lstrip()[:1] == b"<":
        return _cleaned_xmp(data)
    if data.startswith(b"8BIM"):
        return _cleaned_resources(data)
    return None if trace_of_text(data) else data


def _webp(data: bytes) -> bytes:
    parts, beyond = riff.chunks(data)
    kept: list[riff.Chunk] = []
    for kind, value in parts:
        if kind == riff.EXIF:
            head = HEAD if value.startswith(HEAD) else b""
            cleaned = _cleaned_exif(value[len(head) :])
            kept += [] if cleaned is None else [(kind, head + cleaned)]
        elif kind == riff.XMP:
            new = _cleaned_xmp(value)
            kept += [] if new is None else [(kind, new)]
        elif kind in riff.CODING or not trace_of_text(value):
            kept.append((kind, value))
    there = {kind for kind, _ in kept}
    for number, (kind, value) in enumerate(kept):
        if kind == b"VP8X" and value:  # its flags say what there is
            flags = value[0] & ~0x0C | 0x08 * (riff.EXIF in there) | 0x04 * (riff.XMP in there)
            kept[number] = (kind, bytes([flags]) + value[1:])
    return riff.join(kept, b"" if trace_of_text(beyond) else beyond)


def _tiff(data: bytes) -> bytes:
    block = Tiff(data)
    _clean_directories(block)
    return block.to_bytes()


def _boxes(data: bytes) -> bytes:
    """AVIF, HEIC and JPEG 2000, changed in place: every offset stays valid."""
    result = bytearray(data)

    def replace(parts: tuple[tuple[int, int], ...], clean: Callable[[bytes], bytes | None], blank: bytes) -> None:
        whole = b"".join(data[at : at + length] for at, length in parts)
        new = clean(whole)
        if new is not None and len(new) > len(whole):
            new = None
        new = (b"" if new is None else new).ljust(len(whole), blank)
        for at, length in parts:
            result[at : at + length] = new[:length]
            new = new[length:]

    for item in boxes.items(data):
        if item.kind == b"Exif":
            replace(item.parts, _cleaned_exif_item, b"\0")
        elif item.kind == b"mime" and b"xml" in item.content:
            replace(item.parts, _cleaned_xmp, b" ")
        elif item.kind in (b"mime", b"uri "):
            replace(item.parts, lambda value: None if trace_of_text(value) else value, b"\0")
    for box in boxes.boxes(data):
        whole = ((box.start, box.end - box.start),)
        if box.kind == b"uuid":
            uuid = data[box.start : box.start + 16]
            inside = ((box.start + 16, box.end - box.start - 16),)
            if uuid == boxes.XMP_UUID:
                replace(inside, _cleaned_xmp, b" ")
            elif uuid in boxes.EXIF_UUIDS:
                replace(inside, _cleaned_exif, b"\0")
            else:
                replace(inside, lambda value: None if trace(value) else value, b"\0")
        elif box.kind in (b"xml ", b"udta", b"free", b"skip", b"mpvd"):
            replace(
                whole, lambda value: None if trace_of_text(value) else value, b" " if box.kind == b"xml " else b"\0"
            )
    return bytes(result)


def _cleaned_exif_item(data: bytes) -> bytes | None:
    """An item of EXIF in AVIF and HEIC, which begins with the offset of its TIFF header."""
    at = 4 + int.from_bytes(data[:4], "big")
    cleaned = _cleaned_exif(data[at:])
    return None if cleaned is None else data[:at] + cleaned


def _cleaned_exif(data: bytes) -> bytes | None:
    """A block of EXIF without places, of the same length. Of one that cannot be rewritten only the orientation stays;
    None if it has none."""
    orientation = exif_orientation(data)
    bare = minimal(orientation) if orientation != 1 else None
    try:
        block = Exif(data)
        _clean_directories(block)
        small = Exif(block.to_bytes()).thumbnail()
        if small:
            block = Exif(block.to_bytes())
            cleaned = without_places(small)[0] if small.startswith(b"\xff\xd8") else small
            block.put_thumbnail(cleaned if len(cleaned) <= len(small) and not trace(cleaned) else b"")
        result = block.to_bytes()
    except ValueError:
        return bare
    return bare if trace(result) or exif_orientation(result) != orientation else result


def _clean_directories(block: Tiff) -> None:
    """Remove GPS directories and every value that may be a place from the directories of a TIFF structure."""
    for directory in list(block.directories()):
        directory = block.directory(directory.at)  # as an earlier removal has left it
        gone = set()
        for entry in directory.entries:
            if entry.tag == GPS:
                for at in block.offsets(entry):
                    _clear_directory(block, at)
                gone.add(GPS)
            elif entry.tag in GEO or (entry.tag not in POINTERS and not _clean_value(block, entry)):
                gone.add(entry.tag)
        if gone:
            block.remove(directory, gone)


def _clear_directory(block: Tiff, at: int) -> None:
    """Overwrite a directory and its values with zeros."""
    directory = block.directory(at)
    for entry in directory.entries:
        block.clear(entry.value, entry.size)
    block.clear(directory.at, directory.following + block.offset_size - directory.at)


def _clean_value(block: Tiff, entry: Entry) -> bool:
    """Clean the values of an entry in place; False if it has to go."""
    if entry.size <= block.offset_size:
        return True
    value = block.value(entry)
    if entry.tag == XMP_TAG:
        new = _cleaned_xmp(value)
        if new is None or len(new) > len(value):
            return False
        block.data[entry.value : entry.value + entry.size] = new.ljust(len(value), b" ")
        return True
    if entry.tag == IRB_TAG:
        new = _cleaned_resources(value)
        block.data[entry.value : entry.value + entry.size] = new.ljust(len(value), b"\0")
        return True
    if entry.tag == PHOTOSHOP_TAG:
        return not trace(value)
    return not (trace_of_text(value) if entry.kind in (1, 2, 7) else trace(value))


def _cleaned_xmp(data: bytes, *, without_extension: bool = False) -> bytes | None:
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


def _cleaned_resources(data: bytes) -> bytes:
    """Photoshop's image resources without those that hold a place."""
    kept, at = [], 0
    while data[at : at + 4] in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR") and at + 12 <= len(data):
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        name = 1 + data[at + 6]
        head = at + 6 + name + name % 2
        start, length = head + 4, int.from_bytes(data[head : head + 4], "big")
        value, end = data[start : start + length], start + length + length % 2
        if number in EXIF_RESOURCES:
            new = _cleaned_exif(value)
        elif number == XMP_RESOURCE:
            new = _cleaned_xmp(value)
        else:
            new = None if trace_of_text(value) else value
        if new is not None:
            length_field = len(new).to_bytes(4, "big")
            kept.append(data[at:head] + length_field + new + bytes(len(new) % 2))
        at = end
    rest = data[at:]
    return b"".join(kept) + (b"" if trace_of_text(rest) else rest)
