"""Photos that are open in the studio: their bytes, what is drawn on the screen, and their faces."""

import collections
import dataclasses
import functools
import hashlib
import io
import itertools
import threading
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from facet.base.errors import InputError
from facet.editing import brush
from facet.editing.brush import Canvas, Stroke
from facet.photos.batch import FaceCrop
from facet.photos.editor import PhotoEditor
from facet.photos.faces import align
from facet.photos.faces.align import Placement
from facet.photos.faces.detect import Face, detector
from facet.photos.file.colour import Colours
from facet.photos.file.photo import NOTES, Photo, pixel_count, read
from facet.photos.options import Options
from facet.photos.painted import canvas_of
from facet.pictures.decode import BadImage
from facet.studio.trained import Trained

SCREEN = 1280  # pixels along the longer side of what is drawn while one edits
MOST_PIXELS = 100_000_000  # of a photo
MOST_BYTES = 1 << 30  # of all open photos; the one that was not used for longest goes
SAMPLE = 256  # pixels along a sample, as in the published editor
CANVASES = 64  # kept of one photo, so that a stroke does not begin with all before it


@dataclasses.dataclass(frozen=True)
class FoundFace:
    """One face of a photo for one system: what the networks see, or why it cannot be edited."""

    face: Face
    crop: FaceCrop | None
    refused: str = ""
    latent: torch.Tensor | None = None  # (1, d) if it is known: a sample's


class Document:
    """One open photo. Threads may share it."""

    def __init__(self, name: str, data: bytes, *, sample: torch.Tensor | None = None, system: str = ""):
        """BadImage if the bytes are no photo. A `sample` is the latent (1, d) of `system` that the photo shows."""
        if pixel_count(data) > MOST_PIXELS:
            raise BadImage("too_large", f"{pixel_count(data):,} pixels; {MOST_PIXELS:,} at most")
        self.name, self.data, self.photo = name, data, read(data)
        self.sample, self.system = sample, system
        self.id = hashlib.sha256(f"{system}\0{name}\0".encode() + data).hexdigest()[:32]
        self._lock = threading.RLock()  # of faces and canvases
        self._faces: dict[tuple[str, bool, bool], list[FoundFace]] = {}
        self._canvases: collections.OrderedDict[int, Canvas] = collections.OrderedDict()

    @property
    def bytes(self) -> int:
        """Roughly what it takes of memory."""
        return len(self.data) + 2 * self.photo.pixels.nbytes

    @functools.cached_property
    def screen(self) -> np.ndarray:
        """The photo upright in sRGB at the size of the screen, uint8 (h, w, 3)."""
        pixels = self.srgb
        scale = min(1.0, SCREEN / max(pixels.shape[:2]))
        if scale == 1:
            return pixels
        height, width = (max(round(length * scale), 1) for length in pixels.shape[:2])
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))

    @property
    def srgb(self) -> np.ndarray:
        """The photo upright in sRGB, uint8 (H, W, 3)."""
        return np.ascontiguousarray(Colours(self.photo).to_srgb(self.photo.upright))

    @property
    def scale(self) -> float:
        """Pixels of the screen for one of the photo."""
        return self.screen.shape[1] / self.photo.size[0]

    def described(self) -> dict[str, Any]:
        """What the page shows of the photo."""
        photo, plain = self.photo, {"L": "greyscale", "LA": "greyscale", "CMYK": "CMYK"}
        facts = [photo.format, f"{photo.size[0]} × {photo.size[1]}", plain.get(photo.mode, "colour")]
        facts += ["16 bits"] * (photo.pixels.dtype == np.uint16) + ["turned by its EXIF"] * (photo.orientation != 1)
        return {
            "id": self.id,
            "name": self.name,
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "bytes": len(self.data),
            "size": list(photo.size),
            "screen": [self.screen.shape[1], self.screen.shape[0]],
            "facts": facts,
            "notes": [NOTES[note] for note in photo.notes],
            "sample": self.sample is not None,
            "system": self.system,
        }

    def faces(self, trained: Trained, options: Options) -> list[FoundFace]:
        """Every face of the photo, the largest first, those that cannot be edited too; BadImage `no_face`."""
        key = (trained.name, options.aligned, bool(options.away))
        with self._lock:
            if key not in self._faces:
                self._faces[key] = self._found(trained, options)
            return self._faces[key]

    def _found(self, trained: Trained, options: Options) -> list[FoundFace]:
        if self.sample is not None:
            return [self._sampled(trained)]
        editor = trained.editor
        if options.aligned:
            (crop,) = editor.face_crops(self.photo, options)
            return [FoundFace(crop.face, crop)]
        faces = self._detected
        if not faces:
            raise BadImage("no_face")
        return [self._one(editor, face, options) for face in faces]

    @functools.cached_property
    def _detected(self) -> list[Face]:
        return detector().find(self.srgb)

    def _one(self, editor: PhotoEditor, face: Face, options: Options) -> FoundFace:
        try:
            (crop,) = editor.face_crops(self.photo, options, faces=[face])
        except BadImage as bad:
            return FoundFace(face, None, str(bad))
        return FoundFace(face, crop)

    def _sampled(self, trained: Trained) -> FoundFace:
        """The face of a sample: all of its picture."""
        width, height = self.photo.size
        box = (0.0, 0.0, float(width), float(height))
        sizes = (trained.editor.system.size, 2 * trained.editor.system.size)
        crop, large = (np.asarray(cv2.resize(self.srgb, (size, size), interpolation=cv2.INTER_AREA)) for size in sizes)
        if trained.editor.system.channels == 1:
            crop = crop[:, :, :1]
        face = FaceCrop(Face(box, (), 1.0), align.from_box(box), np.ascontiguousarray(crop), large, None)
        return FoundFace(face.face, face, latent=self.sample if trained.name == self.system else None)

    def canvas(self, trained: Trained, face: FoundFace, strokes: tuple[Stroke, ...], mask: str) -> Canvas:
        """The canvas of a face after these strokes, from the longest beginning of them that is known."""
        assert face.crop is not None
        editor, done = trained.editor.editor, len(strokes)
        # one key for each beginning: a chain of hashes, since there may be thousands of strokes
        first = hash((trained.name, face.face.box, mask))
        keys = list(itertools.accumulate(strokes, lambda key, stroke: hash((key, stroke)), initial=first))
        with self._lock:
            while done and keys[done] not in self._canvases:
                done -= 1
            canvas = self._canvases.get(keys[done]) or canvas_of(editor, face.crop, face.latent)
            for stroke in strokes[done:]:
                canvas = brush.stroked(editor, canvas, stroke, mask)
            self._canvases[keys[-1]] = canvas
            self._canvases.move_to_end(keys[-1])
            while len(self._canvases) > CANVASES:
                self._canvases.popitem(last=False)
        return canvas

    def on_screen(self, placement: Placement) -> Placement:
        """The place of a crop on the screen."""
        height, width = self.screen.shape[:2]
        x, y = width / self.photo.size[0], height / self.photo.size[1]
        return Placement(placement.matrix * np.array([[x], [y]]))

    def on_paper(self) -> Photo:
        """A copy of what is drawn on the screen, to be edited."""
        return Photo(self.screen.copy(), "RGB", "PNG")


def sample_of(picture: np.ndarray, name: str, latent: torch.Tensor | None, system: str) -> Document:
    """A document of a picture uint8 (S, S, C) that fills a system's crop."""
    colour = np.repeat(picture, 3, 2) if picture.shape[2] == 1 else picture
    large = cv2.resize(colour, (SAMPLE, SAMPLE), interpolation=cv2.INTER_CUBIC)
    file = io.BytesIO()
    Image.fromarray(large).save(file, "PNG")
    return Document(name, file.getvalue(), sample=latent, system=system)


class Documents:
    """The open photos of all tabs by their id, within MOST_BYTES. Threads may share it."""

    def __init__(self, most: int = MOST_BYTES):
        self._most, self._lock = most, threading.Lock()
        self._open: collections.OrderedDict[str, Document] = collections.OrderedDict()

    def add(self, document: Document) -> Document:
        """Keep a document; the same bytes of the same name are kept once."""
        with self._lock:
            known = self._open.setdefault(document.id, document)
            self._open.move_to_end(document.id)
            while len(self._open) > 1 and sum(one.bytes for one in self._open.values()) > self._most:
                self._open.popitem(last=False)
        return known

    def get(self, name: str) -> Document:
        """The document of an id; InputError if it is not open any more."""
        with self._lock:
            document = self._open.get(name)
            if document is None:
                raise InputError("this photo is not open any more; open it again: its history is kept in the page")
            self._open.move_to_end(name)
        return document
