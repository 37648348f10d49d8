"""The guided filter (He et al. 2013, doi:10.1109/TPAMI.2012.213): values that follow the edges of a guide."""

from collections.abc import Callable

import cv2
import numpy as np

Mean = Callable[[np.ndarray], np.ndarray]


def box(radius: int) -> Mean:
    """The mean over a square of 2 `radius` + 1 pixels around each of (H, W)."""
    kernel = (2 * radius + 1,) * 2
    return lambda value: np.asarray(cv2.blur(value, kernel, borderType=cv2.BORDER_REFLECT))


def slope(guide: np.ndarray, target: np.ndarray, mean: Mean, edge: float) -> np.ndarray:
    """The slope (H, W) of target over guide around each pixel; contrasts of the guide below `edge` hardly count."""
    middle, aim = mean(guide), mean(target)
    together, variance = mean(guide * target) - middle * aim, mean(guide * guide) - middle * middle
    return np.asarray(together / (variance + edge**2))
