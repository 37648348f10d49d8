"""Edit photos: find faces, edit their crops, paste the changes back (`facet.Editor`)."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

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
from facet.photos.faces.detect import Face, detector, with_mesh
from facet.photos.file.colour import Colours
from facet.photos.file.metadata import metadata
from facet.photos.file.photo import MODES, ORIENTATION, Photo
from facet.pictures import crops
from facet.pictures.decode import BadImage

FaceChoice = Literal["largest", "all"]
Picture = TypeVar("Picture", Image.Image, np.ndarray, list[Any])

# Faces per forward pass. Batches are always filled to this size, because kernels chosen by batch size differ in the
# last bit.
BATCH = 16
LEAST = 48  # pixels of the photo along one side of a crop; smaller faces are skipped
COLOURS = (  # attributes that only change colours, so that the photo's own detail may stay
    "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Pale_Skin", "Rosy_Cheeks", "Wearing_Lipstick",
)  # fmt: skip
AUTO = "auto"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How to edit photos. The bytes of a result depend on every option.

    spec            the edit, for example "Smiling=on, Blond_Hair=+1.5"
    mode            compositing: ian, ian_code, add, replace, decode; auto takes add for colours, else replace
    faces           edit the "largest" face of a photo, or "all"
    aligned         photos are framed like CelebA's aligned pictures; skip face detection
    clip            keep edited latents within the usual range of training latents
    refine          optimisation steps that bring a face's latent closer to the photo before the edit
    unless_already  leave faces alone that already show every attribute asked for
    least           smallest face to edit: pixels of the photo along one side of its crop
    away            farthest head turn to edit: distance of the nose from the face's midline, in distances between
                    the eyes; 0 edits every face
    """

    spec: str
    mode: str = AUTO
    faces: FaceChoice = "largest"
    aligned: bool = False
    clip: bool = False
    refine: int = 0
    unless_already: bool = False
    least: int = LEAST
    away: float = align.TURNED_AWAY


@dataclasses.dataclass(frozen=True)
class FaceCrop:
    """One face that can be edited: where it is, and its crop uint8 (S, S, C)."""

    face: Face
    placement: Placement
    crop: np.ndarray


@dataclasses.dataclass(frozen=True)
class FaceEdit:
    """One face after the networks: the change to paste, and how the face looked before and after."""

    face_crop: FaceCrop
    change: paste.Change
    attributes: tuple[str, ...]  # that move: those of the spec, and rivals that it turns off
    strengths: tuple[float, ...]  # signed multiples of their directions
    before: tuple[float, ...]  # probability of each attribute of the spec on the crop, by the judge or the read-out
    after: tuple[float, ...]
    moved: bool  # False if the latent did not change


class PhotoEditor:
    """A trained system that edits photos.

        editor = PhotoEditor.load("data/models/vigan")
        smiling = editor.edit(Image.open("photo.jpg"), "Smiling=on")

    Threads may share one editor."""

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
        """Load a model folder and its attributes table (default: the one `table_of` finds).

        Judge A of the folder `judges` scores faces before and after an edit if it was trained on the same crop;
        otherwise the read-out of the latents does."""
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
        """Parse an edit spec; InputError if this system cannot do it."""
        return self.editor.parse(text)

    def face_crops(
        self,
        photo: Photo,
        options: Options,
        landmarks: Sequence[np.ndarray] | None = None,
        faces: Sequence[Face] | None = None,
    ) -> list[FaceCrop]:
        """The editable faces of a photo, the largest first; BadImage with the reason if there is none.

        `landmarks`, (5, 2) each in the upright photo, or `faces` of an earlier detection replace the detector."""
        pixels, size = Colours(photo).to_srgb(photo.upright), self.system.size
        if options.aligned:
            placement = align.from_framed(self.crop, *photo.size, size)
            box = (0.0, 0.0, float(photo.size[0]), float(photo.size[1]))
            crop = self._in_channels(align.cut_framed(pixels, self.crop, size))
            return [FaceCrop(Face(box, (), 1.0), placement, crop)]
        if self.template is None:
            raise InputError(f"{self.system.name} was trained on pictures without faces; set `aligned` to edit such")
        if landmarks is not None:
            faces = [_face_of(points) for points in landmarks]
        elif faces is None:
            faces = detector().find(pixels)
        if not faces:
            raise BadImage("no_face")
        if options.faces == "largest":
            faces = faces[:1]
        face_crops, refusals = [], []
        for face in faces:
            try:
                face_crops.append(self._face_crop(pixels, face, options))
            except BadImage as bad:
                refusals.append(bad)
        if not face_crops:
            raise refusals[0]
        return face_crops

    def _face_crop(self, pixels: np.ndarray, face: Face, options: Options) -> FaceCrop:
        assert self.template is not None
        placement, away = align.from_landmarks(self.template, face.points), align.turned_away(face.points)
        align.check_size(placement, options.least)
        middle, size = face.points[:2].mean(0), np.array(pixels.shape[1::-1])
        if (middle < 0).any() or (middle > size).any() or placement.side > 4 * size.max():
            raise BadImage("off_photo")
        if options.away and away > options.away:
            raise BadImage(
                "off_frontal", f"about {align.turn_of(away):.0f} degrees; {align.turn_of(options.away):.0f} at most"
            )
        face = with_mesh(pixels, face)
        return FaceCrop(face, placement, self._in_channels(align.cut(pixels, placement, self.crop, self.system.size)))

    def _in_channels(self, crop: np.ndarray) -> np.ndarray:
        """The crop in the system's channels."""
        return images.luma(crop) if self.system.channels == 1 else crop

    def edits(self, face_crops: Sequence[FaceCrop], spec: Spec, options: Options) -> list[FaceEdit]:
        """Run at most BATCH faces through the networks. Each face's result is independent of the others."""
        if not face_crops:
            return []
        if len(face_crops) > BATCH:
            raise ValueError(f"{len(face_crops)} faces at once; {BATCH} at most")
        filled = [face.crop for face in face_crops] + [face_crops[0].crop] * (BATCH - len(face_crops))
        x = images.to_tensor(np.stack(filled))
        mode = compositing_mode(spec, options.mode)
        editor = self.editor.clipped() if options.clip else self.editor
        with torch.no_grad():
            latent = editor.encode(x)
            if options.refine:
                latent = refine(editor, x, latent, options.refine)
            result = editor.apply_to(x, latent, editor.decode(latent), spec, mode)
            names = tuple(change.attribute for change in spec.changes)
            before, after = self._probabilities(x, result, names)
        wanted = np.array([change.towards for change in spec.changes], bool)
        moved = (result.edited_latent != result.latent).any(1).cpu().numpy()
        if options.unless_already and len(wanted):
            moved &= ~((before > 0.5) == wanted).all(1)
        reconstruction, edited = to_levels(result.reconstruction), to_levels(result.edited)
        a, b = (weight[:, 0].float().cpu().numpy() for weight in (result.mask, result.fade))
        strengths = result.applied.strengths.tolist()
        return [
            FaceEdit(
                face_crop=face,
                change=paste.Change(
                    photo=np.ascontiguousarray(np.broadcast_to(face.crop, (*face.crop.shape[:2], 3)), np.float32),
                    change=edited[i] - reconstruction[i],
                    reconstruction=reconstruction[i],
                    a=a[i],
                    b=b[i],
                ),
                attributes=result.applied.attributes,
                strengths=tuple(strengths[i]),
                before=tuple(before[i].tolist()),
                after=tuple((after if moved[i] else before)[i].tolist()),
                moved=bool(moved[i]),
            )
            for i, face in enumerate(face_crops)
        ]

    def _probabilities(
        self, x: torch.Tensor, result: EditResult, names: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (N, names) of the attributes before and after the edit, by the judge, else the read-out."""
        both = torch.cat([x.to(self.editor.device), result.y])
        if self.judge is not None and all(name in self.judge.attributes for name in names):
            columns = [self.judge.attributes.index(name) for name in names]
            with compute.autocast(self.editor.device, self.editor.precision):
                values = self.judge.probabilities(both)[:, columns].float().cpu().numpy()
        else:
            latent = torch.cat([result.latent, self.editor.encode(result.y)])
            read = [self.editor.logits(latent, name).sigmoid() for name in names]
            values = torch.stack(read, 1).cpu().numpy() if read else np.zeros((len(both), 0), np.float32)
        return values[: len(x)], values[len(x) :]

    def paste(self, photo: Photo, edits: Iterable[FaceEdit], mask: np.ndarray | None = None) -> list[paste.Pasted]:
        """Paste edited faces into the photo, in place; `mask`, weights (H, W) in [0, 1], limits the change."""
        colours = Colours(photo)
        if colours.ignored and "profile_ignored" not in photo.notes:
            photo.notes += ("profile_ignored",)
        return [
            paste.paste(photo, colours, edit.face_crop.placement, edit.change, mask, self.template)
            for edit in edits
            if edit.moved
        ]

    def edit(
        self,
        picture: Picture,
        spec: str,
        mask: np.ndarray | None = None,
        *,
        mode: str = AUTO,
        faces: FaceChoice = "largest",
        aligned: bool = False,
        clip: bool = False,
        refine: int = 0,
        unless_already: bool = False,
        least: int = LEAST,
        away: float = align.TURNED_AWAY,
    ) -> Picture:
        """Edit a PIL image, an RGB array (H, W, 3) uint8, a batch (N, H, W, 3), or a list of these of any sizes.

        Returns the same kind; the input is not changed. `mask`, weights (H, W) in [0, 1], limits the change; the
        other options are those of `facet.Options`. BadImage if a picture has no face that can be edited."""
        options = Options(
            spec=spec,
            mode=mode,
            faces=faces,
            aligned=aligned,
            clip=clip,
            refine=refine,
            unless_already=unless_already,
            least=least,
            away=away,
        )
        parsed = self.parse(spec)
        photos = list(_photos(picture))
        crops_of_photos = [self.face_crops(photo, options) for photo in photos]
        face_crops = [face for faces_of_photo in crops_of_photos for face in faces_of_photo]
        edits: Iterator[FaceEdit] = iter(
            edit
            for start in range(0, len(face_crops), BATCH)
            for edit in self.edits(face_crops[start : start + BATCH], parsed, options)
        )
        for photo, faces_of_photo in zip(photos, crops_of_photos, strict=True):
            self.paste(photo, [next(edits) for _ in faces_of_photo], mask)
        result: Any
        if isinstance(picture, list | tuple):
            result = [_same_kind(one, photo) for one, photo in zip(picture, photos, strict=True)]
        elif isinstance(picture, Image.Image):
            result = _same_kind(picture, photos[0])
        else:
            pixels = np.stack([photo.pixels for photo in photos])
            result = pixels if np.asarray(picture).ndim == 4 else pixels[0]
        return result


def to_levels(x: torch.Tensor) -> np.ndarray:
    """(N, C, S, S) in [-1, 1] -> float32 (N, S, S, 3) in 0..255."""
    values = x.float().add(1).mul(127.5).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
    return np.asarray(values.contiguous().cpu().numpy())


def check_mode(mode: str) -> None:
    """InputError if there is no such compositing mode."""
    compositing.check_mode(mode, (AUTO, *compositing.MODES))


def compositing_mode(spec: Spec, mode: str) -> str:
    """The compositing mode of an edit; `auto` keeps the photo's own detail if only colours change."""
    check_mode(mode)
    if mode != AUTO:
        return mode
    return "add" if all(change.attribute in COLOURS for change in spec.changes) else "replace"


def _face_of(points: np.ndarray) -> Face:
    """A face with these landmarks (5, 2), and a box around them."""
    low, high = points.min(0), points.max(0)
    reach = 0.8 * (high - low)
    box = (*(low - reach), *(high + reach))
    return Face(tuple(map(float, box)), tuple(map(tuple, points.tolist())), 1.0)  # type: ignore[arg-type]


def _same_kind(picture: Any, photo: Photo) -> Any:
    """The photo as a PIL image if `picture` is one, else as an array."""
    return Image.fromarray(photo.pixels, photo.mode) if isinstance(picture, Image.Image) else photo.pixels


def _photos(picture: Any) -> Iterator[Photo]:
    """The photos of a picture, a batch or a list."""
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
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise InputError(f"{model} has no attributes table: expected {' or '.join(map(str, places))}; name it")
    return path
