"""Grey and tinted photos: their colour is a function of their luma, and an edit must leave it one.

A system trained on colour pictures gives grey photos a tint; here only the luma of its change is used."""

import cv2
import numpy as np

SAMPLES = 1 << 14  # pixels looked at
NEAR, STRAY = 2.0, 10.0  # mean and 99.5th percentile of the distance from the tint, in levels, in a tinted photo


def sample(pixels: np.ndarray) -> np.ndarray:
    """Some SAMPLES pixels of a photo (H, W) or (H, W, C), on a grid: enough to tell its tint."""
    step = max(1, round(np.sqrt(pixels.shape[0] * pixels.shape[1] / SAMPLES)))
    return np.ascontiguousarray(pixels[::step, ::step])


def tint(srgb: np.ndarray) -> np.ndarray | None:
    """The colours (256, 3) float32 that a photo, uint8 sRGB (H, W, 3), has at each luma; None if it is in colour."""
    flat = srgb.reshape(-1, 3)
    grey = cv2.cvtColor(srgb, cv2.COLOR_RGB2GRAY).ravel()
    count = np.bincount(grey, minlength=256)
    here = np.flatnonzero(count)
    levels = np.arange(256)
    colours = np.stack(
        [
            np.interp(levels, here, np.bincount(grey, flat[:, c], 256)[here] / count[here])
            for c in range(3)
        ],
        axis=1,
    )  # fmt: skip
    apart = np.abs(flat - colours[grey])
    away = np.maximum(np.maximum(apart[:, 0], apart[:, 1]), apart[:, 2])  # a third of the time of max(1)
    if away.mean() > NEAR or np.percentile(away, 99.5) > STRAY:
        return None
    if (flat == flat[:, :1]).all():
        colours = np.repeat(levels[:, None], 3, axis=1)
    return np.asarray(colours, np.float32)


def tinted(srgb: np.ndarray, target: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """`target`, float levels (H, W, 3), with its luma in the photo's tint; pixels of `srgb` (H, W, 3) whose luma does
    not change keep their colour."""
    before, after = (cv2.cvtColor(np.asarray(value, np.float32), cv2.COLOR_RGB2GRAY) for value in (srgb, target))
    levels = np.arange(256)
    shift = [np.interp(after, levels, line) - np.interp(before, levels, line) for line in colours.T]
    return np.asarray(srgb + np.dstack(shift), np.float32)
