"""A state of a photo -> what the page shows: the picture, its faces, attributes, latent, the panels of the paper."""

import base64
import dataclasses
import io
import time
from typing import Any

import numpy as np
import torch
from PIL import Image

from facet.base.errors import InputError
from facet.editing import brush
from facet.editing.spec import Spec
from facet.photos.batch import FaceCrop, in_colour, to_levels
from facet.photos.crop_editor import CropEditor, FaceEdit
from facet.photos.faces import change
from facet.photos.file.colour import Colours
from facet.photos.file.photo import Photo
from facet.photos.folder.manifest import REASONS
from facet.photos.painted import mask_of, painted, seen
from facet.pictures.decode import REASONS as DECODE_REASONS
from facet.pictures.decode import BadImage
from facet.studio.documents import Document, FoundFace
from facet.studio.states import State
from facet.studio.trained import Trained

QUALITY = 90  # of the JPEGs on the screen
SHOWN = 0.05  # change of a probability from which on an attribute counts as moved


@dataclasses.dataclass(frozen=True)
class Edited:
    """The edits that a state makes to a photo's faces."""

    faces: list[FoundFace]
    edits: dict[int, FaceEdit]  # by the number of the face
    refused: str = ""  # why no face of the photo can be edited


def edited(document: Document, trained: Trained, state: State, crops: CropEditor) -> Edited:
    """Run the faces of a state through the networks; InputError if the system cannot do it."""
    spec = trained.editor.parse(state.spec)
    try:
        faces = document.faces(trained, state.options)
    except BadImage as bad:
        return Edited([], {}, in_words(bad.reason, bad.detail))
    edits = {}
    for number, face in enumerate(faces):
        strokes = state.strokes_on(number, trained.editor.editor)
        own = spec if state.edits(number) else Spec()
        if face.crop is None or not (strokes or own.changes):
            continue
        if strokes or face.latent is not None:
            canvas = document.canvas(trained, face, strokes, mask_of(state.mode))
            edits[number] = painted(crops, face.crop, canvas, own, state.options)
        else:
            (edits[number],) = crops.edits([face.crop], own, state.options)
    return Edited(faces, edits)


def in_words(reason: str, detail: str) -> str:
    """A reason of the manifest in words."""
    words = (DECODE_REASONS | REASONS).get(reason, reason)
    return f"{words}: {detail}" if detail else words


def preview(document: Document, trained: Trained, state: State, *, panels: bool = False) -> dict[str, Any]:
    """All that the page shows of a state, computed at the size of the screen."""
    begin = time.perf_counter()
    result = edited(document, trained, state, trained.quick)
    paper = document.on_paper()
    on_screen = [
        dataclasses.replace(
            edit,
            face_crop=dataclasses.replace(edit.face_crop, placement=document.on_screen(edit.face_crop.placement)),
        )
        for edit in result.edits.values()
    ]
    trained.editor.paste(paper, on_screen)
    shown = {
        "image": jpeg(paper.pixels),
        "refused": result.refused,
        "faces": [
            _face(face, result.edits.get(number), state.edits(number)) for number, face in enumerate(result.faces)
        ],
        "looked": _looked(document, trained, state, result, panels),
    }
    return shown | {"milliseconds": round(1000 * (time.perf_counter() - begin), 1)}


def full(document: Document, trained: Trained, state: State) -> np.ndarray:
    """The edited photo at its own size, upright in sRGB, uint8 (H, W, 3): what is saved but for the last bits."""
    result = edited(document, trained, state, trained.quick)
    photo = dataclasses.replace(document.photo, pixels=document.photo.pixels.copy())
    trained.editor.paste(photo, result.edits.values())
    return upright(photo)


def upright(photo: Photo) -> np.ndarray:
    """A photo upright in sRGB, uint8 (H, W, 3)."""
    return np.ascontiguousarray(Colours(photo).to_srgb(photo.upright))


def _face(face: FoundFace, edit: FaceEdit | None, chosen: bool) -> dict[str, Any]:
    unlike = in_words("unlike_training", "") if edit is not None and edit.unlike else ""
    return {
        "box": [round(float(edge), 1) for edge in face.face.box],
        "crop": None if face.crop is None else np.round(face.crop.placement.corners, 1).tolist(),
        "refused": face.refused or unlike,
        "chosen": chosen and face.crop is not None,
    }


def _looked(document: Document, trained: Trained, state: State, result: Edited, panels: bool) -> dict[str, Any] | None:
    """What the page shows of the face that is looked at; None if there is none."""
    if not result.faces:
        return None
    if state.face >= len(result.faces):
        raise InputError(f"face {state.face + 1} is not in the photo, which shows {len(result.faces)}; choose another")
    face, edit = result.faces[state.face], result.edits.get(state.face)
    if face.crop is None:
        return None
    crops, editor = trained.quick, trained.editor.editor
    before = document.canvas(trained, face, (), mask_of(state.mode)).painted
    latent = before.latent[0].cpu().numpy() if edit is None else edit.latent
    with torch.no_grad():
        x = before.y
        after = x if edit is None or not edit.moved else seen(crops, edit.change)
        names = _seen_names(crops)
        was, now = (crops.probabilities(look, names)[0] for look in (x, after))
    moved = dict(zip(edit.attributes, edit.strengths, strict=True)) if edit is not None and edit.moved else {}
    shown = {
        "attributes": {
            name: {"before": round(float(a), 4), "after": round(float(b), 4)}
            for name, a, b in zip(names, was, now, strict=True)
        },
        "strengths": {name: round(float(value), 3) for name, value in moved.items()},
        "latent": [round(float(value), 4) for value in latent],
        "from": [round(float(value), 4) for value in before.latent[0].cpu().numpy()],
        "moved": edit is not None and edit.moved,
        "reached": edit is not None and edit.reached,
    }
    if panels:
        modified = editor.decode(torch.from_numpy(np.asarray(latent))[None])
        shown["panels"] = _panels(face.crop, before, modified, edit)
    return shown


def _seen_names(crops: CropEditor) -> tuple[str, ...]:
    """The attributes that are read off a face: those that the judge sees well enough, else those of the table."""
    if crops.judge is None:
        return crops.editor.table.attributes
    return tuple(name for name, sees in zip(crops.judge.attributes, crops.judge.judged, strict=True) if sees)


def _panels(face: FaceCrop, before: brush.Painted, modified: torch.Tensor, edit: FaceEdit | None) -> dict[str, str]:
    """The two rows of the paper's figure 2: reconstruction, error, original; modified, change, output."""
    original, reconstruction = in_colour(face.crop), to_levels(before.edited)[0]
    changed = to_levels(modified)[0]
    output = original if edit is None or not edit.moved else change.applied(edit.change)
    return {
        "reconstruction": png(reconstruction),
        "error": png(127.5 + (original - reconstruction) / 2),
        "original": png(original),
        "modified": png(changed),
        "change": png(127.5 + (changed - reconstruction) / 2),
        "output": png(output),
    }


def jpeg(pixels: np.ndarray, quality: int = QUALITY) -> str:
    """A data URI of uint8 (H, W, 3): JPEG, which is written in milliseconds."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg_bytes(pixels, quality)).decode()


def jpeg_bytes(pixels: np.ndarray, quality: int = QUALITY) -> bytes:
    """uint8 (H, W, 3) as JPEG."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def png(levels: np.ndarray) -> str:
    """A data URI of levels (S, S, 3)."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(levels)).decode()


def png_bytes(levels: np.ndarray) -> bytes:
    """Levels (H, W, 3) as PNG."""
    file = io.BytesIO()
    Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8)).save(file, "PNG", compress_level=3)
    return file.getvalue()
