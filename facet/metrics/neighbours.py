"""Nearest neighbours: the memorisation check and the floor "nearest training face"."""

import dataclasses

import numpy as np

from facet.metrics.intervals import Estimate, bootstrap
from facet.metrics.people import People, numbered

CHUNK = 512  # queries at once, so that memory stays flat


def nearest(queries: np.ndarray, references: np.ndarray, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) and (m, d) -> Euclidean distances (n, count), ascending, and the references' indices (n, count)."""
    queries, references = np.asarray(queries, np.float64), np.asarray(references, np.float64)
    squares = (references**2).sum(1)
    distances, indices = [], []
    for first in range(0, len(queries), CHUNK):
        part = queries[first : first + CHUNK]
        squared = np.maximum((part**2).sum(1)[:, None] + squares - 2 * part @ references.T, 0)
        if count < len(references):
            chosen = np.argpartition(squared, count - 1, axis=1)[:, :count]
        else:
            chosen = np.broadcast_to(np.arange(len(references)), squared.shape)
        order = np.take_along_axis(squared, chosen, 1).argsort(axis=1, kind="stable")
        chosen = np.take_along_axis(chosen, order, 1)
        distances.append(np.sqrt(np.take_along_axis(squared, chosen, 1)))
        indices.append(chosen)
    return np.concatenate(distances), np.concatenate(indices)


def thumbnails(pixels: np.ndarray, block: int = 4) -> np.ndarray:
    """uint8 (N, S, S, C) -> float32 (N, S / block * S / block * C): means of block x block pixels."""
    n, height, width, channels = pixels.shape
    blocks = pixels.reshape(n, height // block, block, width // block, block, channels)
    return blocks.mean((2, 4), dtype=np.float32).reshape(n, -1)


@dataclasses.dataclass(frozen=True)
class Memorisation:
    """The memorisation check: are samples closer to training images than fresh test images are?"""

    ratio: Estimate  # median nearest distance of samples / of test images; well below 1 means copies
    closest: np.ndarray  # (pairs, 2) sample and training index of the closest pairs, closest first
    distances: np.ndarray  # (pairs,)


def memorisation(
    samples: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    *,
    seed: int,
    test_people: People = None,
    pairs: int = 20,
) -> Memorisation:
    """Features (n, d) of samples, training and test images -> the check; 500 bootstrap resamples of samples and of test
    people."""
    sample_distances, indices = nearest(samples, train)
    test_distances, _ = nearest(test, train)
    sampled, tested = sample_distances[:, 0], test_distances[:, 0]
    joint = np.concatenate([sampled, tested])
    side = np.arange(len(joint)) < len(sampled)
    clusters = np.concatenate(numbered(None, test_people, len(sampled), len(tested)))

    def ratio(chosen: np.ndarray) -> float:
        mine, theirs = joint[chosen[side[chosen]]], joint[chosen[~side[chosen]]]
        return float(np.median(mine) / max(np.median(theirs), 1e-12)) if len(mine) and len(theirs) else float("nan")

    order = sampled.argsort(kind="stable")[:pairs]
    return Memorisation(
        ratio=bootstrap(ratio, len(joint), seed=seed, clusters=clusters, count=500),
        closest=np.stack([order, indices[order, 0]], 1),
        distances=sampled[order],
    )
