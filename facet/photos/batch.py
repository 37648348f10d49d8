"""Crops of faces on their way through the networks, in batches that are always full."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import TypeVar

import numpy as np
import torch

from facet.editing.editor import AppliedChanges
from facet.editing.spec import Spec
from facet.photos.faces.align import Placement
from facet.photos.faces.detect import Face
from facet.photos.faces.head import Head

# Faces per forward pass. Batches are always filled to this size, because kernels chosen by batch size differ in the
# last bit.
BATCH = 16
LARGER = 2  # size of the crops that carry an edit back, in multiples of the system's


@dataclasses.dataclass(frozen=True)
class FaceCrop:
    """One face that can be edited: where it is, its crop uint8 (S, S, C) as the system sees it, the same part of the
    photo at F = LARGER times that size, uint8 (F, F, 3), and the head in the crop widened by paste.BEYOND, at the
    larger size; None if the system was trained on pictures without faces."""

    face: Face
    placement: Placement
    crop: np.ndarray
    large: np.ndarray
    head: Head | None


@dataclasses.dataclass(frozen=True)
class Start:
    """A full batch of faces before an edit."""

    face_crops: Sequence[FaceCrop]
    faces: int  # of the face crops; the rest only fills the batch
    x: torch.Tensor  # (N, C, S, S) in [-1, 1]
    latent: torch.Tensor  # (N, d)
    reconstruction: torch.Tensor
    spec: Spec
    applied: AppliedChanges  # at the calibrated strength
    least: float  # probability from which on the judge is sure

    @property
    def own(self) -> Sequence[FaceCrop]:
        """The face crops that do more than fill the batch."""
        return self.face_crops[: self.faces]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(change.attribute for change in self.spec.changes)

    def sure(self, probabilities: np.ndarray, but: Collection[str] = ()) -> np.ndarray:
        """`reached` with this spec, for each face; attributes in `but` do not count."""
        return reached(self.spec, probabilities, self.least, but)


def reached(spec: Spec, probabilities: np.ndarray, least: float, but: Collection[str] = ()) -> np.ndarray:
    """For each face, whether all attributes set on or off, `but` some, are so with `least`: (N, names) -> (N,) bool."""
    sets = [i for i, change in enumerate(spec.changes) if change.add is None and change.attribute not in but]
    towards = np.array([spec.changes[i].towards for i in sets], bool)
    return np.asarray((np.where(towards, probabilities[:, sets], 1 - probabilities[:, sets]) >= least).all(1))


Item = TypeVar("Item")


def filled(items: Sequence[Item], size: int = BATCH) -> list[Item]:
    """The items, and the first one again until they fill a batch of `size`."""
    return [*items, *[items[0]] * (size - len(items))]


def to_levels(x: torch.Tensor) -> np.ndarray:
    """(N, C, S, S) in [-1, 1] -> float32 (N, S, S, 3) in 0..255."""
    values = x.float().add(1).mul(127.5).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
    return np.asarray(values.contiguous().cpu().numpy())


def in_colour(crop: np.ndarray) -> np.ndarray:
    """A crop uint8 (S, S, C) as float32 (S, S, 3)."""
    return np.ascontiguousarray(np.broadcast_to(crop, (*crop.shape[:2], 3)), np.float32)
