"""Movement: how an edit displaces what a face shows, as dense optical flow between two decoded pictures.

A decoder's pictures are blurred, but the displacement between two of them is smooth, so it can be enlarged to any size
and moves the photo's own pixels without loss of sharpness (dense inverse search, Kroeger et al. 2016,
arXiv:1603.03590)."""

import threading

import cv2
import numpy as np

PRESET = cv2.DISOPTICAL_FLOW_PRESET_FAST
ALPHA, REFINEMENTS = 60.0, 5  # of the variational refinement: weight of smoothness, iterations
SMOOTH = 3 / 256  # sigma of the flow's final Gaussian, in sides of the crop
LEAST_AREA = 0.3  # smallest share of its area to which a movement may squeeze the photo; 0 is a fold
LONGEST = 0.06  # movement, in sides of the crop; a longer one is an error of the search
ROUNDS = 8  # of smoothing against folds; then the flow shrinks

_own = threading.local()


def movement(before: np.ndarray, after: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The flow (S, S, 2) float32, in pixels, x before y: `after` at p shows what `before` shows at p + flow[p].

    `before` and `after` are luma (S, S) uint8; `weight` (S, S) in [0, 1] scales the flow, which is 0 where it is."""
    flow = np.zeros((*before.shape, 2), np.float32)
    flow = _search().calc(after, before, flow) * weight[:, :, None]
    sigma = SMOOTH * len(before)
    length = np.linalg.norm(flow, axis=2, keepdims=True)
    flow *= np.minimum(1, LONGEST * len(before) / np.maximum(length, 1e-6))
    flow = cv2.GaussianBlur(flow, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    for _ in range(ROUNDS):
        squeezed = _area(flow) < LEAST_AREA
        if not squeezed.any():
            break
        near = cv2.GaussianBlur(squeezed.astype(np.float32), (0, 0), 2 * sigma)[:, :, None]
        near = np.minimum(4 * near / max(float(near.max()), 1e-6), 1)
        flow += near * (cv2.GaussianBlur(flow, (0, 0), 2 * sigma, borderType=cv2.BORDER_REPLICATE) - flow)
    while (_area(flow) < LEAST_AREA).any():
        flow *= 0.8
    flow *= np.minimum(weight * 4, 1)[:, :, None]  # the Gaussian carried some of it to where nothing changes
    return np.asarray(flow, np.float32)


def _area(flow: np.ndarray) -> np.ndarray:
    """The Jacobian determinant (S, S) of p -> p + flow[p]."""
    dy, dx = np.gradient(flow, axis=(0, 1))
    return np.asarray((1 + dx[:, :, 0]) * (1 + dy[:, :, 1]) - dx[:, :, 1] * dy[:, :, 0])


def _search() -> cv2.DISOpticalFlow:
    """This thread's flow search; OpenCV's keeps buffers and cannot be shared."""
    if not hasattr(_own, "search"):
        _own.search = cv2.DISOpticalFlow.create(PRESET)
        _own.search.setVariationalRefinementAlpha(ALPHA)
        _own.search.setVariationalRefinementIterations(REFINEMENTS)
    search: cv2.DISOpticalFlow = _own.search
    return search
