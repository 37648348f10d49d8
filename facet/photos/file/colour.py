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
BAND = 1 << 22  # pixels converted at a time, so that memory does not grow with the photo
SAME = 4  # largest difference in levels of a profile that counts as sRGB
CORRECTIONS = 3  # of colours in CMYK by what is seen
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
        if self.plain and not self.deep:
            return self._to_srgb(self._colours(pixels))
        height, width = pixels.shape[:2]
        srgb = np.empty((height, width, 3), np.uint8)
        step = max(1, BAND // max(width, 1))
        for start in range(0, height, step):
            colours = self._colours(pixels[start : start + step])
            srgb[start : start + step] = self._to_srgb(to_8_bits(colours) if self.deep else colours)
        return srgb

    def recoloured(self, pixels: np.ndarray, srgb: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Change pixels of the photo from `srgb`, uint8 sRGB (H, W, 3), to `target`, float sRGB levels (H, W, 3).

        Alpha stays, and pixels whose target equals their colour keep their value."""
        colours = self._colours(pixels)
        top = 65_535 if self.deep else 255
        if self.plain:
            difference = target - srgb
        elif self.mode == "L" and self._transforms is None:
            difference = (target - srgb) @ np.array([0.299, 0.587, 0.114], np.float32)
        elif self.mode == "CMYK" and self._transforms is None:
            difference = _inked(colours, srgb, target) - colours
        else:
            difference = self._differences(colours, srgb, target)
        result = np.clip(np.rint(colours + difference * (top / 255)), 0, top).astype(pixels.dtype)
        if pixels.shape == result.shape:
            return result
        result = result[:, :, None] if result.ndim == 2 else result
        return np.concatenate([result, pixels[:, :, result.shape[2] :]], axis=2)

    def _differences(self, colours: np.ndarray, srgb: np.ndarray, target: np.ndarray) -> np.ndarray:
        """What to add to 8-bit colours of a photo with a profile, or of an unusual model, to see `target` instead of
        `srgb`. Black ink damps what is added to the others, so that of CMYK is corrected by what is seen."""
        before = self._from_srgb(srgb).astype(np.float32)
        aim = np.asarray(target, np.float32)
        for _ in range(CORRECTIONS if self.mode == "CMYK" else 1):
            rounded = np.clip(np.rint(aim), 0, 255).astype(np.uint8)
            difference = self._from_srgb(rounded).astype(np.float32) - before
            if self.mode == "CMYK":
                result = np.clip(np.rint(colours + difference), 0, 255).astype(np.uint8)
                aim = np.clip(aim + target - self._to_srgb(result), 0, 255)
        return np.where((np.rint(target) == srgb).all(2, keepdims=self.mode != "L"), 0, difference)

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


def _inked(colours: np.ndarray, srgb: np.ndarray, target: np.ndarray) -> np.ndarray:
    """CMYK (H, W, 4) that is seen as `target` where that is not `srgb`: the black ink stays, unless it is too much.

    Without a profile, a level of red is (255 - cyan) (255 - black) / 255, and so on."""
    wanted = np.clip(target, 0, 255)
    black = np.minimum(colours[:, :, 3], np.floor(255 - wanted.max(2)))[:, :, None].astype(np.float32)
    inks = 255 - wanted * (255 / np.maximum(255 - black, 1))
    result = np.concatenate([np.clip(inks, 0, 255), black], axis=2)
    return np.where((np.rint(target) == srgb).all(2, keepdims=True), colours, result)


def _is_srgb(there: ImageCms.ImageCmsTransform) -> bool:
    """True if a transform to sRGB changes no colour by more than a few levels, whatever the profile calls itself."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), 3).reshape(1, -1, 3)
    seen = np.asarray(ImageCms.applyTransform(Image.fromarray(grid, "RGB"), there))
    return int(np.abs(seen.astype(int) - grid).max()) <= SAME


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
        srgb = ImageCms.createProfile("sRGB")
        there = ImageCms.buildTransform(own, srgb, mode, "RGB", INTENT, BLACK_POINT)
        back = ImageCms.buildTransform(srgb, own, "RGB", mode, INTENT, BLACK_POINT)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None, True
    return (None if mode == "RGB" and _is_srgb(there) else (there, back)), False
