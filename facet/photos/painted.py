"""Faces of photos painted on with the contextual brush, carried back at full size.

A canvas (facet/editing/brush.py) holds what strokes did to a crop; an edit spec may follow. The change from the photo's
own reconstruction is carried like any other edit (facet/photos/faces/change.py)."""

import dataclasses

import cv2
import numpy as np
import torch
from torch import Tensor

from facet.base import images
from facet.editing import brush, compositing, modes
from facet.editing.brush import Canvas
from facet.editing.editor import AppliedChanges, Editor
from facet.editing.spec import Spec
from facet.photos.batch import FaceCrop, in_colour, reached, to_levels
from facet.photos.crop_editor import CropEditor, FaceEdit
from facet.photos.faces import change
from facet.photos.faces.change import Change
from facet.photos.options import MOVE, Options, compositing_mode


def canvas_of(editor: Editor, face: FaceCrop, latent: Tensor | None = None) -> Canvas:
    """The canvas of a face before any stroke; `latent` (1, d) if it is known, as that of a sample."""
    return brush.start(editor, images.to_tensor(face.crop[None]), latent)


def mask_of(mode: str) -> str:
    """The compositing by which strokes are stacked in a mode of editing photos: `add`, which brings the whole change as
    mode `move` does, unless it is one."""
    return mode if mode in modes.MODES else "add"


def painted(crops: CropEditor, face: FaceCrop, canvas: Canvas, spec: Spec, options: Options) -> FaceEdit:
    """A face after the strokes of its canvas, then a spec at its calibrated strengths."""
    editor = crops.editor.clipped() if options.clip else crops.editor
    x, start = images.to_tensor(face.crop[None]).to(editor.device), canvas.painted.edited_latent
    with torch.no_grad():
        applied = editor.changes(start, spec)
        latent = editor.move(start, applied.shift)
        one = _carried if compositing_mode(options.mode) == MOVE else _composited
        brought = one(crops, face, _Pictures.of(editor, canvas, x, latent, spec, options.mode))
        names = tuple(change.attribute for change in spec.changes)
        before, after = (crops.probabilities(look, names)[0] for look in (x, seen(crops, brought)))
    moved = bool((latent != canvas.painted.latent).any()) or not torch.equal(canvas.photo, x)
    return FaceEdit(
        face_crop=face,
        change=brought,
        attributes=applied.attributes,
        strengths=_strengths(applied),
        before=tuple(before.tolist()),
        after=tuple((after if moved else before).tolist()),
        moved=moved,
        reached=bool(reached(spec, after[None], options.sure)[0]),
        latent=latent[0].cpu().numpy(),
    )


def seen(crops: CropEditor, brought: Change) -> Tensor:
    """What a judge looks at after a change: the crop (1, C, S, S) in [-1, 1] with the change made to it."""
    size = crops.system.size
    small = cv2.resize(change.applied(brought), (size, size), interpolation=cv2.INTER_AREA)
    pixels = np.clip(np.rint(small), 0, 255).astype(np.uint8)[None]
    return images.to_tensor(images.luma(pixels) if crops.system.channels == 1 else pixels)


def _strengths(applied: AppliedChanges) -> tuple[float, ...]:
    return tuple(applied.strengths[0].tolist()) if applied.attributes else ()


@dataclasses.dataclass(frozen=True)
class _Pictures:
    """The two pictures (1, C, S, S) whose difference is the edit, and its weights (1, 1, S, S) in the photo."""

    before: Tensor
    after: Tensor
    change: Tensor
    fade: Tensor

    @classmethod
    def of(cls, editor: Editor, canvas: Canvas, x: Tensor, latent: Tensor, spec: Spec, mode: str) -> "_Pictures":
        """What lies between the photo `x` and a latent (1, d) reached on a canvas."""
        edited = editor.decode(latent)
        gates = editor.gates([change.attribute for change in spec.changes])
        composite = compositing.composite(canvas.photo, canvas.reconstruction, edited, mask_of(mode), gates)
        if torch.equal(canvas.photo, x):
            return cls(canvas.reconstruction, edited, composite.mask, composite.fade)
        # stacked: earlier changes are in the canvas's photo, so the edit is all that differs from the photo itself
        differs = (composite.y != x).any(1, keepdim=True).float()
        return cls(x, composite.y, differs, torch.zeros_like(differs))


def _carried(crops: CropEditor, face: FaceCrop, pictures: _Pictures) -> Change:
    """The change as mode `move` brings it back; paint may act anywhere on the head."""
    before, after = (to_levels(picture)[0] for picture in (pictures.before, pictures.after))
    everywhere = np.ones(face.large.shape[:2], np.float32)
    return crops.refined([change.carried(face.large.astype(np.float32), before, after, everywhere)])[0]


def _composited(crops: CropEditor, face: FaceCrop, pictures: _Pictures) -> Change:
    """The change as the published systems bring it back."""
    before, after = (to_levels(picture)[0] for picture in (pictures.before, pictures.after))
    a, b = (weight[0, 0].float().cpu().numpy() for weight in (pictures.change, pictures.fade))
    return change.composited(in_colour(face.crop), before, after, a, b)
