"""What lies beside the pixels of a photo, and how they are coded, survives an edit, or a note says that it does not."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from facet.photos.faces import outside
from facet.photos.file import behind, jpeg
from facet.photos.file.photo import MOST, Photo, read
from facet.photos.file.writing import encode, stripped, updated_metadata
from facet.pictures.decode import BadImage, turned_back
from tests.support import photographs
from tests.support.photographs import encoded, pixels, with_segments

RDF = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}</rdf:RDF></x:xmpmeta>'
VIDEO = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0\0\x07\xd8mdat" + bytes(2000)
CAMERA = "http://ns.google.com/photos/1.0/camera/"


def edited(data: bytes, **how: bool) -> tuple[bytes, Photo, tuple[str, ...]]:
    """Write a photo with a dark square in its upright middle; returns the file, the photo and its notes."""
    photo = read(data)
    height, width = photo.upright.shape[:2]
    photo.upright[height // 3 : height // 2, width // 3 : width // 2, ...] //= 2
    metadata, notes = updated_metadata(photo, iptc={"AISystemUsed": "Facet"})
    return encode(photo, data, metadata, **how), photo, (*photo.notes, *notes)


def seen(data: bytes) -> np.ndarray:
    """A file as a viewer shows it."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"), int)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["TIFF", "TIFF with JPEG", "PNG", "WEBP", "AVIF"])
def test_every_format_is_seen_as_viewers_show_it_and_stays_so(form, orientation):
    stored = Image.fromarray(np.ascontiguousarray(turned_back(pixels(), orientation)))
    if form.startswith("TIFF"):
        how = {"compression": "jpeg", "quality": 95} if "JPEG" in form else {}
        data = encoded(stored, "TIFF", tiffinfo={0x0112: orientation}, **how)
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(stored, form, exif=exif, **({"quality": 95} if form != "PNG" else {}))
    assert np.abs(read(data).upright.astype(int) - pixels()).mean() < 4
    result, photo, _ = edited(data)
    assert np.abs(seen(result) - photo.upright).mean() < 3
    assert read(result).size == photo.size == (178, 218)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exif_that_cannot_be_kept_leaves_its_orientation(form):
    damaged = photographs.exif(6)[:-30] + bytes(30)
    at = damaged.index(struct.pack("<HH", 0x8825, 4))
    damaged = damaged[: at + 12] + struct.pack("<I", 1 << 30) + damaged[at + 16 :]  # no second directory is there
    stored = Image.fromarray(np.ascontiguousarray(turned_back(pixels(), 6)))
    data = encoded(stored, form, exif=b"Exif\0\0" + damaged)
    result, photo, notes = edited(data)
    assert "exif_dropped" in notes
    assert read(result).orientation == photo.orientation == 6


def test_exif_of_two_segments_leaves_its_orientation_and_the_note_says_why():
    block = photographs.exif(6) + bytes(70_000)
    stored = encoded(Image.fromarray(np.ascontiguousarray(turned_back(pixels(), 6))), "JPEG")
    result, photo, notes = edited(with_segments(stored, *jpeg.exif_segments(block)))
    assert notes == ("exif_too_long",)
    assert photo.size == (178, 218)
    assert read(result).orientation == 6
    assert [part for part in jpeg.segments(result)[0] if jpeg.is_exif(part)] == jpeg.exif_segments(
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    )


def test_a_damaged_png_is_refused_at_every_byte_of_its_pixels():
    data = encoded(Image.fromarray(pixels(60, 50)), "PNG")
    start, end = data.index(b"IDAT") + 4, data.index(b"IEND") - 4
    for at in range(start, end, 97):
        damaged = bytearray(data)
        damaged[at] ^= 85
        with pytest.raises(BadImage, match="corrupt"):
            read(bytes(damaged))


def test_the_primary_picture_of_a_heic_is_edited():
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    first, second = (Image.fromarray(pixels(seed=seed)) for seed in (0, 1))
    second = second.transpose(Image.Transpose.ROTATE_180)
    data = encoded(first, "HEIF", save_all=True, append_images=[second], primary_index=1, quality=95)
    photo = read(data)
    assert np.abs(photo.pixels.astype(int) - np.asarray(second)).mean() < 4
    assert "primary_picture" in photo.notes


def test_the_first_page_of_a_tiff_that_is_no_small_copy_is_edited():
    small, large = Image.fromarray(pixels(30, 24)), Image.fromarray(pixels(seed=1))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    large.encoderinfo = {"tiffinfo": {254: 0, 271: "Large"}}
    file = io.BytesIO()
    small.save(file, "TIFF", save_all=True, append_images=[large], tiffinfo={254: 1})
    data = file.getvalue()
    if Image.open(io.BytesIO(data)).tag_v2.get(254) != 1:
        pytest.skip("this Pillow cannot write the tag")
    result, photo, notes = edited(data)
    assert notes == ("primary_picture",)
    assert photo.size == (178, 218)
    assert Image.open(io.BytesIO(result)).tag_v2[271] == "Large"


def gain_map() -> bytes:
    xmp = RDF.format('<rdf:Description xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/" h:Version="1.0"/>').encode()
    return with_segments(encoded(Image.new("L", (40, 50), 90), "JPEG"), (0xE1, jpeg.XMP + xmp))


def ultra_hdr(beyond: bytes = b"") -> bytes:
    """A JPEG with a gain map behind it, an index that says where it is, and XMP that announces it."""
    xmp = RDF.format(
        '<rdf:Description xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/" h:Version="1.0" xmlns:c="'
        + behind.CONTAINER
        + '"><c:Directory><rdf:Seq/></c:Directory></rdf:Description>'
    ).encode()
    index = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHII", 0xB002, 7, 32, 26) + bytes(4)

    def whole(first: int, offset: int) -> bytes:
        entries = struct.pack(">IIIHHIIIHH", 0x030000, first, 0, 0, 0, 0, len(gain_map()), offset, 0, 0)
        segments = (0xE1, jpeg.XMP + xmp), (0xE2, jpeg.INDEX + index + entries)
        return with_segments(photographs.jpeg(), *segments)

    length = len(whole(0, 0))
    data = whole(length, length - whole(0, 0).index(jpeg.INDEX) - 4)
    return data + gain_map() + beyond


def second_picture(data: bytes) -> bytes:
    """The second picture of a JPEG by its index."""
    at = data.index(jpeg.INDEX) + 4
    assert struct.unpack_from(">I", data, at + 26 + 4)[0] == jpeg.end(data)
    length, offset = struct.unpack_from(">II", data, at + 26 + 16 + 4)
    return data[at + offset : at + offset + length]


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
def test_a_gain_map_stays_where_the_index_says():
    data = ultra_hdr()
    assert second_picture(data) == gain_map()
    result, _, notes = edited(data)
    assert notes == ()
    assert second_picture(result) == gain_map()
    assert b"c:Directory" in result
    assert second_picture(stripped(result)[0]) == gain_map()


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
def test_a_file_that_cannot_hold_a_gain_map_says_so_and_claims_none():
    for lossless in (False, True):
        data = ultra_hdr()
        photo = read(data)
        if lossless:
            photo.format, photo.saving = "PNG", {}
        metadata, _ = updated_metadata(photo, iptc={})
        result = encode(photo, data, metadata, alone=True)
        assert photo.notes == ("extras_dropped",)
        assert not any(word in result for word in (b"MPF\0", b"hdr-gain-map", b"Directory"))


def test_a_video_stays_at_the_end_and_is_noted():
    xmp = RDF.format(f'<rdf:Description xmlns:g="{CAMERA}" g:MotionPhoto="1" g:MicroVideoOffset="{len(VIDEO)}"/>')
    data = with_segments(photographs.jpeg(), (0xE1, jpeg.XMP + xmp.encode())) + VIDEO
    result, _, notes = edited(data)
    assert notes == ("video_kept",)
    assert result.endswith(VIDEO)
    assert jpeg.end(result) == len(result) - len(VIDEO)
    result, _, notes = edited(data, alone=True)
    assert notes == ("behind_dropped",)
    assert jpeg.end(result) == len(result)
    assert b"MotionPhoto" not in result
    result, notes = stripped(data)  # it may hold a place that nobody can see
    assert notes == ("behind_dropped",)
    assert b"MicroVideo" not in result


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_data_behind_the_end_stay(form):
    data = encoded(Image.fromarray(pixels()), form) + b"SEFHdata of a makerSEFT"
    result, _, notes = edited(data)
    assert notes == ()
    assert result.endswith(b"SEFHdata of a makerSEFT")


def test_other_pictures_behind_a_jpeg_go_with_their_index():
    data = encoded(Image.fromarray(pixels()), "MPO", save_all=True, append_images=[Image.fromarray(pixels(seed=1))])
    result, _, notes = edited(data)
    assert notes == ("primary_picture",)
    assert b"MPF\0" not in result
    assert jpeg.end(result) == len(result)


def change_outside(data: bytes) -> tuple[bytes, float, int]:
    result, photo, notes = edited(data)
    assert notes == ()
    assert photo.lossy
    height, width = photo.upright.shape[:2]
    box = (width // 3 - 16, height // 3 - 16, width // 2 + 16, height // 2 + 16)
    return result, *outside.changed(result, photo, [box])


def test_a_jpeg_of_red_green_and_blue_stays_one():
    data = encoded(Image.fromarray(pixels()), "JPEG", keep_rgb=True, quality=90)
    result, share, worst = change_outside(data)
    assert Image.open(io.BytesIO(result)).info["adobe_transform"] == 0
    assert share < 0.05
    assert worst <= 8


def test_a_sampling_that_cannot_be_written_is_not_made_coarser():
    cv2 = pytest.importorskip("cv2")
    for sampling in (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440):
        how = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_QUALITY, 92]
        data = cv2.imencode(".jpg", pixels(), how)[1].tobytes()
        result, _, _ = change_outside(data)
        assert [part[1:3] for part in Image.open(io.BytesIO(result)).layer] == [(1, 1)] * 3


@pytest.mark.parametrize("quality", [60, 90, 98])
def test_a_jpeg_within_a_tiff_keeps_its_quality_and_its_change_is_counted(quality):
    data = encoded(Image.fromarray(pixels()), "TIFF", compression="jpeg", quality=quality)
    result, share, _ = change_outside(data)
    assert share > 0
    tables = [Image.open(io.BytesIO(file)).tag_v2[347] for file in (data, result)]
    assert tables[0] == tables[1]


def test_a_photo_may_have_200_million_pixels_and_no_more():
    header = b"P5\n20000 10000\n255\n"
    assert MOST == 200_000_000
    with pytest.raises(BadImage, match="truncated"):
        read(header + bytes(10))
    with pytest.raises(BadImage, match="too_large"):
        read(header.replace(b"10000", b"10001") + bytes(10))
