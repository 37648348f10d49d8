import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from facet.pictures.decode import REASONS, BadImage, decode, turned_back
from tests.support.pictures import encoded, jpeg, picture

COLOURS = picture(0, 40, 50)
TRUNCATED = {
    "JPEG": encoded(COLOURS, quality=90),
    "progressive JPEG": encoded(COLOURS, quality=90, progressive=True),
    "PNG": encoded(COLOURS, "PNG"),
    "WEBP": encoded(COLOURS, "WEBP", lossless=True),
    "BMP": encoded(COLOURS, "BMP"),
    "TIFF": encoded(COLOURS, "TIFF"),
    "GIF": encoded(Image.fromarray(COLOURS).quantize(16), "GIF"),
    "PPM": encoded(COLOURS, "PPM"),
}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def reason_or_shape(data: bytes) -> str | tuple[int, ...]:
    try:
        return decode(data).shape
    except BadImage as bad:
        return bad.reason


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}], ids=str)
def test_a_jpeg_has_the_pixels_pillow_gives_it(options):
    data = encoded(picture(1), quality=92, **options)
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_come_back_bit_for_bit(kind):
    np.testing.assert_array_equal(decode(encoded(COLOURS, kind)), COLOURS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(orientation):
    # what a camera stores so that a viewer who applies the orientation sees the upright picture
    stored = [
        lambda a: a,
        lambda a: a[:, ::-1],
        lambda a: a[::-1, ::-1],
        lambda a: a[::-1],
        lambda a: a.transpose(1, 0, 2),
        lambda a: np.rot90(a, 1),
        lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        lambda a: np.rot90(a, -1),
    ][orientation - 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(np.ascontiguousarray(stored(COLOURS)), quality=95, subsampling=0, exif=exif)
    assert decode(data).shape == COLOURS.shape
    assert np.abs(decode(data).astype(int) - COLOURS).mean() < 2


def test_alpha_is_laid_over_white():
    half = np.dstack([np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 51, np.uint8)])  # black, 20 % opaque
    assert np.unique(decode(encoded(half, "PNG"))).tolist() == [204]
    grey = Image.fromarray(np.dstack([np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)]), "LA")
    assert np.unique(decode(encoded(grey, "PNG"))).tolist() == [255]


def test_a_palette_and_its_transparent_colour_are_resolved():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    assert decode(encoded(image, "PNG"))[0, 0].tolist() == [0, 0, 255]
    assert decode(encoded(image, "PNG", transparency=1))[0, 0].tolist() == [255, 255, 255]


def test_16_bit_grey_and_colour_become_8_bit_by_their_high_byte():
    grey = png(2, 2, 16, 0, b"".join(b"\0" + struct.pack(">HH", 257 * 10, 257 * 200) for _ in range(2)))
    assert decode(grey)[0, :, 0].tolist() == [10, 200]
    colour = png(
        2, 2, 16, 2, b"".join(b"\0" + struct.pack(">6H", *[257 * v for v in (1, 2, 3, 9, 8, 7)]) for _ in "ab")
    )
    assert decode(colour)[0].tolist() == [[1, 2, 3], [9, 8, 7]]


def test_grey_one_bit_and_cmyk_pictures_become_rgb():
    assert decode(encoded(Image.new("L", (8, 8), 77)))[0, 0].tolist() == [77, 77, 77]
    assert decode(encoded(Image.new("1", (8, 8), 1), "PNG"))[0, 0].tolist() == [255, 255, 255]
    cyan = decode(encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), quality=95))[4, 4]
    assert cyan[0] < 10
    assert min(cyan[1:]) > 245


def test_the_first_picture_of_a_camera_s_mpo_is_taken():
    data = encoded(picture(1), "MPO", save_all=True, append_images=[Image.fromarray(picture(2))], quality=92)
    assert np.abs(decode(data).astype(int) - picture(1)).mean() < 3


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_frames_are_refused(kind):
    more = [Image.fromarray(picture(seed, 40, 50)) for seed in (1, 2)]
    with pytest.raises(BadImage, match="animated: 3 frames"):
        decode(encoded(Image.fromarray(COLOURS), kind, save_all=True, append_images=more))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("kind", TRUNCATED)
def test_a_file_cut_short_is_refused_with_a_reason(kind, share):
    data = TRUNCATED[kind]
    with pytest.raises(BadImage) as caught:
        decode(data[: int(share * len(data))])
    assert caught.value.reason in ("empty", "not_an_image", "truncated", "unreadable")
    if "JPEG" in kind and share > 0.01:
        assert caught.value.reason == "truncated"


@pytest.mark.parametrize("lost", [1, 2, 3, 10, 50])
def test_a_jpeg_that_lacks_its_last_bytes_is_truncated(lost):
    with pytest.raises(BadImage, match="truncated"):
        decode(jpeg(0)[:-lost])


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_damaged_bytes_give_a_picture_or_a_reason_and_nothing_else(kind, seed):
    data = bytearray(TRUNCATED[kind])
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(data), 1 + seed % 8):
        data[at] = rng.integers(0, 256)
    outcome = reason_or_shape(bytes(data))
    assert outcome in REASONS or (outcome[2] == 3 and outcome[0] * outcome[1] > 0)


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><html>quota exceeded</html>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"%PDF-1.7",
        b"version https://git-lfs.github.com/spec/v1",
        b"\0" * 5000,
        b"\xff" * 5000,
        b"PK\x03\x04" + b"\0" * 100,
        *(np.random.default_rng(seed).bytes(3000) for seed in range(10)),
    ],
    ids=lambda data: data[:12].hex(),
)
def test_what_is_no_picture_is_said_to_be_none(data):
    with pytest.raises(BadImage, match=r"not_an_image|unreadable"):
        decode(data)


@pytest.mark.parametrize("side", [7_100, 20_000, 65_000])
def test_a_decompression_bomb_is_refused_from_its_header(side):
    bomb = bytearray(jpeg(0))
    at = bomb.index(b"\xff\xc0")
    bomb[at + 5 : at + 9] = struct.pack(">HH", side, side)
    for data in (bytes(bomb), png(side, side, 8, 2, b"\0")):
        with pytest.raises(BadImage, match="too_large"):
            decode(data)


def test_floating_point_and_32_bit_pixels_are_refused():
    for mode in ("F", "I"):
        with pytest.raises(BadImage, match="unreadable"):
            decode(encoded(Image.new(mode, (4, 4), 100_000), "TIFF"))


def with_segment(data: bytes, marker: int, payload: bytes) -> bytes:
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + data[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("how", [{}, {"compression": "jpeg", "quality": 95}, {"compression": "tiff_lzw"}], ids=str)
def test_a_tiff_is_turned_once(orientation, how):
    stored = np.ascontiguousarray(turned_back(COLOURS, orientation))
    data = encoded(stored, "TIFF", tiffinfo={0x0112: orientation}, **how)
    assert decode(data).shape == COLOURS.shape
    assert np.abs(decode(data).astype(int) - COLOURS).mean() < 3


def test_orientation_is_read_however_damaged_the_rest_is_and_xmp_is_not_asked():
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    cut = b"MM\0*\0\0\0\x08" + struct.pack(">H", 900) + entry + struct.pack(">HHII", 0x010F, 2, 9, 1 << 30)
    data = with_segment(jpeg(1), 0xE1, b"Exif\0\0" + cut)
    assert decode(data).shape == (178, 218, 3)
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    assert decode(with_segment(jpeg(1), 0xE1, xmp)).shape == (218, 178, 3)
    assert decode(encoded(COLOURS, "WEBP", xmp=b'<x tiff:Orientation="6"/>')).shape == COLOURS.shape


def test_a_turned_or_printed_jpeg_with_damaged_pixels_is_refused_like_an_upright_one():
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (jpeg(1), encoded(picture(1), exif=exif), encoded(Image.fromarray(picture(1)).convert("CMYK"))):
        damaged = bytearray(data)
        middle = len(data) * 2 // 3
        damaged[middle : middle + 40] = b"\xff\xd3" * 20
        assert reason_or_shape(bytes(damaged)) in ("corrupt", "truncated")


@pytest.mark.parametrize("depth", [8, 16])
def test_a_png_with_a_wrong_checksum_is_corrupt(depth):
    rows = b"".join(b"\0" + bytes(range(50)) * 6 * (depth // 8) for _ in range(40))
    data = bytearray(png(100, 40, depth, 2, rows))
    assert reason_or_shape(bytes(data)) == (40, 100, 3)
    data[-14] ^= 1  # the checksum of IDAT
    assert reason_or_shape(bytes(data)) == "corrupt"
    data = bytearray(png(100, 40, depth, 2, rows))
    data[60] ^= 255
    assert reason_or_shape(bytes(data)) == "corrupt"


def test_a_damaged_profile_does_not_spoil_a_jpeg():
    profile = b"ICC_PROFILE\0\x01\x07" + bytes(200)
    data = jpeg(1)
    np.testing.assert_array_equal(decode(with_segment(data, 0xE2, profile)), decode(data))
