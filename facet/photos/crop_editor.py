"""Edit crops of faces: the networks' part of editing photos. As much as each face needs, and where the edit acts.

The weakest strength of which judge A is sure when it looks at the result is searched for each face; what comes back are
the maps of facet/photos/faces/change.py, to be pasted into the photos at full size."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TypeVar

import cv2
import numpy as np
import torch

from facet.base import compute, images
from facet.editing.editor import AppliedChanges, Editor
from facet.editing.refine import refine
from facet.editing.spec import Spec
from facet.judges.judge import Judge
from facet.photos.faces import change
from facet.photos.faces.align import Placement
from facet.photos.faces.change import Carried, Change
from facet.photos.faces.detect import Face
from facet.photos.faces.head import Head
from facet.photos.faces.regions import COLOURS, region
from facet.photos.options import MOVE, Options, compositing_mode
from facet.refining.refiner import Refiner

# Faces per forward pass. Batches are always filled to this size, because kernels chosen by batch size differ in the
# last bit.
BATCH = 16
LARGER = 2  # size of the crops that carry an edit back, in multiples of the system's
# Strengths tried for `on` and `off`, in multiples of the calibrated one that flips 95 % of faces.
SCALES = (0.0, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.25, 1.5)
FARTHEST = 2.0  # strongest edit by `on` and `off`, in strengths of 1: beyond it, decoders paint what no photo shows


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
class FaceEdit:
    """One face after the networks: the change to paste, and how the face looked before and after."""

    face_crop: FaceCrop
    change: Change
    attributes: tuple[str, ...]  # that move: those of the spec, and rivals that it turns off
    strengths: tuple[float, ...]  # signed multiples of their directions
    before: tuple[float, ...]  # probability of each attribute of the spec on the crop, by the judge or the read-out
    after: tuple[float, ...]
    moved: bool  # False if the latent did not change
    reached: bool  # True if the judge is sure of every attribute that was set on or off


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
    def names(self) -> tuple[str, ...]:
        return tuple(change.attribute for change in self.spec.changes)

    def sure(self, probabilities: np.ndarray) -> np.ndarray:
        """For each face, whether all attributes set on or off are so with `least`, (N, names) -> (N,) bool."""
        sets = [i for i, change in enumerate(self.spec.changes) if change.add is None]
        towards = np.array([self.spec.changes[i].towards for i in sets], bool)
        reached = np.where(towards, probabilities[:, sets], 1 - probabilities[:, sets]) >= self.least
        return np.asarray(reached.all(1))


@dataclasses.dataclass(frozen=True)
class Results:
    """A full batch of faces after an edit: arrays with one row per face."""

    changes: Sequence[Change]
    before: np.ndarray  # (N, names) probabilities
    after: np.ndarray
    moved: np.ndarray  # bool
    strengths: np.ndarray  # (N, attributes) signed multiples of their directions
    reached: np.ndarray  # bool


class CropEditor:
    """A trained system that edits crops of faces, with the judge that looks at the results and the refiner that draws
    what is new in them. Threads may share one."""

    def __init__(self, editor: Editor, judge: Judge | None = None, refiner: Refiner | None = None):
        self.editor, self.judge, self.refiner = editor, judge, refiner
        self.system = editor.system

    def edits(self, face_crops: Sequence[FaceCrop], spec: Spec, options: Options) -> list[FaceEdit]:
        """Run at most BATCH faces through the networks. Each face's result is independent of the others."""
        if not face_crops:
            return []
        if len(face_crops) > BATCH:
            raise ValueError(f"{len(face_crops)} faces at once; {BATCH} at most")
        full_batch = filled(face_crops)
        x = images.to_tensor(np.stack([face.crop for face in full_batch]))
        with torch.no_grad():
            editor = self.editor.clipped() if options.clip else self.editor
            latent = editor.encode(x)
            if options.refine:
                latent = refine(editor, x, latent, options.refine)
            applied = editor.changes(latent, spec)
            start = Start(full_batch, len(face_crops), x, latent, editor.decode(latent), spec, applied, options.sure)
            if compositing_mode(options.mode) == MOVE:
                results = self._least(editor, start)
            else:
                results = self._composited(editor, start, options.mode)
        wanted = np.array([change.towards for change in spec.changes], bool)
        if options.unless_already and len(wanted):
            already = ((results.before > 0.5) == wanted).all(1)
            results = dataclasses.replace(results, moved=results.moved & ~already)
        strengths = results.strengths.tolist()
        return [
            FaceEdit(
                face_crop=face,
                change=results.changes[i],
                attributes=start.applied.attributes,
                strengths=tuple(strengths[i]),
                before=tuple(results.before[i].tolist()),
                after=tuple((results.after if results.moved[i] else results.before)[i].tolist()),
                moved=bool(results.moved[i]),
                reached=bool(results.reached[i]),
            )
            for i, face in enumerate(face_crops)
        ]

    def _composited(self, editor: Editor, start: Start, mode: str) -> Results:
        """Edits at the calibrated strength, composited as the published systems do."""
        result = editor.apply_to(start.x, start.latent, start.reconstruction, start.spec, mode)
        before, after = (self._probabilities(x, start.names) for x in (start.x, result.y))
        a, b = (weight[:, 0].float().cpu().numpy() for weight in (result.mask, result.fade))
        reconstruction, edited = to_levels(result.reconstruction), to_levels(result.edited)
        changes = [
            change.composited(in_colour(face.crop), reconstruction[i], edited[i], a[i], b[i])
            for i, face in enumerate(start.face_crops[: start.faces])
        ]
        return Results(
            changes=changes,
            before=before,
            after=after,
            moved=(result.edited_latent != result.latent).any(1).cpu().numpy(),
            strengths=start.applied.strengths.cpu().numpy(),
            reached=start.sure(after),
        )

    def _least(self, editor: Editor, start: Start) -> Results:
        """The weakest edits of which the judge is sure when it looks at the result, the strongest where it never is.

        A search by halves over SCALES: probabilities grow with strength. Numbers in the spec keep their strength."""
        reconstruction = to_levels(start.reconstruction)
        before = self._probabilities(start.x, start.names)
        numbers = editor.changes(start.latent, Spec(tuple(c for c in start.spec.changes if c.add is not None)))
        sets = any(c.add is None for c in start.spec.changes)
        fixed, full = numbers.shift, start.applied.shift - numbers.shift
        count = len(start.face_crops)
        usual = {name: editor.table.chosen(name).region for name in start.applied.attributes}
        regions = [region(face.head, face.large, usual) for face in start.face_crops[: start.faces]]
        moving = any(name not in COLOURS for name in start.applied.attributes)
        ladder = self._ladder(start)

        def at(scales: np.ndarray) -> tuple[list[Carried], np.ndarray, np.ndarray]:
            steps = torch.from_numpy(scales).to(full.device)[:, None]
            latent = editor.move(start.latent, fixed + steps * full)
            edited = to_levels(editor.decode(latent))
            changes = [
                change.carried(face.large.astype(np.float32), reconstruction[i], edited[i], regions[i], moving=moving)
                for i, face in enumerate(start.face_crops[: start.faces])
            ]
            after = self._probabilities(self._seen(map(change.redrawn, changes)), start.names)
            return changes, after, (latent != start.latent).any(1).cpu().numpy()

        each = np.arange(count)
        low, high = np.zeros(count, int), np.full(count, len(SCALES) - 1)  # unsure at `low`, not weaker than `high`
        if sets and not numbers.attributes:
            high[start.sure(before)] = 0
        while sets and (high - low > 1).any():
            middle = np.where(high - low > 1, (low + high) // 2, high)
            sure = start.sure(at(ladder[each, middle])[1])
            high, low = np.where(sure, np.minimum(middle, high), high), np.where(sure, low, middle)
            low = np.minimum(low, high)
        scales = ladder[each, high] if sets else np.ones(count, np.float32)
        changes, after, moved = at(scales)
        if self.refiner is None:
            changes = list(map(change.redrawn, changes))
        else:
            changes = self._refined(self.refiner, changes)
            after = self._probabilities(self._seen(changes), start.names)
        scaled = np.array([name not in numbers.attributes for name in start.applied.attributes], bool)
        strengths = start.applied.strengths.cpu().numpy() * np.where(scaled, scales[:, None], 1)
        return Results(changes, before, after, moved, strengths, start.sure(after))

    def _ladder(self, start: Start) -> np.ndarray:
        """The multiples of the calibrated strength to try for each face, (N, len(SCALES)) float32, rising from 0. The
        last moves no attribute further than FARTHEST."""
        strongest = start.applied.strengths.abs().amax(1).cpu().numpy() if start.applied.attributes else np.ones(1)
        most = np.minimum(SCALES[-1], FARTHEST / np.maximum(strongest, 1e-6))
        return np.asarray(np.array(SCALES) / SCALES[-1] * most[:, None], np.float32)

    def _refined(self, refiner: Refiner, changes: Sequence[Carried]) -> list[Carried]:
        """The changes with what is new in them drawn by the refiner."""
        mixed = filled([change.applied(change.redrawn(one)) for one in changes])
        masks = filled([one.new for one in changes])
        x = torch.from_numpy(np.stack(mixed)).permute(0, 3, 1, 2) / 127.5 - 1
        if refiner.channels == 1:
            x = x.mean(1, keepdim=True)
        pictures = to_levels(refiner.refine(x, torch.from_numpy(np.stack(masks))[:, None]))
        return [change.redrawn(one, picture) for one, picture in zip(changes, pictures, strict=False)]

    def _seen(self, changes: Iterable[Change]) -> torch.Tensor:
        """A full batch of results as the system sees crops: (BATCH, C, S, S) in [-1, 1]."""
        size = self.system.size
        small = [cv2.resize(change.applied(one), (size, size), interpolation=cv2.INTER_AREA) for one in changes]
        pixels = np.clip(np.rint(np.stack(filled(small))), 0, 255).astype(np.uint8)
        return images.to_tensor(images.luma(pixels) if self.system.channels == 1 else pixels)

    def _probabilities(self, x: torch.Tensor, names: Sequence[str]) -> np.ndarray:
        """Probabilities (N, names) of the attributes on crops (N, C, S, S), by the judge, else the read-out."""
        x = x.to(self.editor.device)
        if self.judge is not None and all(name in self.judge.attributes for name in names):
            columns = [self.judge.attributes.index(name) for name in names]
            with compute.autocast(self.editor.device, self.editor.precision):
                return np.asarray(self.judge.probabilities(x)[:, columns].float().cpu().numpy())
        latent = self.editor.encode(x)
        read = [self.editor.logits(latent, name).sigmoid() for name in names]
        return torch.stack(read, 1).cpu().numpy() if read else np.zeros((len(x), 0), np.float32)


Item = TypeVar("Item")


def filled(items: Sequence[Item]) -> list[Item]:
    """The items, and the first one again until they fill a batch."""
    return [*items, *[items[0]] * (BATCH - len(items))]


def to_levels(x: torch.Tensor) -> np.ndarray:
    """(N, C, S, S) in [-1, 1] -> float32 (N, S, S, 3) in 0..255."""
    values = x.float().add(1).mul(127.5).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
    return np.asarray(values.contiguous().cpu().numpy())


def in_colour(crop: np.ndarray) -> np.ndarray:
    """A crop uint8 (S, S, C) as float32 (S, S, 3)."""
    return np.ascontiguousarray(np.broadcast_to(crop, (*crop.shape[:2], 3)), np.float32)
