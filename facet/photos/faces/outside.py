"""Measure how much lossy compression changed the pixels outside an edit."""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from facet.photos.file.photo import Photo, read
from facet.pictures.decode import decode_jpeg, turned

LOSSY = ("JPEG", "WEBP", "AVIF", "HEIF")
Box = tuple[int, int, int, int]


def changed(data: bytes, photo: Photo, boxes: Sequence[Box]) -> tuple[float, int]:
    """The share of pixels outside `boxes` (of the upright photo) that differ between the photo and its written file
    `data`, and the largest difference in levels of 255."""
    now = turned(_pixels(data, photo), photo.orientation)
    before = photo.upright
    if now.shape != before.shape or now.dtype != before.dtype:
        return 1.0, 255
    if now.dtype == np.uint16:
        away = (np.maximum(now, before) - np.minimum(now, before)) // 257
    else:
        away = np.asarray(cv2.absdiff(np.ascontiguousarray(now), np.ascontiguousarray(before)))
    if away.ndim == 3:
        away = functools.reduce(np.maximum, np.moveaxis(away, 2, 0))
    inside = 0
    for left, top, right, bottom in boxes:
        away[top:bottom, left:right] = 0
        inside += (right - left) * (bottom - top)
    rest = max(away.size - inside, 1)
    return float(np.count_nonzero(away) / rest), int(away.max(initial=0))


def _pixels(data: bytes, photo: Photo) -> np.ndarray:
    """The pixels of a file, by the fastest decoder that gives the same values."""
    plain = photo.format == "JPEG" and photo.mode in ("L", "RGB")
    pixels = decode_jpeg(data, photo.mode) if plain else None
    return read(data).pixels if pixels is None else pixels
