"""Write the results of a job: encode the file, complete the row of the manifest."""

import contextlib
import errno
import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Any

from facet.base.version import VERSION
from facet.photos.faces import outside
from facet.photos.file.photo import Photo
from facet.photos.file.writing import check_places, encode, stripped, updated_metadata
from facet.photos.file.xmp import EDITED
from facet.photos.folder.job import JobError, check_current
from facet.photos.folder.manifest import Journal
from facet.photos.folder.open_job import OpenJob, sha256
from facet.photos.folder.reading import PhotoTask
from facet.photos.options import Options
from facet.pictures.decode import BadImage

NAME_ERRORS = (errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EEXIST, errno.EILSEQ)  # not the disk's fault


class ResultWriter:
    """Writes results of a job into the output folder. Threads may share one."""

    def __init__(self, job: OpenJob, run: str):
        self._job, self._run = job, run
        self._properties = {  # of IPTC
            "DigitalSourceType": EDITED,
            "AISystemUsed": f"Facet {job.editor.system.name}",
            "AISystemVersionUsed": f"{VERSION}, model {job.settings['model'][:12]}",
            "AIPromptInformation": job.prompt,
        }

    def finish(self, task: PhotoTask, journal: Journal) -> None:
        """Write the result of a photo, or its copy, and complete its row; JobError if the disk refuses."""
        if task.up_to_date:
            return
        if not self._write_edited(task, journal):
            self._write_unedited(task, journal)
        self._remove_earlier_output(task)
        task.release()

    def _write_edited(self, task: PhotoTask, journal: Journal) -> bool:
        """Write the edited photo; False if there is none."""
        with task.guarded():
            result = self.encoded(task)
            if result is not None:
                self._write(*result, task.row, journal)
                return True
        return False

    def _write_unedited(self, task: PhotoTask, journal: Journal) -> None:
        """Note why the photo is as it was, and copy it if the job asks for copies."""
        job = self._job.job
        self._note_unedited(task)
        if job.copy and task.row["input_sha256"] and task.row["reason"] != "result_changed":
            try:
                self._write(task.item.name, self._copy(task), task.row, journal)
            except BadImage as bad:
                task.row |= {"status": "failed", "reason": bad.reason, "detail": bad.detail}

    def _note_unedited(self, task: PhotoTask) -> None:
        """Note why the photo is as it was."""
        task.row["notes"] = []  # of conversions, which a copy does without
        if not task.row["status"]:
            task.row |= _why_unmoved(task, self._job.job.options) | _measured(task)

    def made(self, task: PhotoTask) -> tuple[str, bytes]:
        """The name and bytes of what a job writes for a photo, the edited one or its copy, without writing it."""
        with task.guarded():
            result = self.encoded(task)
            if result is not None:
                return result
        self._note_unedited(task)
        return task.item.name, self._copy(task)

    def _copy(self, task: PhotoTask) -> bytes:
        """The file as it was, without GPS if the job strips it."""
        if not self._job.job.strip_gps:
            return task.data
        data, notes = stripped(task.data)
        task.row["notes"] = [*task.row["notes"], *notes]
        return data

    def _remove_earlier_output(self, task: PhotoTask) -> None:
        """Remove the result of an earlier run under another name, unless somebody changed it since."""
        earlier = task.earlier
        if earlier is None or not earlier["output"] or earlier["output"] == task.row["output"]:
            return
        path = self._job.job.out / earlier["output"]
        with contextlib.suppress(OSError):
            if sha256(path.read_bytes()) == earlier["output_sha256"]:
                path.unlink()

    def encoded(self, task: PhotoTask) -> tuple[str, bytes] | None:
        """The name and bytes of a photo into which its edits are pasted; None if no face moved, or a mask or a tiny
        change left every pixel."""
        job, photo = self._job.job, task.photo
        if photo is None or not task.moved:
            return None
        if not any(area.pixels for area in task.pasted):
            reason = "masked" if task.mask is not None else "no_change"
            task.row |= {"status": "unchanged", "reason": reason} | _measured(task)
            return None
        if job.lossless:
            photo.format = "TIFF" if photo.mode == "CMYK" else "PNG"
            photo.saving = {"compression": "tiff_lzw"} if photo.mode == "CMYK" else {}
        credentials = self._job.credentials
        metadata, notes = updated_metadata(photo, iptc=self._properties)
        data = encode(photo, task.data, metadata, alone=credentials is not None)  # a signature moves what lies behind
        if job.strip_gps:
            data, more = stripped(data)
            notes += more
            if more:
                photo.notes = tuple(note for note in photo.notes if note != "video_kept")
        if credentials is not None:
            source = stripped(task.data)[0] if job.strip_gps else task.data  # its credentials become a part of the new
            data = credentials.sign(data, source, photo.format, self._properties)
            if job.strip_gps:
                check_places(data)
        elif b"c2pa" in task.data and b"jumb" in task.data:
            notes = (*notes, "credentials_dropped")
        task.row |= _measured(task) | {
            "status": "edited",
            "notes": [*photo.notes, *notes],
            "format": photo.format,
            "changed_pixels": sum(area.pixels for area in task.pasted),
        }
        if photo.lossy:
            share, worst = outside.changed(data, photo, [area.box for area in task.pasted])
            task.row |= {"outside_share": share, "outside_worst": worst}
        return self._output(task, photo), data

    def _output(self, task: PhotoTask, photo: Photo) -> str:
        """The path of an edited photo in the output folder."""
        if self._job.job.lossless and photo.format == "TIFF":
            source = PurePosixPath(task.item.name)
            return str(source.with_name(f"{source.stem}-{source.suffix[1:]}.tif"))  # no other result has this name
        return self._job.outputs[task.item.name]

    def check_own(self, name: str) -> None:
        """BadImage if a file has the name of a result and no job wrote it: nobody else may have it."""
        path = self._job.job.out / name
        if not os.path.lexists(path) or path.is_dir():
            return
        try:
            there = path.read_bytes()
        except OSError as error:
            raise BadImage("result_changed", f"{name} cannot be read ({error.strerror})") from None
        if there and not self._job.manifest.wrote(name, sha256(there)):
            raise BadImage("result_changed", f"{name} has {len(there):,} bytes that no job wrote")

    def _write(self, name: str, data: bytes, row: dict[str, Any], journal: Journal) -> None:
        """Write a temporary file and rename it; BadImage if the name is impossible or taken, JobError if the disk
        refuses."""
        self.check_own(name)
        path = self._job.job.out / name
        digest = sha256(data)
        part = self._job.job.parts / f"{os.getpid()}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"
        try:
            with part.open("wb") as file:
                file.write(data)
            journal.begin(name, digest)
            check_current(self._job.job, self._run)
            _move(part, path, data)
        except OSError as error:
            if error.errno in NAME_ERRORS:
                raise BadImage("unwritable_name", error.strerror or "") from None
            raise JobError(
                f"{path} cannot be written: {error.strerror or error}; fix that and run the job again"
            ) from error
        finally:
            part.unlink(missing_ok=True)
        row |= {"output": name, "output_sha256": digest}


def _move(part: Path, path: Path, data: bytes) -> None:
    """Rename a temporary file with these bytes; a folder on another disk gets one of its own first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        for stale in path.parent.glob(f".{part.name.partition('-')[2]}.*.part"):  # of a killed job
            stale.unlink(missing_ok=True)
        own = path.parent / f".{part.name.partition('-')[2]}.{os.getpid()}.part"
        try:
            own.write_bytes(data)
            own.replace(path)
        finally:
            own.unlink(missing_ok=True)
        part.unlink(missing_ok=True)


def _measured(task: PhotoTask) -> dict[str, Any]:
    """The columns of the manifest that the networks fill."""
    return {
        "attributes": list(task.edits[0].attributes) if task.edits else [],
        "strengths": [list(edit.strengths) if edit.moved else [] for edit in task.edits],
        "before": [list(edit.before) for edit in task.edits],
        "after": [list(edit.after) for edit in task.edits],
        "reached": [edit.reached for edit in task.edits],
    }


def _why_unmoved(task: PhotoTask, options: Options) -> dict[str, str]:
    """Status and reason of a photo of which no face moved."""
    if any(edit.unlike for edit in task.edits):
        return {"status": "skipped", "reason": "unlike_training"}
    return {"status": "unchanged", "reason": "already" if options.unless_already else "at_target"}
