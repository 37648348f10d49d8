"""Places are removed from every corner of a file, of edited photos and of copies, and what is left is found."""

import base64
import hashlib
import io
import json
import shutil
import struct
import subprocess
import zlib
from xml.sax.saxutils import escape

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from facet.photos.file import boxes, jpeg, png, riff
from facet.photos.file.exif import Exif
from facet.photos.file.photo import read
from facet.photos.file.place_walk import place_left
from facet.photos.file.tiff import Tiff
from facet.photos.file.writing import encode, stripped, updated_metadata
from facet.pictures.decode import BadImage
from tests.support import photographs
from tests.support.photographs import XMP, encoded, pixels, with_segments

RDF = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}</rdf:RDF></x:xmpmeta>'
NESTED = RDF.format(
    '<rdf:Description rdf:about="" xmlns:l="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><l:LocationCreated><rdf:Bag>'
    '<rdf:li rdf:parseType="Resource"><l:City>Paris</l:City><e:GPSLatitude xmlns:e="http://ns.adobe.com/exif/1.0/">48,51.5N'
    "</e:GPSLatitude></rdf:li></rdf:Bag></l:LocationCreated></rdf:Description>"
).encode()
DRONE = RDF.format(
    '<rdf:Description rdf:about="" xmlns:d="http://www.dji.com/drone-dji/1.0/" d:GpsLongtitude="+2.35" d:Model="x"/>'
).encode()
GEO = RDF.format(
    '<rdf:Description rdf:about="" xmlns:g="http://www.w3.org/2003/01/geo/wgs84_pos#"><g:lat>48.8</g:lat><g:long>2.3'
    "</g:long></rdf:Description>"
).encode()
WORDS = RDF.format(
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt><rdf:li '
    'xml:lang="x-default">seen at 48.85837, 2.29448</rdf:li></rdf:Alt></dc:description></rdf:Description>'
).encode()
EXIF = photographs.exif()
TURNED = b"Exif\0\0" + photographs.exif(6)
GPS_TAGS = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 21.0, 3.0)}
PAYLOAD = jpeg.XMP + XMP


def plain() -> bytes:
    return photographs.jpeg()


def with_exif(block: bytes) -> bytes:
    return with_segments(plain(), (0xE1, b"Exif\0\0" + block))


def with_xmp(packet: bytes) -> bytes:
    return with_segments(plain(), (0xE1, jpeg.XMP + packet))


def extended() -> bytes:
    """A JPEG whose extended XMP, of two segments out of order, holds the place."""
    long = XMP.replace(b"<dc:title>", b"<dc:source>" + b"w" * 40_000 + b"</dc:source><dc:title>")
    guid = hashlib.md5(long, usedforsecurity=False).hexdigest().upper().encode()
    main = RDF.format(
        f'<rdf:Description rdf:about="" xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="{guid.decode()}"/>'
    ).encode()
    middle = long.index(b"GPSLat") + 3  # within the word
    parts = [(at, long[at:end]) for at, end in ((0, middle), (middle, len(long)))]
    blocks = [(0xE1, jpeg.EXTENDED + guid + struct.pack(">II", len(long), at) + part) for at, part in reversed(parts)]
    return with_segments(plain(), (0xE1, jpeg.XMP + main), *blocks)


def small_with_a_place(place: bytes = TURNED) -> bytes:
    return with_segments(photographs.thumbnail(60), (0xE1, place))


def with_user_comment(text: bytes) -> bytes:
    """EXIF with one comment, of Pillow's making."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = text
    return exif.tobytes()


def long_exif() -> bytes:
    """A JPEG whose EXIF goes on in a second segment."""
    block = Exif(EXIF + bytes(70_000)).to_bytes()
    return with_segments(plain(), *jpeg.exif_segments(block))


def resources() -> bytes:
    block = b"8BIM\x04\x22\0\0" + struct.pack(">I", len(EXIF)) + EXIF + bytes(len(EXIF) % 2)
    return jpeg.IRB + photographs.IPTC + b"\0" * (len(photographs.IPTC) % 2) + block


def png_of(*chunks: png.Chunk) -> bytes:
    parts = png.chunks(encoded(Image.fromarray(pixels()), "PNG"))
    return png.join([*parts[:1], *chunks, *parts[1:]])


def raw(name: bytes, data: bytes) -> png.Chunk:
    return b"zTXt", b"Raw profile type " + name + b"\0\0" + zlib.compress(png.raw_text(name, data))


def tiff(big: bool = False) -> bytes:
    tags = {271: "Facet Camera", 700: XMP, 0x8825: GPS_TAGS}
    return encoded(Image.fromarray(pixels()), "TIFF", tiffinfo=tags, big_tiff=big)


def jp2() -> bytes:
    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data) + 8) + kind + data

    plain = encoded(Image.fromarray(pixels()), "JPEG2000")
    return plain + box(b"uuid", boxes.XMP_UUID + XMP) + box(b"uuid", boxes.EXIF_UUIDS[0] + EXIF)


def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    return encoded(Image.fromarray(pixels()), "HEIF", exif=b"Exif\0\0" + EXIF, xmp=XMP)


def tags_of_a_map(tags: dict[int, object]) -> TiffImagePlugin.ImageFileDirectory_v2:
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
        directory.tagtype[tag] = 2 if isinstance(value, str) else 12
    return directory


PICTURE = Image.fromarray(pixels())
CASES = {
    "EXIF": lambda: with_exif(EXIF),
    "EXIF of the other byte order": lambda: with_exif(photographs.exif(end=">")),
    "a second block of EXIF": lambda: with_segments(plain(), (0xE1, b"Exif\0\0" + photographs.exif()), (0xE1, TURNED)),
    "EXIF of two segments": long_exif,
    "EXIF of a thumbnail": lambda: with_exif(photographs.exif(small=small_with_a_place())),
    "XMP of a thumbnail": lambda: with_exif(photographs.exif(small=small_with_a_place(PAYLOAD))),
    "XMP": lambda: with_xmp(XMP),
    "XMP below the top level": lambda: with_xmp(NESTED),
    "XMP of a drone": lambda: with_xmp(DRONE),
    "XMP by W3C": lambda: with_xmp(GEO),
    "a sentence in XMP": lambda: with_xmp(WORDS),
    "XMP of 16 bits": lambda: with_xmp(XMP.decode().encode("utf-16")),
    "a picture in XMP": lambda: with_xmp(
        XMP.replace(b' exif:GPSLatitude="48,51.5N"', b' dc:x="' + base64.b64encode(small_with_a_place()) + b'"')
    ),
    "extended XMP": extended,
    "Photoshop's resources": lambda: with_segments(plain(), (0xED, resources())),
    "a comment": lambda: with_segments(plain(), (0xFE, b"48.85837, 2.29448")),
    "a photographer's comment": lambda: with_exif(with_user_comment(b"ASCII\0\0\x0048.85837 2.29448")),
    "a comment with degrees": lambda: with_segments(plain(), (0xFE, "48° 51' 30\" N".encode())),
    "a maker's segment": lambda: with_segments(plain(), (0xE3, b"Meta\0\0" + EXIF)),
    "behind the end": lambda: plain() + b"some trailer" + EXIF,
    "a video": lambda: plain() + b"\0\0\0\x18ftypmp42\0\0\0\0\0\0\0\x1e\xa9xyz\0\x12\x15\xc7+48.8577+002.295/",
    "a second picture": lambda: plain() + small_with_a_place(),
    "PNG: eXIf": lambda: png_of((b"eXIf", EXIF)),
    "PNG: raw EXIF": lambda: png_of(raw(b"exif", TURNED)),
    "PNG: raw APP1": lambda: png_of(raw(b"APP1", PAYLOAD)),
    "PNG: raw EXIF as text": lambda: png_of((b"tEXt", b"Raw profile type exif\0" + png.raw_text(b"exif", TURNED))),
    "PNG: compressed XMP": lambda: png_of((b"iTXt", png.XMP + b"\1\0\0\0" + zlib.compress(XMP))),
    "PNG: XMP as text": lambda: png_of((b"zTXt", png.XMP + b"\0" + zlib.compress(XMP))),
    "PNG: text": lambda: png_of((b"tEXt", b"GPSLatitude\x0048.8")),
    "PNG: private chunk": lambda: png_of((b"prVt", EXIF)),
    "PNG: behind the end": lambda: png_of() + EXIF,
    "WebP": lambda: encoded(PICTURE, "WEBP", exif=b"Exif\0\0" + EXIF, xmp=XMP),
    "WebP: another chunk": lambda: riff.join([*riff.chunks(encoded(PICTURE, "WEBP"))[0], (b"ABCD", EXIF)]),
    "TIFF": tiff,
    "BigTIFF": lambda: tiff(big=True),
    "AVIF": lambda: encoded(PICTURE, "AVIF", exif=b"Exif\0\0" + EXIF, xmp=XMP),
    "HEIC": heic,
    "JPEG 2000": jp2,
    "TIFF: tie points of a map": lambda: encoded(
        PICTURE, "TIFF", tiffinfo=tags_of_a_map({33922: (0.0, 0.0, 0.0, 2.2944, 48.8583, 0.0)})
    ),
    "TIFF: GDAL's text": lambda: encoded(
        PICTURE, "TIFF", tiffinfo=tags_of_a_map({42112: '<GDALMetadata><Item name="LAT">48.8</Item></GDALMetadata>'})
    ),
}


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def coordinates(data: bytes) -> list[str]:
    """The coordinates that exiftool finds, none if it is not installed."""
    path = shutil.which("exiftool")
    if path is None:
        return []
    done = subprocess.run([path, "-json", "-ee", "-a", "-G1", "-"], input=data, capture_output=True, check=False)
    return [name for name in json.loads(done.stdout or b"[{}]")[0] if "GPS" in name or "Longtitude" in name]


@pytest.mark.parametrize("name", CASES)
def test_a_copy_holds_no_place_wherever_it_was(name):
    data = CASES[name]()
    assert place_left(data)
    result, _ = stripped(data)
    assert place_left(result) == ""
    assert coordinates(result) == []
    assert b"48,51.5N" not in result
    np.testing.assert_array_equal(pixels_of(result), pixels_of(data))


@pytest.mark.parametrize("name", CASES)
def test_an_edited_photo_holds_no_place_wherever_it_was(name):
    data = CASES[name]()
    photo = read(data)
    photo.upright[80:120, 60:90] //= 2
    result, _ = stripped(encode(photo, data, updated_metadata(photo, iptc={"AISystemUsed": "Facet"})[0]))
    assert place_left(result) == ""
    assert coordinates(result) == []
    assert read(result).size == photo.size


def test_all_else_stays_where_a_place_goes():
    result, notes = stripped(photographs.camera_jpeg(6))
    assert notes == ()
    photo = read(result)
    assert photo.orientation == 6
    assert Exif(photo.metadata.exif or b"").thumbnail() == photographs.thumbnail()
    assert "Älteste Straße".encode() in (photo.metadata.xmp or b"")
    assert photo.metadata.iptc == photographs.IPTC
    nested = stripped(with_xmp(NESTED))[0]
    assert b"Paris" in nested


def test_a_file_without_a_place_stays_as_it_is():
    block = Exif(EXIF)
    block.remove(block.first, {0x8825})
    for data in (
        with_segments(with_exif(block.to_bytes()), (0xFE, b"lovely, 1.5 by 2.5")),
        encoded(PICTURE, "PNG", optimize=True),
        encoded(PICTURE, "WEBP"),
        encoded(PICTURE, "TIFF"),
        encoded(PICTURE, "AVIF"),
        encoded(PICTURE, "GIF"),
        encoded(PICTURE, "BMP"),
    ):
        assert stripped(data) == (data, ())


def test_a_damaged_file_that_may_hold_a_place_is_refused_with_what_it_holds():
    data = bytearray(png_of((b"prVt", EXIF)))
    data[-40] ^= 255
    with pytest.raises(BadImage, match="place_left: a GPS directory in chunk prVt at byte"):
        stripped(bytes(data))
    harmless = bytearray(png_of())
    harmless[-40] ^= 255
    assert stripped(bytes(harmless)) == (harmless, ())


def profile(place: str, kind: str) -> bytes:
    """A colour profile with a text of a type that profiles have, or with one behind its tags."""
    base = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    wide, plain = place.encode("utf-16-be"), place.encode()
    value = {
        "text": b"text\0\0\0\0" + plain + b"\0",
        "desc": b"desc\0\0\0\0" + struct.pack(">I", len(plain) + 1) + plain + bytes(79),
        "mluc": b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(wide), 28) + wide,
        "dict": b"dict\0\0\0\0" + plain,
        "behind": b"sig \0\0\0\0abcd",
    }[kind]
    value += bytes(-len(value) % 4)
    count = struct.unpack_from(">I", base, 128)[0]
    table = bytearray(base[132 : 132 + 12 * count])
    for number in range(count):  # the table grows by one entry
        at = struct.unpack_from(">I", table, 12 * number + 4)[0]
        struct.pack_into(">I", table, 12 * number + 4, at + 12)
    table += struct.pack(">4sII", b"cprX", len(base) + 12, len(value))
    whole = base[:128] + struct.pack(">I", count + 1) + table + base[132 + 12 * count :] + value
    whole += plain if kind == "behind" else b""
    return struct.pack(">I", len(whole)) + whole[4:84] + b"i" * 16 + whole[100:]


def v5_bmp(profile: bytes) -> bytes:
    """A BMP of version 5 with a profile."""
    head, rows = encoded(PICTURE, "BMP")[:54], encoded(PICTURE, "BMP")[54:]
    info = struct.pack("<I", 124) + head[18:54] + bytes(16) + b"DEBM" + bytes(52)
    info += struct.pack("<III", 124 + len(rows), len(profile), 0)
    size = 14 + len(info) + len(rows) + len(profile)
    return b"BM" + struct.pack("<III", size, 0, 14 + len(info)) + info + rows + profile


def with_colour_box(profile: bytes) -> bytes:
    """A JPEG 2000 with a profile instead of the number of its colours."""
    data = encoded(PICTURE, "JPEG2000")
    at = data.index(b"colr") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    box = struct.pack(">I4s3s", 11 + len(profile), b"colr", b"\2\0\0") + profile
    header = data.index(b"jp2h") - 4
    length = int.from_bytes(data[header : header + 4], "big") - size + len(box)
    return data[:header] + struct.pack(">I", length) + data[header + 4 : at] + box + data[at + size :]


COLOURED = {
    "JPEG": lambda profile: encoded(PICTURE, "JPEG", icc_profile=profile),
    "JPEG of two segments": lambda profile: with_segments(
        plain(),
        (0xE2, jpeg.ICC + b"\1\2" + profile[:-25]),
        (0xE2, jpeg.ICC + b"\2\2" + profile[-25:]),
    ),
    "PNG": lambda profile: encoded(PICTURE, "PNG", icc_profile=profile),
    "WebP": lambda profile: encoded(PICTURE, "WEBP", icc_profile=profile),
    "TIFF": lambda profile: encoded(PICTURE, "TIFF", icc_profile=profile),
    "AVIF": lambda profile: encoded(PICTURE, "AVIF", icc_profile=profile),
    "JPEG 2000": with_colour_box,
    "BMP": v5_bmp,
    "Photoshop's resources": lambda profile: with_segments(
        plain(), (0xED, jpeg.IRB + b"8BIM\x04\x0f\0\0" + struct.pack(">I", len(profile)) + profile)
    ),
}


@pytest.mark.parametrize("kind", ["text", "desc", "mluc", "dict", "behind"])
@pytest.mark.parametrize("form", COLOURED)
def test_a_colour_profile_keeps_its_colours_and_loses_its_place(form, kind):
    holding = profile("taken at 48.85837, 2.29448", kind)
    data = COLOURED[form](holding)
    assert "colour profile" in place_left(data) or "48.85837" in place_left(data)
    result, notes = stripped(data)
    assert (place_left(result), notes) == ("", ())
    np.testing.assert_array_equal(pixels_of(result), pixels_of(data))
    if form not in ("Photoshop's resources", "JPEG 2000", "BMP"):
        own = Image.open(io.BytesIO(result)).info["icc_profile"]
        assert len(own) == len(holding)
        assert own[84:100] == bytes(16)
        tags = ImageCms.getOpenProfile(io.BytesIO(own)).profile
        assert tags.red_colorant == ImageCms.getOpenProfile(io.BytesIO(holding)).profile.red_colorant
    harmless = COLOURED[form](profile("(c) Facet 2026", kind))
    assert stripped(harmless) == (harmless, ())


def test_a_damaged_colour_profile_with_a_place_goes():
    data = encoded(PICTURE, "PNG", icc_profile=b"taken at 48.85837, 2.29448" * 9)
    assert "icc_profile" not in Image.open(io.BytesIO(stripped(data)[0])).info


WORDS_BEHIND = b"\0\0seen at 48.85837, 2.29448"


@pytest.mark.parametrize(
    "data",
    [
        encoded(PICTURE, "TIFF"),
        encoded(PICTURE, "TIFF", compression="jpeg"),
        encoded(PICTURE, "TIFF", big_tiff=True),
        encoded(PICTURE, "GIF"),
        encoded(PICTURE, "AVIF"),
        encoded(PICTURE, "AVIF", exif=b"Exif\0\0" + EXIF),
        encoded(PICTURE, "JPEG2000"),
        encoded(PICTURE, "BMP"),
        encoded(PICTURE, "PPM"),
        encoded(PICTURE.convert("1"), "PPM"),
        encoded(PICTURE, "MPO", save_all=True, append_images=[PICTURE]),
    ],
    ids=["TIFF", "TIFF of JPEGs", "BigTIFF", "GIF", "AVIF", "AVIF with EXIF", "JP2", "BMP", "PPM", "PBM", "MPO"],
)
@pytest.mark.parametrize("behind", [WORDS_BEHIND, WORDS_BEHIND.decode().encode("utf-16-le"), EXIF, XMP])
def test_nothing_behind_the_end_holds_a_place(data, behind):
    held = data + behind
    assert place_left(held)
    result, _ = stripped(held)
    assert place_left(result) == ""
    assert behind not in result
    np.testing.assert_array_equal(pixels_of(result), pixels_of(data))
    if b"Exif" not in data:
        assert stripped(data + b"a scanner's words") == (data + b"a scanner's words", ())


def test_the_last_box_of_an_avif_may_go_on_to_the_end_of_the_file():
    data = encoded(PICTURE, "AVIF")
    at = data.index(b"mdat") - 4
    held = data[:at] + bytes(4) + data[at + 4 :] + WORDS_BEHIND
    assert place_left(held)
    result, _ = stripped(held)
    assert place_left(result) == ""
    np.testing.assert_array_equal(pixels_of(result), pixels_of(data))


def pages(big: bool, entry: bytes | None = None) -> bytes:
    """A TIFF of three grey pages, uncompressed; the second and the third have EXIF with GPS, `entry` or a right one."""
    offset, count = ("Q", "Q") if big else ("I", "H")

    def directory(entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
        packed = b"".join(struct.pack(f"<HH{offset}{offset}", *one) for one in entries)
        return struct.pack(f"<{count}", len(entries)) + packed + struct.pack(f"<{offset}", following)

    data = b"II+\0" + struct.pack("<HHQ", 8, 0, 16) if big else b"II*\0" + struct.pack("<I", 8)
    for page in range(3):
        start = len(data)
        entries = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 0),
                   (277, 3, 1, 1), (278, 3, 1, 16), (279, 4, 1, 256)]  # fmt: skip
        entries += [(0x8825, 4, 1, 0)] if page else []
        strip = start + len(directory(entries))
        gps = strip + 256
        values = gps + len(directory([(2, 5, 3, 0)] * 2))
        entries[5] = (273, 4, 1, strip)
        if page:
            entries[-1] = (0x8825, 4, 1, gps if entry is None else int.from_bytes(entry, "little"))
        parts = directory([(2, 5, 3, values), (4, 5, 3, values)]) + struct.pack("<6I", 48, 1, 51, 1, 30, 1)
        following = 0 if page == 2 else gps + (len(parts) if page else 0)
        data += directory(entries, following) + bytes(range(page, page + 1)) * 256 + (parts if page else b"")
    return data


def assert_same_pictures(data: bytes, result: bytes, count: int, mode: str | None = None) -> None:
    """The first `count` pictures of two files are equal, in a mode or as they are stored."""
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(result))
    for number in range(count):
        before.seek(number)
        after.seek(number)
        one, other = (picture if mode is None else picture.convert(mode) for picture in (before, after))
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("entry", [None, b"\x90", b"\xff\xff\xff"], ids=["right", "to pixels", "beyond the end"])
def test_every_page_of_a_tiff_loses_its_place(big, entry):
    data = pages(big, entry)
    assert "a GPS directory" in place_left(data)
    result, _ = stripped(data)
    assert (place_left(result), len(result)) == ("", len(data))
    assert_same_pictures(data, result, 3)


def test_pages_that_pillow_wrote_with_lost_directories_are_cleaned():
    later = Image.fromarray(pixels(seed=1))
    data = encoded(PICTURE, "TIFF", save_all=True, append_images=[later, later], tiffinfo={0x8825: GPS_TAGS})
    result, _ = stripped(data)
    assert place_left(data)
    assert_same_pictures(data, result, 3)


def test_a_gif_loses_its_comment_and_its_xmp_and_stays_an_animation():
    frames = [Image.fromarray(pixels(60, 60, seed=seed)) for seed in range(3)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0, comment=b"48.85837, 2.29448")
    trailer = bytes([1, *range(255, -1, -1), 0])  # whose length bytes lead to the end, wherever XMP is left
    data = data[:-1] + b"\x21\xff\x0bXMP DataXMP" + XMP + trailer + b";"
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert place_left(data)
    result, _ = stripped(data)
    assert place_left(result) == ""
    assert Image.open(io.BytesIO(result)).info["loop"] == 0
    assert_same_pictures(data, result, 3, "RGB")


def test_pictures_behind_the_first_one_without_a_place_stay_in_reach():
    data = encoded(PICTURE, "MPO", save_all=True, append_images=[Image.fromarray(pixels(seed=1))])
    data = with_segments(data, (0xE1, TURNED))
    result, notes = stripped(data)
    assert notes == ()
    assert place_left(data)
    assert_same_pictures(data, result, 2)


def test_a_loop_of_directories_ends():
    block = bytearray(EXIF)
    at = Exif(EXIF).first.following
    block[at : at + 4] = struct.pack("<I", 8)
    assert len(list(Tiff(bytes(block)).directories())) == 2
    assert place_left(stripped(with_exif(bytes(block)))[0]) == ""


@pytest.mark.parametrize(
    "words",
    [
        '{"lat":48.858370,"lng":2.294481}', r'{\"lat\": \"48\"}', "https://x.org/?lat=48.85837&lon=2.294481",
        "Lat: 48.85837 Lon: 2.294481", "Lat 48.85837 Lon 2.294481", "N48.85837 E2.294481", "N 48.85837, E 2.294481",
        "48.85837\t2.294481", "48.85837|2.294481", "(48.85837) (2.294481)", "48.85837+2.294481", "48,85837 / 2,294481",
        "?q=48.858,2.294", "48.858, 2.294", "[151.209300,-33.868800]", "POINT(151.209300 -33.868800)",
        "N48°51.502 E002°17.669", "N48?51.502 E002?17.669", "48°51′30.12345″N 2°17′40.12345″E", "48d51m30s 2d17m40s",
        "48° 51' 30\" Nord, 2° 17' 40\" Ost", "48.85837° 2.294481°", r"48.85837\u00b0", "48 51 30.1 N 2 17 40.1 E",
        "$GPGGA,123519,4851.502,N,00217.669,E,1,08", "8FW4V75V+8Q", "V75V+8Q Paris", "31U 448251 5411943",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["a comment", "XMP", "EXIF, 16 bits", "PNG"])
def test_no_text_holds_a_place_in_whatever_form_it_is_written(words, place):
    packet = RDF.format(
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights>(c)</dc:rights>'
        f"<dc:source>{escape(words)}</dc:source></rdf:Description>"
    ).encode()
    data = {
        "a comment": lambda: with_segments(plain(), (0xFE, words.encode())),
        "XMP": lambda: with_xmp(packet),
        "EXIF, 16 bits": lambda: with_exif(with_user_comment(b"UNICODE\0" + words.encode("utf-16-le"))),
        "PNG": lambda: png_of((b"zTXt", b"Comment\0\0" + zlib.compress(words.encode()))),
    }[place]()
    result, _ = stripped(data)
    assert len(result) < len(data) or (place.startswith("EXIF") and words.encode("utf-16-le") not in result)
    assert (b"(c)" in result) == (place == "XMP")


@pytest.mark.parametrize("form", ["BMP", "PPM", "TIFF"])
def test_pixels_are_no_text(form):
    noise = np.random.default_rng(0).integers(40, 60, (400, 600, 3)).astype(np.uint8)  # dots, commas and digits
    data = encoded(Image.fromarray(noise), form)
    assert b"9.6" in data
    assert stripped(data) == (data, ())


@pytest.mark.parametrize(
    "words",
    ["Version 1.2345.6789", "f/2.8, 1/250 s, ISO 100", "How long: 5 minutes", "latest long exposure: 30 s",
     "d 0.432100 0.123400", "1,234, 5,678 EUR", "25° N of nothing", "21.5°C", "2026:11:29 12:00:00.1234, 0.5",
     "24.0-70.0 mm", "What? 12 of 5", "WHAT+22", "translate 100.5,200.25", "N 5, E 3"],
)  # fmt: skip
def test_a_text_without_a_place_stays(words):
    data = with_segments(plain(), (0xFE, words.encode()))
    assert stripped(data) == (data, ())


@pytest.mark.parametrize(
    "data",
    [
        encoded(PICTURE, "JPEG2000", comment=b"Lat: 48.8583 Lon: 2.2944"),
        b"P6\n# N48.8583 E2.2944\n" + encoded(PICTURE, "PPM")[3:],
    ],
    ids=["JPEG 2000", "PPM"],
)
def test_a_comment_with_a_place_that_cannot_be_removed_is_refused(data):
    with pytest.raises(BadImage, match="place_left"):
        stripped(data)


JSON = b'{"lat":48.85837,"lon":2.294481}'


@pytest.mark.parametrize(
    "data",
    [
        with_segments(photographs.jpeg(), (0xEC, b"Ducky\0" + JSON)),
        with_segments(photographs.jpeg(), (0xEE, b"Adobe\0d\0\0\0\0\1" + JSON)),
        png_of((b"prVt", JSON)),
        png_of((b"tEXt", b"Comment\0" + base64.b64encode(JSON + b" " * 60))),
        png_of() + JSON,
        riff.join([*riff.chunks(encoded(PICTURE, "WEBP"))[0], (b"JSON", JSON)]),
        encoded(PICTURE, "WEBP") + JSON,
    ],
    ids=["JPEG, APP12", "JPEG, APP14", "PNG", "PNG, base64", "behind a PNG", "WebP", "behind a WebP"],
)
def test_no_private_part_of_a_file_holds_a_text_with_a_place(data):
    result, _ = stripped(data)
    assert len(result) < len(data)
    assert base64.b64encode(JSON)[:40] not in result
    assert JSON not in result
    np.testing.assert_array_equal(pixels_of(result), pixels_of(data))


@pytest.mark.parametrize("target", [0, 8, 1_000_000], ids=["nothing", "the first directory", "behind the end"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_stays_where_damaged_exif_has_to_go(form, target):
    block = bytearray(photographs.exif(6))
    pointer = block.index(struct.pack("<HHI", 0x8825, 4, 1)) + 8
    block[pointer : pointer + 4] = struct.pack("<I", target)
    data = encoded(PICTURE, form, exif=b"Exif\0\0" + block)
    photo = read(data)
    result, _ = stripped(data)
    assert place_left(result) == ""
    assert read(result).orientation == 6
    photo.upright[80:120, 60:90] //= 2
    result, _ = stripped(encode(photo, data, updated_metadata(photo, iptc={"AISystemUsed": "Facet"})[0]))
    assert place_left(result) == ""
    assert read(result).orientation == 6
