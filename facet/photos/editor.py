"""Edits photographs: finds the faces, edits their crops, brings the change back (what `facet.Editor` is)."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from facet.base import checkpoints, compute, images
from facet.base.errors import InputError
from facet.base.params import Precision
from facet.editing import compositing
from facet.editing.editor import Editor, EditResult
from facet.editing.refine import refine
from facet.editing.spec import Spec
from facet.judges.judge import Judge
from facet.photos.faces import align, paste
from facet.photos.faces.align import Placement
from facet.photos.faces.detect import Face, detector
from facet.photos.file.colour import Colours
from facet.photos.file.metadata import metadata
from facet.photos.file.photo import MODES, ORIENTATION, Photo
from facet.pictures import crops
from facet.pictures.decode import BadImage

Which = Literal["largest", "all"]
BATCH = 16  # faces the networks see at once, always: kernels chosen by the batch's size differ in the last bit
LEAST = 48  # pixels of the photo along a crop below which a face is too small
COLOURS = (  # attributes that are colours of what is there: the photo's own detail may stay
    "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Pale_Skin", "Rosy_Cheeks", "Wearing_Lipstick",
)  # fmt: skip
AUTO = "auto"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How photos are edited. All of it decides about the bytes of the result."""

    spec: str
    mode: str = AUTO  # one of compositing.MODES; auto: add for colours, else replace
    faces: Which = "largest"
    aligned: bool = False  # photos are framed as CelebA's aligned pictures: nothing to find
    clip: bool = False  # edited latents stay in the usual range of training latents
    refine: int = 0  # steps that bring a face's latent nearer to the photo before it is edited
    unless_already: bool = False  # faces that show what is asked for already stay as they are
    least: int = LEAST
    away: float = align.TURNED_AWAY  # faces turned further away from the camera are left alone; 0: none is


@dataclasses.dataclass(frozen=True)
class Look:
    """One face that can be edited: where it is and its crop, uint8 (S, S, C)."""

    face: Face
    placement: Placement
    crop: np.ndarray


@dataclasses.dataclass(frozen=True)
class FaceEdit:
    """What the networks made of one face."""

    look: Look
    change: paste.Change
    attributes: tuple[str, ...]  # that move: those of the spec, and rivals that it turns off
    strengths: tuple[float, ...]  # signed multiples of their directions
    before: tuple[float, ...]  # probability of each of the spec's attributes on the crop, by the judge or the read-out
    after: tuple[float, ...]
    moved: bool  # whether the latent moved at all


class PhotoEditor:
    """A trained system that edits photographs.

        editor = PhotoEditor.load("data/models/vigan")
        smiling = editor.edit(Image.open("photo.jpg"), "Smiling=on")

    Threads may share one."""

    def __init__(self, editor: Editor, judge: Judge | None = None):
        self.editor, self.judge = editor, judge
        self.system = editor.system
        self.crop = crops.crop(editor.system.crop)
        self.template = editor.table.meta.landmarks

    @classmethod
    def load(
        cls,
        model: Path | str,
        attributes: Path | str | None = None,
        *,
        judges: Path | None = None,
        device: str = "auto",
        precision: Precision = "auto",
        threads: int = 1,
    ) -> "PhotoEditor":
        """From a model folder and the attributes table made for it (else the one of `table_of`); `judges` tells how a
        face looked before and after, where it was trained on the same crop (else the read-out of the latents tells)."""
        on = compute.start(device=device, threads=threads)
        table = Path(attributes) if attributes is not None else table_of(Path(model))
        editor = Editor.load(Path(model), table, on, precision=precision)
        judge = None
        if judges is not None:
            judge = Judge.load(judges, "a", on)
            if (judge.crop, judge.size, judge.channels) != (
                editor.system.crop, editor.system.size, editor.system.channels,
            ):  # fmt: skip
                judge = None
        return cls(editor, judge)

    def parse(self, text: str) -> Spec:
        """The spec that `text` writes; InputError where this system cannot do it."""
        return self.editor.parse(text)

    def looks(
        self,
        photo: Photo,
        options: Options,
        landmarks: Sequence[np.ndarray] | None = None,
        found: Sequence[Face] | None = None,
    ) -> list[Look]:
        """The faces of a photo that can be edited, the largest first; BadImage where there is none, and why.

        `landmarks` (5, 2) each in the upright photo, or faces `found` before, take the place of the detector."""
        pixels, size = Colours(photo).to_srgb(photo.upright), self.system.size
        if options.aligned:
            placement = align.of_framed(self.crop, *photo.size, size)
            box = (0.0, 0.0, float(photo.size[0]), float(photo.size[1]))
            return [Look(Face(box, (), 1.0), placement, self._grey(align.cut_framed(pixels, self.crop, size)))]
        if self.template is None:
            raise InputError(f"{self.system.name} learned pictures without faces; set aligned to edit such")
        if landmarks is not None:
            faces = [_given(points) for points in landmarks]
        else:
            faces = list(found) if found is not None else detector().find(pixels)
        if not faces:
            raise BadImage("no_face")
        if options.faces == "largest":
            faces = faces[:1]
        looks, refused = [], []
        for face in faces:
            try:
                looks.append(self._look(pixels, face, options))
            except BadImage as bad:
                refused.append(bad)
        if not looks:
            raise refused[0]
        return looks

    def _look(self, pixels: np.ndarray, face: Face, options: Options) -> Look:
        assert self.template is not None
        placement, away = align.of_landmarks(self.template, face.points), align.turned_away(face.points)
        align.check_size(placement, options.least)
        middle, size = face.points[:2].mean(0), np.array(pixels.shape[1::-1])
        if (middle < 0).any() or (middle > size).any() or placement.side > 4 * size.max():
            raise BadImage("off_photo")
        if options.away and away > options.away:
            raise BadImage("off_frontal", f"its nose lies {away:.2f} distances between the eyes beside the middle")
        return Look(face, placement, self._grey(align.cut(pixels, placement, self.crop, self.system.size)))

    def _grey(self, crop: np.ndarray) -> np.ndarray:
        return images.luma(crop) if self.system.channels == 1 else crop

    def edits(self, looks: Sequence[Look], spec: Spec, options: Options) -> list[FaceEdit]:
        """What the networks make of at most BATCH faces; the same for each face whatever stands beside it."""
        if not looks:
            return []
        if len(looks) > BATCH:
            raise ValueError(f"{len(looks)} faces at once; {BATCH} at most")
        filled = [look.crop for look in looks] + [looks[0].crop] * (BATCH - len(looks))
        x = images.to_tensor(np.stack(filled))
        mode = mode_of(spec, options.mode)
        editor = self.editor.clipped() if options.clip else self.editor
        with torch.no_grad():
            latent = editor.encode(x)
            if options.refine:
                latent = refine(editor, x, latent, options.refine)
            result = editor.apply_to(x, latent, editor.decode(latent), spec, mode)
            names = tuple(change.attribute for change in spec.changes)
            before, after = self._presence(x, result, names)
        asked = np.array([change.towards for change in spec.changes], bool)
        moved = (result.edited_latent != result.latent).any(1).cpu().numpy()
        if options.unless_already and len(asked):
            moved &= ~((before > 0.5) == asked).all(1)
        reconstruction, edited = levels(result.reconstruction), levels(result.edited)
        a, b = (weight[:, 0].float().cpu().numpy() for weight in (result.mask, result.fade))
        strengths = result.moves.strengths.tolist()
        return [
            FaceEdit(
                look=look,
                change=paste.Change(
                    photo=np.ascontiguousarray(np.broadcast_to(look.crop, (*look.crop.shape[:2], 3)), np.float32),
                    change=edited[i] - reconstruction[i],
                    reconstruction=reconstruction[i],
                    a=a[i],
                    b=b[i],
                ),
                attributes=result.moves.attributes,
                strengths=tuple(strengths[i]),
                before=tuple(before[i].tolist()),
                after=tuple((after if moved[i] else before)[i].tolist()),
                moved=bool(moved[i]),
            )
            for i, look in enumerate(looks)
        ]

    def _presence(self, x: torch.Tensor, result: EditResult, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(N, names): the probability that each attribute is there, before and after, by the judge, else by the
        read-out."""
        both = torch.cat([x.to(self.editor.device), result.y])
        if self.judge is not None and all(name in self.judge.attributes for name in names):
            columns = [self.judge.attributes.index(name) for name in names]
            with compute.autocast(self.editor.device, self.editor.precision):
                seen = self.judge.probabilities(both)[:, columns].float().cpu().numpy()
        else:
            latent = torch.cat([result.latent, self.editor.encode(result.y)])
            read = [self.editor.logits(latent, name).sigmoid() for name in names]
            seen = torch.stack(read, 1).cpu().numpy() if read else np.zeros((len(both), 0), np.float32)
        return seen[: len(x)], seen[len(x) :]

    def bring_back(
        self, photo: Photo, edits: Iterable[FaceEdit], user: np.ndarray | None = None
    ) -> list[paste.Touched]:
        """Edit the photo in place; `user`: weights (H, W) in [0, 1] that limit it."""
        colours = Colours(photo)
        if colours.ignored and "profile_ignored" not in photo.notes:
            photo.notes += ("profile_ignored",)
        return [
            paste.bring_back(photo, colours, edit.look.placement, edit.change, user, self.template)
            for edit in edits
            if edit.moved
        ]

    def edit(self, picture: Any, spec: str, user: np.ndarray | None = None, **options: Any) -> Any:
        """A PIL image, an RGB array (H, W, 3) uint8, a batch of such (N, H, W, 3), or a list of these of any sizes ->
        the same with the edit in it.

        `options` are those of Options; BadImage where a picture has no face that can be edited."""
        chosen = Options(spec=spec, **options)
        parsed = self.parse(spec)
        pictures = list(_photos(picture))
        looks = [self.looks(photo, chosen) for photo in pictures]
        flat = [look for own in looks for look in own]
        made: Iterator[FaceEdit] = iter(
            edit
            for start in range(0, len(flat), BATCH)
            for edit in self.edits(flat[start : start + BATCH], parsed, chosen)
        )
        for photo, own in zip(pictures, looks, strict=True):
            self.bring_back(photo, [next(made) for _ in own], user)
        if isinstance(picture, list | tuple):
            return [_like(one, photo) for one, photo in zip(picture, pictures, strict=True)]
        if isinstance(picture, Image.Image):
            return _like(picture, pictures[0])
        found = np.stack([photo.pixels for photo in pictures])
        return found if np.asarray(picture).ndim == 4 else found[0]


def levels(x: torch.Tensor) -> np.ndarray:
    """(N, C, S, S) in [-1, 1] -> float32 (N, S, S, 3) in 0..255."""
    found = x.float().add(1).mul(127.5).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
    return np.asarray(found.contiguous().cpu().numpy())


def check_mode(mode: str) -> None:
    """InputError where there is no such way to bring a change back."""
    compositing.check_mode(mode, (AUTO, *compositing.MODES))


def mode_of(spec: Spec, mode: str) -> str:
    """The compositing of a spec: `auto` keeps the photo's own detail where only colours change."""
    check_mode(mode)
    if mode != AUTO:
        return mode
    return "add" if all(change.attribute in COLOURS for change in spec.changes) else "replace"


def _given(points: np.ndarray) -> Face:
    low, high = points.min(0), points.max(0)
    reach = 0.8 * (high - low)
    box = (*(low - reach), *(high + reach))
    return Face(tuple(map(float, box)), tuple(map(tuple, points.tolist())), 1.0)  # type: ignore[arg-type]


def _like(picture: Any, photo: Photo) -> Any:
    """The photo as a picture of the kind that came."""
    return Image.fromarray(photo.pixels, photo.mode) if isinstance(picture, Image.Image) else photo.pixels


def _photos(picture: Any) -> Iterator[Photo]:
    if isinstance(picture, list | tuple):
        for one in picture:
            yield from _photos(one)
        return
    if isinstance(picture, str | Path):
        raise InputError(f"{picture} is a path: open it first, with PIL.Image.open")
    if isinstance(picture, Image.Image):
        mode = picture.mode if picture.mode in MODES else "RGB"
        orientation = picture.getexif().get(ORIENTATION, 1)
        yield Photo(np.array(picture.convert(mode)), mode, "PNG", orientation, metadata=metadata(picture, b""))
        return
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or pixels.shape[-1] != 3:
        raise InputError(f"an array {pixels.dtype} {pixels.shape}: expected uint8 (H, W, 3) or (N, H, W, 3), RGB")
    for one in pixels if pixels.ndim == 4 else pixels[None]:
        yield Photo(np.array(one), "RGB", "PNG")


def table_of(model: Path) -> Path:
    """The attributes table of a model folder: in the folder, or where the pipeline puts it beside data/models."""
    system = checkpoints.read_card(model)["system"]
    places = [model / "attributes.parquet", model.parent.parent / "attributes" / f"{system}.parquet"]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise InputError(f"{model} has no attributes table: expected {' or '.join(map(str, places))}; name it")
    return found
