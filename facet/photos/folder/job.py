"""A job: which photos to edit, how, and where the results go."""

import dataclasses
from pathlib import Path

from facet.base.errors import FacetError, InputError
from facet.photos.folder.listing import EXTENSIONS, LISTS, listed_paths
from facet.photos.options import Options, check_mode, check_sure

HIDDEN = ".facet"  # folder in the output folder for lock, journals and unfinished files


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
    lossless: bool = False  # write PNG, whatever the photo's format
    strip_gps: bool = False
    copy: bool = True  # copy photos that cannot be edited
    landmarks: Path | None = None  # CSV that replaces the detector
    masks: Path | None = None  # one picture for all photos, or a folder of pictures named like them
    certificate: Path | None = None  # PEM; with `key`, signs content credentials in every result
    key: Path | None = None
    device: str = "auto"
    workers: int = 0  # threads, 0 for one per core; the bytes do not depend on it

    @property
    def journals(self) -> Path:
        """The folder of the journals."""
        return self.out / HIDDEN / "journals"

    @property
    def parts(self) -> Path:
        """The folder of unfinished files."""
        return self.out / HIDDEN / "parts"

    @property
    def current(self) -> Path:
        """The file that names the run which may write results."""
        return self.out / HIDDEN / "run"


def check_current(job: Job, run: str) -> None:
    """JobError unless this run may write results: workers outlive a job that is killed, and not every file system has
    locks."""
    try:
        current = job.current.read_text(encoding="ascii")
    except OSError as error:
        raise JobError(f"{job.current} cannot be read ({error.strerror}); run the job again") from None
    if current != run:
        raise JobError(
            f"another job has begun to write to {job.out}, so this one ends; wait for it, and run this again"
        )


def check_paths(job: Job) -> None:
    """InputError if the paths of a job, or its mode, cannot work; nothing is written."""
    photos, out = job.photos.resolve(), job.out.resolve()
    if not photos.exists():
        raise InputError(f"{job.photos} is missing; expected a folder of photos, a zip, a list of paths, or one photo")
    if out == photos or (photos.is_dir() and out.is_relative_to(photos)):
        raise InputError(
            f"{job.out} is inside {job.photos}: results would be edited again; choose another output folder"
        )
    if photos.is_file() and photos.suffix.lower() in LISTS:
        inside = next((path for path in listed_paths(photos) if path.resolve().is_relative_to(out)), None)
        if inside is not None:
            raise InputError(
                f"{inside} is inside {job.out}: results could replace photos; choose another output folder"
            )
    if photos.is_relative_to(out):
        raise InputError(
            f"{job.photos} is inside {job.out}: results could replace photos; choose another output folder"
        )
    if out.exists() and not out.is_dir():
        raise InputError(f"{job.out} is a file; expected a folder for the results")
    if not out.exists() and out.suffix.lower() in EXTENSIONS:
        raise InputError(f"{job.out} has the name of a picture; OUT is a folder in which results keep their names")
    check_mode(job.options.mode)
    check_sure(job.options.sure)
