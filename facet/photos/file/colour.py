"""Convert between a photo's own colours (grey, CMYK, alpha, 16 bit, ICC profiles) and sRGB, which the networks use.

An edit is computed in sRGB and added as a difference, so that pixels it leaves alone keep their exact values."""

import functools
import hashlib
import io

import numpy as np
from PIL import Image, ImageCms

from facet.photos.file.photo import Photo
from facet.pictures.decode import to_8_bits

BLACK_POINT = ImageCms.Flags.BLACKPOINTCOMPENSATION
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


class Colours:
    """The colours of one photo. `ignored` is True if it has a profile that cannot be used."""

    def __init__(self, photo: Photo):
        self.mode = {"LA": "L", "RGBA": "RGB"}.get(photo.mode, photo.mode)
        self.deep = photo.pixels.dtype == np.uint16
        self._transforms, self.ignored = _transforms(photo.profile, self.mode) if photo.profile else (None, False)

    @property
    def plain(self) -> bool:
        """True if the photo is in sRGB, or has no profile."""
        return self.mode == "RGB" and self._transforms is None

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of the photo (H, W) or (H, W, C) -> sRGB uint8 (H, W, 3)."""
        colours = self._colours(pixels)
        if self.deep:
            colours = to_8_bits(colours)
        return self._to_srgb(colours)

    def recoloured(self, pixels: np.ndarray, srgb: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Change pixels of the photo from `srgb`, uint8 sRGB (H, W, 3), to `target`, float sRGB levels (H, W, 3).

        Alpha stays, and pixels whose target equals their colour keep their value."""
        colours = self._colours(pixels)
        top = 65_535 if self.deep else 255
        if self.plain:
            difference = target - srgb
        elif self.mode == "L" and self._transforms is None:
            difference = (target - srgb) @ np.array([0.299, 0.587, 0.114], np.float32)
        else:
            rounded = np.clip(np.rint(target), 0, 255).astype(np.uint8)
            difference = self._from_srgb(rounded).astype(np.float32) - self._from_srgb(srgb)
        result = np.clip(np.rint(colours + difference * (top / 255)), 0, top).astype(pixels.dtype)
        if pixels.shape == result.shape:
            return result
        result = result[:, :, None] if result.ndim == 2 else result
        return np.concatenate([result, pixels[:, :, result.shape[2] :]], axis=2)

    def _colours(self, pixels: np.ndarray) -> np.ndarray:
        """The pixels without alpha."""
        if pixels.ndim == 2:
            return pixels
        return pixels[:, :, 0] if self.mode == "L" else pixels[:, :, : len(self.mode)]

    def _to_srgb(self, colours: np.ndarray) -> np.ndarray:
        """8-bit colours of the photo -> sRGB."""
        if self.plain:
            return np.ascontiguousarray(colours)
        picture = Image.fromarray(np.ascontiguousarray(colours), self.mode)
        if self._transforms is not None:
            return np.asarray(ImageCms.applyTransform(picture, self._transforms[0]))
        return np.asarray(picture.convert("RGB"))

    def _from_srgb(self, srgb: np.ndarray) -> np.ndarray:
        """sRGB -> 8-bit colours of the photo."""
        picture = Image.fromarray(np.ascontiguousarray(srgb), "RGB")
        if self._transforms is not None:
            return np.asarray(ImageCms.applyTransform(picture, self._transforms[1]))
        return np.asarray(picture.convert(self.mode))


Transforms = tuple[ImageCms.ImageCmsTransform, ImageCms.ImageCmsTransform]  # to sRGB and back


def _transforms(profile: bytes, mode: str) -> tuple[Transforms | None, bool]:
    """The transforms of a profile, None for sRGB; and True if the profile cannot be used."""
    return _cached_transforms(hashlib.sha256(profile).digest(), _Uncompared(profile), mode)


class _Uncompared:
    """Bytes that the cache leaves out of its key."""

    def __init__(self, data: bytes):
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Uncompared)

    def __hash__(self) -> int:
        return 0


@functools.lru_cache(maxsize=64)
def _cached_transforms(digest: bytes, profile: _Uncompared, mode: str) -> tuple[Transforms | None, bool]:
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile.data))
        if own.profile.xcolor_space.strip() != SPACES[mode]:
            return None, True
        described = ImageCms.getProfileDescription(own)
        if mode == "RGB" and "srgb" in described.lower():
            return None, False
        srgb = ImageCms.createProfile("sRGB")
        there = ImageCms.buildTransform(own, srgb, mode, "RGB", INTENT, BLACK_POINT)
        back = ImageCms.buildTransform(srgb, own, "RGB", mode, INTENT, BLACK_POINT)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None, True
    return (there, back), False
