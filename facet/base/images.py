"""Prepared images: the uint8 format, and random batches from the memory-mapped array."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facet.base.errors import InputError
from facet.base.files import replacing
from facet.base.params import need


def open_images(prepared: Path) -> np.ndarray:
    """images.npy as a read-only memory map: uint8 (images, size, size, channels)."""
    return _open(need(prepared / "images.npy", "prepare"))


def open_large(prepared: Path) -> np.ndarray:
    """large.npy, the same rows at the larger size, as a read-only memory map; InputError if it was not kept."""
    path = prepared / "large.npy"
    if not path.exists():
        raise InputError(
            f"{path} is missing: stage `prepare` keeps pictures at a larger size only if prepare.large says so; set "
            "it to twice prepare.size in params.yaml and run `dvc repro prepare`"
        )
    return _open(path)


def _open(path: Path) -> np.ndarray:
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise InputError(f"{path} is not a NumPy array ({error}); run `dvc repro -f prepare`") from error
    if images.dtype != np.uint8 or images.ndim != 4:
        raise InputError(f"{path} holds {images.dtype} {images.shape}; expected uint8 (images, size, size, channels)")
    return images


def luma(pixels: np.ndarray) -> np.ndarray:
    """uint8 RGB (…, 3) -> luma (…, 1) by ITU-R 601, rounded; grey pixels keep their value."""
    weights = np.array([299, 587, 114], np.uint32)
    return ((pixels.astype(np.uint32) @ weights + 500) // 1000).astype(np.uint8)[..., None]


def to_tensor(pixels: np.ndarray) -> Tensor:
    """uint8 (N, H, W, C) -> float32 (N, C, H, W) in [-1, 1], channels last in memory: 2 u / 255 - 1."""
    tensor = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    return tensor.to(torch.float32).mul_(2 / 255).sub_(1)


def to_pixels(tensor: Tensor) -> np.ndarray:
    """float (N, C, H, W) in [-1, 1] -> uint8 (N, H, W, C): clipped, then rounded to the nearest level."""
    levels = tensor.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def batch_rows(rows: np.ndarray, *, batch_size: int, seed: int, start: int = 1) -> Iterator[np.ndarray]:
    """Endless batches of `rows` from step `start` (1-based): a new permutation per epoch, without the incomplete last
    batch.

    Each step always yields the same rows, so a resumed run sees the batches of an uninterrupted one."""
    per_epoch = len(rows) // batch_size
    if per_epoch == 0:
        raise InputError(f"{len(rows)} images do not fill one batch of {batch_size}; lower batch_size or add images")
    step = start - 1
    while True:
        epoch, first = divmod(step, per_epoch)
        order = np.random.default_rng((seed, epoch)).permutation(rows)
        for batch in range(first, per_epoch):
            yield order[batch * batch_size : (batch + 1) * batch_size]
            step += 1


def gather(images: np.ndarray, rows: np.ndarray, flip: np.ndarray | None = None) -> Tensor:
    """Rows of the array as a float tensor; rows with a true `flip` (bool, one per row) are mirrored left to right."""
    pixels = images[rows]
    if flip is not None:
        pixels[flip] = pixels[flip, :, ::-1]
    return to_tensor(pixels)


def flips(count: int, *key: int) -> np.ndarray:
    """A fair coin per image, fixed by `key`."""
    return np.random.default_rng(key).random(count) < 0.5


def write_grid(path: Path, pixels: np.ndarray, *, columns: int) -> None:
    """Write uint8 (N, S, S, C) as one PNG, row by row, with two white pixels between images."""
    count, size = len(pixels), pixels.shape[1] + 2
    grid = np.full((-(-count // columns) * size + 2, columns * size + 2, pixels.shape[3]), 255, np.uint8)
    for i, picture in enumerate(pixels):
        top, left = (i // columns) * size + 2, (i % columns) * size + 2
        grid[top : top + size - 2, left : left + size - 2] = picture
    with replacing(path) as temporary:
        Image.fromarray(grid if grid.shape[2] == 3 else grid[..., 0]).save(temporary, format="PNG")
