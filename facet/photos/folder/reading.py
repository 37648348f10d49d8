"""Read the photos of a job: decode them, find their faces and cut their crops."""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from facet.photos.batch import FaceCrop
from facet.photos.crop_editor import FaceEdit
from facet.photos.faces.detect import Face
from facet.photos.faces.paste import Pasted
from facet.photos.file.colour import Colours
from facet.photos.file.photo import Photo, pixel_count, read
from facet.photos.folder.given_faces import given_faces
from facet.photos.folder.job import JobError
from facet.photos.folder.listing import Item
from facet.photos.folder.manifest import EMPTY
from facet.photos.folder.open_job import OpenJob, sha256
from facet.pictures.decode import BadImage

log = logging.getLogger(__name__)

# Reasons for which a photo counts as skipped instead of failed.
SKIPPED = ("no_face", "too_small", "off_frontal", "aspect", "no_landmarks", "off_photo", "landmarks_wrong")


@dataclasses.dataclass
class PhotoTask:
    """One file on its way through a job, from its bytes to its row of the manifest."""

    item: Item
    row: dict[str, Any]
    earlier: dict[str, Any] | None = None  # its row of an earlier run
    data: bytes = b""
    photo: Photo | None = None
    face_crops: list[FaceCrop] = dataclasses.field(default_factory=list)
    mask: np.ndarray | None = None  # weights (H, W) in [0, 1] that limit the edit
    edits: list[FaceEdit] = dataclasses.field(default_factory=list)
    pasted: list[Pasted] = dataclasses.field(default_factory=list)
    up_to_date: bool = False  # True if the row only has to be noted
    later: bool = False  # True if it is so large that it has to wait for its turn

    @property
    def moved(self) -> bool:
        """True if the networks changed a face."""
        return self.photo is not None and any(edit.moved for edit in self.edits)

    def refuse(self, bad: BadImage) -> None:
        """Note why the photo is not edited."""
        status = "skipped" if bad.reason in SKIPPED else "failed"
        self.row |= {"status": status, "reason": bad.reason, "detail": bad.detail}
        self.photo, self.face_crops = None, []

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Refuse the photo with its reason instead of an exception: one bad photo must not stop the job."""
        try:
            yield
        except BadImage as bad:
            self.refuse(bad)
        except JobError:
            raise
        except MemoryError:
            self.refuse(BadImage("too_large", "not enough memory"))
        except Exception as error:  # a bug that one photo meets
            log.exception("%s", self.item.name)
            self.refuse(BadImage("error", f"{type(error).__name__}: {error}"))

    def release(self) -> None:
        """Free the memory of everything but the row."""
        self.data, self.photo, self.mask, self.earlier = b"", None, None, None
        self.face_crops, self.edits, self.pasted = [], [], []


class PhotoReader:
    """Reads items of a job. Threads may share one."""

    def __init__(self, job: OpenJob):
        self._job = job
        self._empty = EMPTY | {"spec": str(job.spec), "mode": job.mode}
        self.largest = 0  # bytes of the largest decoded photo so far

    def read(self, item: Item, most: int | None = None) -> PhotoTask:
        """Read a file; unless its result is up to date, decode it, find its faces and cut their crops. A photo of more
        than `most` pixels is left for `later`.

        A bad photo gets its reason in the row instead of an exception: it must not stop the job."""
        task = PhotoTask(item, self._empty | {"file": item.name})
        task.earlier = self._job.manifest.row(item.name)
        with task.guarded():
            self._read(task, most)
        task.up_to_date |= bool(task.row["reason"]) and not task.data and task.earlier == task.row  # as bad as before
        return task

    def _read(self, task: PhotoTask, most: int | None) -> None:
        job, item, earlier = self._job, task.item, task.earlier
        if item.refused:
            raise BadImage(item.refused)
        task.data = job.listing.read(item.name)
        digest = sha256(task.data)
        landmarks, mask, missing = self._user_inputs(item.name)
        task.row["input_sha256"] = digest
        task.row["key"] = job.result_key(digest, landmarks, mask)
        task.row["looked"] = job.faces_key(digest, landmarks)
        if earlier is not None and earlier["key"] == task.row["key"] and self._is_intact(earlier):
            task.row, task.up_to_date, task.data = earlier, True, b""
            return
        if missing is not None:
            raise missing
        if most is not None and pixel_count(task.data) > most:
            task.later, task.data = True, b""
            return
        task.photo = read(task.data)
        self.largest = max(self.largest, task.photo.pixels.nbytes)
        width, height = task.photo.size
        task.row |= {"width": width, "height": height, "format": task.photo.format}
        task.row["notes"] = list(task.photo.notes)
        if job.masks is not None:
            task.mask = job.masks.read(item.name, task.photo.size)
        task.face_crops = self._face_crops(task, task.photo)

    def is_up_to_date(self, item: Item) -> bool:
        """True if an earlier run left the result that this one would write."""
        earlier = self._job.manifest.row(item.name)
        if earlier is None or item.refused:
            return False
        try:
            digest = sha256(self._job.listing.read(item.name))
            landmarks, mask, _ = self._user_inputs(item.name)
        except BadImage:
            return False
        return earlier["key"] == self._job.result_key(digest, landmarks, mask) and self._is_intact(earlier)

    def _user_inputs(self, name: str) -> tuple[bytes, bytes, BadImage | None]:
        """The user's landmarks and mask for a photo, as bytes that change with them, and the reason if one is
        missing."""
        landmarks = mask = b""
        try:
            if self._job.landmarks is not None:
                if name not in self._job.landmarks:
                    raise BadImage("no_landmarks")
                landmarks = b"".join(sorted(points.tobytes() for points in self._job.landmarks[name]))
            mask = self._job.masks.digest(name) if self._job.masks is not None else b""
        except BadImage as bad:
            return landmarks, bad.reason.encode(), bad
        return landmarks, mask, None

    def _face_crops(self, task: PhotoTask, photo: Photo) -> list[FaceCrop]:
        """Cut the crops of a photo's faces, reusing the faces of an earlier run with the same face options."""
        options, earlier = self._job.job.options, task.earlier
        landmarks = self._job.landmarks[task.item.name] if self._job.landmarks is not None else None
        faces = None
        if earlier is not None and earlier["looked"] == task.row["looked"] and not options.aligned:
            if earlier["reason"] in SKIPPED:
                raise BadImage(earlier["reason"], earlier["detail"])
            faces = _faces_of(earlier)
        if landmarks is not None and faces is None and not options.aligned:
            height, width = photo.pixels.shape[:2]
            upright = Colours(photo).to_srgb(photo.upright)
            faces = given_faces(landmarks, upright, (width, height), photo.orientation)
        face_crops = self._job.editor.face_crops(photo, options, faces=faces)
        if not options.aligned:
            task.row["landmarks"] = [one.face.points.ravel().tolist() for one in face_crops]
        task.row["boxes"] = [list(one.face.box) for one in face_crops]
        task.row["side"] = [one.placement.side for one in face_crops]
        task.row["faces"] = len(face_crops)
        return face_crops

    def _is_intact(self, row: Mapping[str, Any]) -> bool:
        """True if the result of a row is in the output folder with the bytes that were written."""
        copy = self._job.job.copy
        if row["reason"] == "result_changed":  # it may have been moved away
            return False
        if not row["output"]:
            return not (row["status"] != "edited" and copy and row["input_sha256"])
        if row["status"] != "edited" and not copy:
            return False
        try:
            return sha256((self._job.job.out / row["output"]).read_bytes()) == row["output_sha256"]
        except OSError:
            return False


def _faces_of(row: Mapping[str, Any]) -> list[Face] | None:
    """The faces of a row, None if it has none."""
    if not row["landmarks"]:
        return None
    return [
        Face(tuple(box), tuple((points[i], points[i + 1]) for i in range(0, 10, 2)), 1.0)
        for box, points in zip(row["boxes"], row["landmarks"], strict=True)
    ]
