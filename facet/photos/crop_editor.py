"""Edit crops of faces: the networks' part of editing photos. As much as each face needs, and where the edit acts.

The weakest strength of which judge A is sure when it looks at the result is searched for each face; what comes back are
the maps of facet/photos/faces/change.py, to be pasted into the photos at full size."""

import dataclasses
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch

from facet.base import compute, images
from facet.editing.editor import Editor
from facet.editing.refine import refine
from facet.editing.spec import Spec
from facet.judges.judge import Judge
from facet.judges.unlike import Unlike
from facet.photos.batch import BATCH, FaceCrop, Start, filled, in_colour, reached, to_levels
from facet.photos.faces import change
from facet.photos.faces.change import Carried, Change
from facet.photos.faces.dye import COVERING
from facet.photos.options import MOVE, Options, compositing_mode
from facet.photos.search import Search
from facet.refining.refiner import Refiner


@dataclasses.dataclass(frozen=True)
class FaceEdit:
    """One face after the networks: the change to paste, and how the face looked before and after."""

    face_crop: FaceCrop
    change: Change
    attributes: tuple[str, ...]  # that move: those of the spec, and rivals that it turns off
    strengths: tuple[float, ...]  # signed multiples of their directions
    # probability of each attribute of the spec by the judge or the read-out: on the crop, or, once `judged`, after the
    # edit in the finished photo
    before: tuple[float, ...]
    after: tuple[float, ...]
    moved: bool  # False if the latent did not change
    reached: bool  # True if the judge is sure of every attribute that was set on or off
    latent: np.ndarray  # (d,) float32, after the edit
    unlike: bool = False  # True if it was left alone because it is unlike the faces of training


@dataclasses.dataclass(frozen=True)
class Results:
    """A full batch of faces after an edit: arrays with one row per face."""

    changes: Sequence[Change]
    before: np.ndarray  # (N, names) probabilities
    after: np.ndarray
    moved: np.ndarray  # bool
    strengths: np.ndarray  # (N, attributes) signed multiples of their directions
    reached: np.ndarray  # bool
    latents: np.ndarray  # (N, d)


class CropEditor:
    """A trained system that edits crops of faces, with the judge that looks at the results and the refiner that draws
    what is new in them. Threads may share one.

    Results depend in their last bits on the size of a batch: only BATCH gives those of a job, and a smaller one shows
    single faces sooner."""

    def __init__(
        self, editor: Editor, judge: Judge | None = None, refiner: Refiner | None = None, *, batch: int = BATCH
    ):
        self.editor, self.judge, self.refiner, self.batch = editor, judge, refiner, batch
        self.system = editor.system

    def edits(self, face_crops: Sequence[FaceCrop], spec: Spec, options: Options) -> list[FaceEdit]:
        """Run at most a batch of faces through the networks. Each face's result is independent of the others."""
        if not face_crops:
            return []
        if len(face_crops) > self.batch:
            raise ValueError(f"{len(face_crops)} faces at once; {self.batch} at most")
        full_batch = filled(face_crops, self.batch)
        x = images.to_tensor(np.stack([face.crop for face in full_batch]))
        with torch.no_grad():
            editor = self.editor.clipped() if options.clip else self.editor
            latent = editor.encode(x)
            if options.refine:
                latent = refine(editor, x, latent, options.refine)
            applied = editor.changes(latent, spec)
            start = Start(full_batch, len(face_crops), x, latent, editor.decode(latent), spec, applied, options.sure)
            if compositing_mode(options.mode) == MOVE:
                results = self._searched(editor, start)
            else:
                results = self._composited(editor, start, options.mode)
        wanted = np.array([change.towards for change in spec.changes], bool)
        if options.unless_already and len(wanted):
            already = ((results.before > 0.5) == wanted).all(1)
            results = dataclasses.replace(results, moved=results.moved & ~already)
        unlike = np.zeros(len(x), bool) if options.unlike else self._unlike(start)
        results = dataclasses.replace(results, moved=results.moved & ~unlike)
        strengths, latents = results.strengths.tolist(), latent.cpu().numpy()
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
                latent=results.latents[i] if results.moved[i] else latents[i],
                unlike=bool(unlike[i]),
            )
            for i, face in enumerate(face_crops)
        ]

    def judged(
        self, edits: Sequence[FaceEdit], crops: Sequence[np.ndarray], spec: Spec, options: Options
    ) -> list[FaceEdit]:
        """Any number of edits with what the judge sees in their crops of the finished photos, uint8 (S, S, C)."""
        names, result = tuple(change.attribute for change in spec.changes), list[FaceEdit]()
        for start in range(0, len(edits), self.batch):
            x = images.to_tensor(np.stack(filled(crops[start : start + self.batch], self.batch)))
            with torch.no_grad():
                after = self.probabilities(x, names)
            sure = reached(spec, after, options.sure)
            result += [
                dataclasses.replace(edit, after=tuple(after[i].tolist()), reached=bool(sure[i]))
                for i, edit in enumerate(edits[start : start + self.batch])
            ]
        return result

    def _composited(self, editor: Editor, start: Start, mode: str) -> Results:
        """Edits at the calibrated strength, composited as the published systems do."""
        result = editor.apply_to(start.x, start.latent, start.reconstruction, start.spec, mode)
        before, after = (self.probabilities(x, start.names) for x in (start.x, result.y))
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
            latents=result.edited_latent.cpu().numpy(),
        )

    def _searched(self, editor: Editor, start: Start) -> Results:
        """The weakest edits of which the judge is sure when it looks at the result, with what is new redrawn."""
        before = self.probabilities(start.x, start.names)
        found = Search(editor, start, self._look, self._covered(start.x)).weakest(before)
        changes, after = self.refined(found.changes), found.after
        if self.refiner is not None:
            after = self._look(start, map(change.applied, changes))
        moved = (found.latent != start.latent).any(1).cpu().numpy()
        latents = found.latent.cpu().numpy()
        return Results(changes, before, after, moved, found.strengths, start.sure(after), latents)

    def refined(self, changes: Sequence[Carried]) -> list[Carried]:
        """The changes with what is new in them drawn by the refiner, or without one taken from the decoded edit."""
        refiner = self.refiner
        if refiner is None:
            return list(map(change.redrawn, changes))
        mixed = filled([change.applied(change.redrawn(one)) for one in changes], self.batch)
        masks = filled([one.new for one in changes], self.batch)
        x = torch.from_numpy(np.stack(mixed)).permute(0, 3, 1, 2) / 127.5 - 1
        if refiner.channels == 1:
            x = x.mean(1, keepdim=True)
        pictures = to_levels(refiner.refine(x, torch.from_numpy(np.stack(masks))[:, None]))
        return [change.redrawn(one, picture) for one, picture in zip(changes, pictures, strict=False)]

    def _unlike(self, start: Start) -> np.ndarray:
        """Which of the faces are unlike those of training, bool (N,)."""
        numbers = self.editor.table.meta.unlike
        if self.judge is None or numbers is None:
            return np.zeros(len(start.x), bool)
        with compute.autocast(self.editor.device, self.editor.precision):
            return Unlike.of(numbers).sees(self.judge, start.x.to(self.editor.device), start.reconstruction)

    def _covered(self, x: torch.Tensor) -> np.ndarray:
        """Which of the crops (N, C, S, S) show no hair: bald, or with a hat; bool (N,), all False without a judge."""
        known = () if self.judge is None else self.judge.attributes
        names = [name for name in COVERING if name in known]
        if not names:
            return np.zeros(len(x), bool)
        return np.asarray((self.probabilities(x, names) > 0.5).any(1))

    def _look(self, start: Start, pictures: Iterable[np.ndarray]) -> np.ndarray:
        """What the judge sees in results, (F, F, 3) levels of any size F: probabilities (N, names)."""
        size = self.system.size
        small = [cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA) for picture in pictures]
        pixels = np.clip(np.rint(np.stack(filled(small, self.batch))), 0, 255).astype(np.uint8)
        x = images.to_tensor(images.luma(pixels) if self.system.channels == 1 else pixels)
        return self.probabilities(x, start.names)

    def probabilities(self, x: torch.Tensor, names: Sequence[str]) -> np.ndarray:
        """Probabilities (N, names) of the attributes on crops (N, C, S, S), by the judge, else the read-out."""
        x = x.to(self.editor.device)
        if self.judge is not None and all(name in self.judge.attributes for name in names):
            columns = [self.judge.attributes.index(name) for name in names]
            with compute.autocast(self.editor.device, self.editor.precision):
                return np.asarray(self.judge.probabilities(x)[:, columns].float().cpu().numpy())
        latent = self.editor.encode(x)
        read = [self.editor.logits(latent, name).sigmoid() for name in names]
        return torch.stack(read, 1).cpu().numpy() if read else np.zeros((len(x), 0), np.float32)
