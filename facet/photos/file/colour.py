"""A photo's own colours and sRGB, which the networks learned: grey, CMYK, alpha, 16 bit, ICC profiles.

An edit is found in sRGB and comes back as a difference, so that what it leaves alone keeps its exact values."""

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
    """The colours of one photo. `ignored`: it has a profile, but none that can be used."""

    def __init__(self, photo: Photo):
        self.mode = {"LA": "L", "RGBA": "RGB"}.get(photo.mode, photo.mode)
        self.deep = photo.pixels.dtype == np.uint16
        self._transforms, self.ignored = _transforms(photo.profile, self.mode) if photo.profile else (None, False)

    @property
    def plain(self) -> bool:
        """Whether the photo is in sRGB, or says nothing of its colours."""
        return self.mode == "RGB" and self._transforms is None

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of the photo (H, W) or (H, W, C) -> sRGB uint8 (H, W, 3)."""
        colours = self._colours(pixels)
        if self.deep:
            colours = to_8_bits(colours)
        return self._seen(colours)

    def recoloured(self, pixels: np.ndarray, seen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Pixels of the photo that look as `wanted`, float sRGB levels (H, W, 3), where they look as `seen`; alpha
        stays. What is not to change keeps its value."""
        colours = self._colours(pixels)
        top = 65_535 if self.deep else 255
        if self.plain:
            difference = wanted - seen
        elif self.mode == "L" and self._transforms is None:
            difference = (wanted - seen) @ np.array([0.299, 0.587, 0.114], np.float32)
        else:
            aim = np.clip(np.rint(wanted), 0, 255).astype(np.uint8)
            difference = self._stored(aim).astype(np.float32) - self._stored(seen)
        found = np.clip(np.rint(colours + difference * (top / 255)), 0, top).astype(pixels.dtype)
        if pixels.shape == found.shape:
            return found
        found = found[:, :, None] if found.ndim == 2 else found
        return np.concatenate([found, pixels[:, :, found.shape[2] :]], axis=2)

    def _colours(self, pixels: np.ndarray) -> np.ndarray:
        """Without alpha."""
        if pixels.ndim == 2:
            return pixels
        return pixels[:, :, 0] if self.mode == "L" else pixels[:, :, : len(self.mode)]

    def _seen(self, colours: np.ndarray) -> np.ndarray:
        if self.plain:
            return np.ascontiguousarray(colours)
        picture = Image.fromarray(np.ascontiguousarray(colours), self.mode)
        if self._transforms is not None:
            return np.asarray(ImageCms.applyTransform(picture, self._transforms[0]))
        return np.asarray(picture.convert("RGB"))

    def _stored(self, seen: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(np.ascontiguousarray(seen), "RGB")
        if self._transforms is not None:
            return np.asarray(ImageCms.applyTransform(picture, self._transforms[1]))
        return np.asarray(picture.convert(self.mode))


Transforms = tuple[ImageCms.ImageCmsTransform, ImageCms.ImageCmsTransform]  # to sRGB and back


def _transforms(profile: bytes, mode: str) -> tuple[Transforms | None, bool]:
    return _built(hashlib.sha256(profile).digest(), _Bytes(profile), mode)


class _Bytes:
    """Bytes that the cache does not compare."""

    def __init__(self, data: bytes):
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bytes)

    def __hash__(self) -> int:
        return 0


@functools.lru_cache(maxsize=64)
def _built(digest: bytes, profile: _Bytes, mode: str) -> tuple[Transforms | None, bool]:
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
