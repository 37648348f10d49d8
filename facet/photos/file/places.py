"""Remove where a photo was taken: coordinates in EXIF, XMP, colour profiles and texts, and behind the end.

Of JPEG, PNG, WebP, GIF, TIFF, AVIF, HEIC, JPEG 2000, BMP and PPM. Pixels stay as they are. What may hold a place and
cannot be rewritten is removed as a whole. Names of places (cities, countries) stay. `facet.photos.file.place_walk`
checks the result."""

import zlib

from facet.photos.file import behind, boxes, gif, jpeg, png, raster, riff
from facet.photos.file.exif import HEAD
from facet.photos.file.icc import cleaned_profile
from facet.photos.file.place_blocks import clean_directories, cleaned_exif, cleaned_resources, cleaned_xmp
from facet.photos.file.place_boxes import cleaned_boxes
from facet.photos.file.tiff import HEADERS, Tiff
from facet.photos.file.traces import trace, trace_of_text

ADOBE = 12  # bytes of Adobe's segment of a JPEG
NUMBERED = 14  # bytes of a segment of a JPEG before its part of a colour profile


def without_places(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A photo's file without coordinates, and keys of NOTES; ValueError if it is damaged where they are. Files of other
    formats come back as they are."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(png.SIGNATURE):
        return _png(data), ()
    if riff.is_webp(data):
        return _webp(data), ()
    if data.startswith(gif.SIGNATURES):
        return _gif(data), ()
    if data[:4] in HEADERS:
        return _tiff(data), ()
    if boxes.is_boxes(data):
        return cleaned_boxes(data), ()
    if data.startswith(raster.SIGNATURES):
        return _raster(data), ()
    return data, ()


def _jpeg(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    segments, rest = jpeg.segments(data)
    extended = jpeg.extended_xmp(segments)
    gone = {guid for guid, packet in extended.items() if cleaned_xmp(packet) != packet}
    credentials = b"".join(payload for marker, payload in segments if marker == jpeg.APP11)
    if trace(credentials):  # of several segments, none of which can be read without the others
        segments = [segment for segment in segments if segment[0] != jpeg.APP11]
    segments = _with_cleaned_profile(segments)
    kept: list[jpeg.Segment] = []
    for number, (marker, payload) in enumerate(segments):
        if marker == jpeg.APP1 and payload.startswith(HEAD):
            block = jpeg.exif_block(segments, number)
            if block is None:  # part of the one before
                continue
            cleaned = cleaned_exif(block[len(HEAD) :])
            kept += [] if cleaned is None else jpeg.exif_segments(cleaned)
        elif marker == jpeg.APP1 and payload.startswith(jpeg.XMP):
            new = cleaned_xmp(payload[len(jpeg.XMP) :], without_extension=bool(gone))
            kept += [] if new is None else [(marker, jpeg.XMP + new)]
        elif marker == jpeg.APP1 and payload.startswith(jpeg.EXTENDED):
            kept += [] if payload[len(jpeg.EXTENDED) :][:32] in gone else [(marker, payload)]
        elif marker == jpeg.APP13 and payload.startswith(jpeg.IRB):
            kept.append((marker, jpeg.IRB + cleaned_resources(payload[len(jpeg.IRB) :])))
        elif marker == jpeg.APP14 and payload.startswith(b"Adobe"):  # says how colours are coded
            kept.append((marker, payload[:ADOBE] if trace_of_text(payload) else payload))
        elif not _may_hold_a_place(marker, payload):
            kept.append((marker, payload))
    scans, beyond = behind.split(jpeg.join([], rest))
    picture = jpeg.join(kept, scans[2:])
    if not beyond:
        return picture, ()
    if behind.kind(beyond) in ("", "gain_maps", "pictures") and not _hold_a_place(beyond):
        return behind.joined(picture, data, beyond), ()
    return behind.without_claims(picture), ("behind_dropped",)


def _with_cleaned_profile(segments: list[jpeg.Segment]) -> list[jpeg.Segment]:
    """The segments with the colour profile that one or several of them hold, cleaned, or without it."""
    own = [number for number, (marker, payload) in enumerate(segments) if _is_profile(marker, payload)]
    own.sort(key=lambda number: segments[number][1][NUMBERED - 2 : NUMBERED])
    profile = b"".join(segments[number][1][NUMBERED:] for number in own)
    cleaned = cleaned_profile(profile)
    if cleaned is None:
        return [segment for number, segment in enumerate(segments) if number not in own]
    result, at = list(segments), 0
    for number in own if cleaned != profile else ():
        marker, payload = segments[number]
        end = at + len(payload) - NUMBERED
        result[number] = marker, payload[:NUMBERED] + cleaned[at:end]
        at = end
    return result


def _is_profile(marker: int, payload: bytes) -> bool:
    return marker == jpeg.APP2 and payload.startswith(jpeg.ICC) and len(payload) >= NUMBERED


def _hold_a_place(pictures: bytes) -> bool:
    """True if JPEGs one behind the other may hold a place, each by itself or behind the last one."""
    while pictures.lstrip(b"\0").startswith(b"\xff\xd8"):
        first, pictures = behind.split(pictures.lstrip(b"\0"))
        if without_places(first)[0] != first or trace(first):
            return True
    return bool(trace_of_text(pictures))


def _may_hold_a_place(marker: int, payload: bytes) -> bool:
    """True for a segment of a JPEG that has to go: with traces of a place, or of a kind that nobody here can read."""
    if marker == jpeg.COMMENT:
        return bool(trace_of_text(payload))
    if _is_profile(marker, payload):  # cleaned already
        return False
    known = {jpeg.APP0: (b"JF",), jpeg.APP2: (jpeg.ICC, jpeg.INDEX, behind.HDR), jpeg.APP11: (b"JP",),
             jpeg.APP12: (b"Ducky",)}  # fmt: skip
    if jpeg.APP0 <= marker <= jpeg.APP15 and not payload.startswith(known.get(marker, ())):
        return True
    return jpeg.APP0 <= marker <= jpeg.APP15 and bool(trace_of_text(payload))


def _png(data: bytes) -> bytes:
    kept: list[png.Chunk] = []
    parts = png.chunks(data)
    if not parts or parts[-1][0] != b"IEND":
        raise ValueError("it is damaged")
    for kind, value in parts:
        if kind == b"eXIf":
            cleaned = cleaned_exif(value)
            kept += [] if cleaned is None else [(kind, cleaned)]
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            kept += _png_text(kind, value)
        elif kind == b"iCCP":
            kept += _png_profile(value)
        elif kind in png.CODING or not trace_of_text(value):
            kept.append((kind, value))
    beyond = png.behind(data)
    return png.join(kept) + (b"" if trace_of_text(beyond) else beyond)


def _png_profile(value: bytes) -> list[png.Chunk]:
    """The chunk that takes the place of a colour profile, none if it has to go."""
    name, profile = png.text(b"zTXt", value)
    cleaned = cleaned_profile(profile) if profile is not None else None
    if cleaned is None:
        return []
    if cleaned == profile and not trace_of_text(name):
        return [(b"iCCP", value)]
    return [(b"iCCP", (b"icc" if trace_of_text(name) else name) + b"\0\0" + zlib.compress(cleaned))]


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
        cleaned = cleaned_xmp(text)
        if cleaned == text:
            return [(kind, value)]
        return [] if cleaned is None else [(b"iTXt", png.XMP + b"\0\0\0\0" + cleaned)]
    return [] if trace_of_text(keyword + b" " + text) else [(kind, value)]


def _cleaned_raw(data: bytes) -> bytes | None:
    """The data of a raw profile: EXIF, XMP as in a JPEG's segment, or Photoshop's resources; None if it has to go."""
    if data.startswith(HEAD) or data[:4] in HEADERS:
        head = HEAD if data.startswith(HEAD) else b""
        cleaned = cleaned_exif(data[len(head) :])
        return None if cleaned is None else head + cleaned
    if data.startswith(jpeg.XMP):
        new = cleaned_xmp(data[len(jpeg.XMP) :])
        return None if new is None else jpeg.XMP + new
    if data.lstrip()[:1] == b"<":
        return cleaned_xmp(data)
    if data.startswith(b"8BIM"):
        return cleaned_resources(data)
    return None if trace_of_text(data) else data


def _webp(data: bytes) -> bytes:
    parts, beyond = riff.chunks(data)
    kept: list[riff.Chunk] = []
    for kind, value in parts:
        if kind == riff.EXIF:
            head = HEAD if value.startswith(HEAD) else b""
            cleaned = cleaned_exif(value[len(head) :])
            kept += [] if cleaned is None else [(kind, head + cleaned)]
        elif kind == riff.XMP:
            new = cleaned_xmp(value)
            kept += [] if new is None else [(kind, new)]
        elif kind == riff.PROFILE:
            new = cleaned_profile(value)
            kept += [] if new is None else [(kind, new)]
        elif kind in riff.CODING or not trace_of_text(value):
            kept.append((kind, value))
    there = {kind for kind, _ in kept}
    for number, (kind, value) in enumerate(kept):
        if kind == b"VP8X" and value:  # its flags say what there is
            flags = value[0] & ~0x0C | 0x08 * (riff.EXIF in there) | 0x04 * (riff.XMP in there)
            flags &= 0xFF if riff.PROFILE in there else ~0x20
            kept[number] = (kind, bytes([flags]) + value[1:])
    return riff.join(kept, b"" if trace_of_text(beyond) else beyond)


def _gif(data: bytes) -> bytes:
    parts, end = gif.blocks(data)
    first = parts[0].start if parts else end - 1
    kept = [data[part.start : part.end] for part in parts if not _holds_a_place(data, part)]
    beyond = data[end:]
    return data[:first] + b"".join(kept) + data[end - 1 : end] + (b"" if trace_of_text(beyond) else beyond)


def _holds_a_place(data: bytes, part: gif.Block) -> bool:
    """True for an extension of a GIF that has to go."""
    if part.label in (0, gif.CONTROL):
        return False
    return bool(trace_of_text(gif.text(data, part)) or trace_of_text(data[part.start : part.end]))


def _tiff(data: bytes) -> bytes:
    block = Tiff(data)
    clean_directories(block)
    return block.to_bytes()


def _raster(data: bytes) -> bytes:
    """A BMP or a PPM, of which only the end and a BMP's colour profile are looked at."""
    start, end = raster.profile(data)
    profile = cleaned_profile(data[start:end]) or bytes(end - start)
    result = data[:start] + profile + data[end:]
    beyond = result[raster.end(result) :]
    return result[: len(result) - len(beyond)] if trace_of_text(beyond) else result
