"""What became of the pixels that no edit touched: exactly kept, or changed by lossy compression."""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from stages.photos.photo import Photo, read, turned

LOSSY = ("JPEG", "WEBP", "AVIF", "HEIF")
Box = tuple[int, int, int, int]


def changed(data: bytes, photo: Photo, boxes: Sequence[Box]) -> tuple[float, int]:
    """The share of pixels outside the boxes (of the upright photo), where the edit left it alone, that differ in the
    file `data` of the photo, and by how many levels at most."""
    now = turned(read(data).pixels, photo.orientation)
    before = photo.upright
    if now.shape != before.shape or now.dtype != before.dtype:
        return 1.0, 255
    if now.dtype == np.uint16:
        away = (np.maximum(now, before) - np.minimum(now, before)) // 257
    else:
        away = np.asarray(cv2.absdiff(np.ascontiguousarray(now), np.ascontiguousarray(before)))
    if away.ndim == 3:
        away = functools.reduce(np.maximum, cv2.split(away))
    inside = 0
    for left, top, right, bottom in boxes:
        away[top:bottom, left:right] = 0
        inside += (right - left) * (bottom - top)
    rest = max(away.size - inside, 1)
    return float(np.count_nonzero(away) / rest), int(away.max(initial=0))
