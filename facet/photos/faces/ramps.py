"""Smooth ramps from 0 to 1, of which weights are made."""

import numpy as np


def smoothstep(t: np.ndarray) -> np.ndarray:
    """0 for t <= 0, 1 for t >= 1, 3 t^2 - 2 t^3 between; float32."""
    t = np.clip(t, 0, 1, dtype=np.float32)
    return np.asarray(t * t * (3 - 2 * t))
