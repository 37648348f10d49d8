"""Colours of photos as the networks see them, and changes of them as viewers show them."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from facet.photos.file.colour import Colours
from facet.photos.file.metadata import Metadata
from facet.photos.file.photo import Photo
from tests.support.photographs import encoded, pixels


def profile(gamma: float, name: bytes, primaries: tuple[tuple[float, float, float], ...] | None = None) -> bytes:
    """An ICC profile of version 2 with a curve x ** gamma, and with the primaries of sRGB unless others are given."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65_536))

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    red, green, blue = primaries or (
        (0.43607, 0.22249, 0.01392),
        (0.38515, 0.71687, 0.09708),
        (0.14307, 0.06061, 0.7141),
    )
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0" + bytes(78)
    tags = {
        b"desc": described, b"wtpt": xyz((0.9642, 1, 0.82491)), b"rXYZ": xyz(red), b"gXYZ": xyz(green),
        b"bXYZ": xyz(blue), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve, b"cprt": b"text\0\0\0\0none\0",
    }  # fmt: skip
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data
    size = at + len(body)
    head = (
        struct.pack(">I4sI4s4s4s", size, b"", 0x02100000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp" + bytes(28)
    )
    head += fixed(0.9642) + fixed(1) + fixed(0.82491)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def test_a_linear_profile_is_seen_as_bright_as_it_is_whatever_its_name():
    photo = Photo(pixels(), "RGB", "JPEG", metadata=Metadata(profile=profile(1.0, b"linear sRGB")))
    seen = Colours(photo).to_srgb(photo.pixels)
    linear = photo.pixels / 255
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(seen - expected).max() < 2


def test_a_profile_is_srgb_by_its_colours():
    wide = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
    for gamma, primaries, plain in ((2.2, wide, False), (1.8, None, False)):
        photo = Photo(
            pixels(), "RGB", "JPEG", metadata=Metadata(profile=profile(gamma, b"sRGB IEC61966-2.1", primaries))
        )
        colours = Colours(photo)
        assert (colours.plain, colours.ignored) == (plain, False)


@pytest.mark.parametrize("black", [0, 120, 200, 255])
def test_a_change_of_cmyk_shows_whatever_the_black_ink(black):
    inks = np.random.default_rng(1).integers(0, 256, (40, 50, 4), dtype=np.uint8)
    inks[:, :, 3] = black
    photo = Photo(inks, "CMYK", "JPEG")
    colours = Colours(photo)
    seen = colours.to_srgb(inks)
    np.testing.assert_array_equal(
        seen, np.asarray(Image.open(io.BytesIO(encoded(Image.fromarray(inks, "CMYK"), "TIFF"))).convert("RGB"))
    )
    target = np.clip(seen + np.float32([60, -25, 10]), 0, 255)
    target[:10] = seen[:10]
    result = colours.recoloured(inks, seen, target)
    np.testing.assert_array_equal(result[:10], inks[:10])
    assert np.abs(colours.to_srgb(result) - target).max() <= 2
