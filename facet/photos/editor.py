"""Edit photos: find faces, edit their crops, paste the changes back (`facet.Editor`)."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from facet.base import checkpoints, compute, images
from facet.base.errors import InputError
from facet.base.params import Precision
from facet.editing.editor import Editor
from facet.editing.spec import Spec
from facet.judges.judge import Judge
from facet.photos.batch import BATCH, LARGER, FaceCrop
from facet.photos.crop_editor import CropEditor, FaceEdit
from facet.photos.faces import align, paste
from facet.photos.faces.align import Placement
from facet.photos.faces.detect import Face, detector
from facet.photos.faces.head import Head
from facet.photos.file.colour import Colours
from facet.photos.file.metadata import metadata
from facet.photos.file.photo import MODES, Photo
from facet.photos.options import AUTO, LEAST, SURE, FaceChoice, Options, check_sure
from facet.pictures import crops
from facet.pictures.decode import BadImage, orientation_of
from facet.refining.refiner import Refiner, refiner_of

Picture = TypeVar("Picture", Image.Image, np.ndarray, list[Any])


class PhotoEditor:
    """A trained system that edits photos.

        editor = PhotoEditor.load("data/models/vigan")
        smiling = editor.edit(Image.open("photo.jpg"), "Smiling=on")

    Threads may share one editor."""

    def __init__(self, editor: Editor, judge: Judge | None = None, refiner: Refiner | None = None):
        self.editor = editor
        self.system = editor.system
        self.crop_editor = CropEditor(editor, judge, refiner)
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
        folder, refiner = refiner_of(Path(model)), None
        if folder is not None:
            refiner = Refiner.load(folder, on, precision=precision)
            refiner.check(folder, editor.system, Path(model))
            if refiner.large != LARGER * editor.system.size:
                raise InputError(
                    f"{folder} draws {refiner.large} pixels; editing photos needs {LARGER * editor.system.size}: set "
                    f"prepare.large to that and train it again"
                )
        return cls(editor, judge, refiner)

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
            crop, large = align.cut_framed(pixels, self.crop, (size, LARGER * size))
            head = None
            if self.template is not None:
                square = np.reshape(self.template, (5, 2))
                points = square @ placement.matrix[:, :2].T + placement.matrix[:, 2]
                head = self._head(pixels, placement, Face.of(points))
            return [FaceCrop(Face(box, (), 1.0), placement, self._in_channels(crop), large, head)]
        if self.template is None:
            raise InputError(f"{self.system.name} was trained on pictures without faces; set `aligned` to edit such")
        if landmarks is not None:
            faces = [Face.of(points) for points in landmarks]
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
        crop, large = align.cut_sizes(pixels, placement, self.crop, (self.system.size, LARGER * self.system.size))
        return FaceCrop(face, placement, self._in_channels(crop), large, self._head(pixels, placement, face))

    def _head(self, pixels: np.ndarray, placement: Placement, face: Face) -> Head:
        side = LARGER * self.system.size
        pad = paste.padding(side)
        return Head.of(pixels, placement.widened(pad / side), face, side + 2 * pad)

    def crop_again(self, photo: Photo, face_crop: FaceCrop, options: Options) -> np.ndarray:
        """The crop of a face, uint8 (S, S, C), from the photo as it is now."""
        colours, sizes = Colours(photo), (self.system.size, LARGER * self.system.size)
        if options.aligned:
            crop, _ = align.cut_framed(colours.to_srgb(photo.upright), self.crop, sizes)
        else:
            part, placement = align.around(photo.upright, face_crop.placement)
            crop, _ = align.cut_sizes(colours.to_srgb(part), placement, self.crop, sizes)
        return self._in_channels(crop)

    def _in_channels(self, crop: np.ndarray) -> np.ndarray:
        """The crop in the system's channels."""
        return images.luma(crop) if self.system.channels == 1 else crop

    def edits(self, face_crops: Sequence[FaceCrop], spec: Spec, options: Options) -> list[FaceEdit]:
        """Run at most BATCH faces through the networks. Each face's result is independent of the others."""
        return self.crop_editor.edits(face_crops, spec, options)

    def all_edits(self, face_crops: Sequence[FaceCrop], spec: Spec, options: Options) -> list[FaceEdit]:
        """Run any number of faces through the networks, BATCH at a time."""
        batches = (face_crops[start : start + BATCH] for start in range(0, len(face_crops), BATCH))
        return [edit for batch in batches for edit in self.edits(batch, spec, options)]

    def paste(self, photo: Photo, edits: Iterable[FaceEdit], mask: np.ndarray | None = None) -> list[paste.Pasted]:
        """Paste edited faces into the photo, in place; `mask`, weights (H, W) in [0, 1], limits the change."""
        colours = Colours(photo)
        if colours.ignored and "profile_ignored" not in photo.notes:
            photo.notes += ("profile_ignored",)
        return [
            paste.paste(photo, colours, edit.face_crop.placement, edit.change, mask, edit.face_crop.head)
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
        sure: float = SURE,
        clip: bool = False,
        refine: int = 0,
        unless_already: bool = False,
        least: int = LEAST,
        away: float = align.TURNED_AWAY,
        unlike: bool = False,
    ) -> Picture:
        """Edit a PIL image, an RGB array (H, W, 3) uint8, a batch (N, H, W, 3), or a list of these of any sizes.

        Returns the same kind; the input is not changed. `mask`, weights (H, W) in [0, 1], limits the change; the
        other options are those of `facet.Options`. BadImage if a picture has no face that can be edited."""
        options = Options(
            spec=spec,
            mode=mode,
            faces=faces,
            aligned=aligned,
            sure=sure,
            clip=clip,
            refine=refine,
            unless_already=unless_already,
            least=least,
            away=away,
            unlike=unlike,
        )
        check_sure(sure)
        parsed = self.parse(spec)
        photos = list(_photos(picture))
        crops_of_photos = [self.face_crops(photo, options) for photo in photos]
        face_crops = [face for faces_of_photo in crops_of_photos for face in faces_of_photo]
        edits = iter(self.all_edits(face_crops, parsed, options))
        edits_of_photos = [[next(edits) for _ in faces_of_photo] for faces_of_photo in crops_of_photos]
        if any(own and all(edit.unlike for edit in own) for own in edits_of_photos):
            raise BadImage("unlike_training", "covered, pixelated or blurred")
        for photo, own in zip(photos, edits_of_photos, strict=True):
            self.paste(photo, own, mask)
        result: Any
        if isinstance(picture, list | tuple):
            result = [_same_kind(one, photo) for one, photo in zip(picture, photos, strict=True)]
        elif isinstance(picture, Image.Image):
            result = _same_kind(picture, photos[0])
        else:
            pixels = np.stack([photo.pixels for photo in photos])
            result = pixels if np.asarray(picture).ndim == 4 else pixels[0]
        return result


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
        picture.load()
        pixels, orientation = np.array(picture.convert(mode)), orientation_of(picture)
        yield Photo(pixels, mode, "PNG", orientation, metadata=metadata(picture, b""))
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
