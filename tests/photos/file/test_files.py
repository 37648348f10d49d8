"""Photo files read and written again: what is kept, changed and noted."""

import io
import json
import shutil
import struct
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from facet.photos.file import jpeg, png
from facet.photos.file.colour import Colours
from facet.photos.file.exif import Exif
from facet.photos.file.metadata import Metadata
from facet.photos.file.photo import Photo, read
from facet.photos.file.writing import encode, stripped, updated_metadata
from facet.photos.file.xmp import EDITED, IPTC, Packet
from facet.pictures.decode import BadImage, turned
from tests.support import photographs
from tests.support.photographs import XMP, camera_jpeg, encoded, pixels

PROPERTIES = {"DigitalSourceType": EDITED, "AISystemUsed": "Facet linear", "AIPromptInformation": "Smiling=on"}


def written(data: bytes, *, strip_gps: bool = False, change: bool = True) -> tuple[bytes, Photo, tuple[str, ...]]:
    """Write a photo with a dark square in its upright middle; returns the file, the photo and its notes."""
    photo = read(data)
    if change:
        height, width = photo.upright.shape[:2]
        photo.upright[height // 3 : height // 2, width // 3 : width // 2, ...] //= 2
    metadata, notes = updated_metadata(photo, iptc=PROPERTIES)
    result = encode(photo, data, metadata)
    if strip_gps:
        result, more = stripped(result)
        notes += more
    return result, photo, (*photo.notes, *notes)


def exiftool(data: bytes, *groups: str) -> dict[str, object]:
    """Read a file's tags with exiftool."""
    path = shutil.which("exiftool")
    if path is None:
        pytest.skip("needs exiftool (Debian: libimage-exiftool-perl)")
    done = subprocess.run([path, "-json", "-G1", *groups, "-"], input=data, capture_output=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)[0]
    return found


@pytest.mark.parametrize("orientation", range(9))
def test_a_photo_is_edited_as_one_looks_at_it_and_stays_turned_as_it_was(orientation):
    data = camera_jpeg(orientation)
    result, photo, _ = written(data)
    with Image.open(io.BytesIO(result)) as picture:
        assert picture.getexif().get(0x0112) == orientation
        assert picture.size == Image.open(io.BytesIO(data)).size
        from PIL import ImageOps

        upright = np.asarray(ImageOps.exif_transpose(picture), int)
    assert upright.shape == photo.upright.shape
    assert np.abs(upright - photo.upright).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_is_what_pillow_does(orientation):
    stored = pixels(20, 30)
    picture = Image.fromarray(stored)
    tags = picture.getexif()
    tags[0x0112] = orientation
    from PIL import ImageOps

    expected = ImageOps.exif_transpose(picture)
    np.testing.assert_array_equal(turned(stored, orientation), np.asarray(expected))
    assert np.shares_memory(turned(stored, orientation), stored)


def test_metadata_of_a_jpeg_stays_and_the_edit_is_declared():
    data = camera_jpeg(6)
    result, _, notes = written(data)
    assert notes == ()
    with Image.open(io.BytesIO(result)) as picture:
        assert picture.getexif()[0x010F] == "Facet Camera"
        assert picture.info["comment"] == b"a comment"
    found = read(result).metadata
    assert found.iptc == photographs.IPTC
    packet = Packet(found.xmp)
    assert packet.iptc("DigitalSourceType") == EDITED
    assert packet.iptc("AISystemUsed") == "Facet linear"
    assert "Älteste Straße".encode() in (found.xmp or b"")
    assert found.xmp is not None
    assert found.xmp.count(b"DigitalSourceType") == 1


def test_a_second_reader_agrees_on_the_metadata():
    found = exiftool(written(camera_jpeg(6))[0])
    assert found["IFD0:Make"] == "Facet Camera"
    assert str(found["IFD0:Orientation"]).startswith("Rotate 90")
    assert found["GPS:GPSLatitude"] == "48 deg 51' 30.00\""
    assert found["XMP-dc:Title"] == "Älteste Straße"
    assert found["XMP-iptcExt:DigitalSourceType"] == EDITED
    assert found["XMP-iptcExt:AISystemUsed"] == "Facet linear"
    assert found["IPTC:Caption-Abstract"] == "A caption"
    assert not [name for name in found if "Warning" in name or "Error" in name]


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_a_second_reader_agrees_on_other_formats(form):
    exif, xmp = photographs.exif(), XMP
    how = {"exif": b"Exif\0\0" + exif, "xmp": xmp} if form in ("WEBP", "AVIF") else {}
    data = encoded(Image.fromarray(pixels()), form, **how)
    if form == "PNG":
        data = png.with_metadata(data, b"", exif=exif, xmp=xmp, iptc=None, profile=None)
    if form == "TIFF":
        data = encoded(Image.fromarray(pixels()), "TIFF", tiffinfo={271: "Facet Camera", 700: xmp, 274: 1})
    found = exiftool(written(data)[0])
    assert found["IFD0:Make"] == "Facet Camera"
    assert found["XMP-dc:Title"] == "Älteste Straße"
    assert found["XMP-iptcExt:DigitalSourceType"] == EDITED
    assert not [name for name in found if "Error" in name]


def test_the_place_goes_where_it_is_asked_and_all_else_stays():
    found = exiftool(written(camera_jpeg(1), strip_gps=True)[0])
    assert not [name for name in found if "GPS" in name]
    assert found["IFD0:Make"] == "Facet Camera"
    assert found["XMP-dc:Title"] == "Älteste Straße"
    assert not [name for name in found if "Warning" in name or "Error" in name]


@pytest.mark.parametrize("end", ["<", ">"])
def test_a_latitude_leaves_no_trace(end):
    data = photographs.with_segments(photographs.jpeg(), (0xE1, b"Exif\0\0" + photographs.exif(end=end)))
    result, notes = stripped(data)
    assert notes == ()
    assert Image.open(io.BytesIO(result)).getexif().keys() == {0x010F, 0x0112}
    rational = struct.pack(f"{end}6I", 48, 1, 51, 1, 30, 1)
    assert rational in data
    assert rational not in result


def test_the_thumbnail_shows_the_edited_photo():
    data = camera_jpeg(6, small=photographs.thumbnail(300))
    result, photo, notes = written(data)
    assert notes == ()
    block = Exif(read(result).metadata.exif or b"")
    small = np.asarray(Image.open(io.BytesIO(block.thumbnail() or b"")).convert("RGB"), int)
    expected = Image.fromarray(photo.pixels)
    expected.thumbnail((160, 160))
    assert small.shape == np.asarray(expected).shape
    assert np.abs(small - np.asarray(expected, int)).mean() < 12
    assert photographs.thumbnail(300)[200:] not in result


def test_a_thumbnail_without_room_is_dropped_and_said():
    result, _, notes = written(camera_jpeg(1, small=photographs.thumbnail(8)))
    assert notes == ("thumbnail_dropped",)
    assert Exif(read(result).metadata.exif or b"").thumbnail() is None


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("damage", [b"", b"II*\0\xff\xff\xff\x7f", b"II*\0\x08\0\0\0\xff\xff", b"nonsense"])
def test_exif_that_nobody_can_read_is_left_out_and_the_photo_kept(damage):
    data = photographs.with_segments(photographs.jpeg(), (0xE1, b"Exif\0\0" + damage))
    result, _, notes = written(data)
    assert read(result).size == (178, 218)
    assert not damage or "exif_dropped" in notes


@pytest.mark.parametrize(
    "packet", [b"no xml", b"<a/>", b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + XMP, b"\xff\xfe<", XMP[:-30], b""]
)
def test_xmp_that_nobody_can_read_is_written_anew_and_said(packet):
    data = photographs.with_segments(photographs.jpeg(), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))
    result, _, notes = written(data)
    assert Packet(read(result).metadata.xmp).iptc("DigitalSourceType") == EDITED
    assert not packet or "xmp_replaced" in notes


def test_xmp_of_65_kilobytes_is_written_anew():
    room = jpeg.LONGEST - len(jpeg.XMP) - len(XMP) - len(b"<rdf:li></rdf:li>")
    long = XMP.replace(b"</rdf:Alt>", b"<rdf:li>" + b"a" * room + b"</rdf:li></rdf:Alt>")
    data = photographs.with_segments(photographs.jpeg(), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + long))
    result, _, notes = written(data)
    assert notes == ("xmp_replaced",)
    assert Packet(read(result).metadata.xmp).iptc("AISystemUsed") == "Facet linear"


def test_elements_of_a_property_give_way_as_attributes_do():
    element = XMP.replace(b"<dc:title>", b"<Iptc4xmpExt:AISystemUsed>Other</Iptc4xmpExt:AISystemUsed><dc:title>")
    packet = Packet(element)
    assert packet.iptc("AISystemUsed") == "Other"
    packet.set_iptc(PROPERTIES)
    assert packet.iptc("AISystemUsed") == "Facet linear"
    assert packet.to_bytes().count(b"AISystemUsed") == 1
    assert IPTC.encode() in packet.to_bytes()


def test_a_jpeg_keeps_its_tables_its_sampling_and_its_scans():
    for how in ({"subsampling": 0, "quality": 77}, {"subsampling": 2, "progressive": True}, {"subsampling": 1}):
        data = photographs.jpeg(**how)
        result = written(data)[0]
        before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(result))
        assert after.quantization == before.quantization
        assert after.layer == before.layer
        assert after.info.get("progressive") == before.info.get("progressive")


FORMS = {
    "grey": ("JPEG", "L", {}), "grey png": ("PNG", "L", {}), "alpha": ("PNG", "RGBA", {}),
    "grey alpha": ("PNG", "LA", {}),
    "cmyk": ("JPEG", "CMYK", {}), "bmp": ("BMP", "RGB", {}), "tiff": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "webp": ("WEBP", "RGB", {"lossless": True}), "cmyk tiff": ("TIFF", "CMYK", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_photo_comes_back_in_its_own_mode_and_format(name):
    form, mode, how = FORMS[name]
    picture = Image.fromarray(pixels()).convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    data = encoded(picture, form, **how)
    result, photo, notes = written(data)
    assert notes == ()
    again = read(result)
    assert (again.mode, again.format) == (mode, form) == (photo.mode, photo.format)
    if form != "JPEG":
        np.testing.assert_array_equal(again.pixels, photo.pixels)
    if form == "TIFF":
        assert Image.open(io.BytesIO(result)).info["compression"] == how.get("compression", "raw")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_sixteen_bits_stay_sixteen(mode):
    import cv2

    deep = (pixels().astype(np.uint16) * 257 + 3)[:, :, :3]
    if mode == "L":
        deep = deep[:, :, 0]
    elif mode == "RGBA":
        deep = np.concatenate([deep, deep[:, :, :1]], axis=2)
    data = cv2.imencode(".png", deep if mode == "L" else deep[:, :, [2, 1, 0, 3][: deep.shape[2]]])[1].tobytes()
    photo = read(data)
    np.testing.assert_array_equal(photo.pixels, deep)
    result, photo, notes = written(data)
    assert notes == ()
    np.testing.assert_array_equal(read(result).pixels, photo.pixels)


def test_what_cannot_be_kept_is_said():
    picture = Image.fromarray(pixels())
    several = [Image.fromarray(pixels(seed=seed)) for seed in range(2)]
    cases = {
        "palette_to_colour": encoded(picture.quantize(16), "PNG"),
        "gif_to_png": encoded(picture.quantize(16), "GIF"),
        "first_frame": encoded(several[0], "WEBP", save_all=True, append_images=several[1:]),
        "primary_picture": encoded(several[0], "TIFF", save_all=True, append_images=several[1:]),
        "colours_to_rgb": encoded(picture.convert("LAB"), "TIFF"),
    }
    for note, data in cases.items():
        result, photo, notes = written(data)
        assert note in notes
        assert read(result).size == photo.size


def test_a_clear_palette_keeps_its_clearness():
    picture = Image.fromarray(pixels()).quantize(16)
    photo = read(encoded(picture, "PNG", transparency=3))
    assert photo.mode == "RGBA"
    assert set(np.unique(photo.pixels[:, :, 3])) == {0, 255}


def profile(name: str) -> bytes:
    """An ICC profile: sRGB, or one of other primaries made from it (green moved as in Adobe RGB)."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if name == "sRGB":
        return made
    at = made.index(b"gXYZ")
    offset = int.from_bytes(made[at + 4 : at + 8], "big")
    moved = bytearray(made)
    xyz = (0.2052, 0.6257, 0.0609)
    for i, value in enumerate(xyz):
        moved[offset + 8 + 4 * i : offset + 12 + 4 * i] = round(value * 65536).to_bytes(4, "big")
    at = made.index(b"desc", 128)
    described = int.from_bytes(made[at + 4 : at + 8], "big")
    moved[described : described + 200] = bytes(moved[described : described + 200]).replace(b"s\0R\0G\0B", b"W\0i\0d\0e")
    return bytes(moved)


def test_colours_of_a_profile_are_seen_as_srgb_and_come_back_as_they_were():
    wide = profile("Wide")
    photo = Photo(pixels(), "RGB", "JPEG", metadata=Metadata(profile=wide))
    colours = Colours(photo)
    assert not colours.plain
    seen = colours.to_srgb(photo.pixels)
    assert np.abs(seen.astype(int) - photo.pixels).max() > 5
    np.testing.assert_array_equal(colours.recoloured(photo.pixels, seen, seen.astype(np.float32)), photo.pixels)
    wanted = np.clip(seen + np.float32([20, -10, 15]), 0, 255)
    again = colours.to_srgb(colours.recoloured(photo.pixels, seen, wanted))
    assert np.abs(again - wanted).mean() < 1.5


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "LA"])
def test_what_does_not_move_keeps_its_values_in_every_mode(mode):
    picture = Image.fromarray(pixels()).convert(mode)
    photo = Photo(np.array(picture), mode, "TIFF")
    colours = Colours(photo)
    seen = colours.to_srgb(photo.pixels)
    np.testing.assert_array_equal(colours.recoloured(photo.pixels, seen, seen.astype(np.float32)), photo.pixels)
    darker = colours.to_srgb(colours.recoloured(photo.pixels, seen, seen - np.float32(30)))
    assert np.abs(seen.astype(int) - 30 - darker).mean() < 4


def test_a_profile_of_another_colour_model_or_of_noise_is_ignored_and_srgb_is_plain():
    for data, ignored in ((b"noise", True), (profile("sRGB"), False)):
        colours = Colours(Photo(pixels(), "RGB", "JPEG", metadata=Metadata(profile=data)))
        assert colours.plain
        assert colours.ignored == ignored
    assert Colours(Photo(pixels()[:, :, 0], "L", "JPEG", metadata=Metadata(profile=profile("sRGB")))).ignored


def test_the_profile_stays_in_the_file():
    wide = profile("Wide")
    for form in ("JPEG", "PNG", "WEBP", "TIFF"):
        result = written(encoded(Image.fromarray(pixels()), form, icc_profile=wide))[0]
        assert Image.open(io.BytesIO(result)).info["icc_profile"] == wide, form


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
def test_the_index_of_other_pictures_goes_with_them():
    data = photographs.with_segments(photographs.jpeg(), (0xE2, b"MPF\0II*\0offsets"))
    assert b"MPF\0" not in written(data)[0]
    assert b"MPF\0" in data


def test_segments_and_chunks_survive_a_round_trip():
    data = camera_jpeg()
    assert jpeg.join(*jpeg.segments(data)) == data
    data = encoded(Image.fromarray(pixels()), "PNG")
    assert png.join(png.chunks(data)) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not_an_image"),
        (photographs.jpeg()[:2000], "truncated"),
        (encoded(Image.fromarray(pixels()), "PNG")[:3000], "truncated"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "unreadable"),
        (encoded(Image.new("F", (30, 30)), "TIFF"), "unreadable"),
    ],
)
def test_what_is_no_photo_has_a_reason(data, reason):
    with pytest.raises(BadImage) as bad:
        read(data)
    assert bad.value.reason == reason


def test_a_bomb_is_refused_by_its_header():
    (kind, head), *rest = png.chunks(encoded(Image.new("L", (8, 8)), "PNG"))
    with pytest.raises(BadImage) as bad:
        read(png.join([(kind, (60_000).to_bytes(4, "big") * 2 + head[8:]), *rest]))
    assert bad.value.reason == "too_large"


def test_a_fax_comes_back_grey():
    fax = Image.fromarray(pixels()).convert("1")
    result, photo, _ = written(encoded(fax, "TIFF", compression="group4"))
    assert read(result).mode == photo.mode == "L"


def test_a_tiff_keeps_its_exif_and_where_it_was_taken_unless_that_must_go():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x010F] = "Facet Camera"
    tags[0x8769] = {0x9003: "2026:01:02 03:04:05"}
    tags[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0)}
    data = encoded(Image.fromarray(pixels()), "TIFF", tiffinfo=tags)
    found = exiftool(written(data)[0])
    assert found["ExifIFD:DateTimeOriginal"] == "2026:01:02 03:04:05"
    assert found["GPS:GPSLatitudeRef"] == "North"
    found = exiftool(written(data, strip_gps=True)[0])
    assert found["ExifIFD:DateTimeOriginal"] == "2026:01:02 03:04:05"
    assert not [name for name in found if "GPS" in name]


def test_a_damaged_profile_hides_no_photo():
    data = photographs.with_segments(photographs.jpeg(), (0xE2, b"ICC_PROFILE\0"))
    photo = read(data)
    assert photo.size == (178, 218)
    assert photo.notes in ((), ("profile_ignored",))
