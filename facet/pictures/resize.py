"""The named crop of decoded pictures and their antialiased resize to the training square, in batches."""

import functools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from facet.pictures.crops import FRAME, Crop
from facet.pictures.decode import BadImage

ASPECT_TOLERANCE = 0.02  # relative deviation of width : height from 178 : 218
BUFFER = 64 * 148 * 148 * 3  # bytes of crops resized together: 64 of the largest at CelebA's size
MAX_ENLARGEMENT = 4  # a smaller box has too few pixels to learn from


@functools.lru_cache(maxsize=256)
def box_on(crop: Crop, width: int, height: int, size: int) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the crop in whole pixels of a `width` x `height` picture, for a square of `size`.

    The box is scaled to the picture and its edges are rounded to the nearest pixel, halves up. BadImage `aspect` if the
    aspect ratio is not that of CelebA (+-2 %; `whole` and `lfw150` take any), `too_small` if the box is smaller than a
    quarter of `size`."""
    if crop.any_aspect:
        side = int(crop.share * min(width, height) + 0.5)
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
    else:
        if abs(width * FRAME[1] / (height * FRAME[0]) - 1) > ASPECT_TOLERANCE:
            raise BadImage("aspect", f"{width}x{height} is not framed {FRAME[0]}:{FRAME[1]}")
        left, top, right, bottom = (int(edge + 0.5) for edge in crop.on(width, height))
        box = (left, top, right, bottom)
    if min(box[2] - box[0], box[3] - box[1]) * MAX_ENLARGEMENT < size:
        raise BadImage("too_small", f"{width}x{height} for {size} pixels")
    return box


def cut(picture: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """A view of the part of a decoded picture (uint8 H, W, 3) that `resize` needs."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box_on(crop, width, height, size)
    if crop.rows is not None:  # this crop cuts after the resize
        return picture
    return picture[top:bottom, left:right]


class Squares:
    """Decoded pictures, one after the other -> uint8 (N, size, size, 3) for each of `sizes`: cropped, then resized by
    an antialiased bicubic filter (a = -1/2), equal to Pillow's within one level. The first size decides which pictures
    are too small; for the others they are enlarged as far as it takes. Not thread-safe.

    Consecutive parts of one shape are gathered in a buffer and resized together. The buffer is reused, because page
    faults of new memory for each picture would take a third of the time of decoding."""

    def __init__(self, crop: Crop, sizes: Sequence[int]):
        self.crop, self.sizes = crop, tuple(sizes)
        self._buffer = np.empty(BUFFER, np.uint8)
        self._shape: tuple[int, ...] = ()
        self._held = 0
        self._done: list[tuple[np.ndarray, ...]] = []  # one array per size

    def add(self, picture: np.ndarray) -> None:
        """Add one picture (uint8 H, W, 3); BadImage if the crop does not fit it."""
        part = cut(picture, self.crop, self.sizes[0])
        if part.size > BUFFER:
            self._flush()
            self._resize(np.ascontiguousarray(part)[None])
            return
        if part.shape != self._shape or (self._held + 1) * part.size > BUFFER:
            self._flush()
            self._shape = part.shape
        self._parts(self._held + 1)[self._held] = part
        self._held += 1

    def take(self) -> list[np.ndarray]:
        """All squares since the last call, in order: one array per size."""
        self._flush()
        done, self._done = self._done, []
        if not done:
            return [np.empty((0, size, size, 3), np.uint8) for size in self.sizes]
        return [parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in zip(*done, strict=True)]

    def _parts(self, count: int) -> np.ndarray:
        return self._buffer[: count * math.prod(self._shape)].reshape(count, *self._shape)

    def _flush(self) -> None:
        if self._held:
            self._resize(self._parts(self._held))
            self._held = 0

    def _resize(self, parts: np.ndarray) -> None:
        self._done.append(tuple(resize_parts(parts, self.crop, size) for size in self.sizes))


def resize(pictures: Iterable[np.ndarray], crop: Crop, size: int) -> np.ndarray:
    """Decoded pictures (uint8 H, W, 3, of any size) -> crops, uint8 (N, size, size, 3)."""
    squares = Squares(crop, [size])
    for picture in pictures:
        squares.add(picture)
    return squares.take()[0]


def resize_parts(parts: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """Parts as `cut` returns them, of one shape (uint8 N, H, W, 3) -> uint8 (N, size, size, 3)."""
    return _resized(torch.from_numpy(parts).permute(0, 3, 1, 2), crop, size).permute(0, 2, 3, 1).contiguous().numpy()


def _resized(batch: Tensor, crop: Crop, size: int) -> Tensor:
    height, width = batch.shape[2:]
    if crop.blur:
        sigma = crop.blur * width / (crop.box[2] - crop.box[0])
        rows, columns = _blurred_resize(height, size, sigma), _blurred_resize(width, size, sigma)
        return (rows @ batch.float() @ columns.T).round_().clamp_(0, 255).to(torch.uint8)
    if crop.rows is not None:
        first, last, of = crop.rows  # of a picture resized to `last - first` columns
        scale = size / (last - first)
        batch = interpolate(batch, size=(round(of * scale), size), mode="bicubic", antialias=True)
        return batch[:, :, round(first * scale) : round(first * scale) + size]
    return interpolate(batch, size=(size, size), mode="bicubic", antialias=True)


@functools.lru_cache(maxsize=64)
def _blurred_resize(length: int, size: int, sigma: float) -> Tensor:
    """(size, length): the matrix of a Gaussian of `sigma` pixels followed by the bicubic resize along one axis.

    The Gaussian is SciPy's: cut at 4 sigma, mirrored at the border with the border pixel repeated."""
    radius = int(4 * sigma + 0.5)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=torch.float64) / sigma) ** 2)
    taps /= taps.sum()
    gaussian = torch.zeros(length, length, dtype=torch.float64)
    for row in range(length):
        for offset, tap in zip(range(-radius, radius + 1), taps.tolist(), strict=True):
            column = (row + offset) % (2 * length)
            gaussian[row, column if column < length else 2 * length - 1 - column] += tap
    identity = torch.eye(length, dtype=torch.float64)[None, None]
    bicubic = interpolate(identity, size=(size, length), mode="bicubic", antialias=True)[0, 0]
    return (bicubic @ gaussian).float()
