"""Smooth continuation of values from where they are known to where they are not."""

from collections.abc import Sequence

import cv2
import numpy as np


def continued(
    values: np.ndarray, known: np.ndarray, sigmas: Sequence[float], start: np.ndarray, enough: float
) -> np.ndarray:
    """Values (S, S, C) as they are where `known` (S, S) in [0, 1] is high, continued into where it is not.

    From coarse to fine: each of `sigmas`, in pixels and falling, averages what is known nearby, and replaces what is
    there so far as far as a share `enough` of the neighbourhood is known. `start` (C,) is what stands where nothing
    is known."""
    result = np.broadcast_to(np.asarray(start), values.shape).astype(np.float32)
    for sigma in sigmas:
        share = cv2.GaussianBlur(known, (0, 0), sigma)[:, :, None]
        near = cv2.GaussianBlur(values * known[:, :, None], (0, 0), sigma) / np.maximum(share, 1e-6)
        trust = np.minimum(share / enough, 1)
        result = trust * near + (1 - trust) * result
    return np.asarray(result)
