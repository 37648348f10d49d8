"""Editing a folder of photos: what has to be done, doing it, and what became of every file.

Every thread takes a batch of photos from reading to writing: while one is in Python, others decode, compute or write,
and few wait for each other. A result is written aside and renamed, then noted in a journal: whatever stops a job, its
next run goes on from there and ends with the same bytes."""

import contextlib
import dataclasses
import errno
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from facet.base.errors import FacetError, InputError
from facet.base.files import hash_named
from facet.base.threads import in_order, worker_count
from facet.base.version import VERSION
from facet.photos.editor import BATCH, FaceCrop, FaceEdit, Options, PhotoEditor, compositing_mode, table_of
from facet.photos.faces import outside, user_masks
from facet.photos.faces.detect import Face
from facet.photos.faces.landmarks import read_landmarks
from facet.photos.file.credentials import Credentials
from facet.photos.file.photo import Photo, read
from facet.photos.file.writing import encode, updated_metadata, without_gps
from facet.photos.file.xmp import EDITED
from facet.photos.folder.listing import Item, Listing
from facet.photos.folder.manifest import EMPTY, Journal, Known
from facet.pictures.decode import BadImage

log = logging.getLogger(__name__)

IN_MEMORY = 512 << 20  # bytes of decoded photos at a time
GUESS = 16 << 20  # bytes of a decoded photo before one was seen
RECIPE = 2  # raised where the same options give other bytes
HIDDEN = ".facet"  # of the output folder: lock, journals, parts
NAMES = (errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EEXIST, errno.EILSEQ)  # a name is wrong, not the disk
NO_FACE = (
    "no_face",
    "too_small",
    "off_frontal",
    "aspect",
    "no_landmarks",
    "off_photo",
)  # reasons why a photo is skipped


class JobError(FacetError):
    """A job cannot continue (a full disk, another job in the same folder); finished photos are kept."""

    exit_code = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One folder to edit, and how; the same on every engine."""

    photos: Path
    out: Path
    model: Path
    attributes: Path | None  # None: the table that belongs to the model
    judges: Path | None
    options: Options
    lossless: bool = False  # PNG, whatever the photo was
    strip_gps: bool = False
    copy: bool = True  # what cannot be edited is copied
    landmarks: Path | None = None  # CSV; takes the place of the detector
    masks: Path | None = None  # one picture for all, or a folder of pictures by the photos' names
    certificate: Path | None = None  # PEM, with its key: content credentials in every result
    key: Path | None = None
    device: str = "auto"
    workers: int = 0  # threads; no effect on the bytes

    def settings(self) -> dict[str, Any]:
        """What decides about the bytes of a result, but for the photo itself."""
        table = self.attributes or table_of(self.model)
        return {
            "recipe": RECIPE,
            "options": dataclasses.asdict(self.options),
            "lossless": self.lossless,
            "strip_gps": self.strip_gps,
            "model": folder_hash(self.model),
            "attributes": _sha256(table.read_bytes()),
            "judges": folder_hash(self.judges) if self.judges else "",
            "certificate": _sha256(self.certificate.read_bytes()) if self.certificate else "",
        }


def folder_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of a folder's files."""
    return hash_named((path.name, path) for path in sorted(folder.iterdir()) if path.is_file())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclasses.dataclass
class Work:
    """One file on its way: what is known of it, its photo and faces while it is edited."""

    item: Item
    row: dict[str, Any]
    data: bytes = b""
    photo: Photo | None = None
    looks: list[FaceCrop] = dataclasses.field(default_factory=list)
    user: np.ndarray | None = None
    edits: list[FaceEdit] = dataclasses.field(default_factory=list)
    before: dict[str, Any] | None = None  # what was known of it
    done: bool = False  # nothing is left to do but to note it

    def let_go(self) -> "Work":
        """Without what takes memory."""
        self.data, self.photo, self.looks, self.user, self.edits, self.before = b"", None, [], None, [], None
        return self


class Shard:
    """Edits some of a job's files, in this process."""

    def __init__(self, job: Job, editor: PhotoEditor, files: Listing, known: Known, places: Mapping[str, str]):
        self.job, self.editor, self.files, self.known, self.places = job, editor, files, known, places
        self.spec = editor.parse(job.options.spec)
        if not self.spec.changes:
            raise InputError("the edit is empty; write for example Smiling=on")
        settings = job.settings()
        settings["options"]["spec"] = str(self.spec)  # however it was written
        self._settings = json.dumps(settings, sort_keys=True).encode()
        looking = {name: settings["options"][name] for name in ("faces", "aligned", "least", "away")}
        self._looking = json.dumps(looking, sort_keys=True).encode()
        self._landmarks = read_landmarks(job.landmarks) if job.landmarks else None
        self._masks = user_masks.Masks(job.masks) if job.masks else None
        self._credentials = Credentials(job.certificate, job.key) if job.certificate and job.key else None
        self._workers = worker_count(job.workers)
        self._largest = 0  # bytes of a decoded photo, so far
        self.properties = {
            "DigitalSourceType": EDITED,
            "AISystemUsed": f"Facet {editor.system.name}",
            "AISystemVersionUsed": f"{VERSION}, model {settings['model'][:12]}",
            "AIPromptInformation": str(self.spec),
        }

    def run(self, items: Sequence[Item], journal: Journal) -> Iterator[bool]:
        """For each of these files, in their order, once its result is written and noted: whether it was worked on."""
        for works in in_order(self._whole, self._batches(items), self._workers):
            for work in works:
                journal.add(work.row)
                yield not work.done

    def _batches(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """A batch for the networks at a time, or as many photos as may be in memory on every thread at once."""
        start = 0
        while start < len(items):
            many = IN_MEMORY // (self._workers * (self._largest or GUESS))
            stop = start + min(max(many, 1), BATCH)
            yield items[start:stop]
            start = stop

    def _whole(self, items: Sequence[Item]) -> list[Work]:
        """Some photos from reading to writing, on one thread."""
        return [self._finish(work) for work in self._edited(items)]

    def _prepare(self, item: Item) -> Work:
        """Read, see whether it is done, decode, find faces, cut crops."""
        work = Work(item, EMPTY | {"file": item.name, "spec": str(self.spec), "mode": self._mode()})
        before = work.before = self.known.row(item.name)
        try:
            if item.refused:
                raise BadImage(item.refused)
            work.data = self.files.read(item.name)
            digest = _sha256(work.data)
            points, mask, lacking = self._given(item.name)
            work.row["input_sha256"] = digest
            work.row["key"] = self._key(digest, points, mask)
            work.row["looked"] = _sha256(self._looking + digest.encode() + points)
            if before is not None and before["key"] == work.row["key"] and self._stands(before):
                work.row, work.done, work.data = before, True, b""
                return work
            if lacking is not None:
                raise lacking
            work.photo = read(work.data)
            self._largest = max(self._largest, work.photo.pixels.nbytes)
            width, height = work.photo.size
            work.row |= {"width": width, "height": height, "format": work.photo.format}
            work.row["notes"] = list(work.photo.notes)
            if self._masks is not None:
                work.user = self._masks.read(item.name, work.photo.size)
            work.looks = self._looks(work, before)
        except BadImage as bad:
            self._refuse(work, bad)
            work.done = not work.data and before == work.row  # what cannot even be read is no work
        except MemoryError:
            self._refuse(work, BadImage("too_large", "not enough memory"))
        except Exception as error:  # no photo may stop the others
            log.exception("%s", item.name)
            self._refuse(work, BadImage("error", f"{type(error).__name__}: {error}"))
        return work

    def _key(self, digest: str, points: bytes, mask: bytes) -> str:
        return _sha256(self._settings + digest.encode() + points + mask)

    def _mode(self) -> str:
        return compositing_mode(self.spec, self.job.options.mode)

    def _given(self, name: str) -> tuple[bytes, bytes, BadImage | None]:
        """What of others' files is about a photo: its landmarks and its mask, as bytes that tell changes, and what is
        lacking."""
        points = mask = b""
        try:
            if self._landmarks is not None:
                if name not in self._landmarks:
                    raise BadImage("no_landmarks")
                points = b"".join(one.tobytes() for one in self._landmarks[name])
            mask = self._masks.digest(name) if self._masks is not None else b""
        except BadImage as bad:
            return points, bad.reason.encode(), bad
        return points, mask, None

    def _looks(self, work: Work, before: Mapping[str, Any] | None) -> list[FaceCrop]:
        assert work.photo is not None
        given = self._landmarks[work.item.name] if self._landmarks is not None else None
        found = None
        if before is not None and before["looked"] == work.row["looked"] and not self.job.options.aligned:
            if before["reason"] in NO_FACE:
                raise BadImage(before["reason"], before["detail"])
            found = _faces(before)
        looks = self.editor.face_crops(work.photo, self.job.options, given, found)
        if not self.job.options.aligned:
            work.row["landmarks"] = [look.face.points.ravel().tolist() for look in looks]
        work.row["boxes"] = [list(look.face.box) for look in looks]
        work.row["side"] = [look.placement.side for look in looks]
        work.row["faces"] = len(looks)
        return looks

    def _stands(self, row: Mapping[str, Any]) -> bool:
        """Whether a result is there as it was written."""
        if not row["output"]:
            return not (row["status"] != "edited" and self.job.copy and row["input_sha256"])
        if row["status"] != "edited" and not self.job.copy:
            return False
        try:
            return _sha256((self.job.out / row["output"]).read_bytes()) == row["output_sha256"]
        except OSError:
            return False

    def _refuse(self, work: Work, bad: BadImage) -> None:
        work.row |= {
            "status": "skipped" if bad.reason in NO_FACE else "failed",
            "reason": bad.reason,
            "detail": bad.detail,
        }
        work.photo, work.looks = None, []

    def _edited(self, items: Sequence[Item]) -> list[Work]:
        """Photos as far as the networks bring them."""
        works = [self._prepare(item) for item in items]
        looks = [(work, look) for work in works for look in work.looks]
        for start in range(0, len(looks), BATCH):
            part = looks[start : start + BATCH]
            edits = self.editor.edits([look for _, look in part], self.spec, self.job.options)
            for (work, _), edit in zip(part, edits, strict=True):
                work.edits.append(edit)
        return works

    def _finish(self, work: Work) -> Work:
        """Bring the changes back, write the result, say what became of the file."""
        if work.done:
            return work
        try:
            if work.photo is not None and any(edit.moved for edit in work.edits):
                result = self._result(work)
                if result is not None:
                    self._put(*result, work.row)
                    self._clear(work)
                    return work.let_go()
        except BadImage as bad:
            self._refuse(work, bad)
        except JobError:
            raise
        except Exception as error:
            log.exception("%s", work.item.name)
            self._refuse(work, BadImage("error", f"{type(error).__name__}: {error}"))
        if not work.row["status"]:
            reason = "already" if self.job.options.unless_already else "at_target"
            work.row |= {"status": "unchanged", "reason": reason} | self._told(work)
        if self.job.copy and work.row["input_sha256"]:
            try:
                self._put(work.item.name, self._copied(work), work.row)
            except BadImage as bad:
                work.row |= {"status": "failed", "reason": bad.reason, "detail": bad.detail}
        self._clear(work)
        return work.let_go()

    def _copied(self, work: Work) -> bytes:
        """The file as it was, or without the place where that must not stay."""
        if not self.job.strip_gps:
            return work.data
        data, left = without_gps(work.data)
        if left:
            work.row["notes"] = [*work.row["notes"], "gps_kept"]
        return data

    def _clear(self, work: Work) -> None:
        """Take away what an earlier run wrote for this file under another name, unless somebody changed it since."""
        before = work.before
        if before is None or not before["output"] or before["output"] == work.row["output"]:
            return
        old = self.job.out / before["output"]
        with contextlib.suppress(OSError):
            if _sha256(old.read_bytes()) == before["output_sha256"]:
                old.unlink()

    def _result(self, work: Work) -> tuple[str, bytes] | None:
        """The file of an edited photo and its place; None where a mask or a wholly even change left every pixel."""
        photo = work.photo
        assert photo is not None
        touched = self.editor.paste(photo, work.edits, work.user)
        if not any(one.pixels for one in touched):
            reason = "masked" if work.user is not None else "no_change"
            work.row |= {"status": "unchanged", "reason": reason} | self._told(work) | {"after": []}
            return None
        if self.job.lossless:
            photo.format = "TIFF" if photo.mode == "CMYK" else "PNG"
            photo.saving = {"compression": "tiff_lzw"} if photo.mode == "CMYK" else {}
        about, notes = updated_metadata(photo, iptc=self.properties, strip_gps=self.job.strip_gps)
        data = encode(photo, work.data, about)
        if b"c2pa" in work.data and b"jumb" in work.data:
            notes = (*notes, "credentials_dropped") if self._credentials is None else notes
        if self._credentials is not None:
            data = self._credentials.sign(data, work.data, photo.format, self.properties)
        work.row |= self._told(work) | {
            "status": "edited",
            "notes": [*photo.notes, *notes],
            "format": photo.format,
            "changed_pixels": sum(one.pixels for one in touched),
        }
        if photo.format in outside.LOSSY and not photo.saving.get("lossless"):
            share, worst = outside.changed(data, photo, [one.box for one in touched])
            work.row |= {"outside_share": share, "outside_worst": worst}
        place = self.places[work.item.name]
        if self.job.lossless and photo.format == "TIFF":
            own = PurePosixPath(work.item.name)
            place = str(own.with_name(f"{own.stem}-{own.suffix[1:]}.tif"))  # a name of its own whatever lies beside it
        return place, data

    def is_done(self, item: Item) -> bool:
        """Whether the result of a file is there already."""
        before = self.known.row(item.name)
        if before is None or item.refused:
            return False
        try:
            digest = _sha256(self.files.read(item.name))
            points, mask, _ = self._given(item.name)
        except BadImage:
            return False
        return before["key"] == self._key(digest, points, mask) and self._stands(before)

    def try_out(self, items: Sequence[Item]) -> tuple[dict[str, int], int]:
        """Edit photos and write nothing: how many are refused, by reason, and the bytes of all results."""
        refused: Counter[str] = Counter()

        def size(work: Work) -> int:
            moved = work.photo is not None and any(edit.moved for edit in work.edits)
            made = self._result(work) if moved else None
            return len(made[1]) if made is not None else len(work.data) if self.job.copy else 0

        def tried(items: Sequence[Item]) -> list[tuple[str, int]]:
            return [(work.row["reason"], size(work)) for work in self._edited(items)]

        whole = 0
        for found in in_order(tried, self._batches(items), self._workers):
            for reason, count in found:
                refused.update([reason] if reason else [])
                whole += count
        return dict(refused), whole

    def _told(self, work: Work) -> dict[str, Any]:
        """What the networks say of the faces."""
        return {
            "attributes": list(work.edits[0].attributes) if work.edits else [],
            "strengths": [list(edit.strengths) if edit.moved else [] for edit in work.edits],
            "before": [list(edit.before) for edit in work.edits],
            "after": [list(edit.after) for edit in work.edits],
        }

    def _put(self, name: str, data: bytes, row: dict[str, Any]) -> None:
        """Write a result aside and rename it; JobError where the disk refuses."""
        place = self.job.out / name
        aside = self.job.out / HIDDEN / "parts" / f"{os.getpid()}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"
        try:
            with aside.open("wb") as file:
                file.write(data)
            try:
                aside.replace(place)
            except FileNotFoundError:
                place.parent.mkdir(parents=True, exist_ok=True)
                aside.replace(place)
        except OSError as error:
            aside.unlink(missing_ok=True)
            if error.errno in NAMES:
                raise BadImage("unwritable_name", error.strerror or "") from None
            raise JobError(
                f"{place} cannot be written: {error.strerror or error}; mend that and run it again"
            ) from error
        row |= {"output": name, "output_sha256": _sha256(data)}


def _faces(row: Mapping[str, Any]) -> list[Face] | None:
    """The faces that were found before."""
    if not row["landmarks"]:
        return None
    return [
        Face(tuple(box), tuple((points[i], points[i + 1]) for i in range(0, 10, 2)), 1.0)
        for box, points in zip(row["boxes"], row["landmarks"], strict=True)
    ]
