"""A whole folder of photos: one job at a time, its journals, its manifest, its contact sheet."""

import contextlib
import dataclasses
import fcntl
import functools
import operator
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from facet.base.errors import InputError
from facet.base.progress import duration, progress
from facet.photos.editor import PhotoEditor, check_mode
from facet.photos.faces.landmarks import read_landmarks
from facet.photos.faces.user_masks import Masks
from facet.photos.folder import contact
from facet.photos.folder.job import HIDDEN, Job, JobError, Shard
from facet.photos.folder.listing import EXTENSIONS, LISTS, Item, Listing, listed_paths, listing, outputs
from facet.photos.folder.manifest import Journal, Known

TRIED = 24  # photos that a dry run edits without writing, to know how long the rest will take
SHARD = 64  # photos of one shard on an engine
PNG_FOR = (".gif", ".jp2", ".ppm", ".pgm", ".pnm")  # what no edit can be written as

Run = Callable[[Job, int], Iterator[tuple[int, int]]]  # a job, its shards -> of each its files, and those worked on


@dataclasses.dataclass(frozen=True)
class Summary:
    """What became of a job's files."""

    reasons: Counter[tuple[str, str]]  # by status and reason
    redone: int  # files that this run worked on
    others: int  # files that are no pictures
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """By status."""
        found: Counter[str] = Counter()
        for (status, _), count in self.reasons.items():
            found[status] += count
        return dict(found)

    def _why(self, status: str) -> str:
        """The reasons of a status, where there are any."""
        found = [
            f"{count:,} {reason}" for (own, reason), count in sorted(self.reasons.items()) if own == status and reason
        ]
        return f" ({', '.join(found)})" if found else ""

    @property
    def in_vain(self) -> bool:
        """Whether there were photos, and none could be edited."""
        return bool(self.reasons) and not {"edited", "unchanged"} & self.counts.keys()

    def __str__(self) -> str:
        told = ", ".join(f"{count:,} {status}{self._why(status)}" for status, count in sorted(self.counts.items()))
        told = told or "no picture"
        more = f"; {self.others:,} other files left alone" if self.others else ""
        if not self.redone:
            return f"{told}{more} (nothing to do)"
        rate = f", {self.redone / self.seconds:,.1f} photos/s" if self.redone and self.seconds > 0.5 else ""
        return f"{told}{more} ({self.redone:,} done now in {duration(self.seconds)}{rate})"


def check(job: Job) -> None:
    """InputError where the folders of a job, or the files it names, cannot work; before anything is written."""
    photos, out = job.photos.resolve(), job.out.resolve()
    if not photos.exists():
        raise InputError(f"{job.photos} is missing; expected a folder of photos, a zip, a list of paths, or one photo")
    if out == photos or (photos.is_dir() and out.is_relative_to(photos)):
        raise InputError(f"{job.out} lies in {job.photos}: results would be edited again; choose another output folder")
    if photos.is_file() and photos.suffix.lower() in LISTS:
        within = next((one for one in listed_paths(photos) if one.resolve().is_relative_to(out)), None)
        if within is not None:
            raise InputError(f"{within} lies in {job.out}: results could replace photos; choose another output folder")
    if photos.is_relative_to(out):
        raise InputError(f"{job.photos} lies in {job.out}: results could replace photos; choose another output folder")
    if out.exists() and not out.is_dir():
        raise InputError(f"{job.out} is a file; expected a folder for the results")
    if not out.exists() and out.suffix.lower() in EXTENSIONS:
        raise InputError(f"{job.out} has the name of a picture; OUT is a folder, results keep their names in it")
    check_mode(job.options.mode)
    if job.landmarks is not None:
        read_landmarks(job.landmarks)
    if job.masks is not None:
        Masks(job.masks)


def edit_folder(job: Job, run: Run | None = None, *, sheet: int = 100) -> Summary:
    """Edit every photo of a job that is not done already, by `run` (an engine; without one, here); JobError where it
    cannot go on. `sheet`: most photos on contact.html, 0 for none."""
    check(job)
    begin = time.monotonic()
    hidden = job.out / HIDDEN
    with _alone(hidden):
        unfinished = _take_in_journals(job)
        files = listing(job.photos)
        names = [item.name for item in files.items]
        redone = 0
        if run is None:
            done: Iterator[tuple[int, int]] = rows(shard_of(job, files), files.items, "local")
        else:
            done = run(job, -(-len(names) // SHARD))
        for _, fresh in progress(done, len(names), "photos", size=operator.itemgetter(0)):
            redone += fresh
        known = Known(job.out, hidden / "journals")
        try:
            if sheet and (redone or unfinished or not (job.out / contact.NAME).exists()):
                contact.write(job, files, known, names, most=sheet)
            counts = known.write(job.out, names, job.settings() | {"photos": job.photos.name})
        except OSError as error:
            raise JobError(f"{job.out} cannot be written: {error}; mend that and run it again") from error
        for path in (hidden / "journals").glob("*.jsonl"):
            path.unlink()
    return Summary(counts, redone, files.others, time.monotonic() - begin)


def _take_in_journals(job: Job) -> bool:
    """What a killed job has noted goes into the manifest; whether there was any."""
    journals = job.out / HIDDEN / "journals"
    if any(journals.glob("*.jsonl")):
        known = Known(job.out, journals)
        known.write(job.out, known.names, {"unfinished": True})
        for path in journals.glob("*.jsonl"):
            path.unlink()
        return True
    return False


def load(job: Job) -> PhotoEditor:
    """The editor of a job."""
    return PhotoEditor.load(job.model, job.attributes, judges=job.judges, device=job.device, threads=1)


def shard_of(job: Job, files: Listing) -> Shard:
    """What edits a job's files in this process, knowing what its manifest knows."""
    return Shard(job, load(job), files, Known(job.out), places(files.items, lossless=job.lossless))


def rows(shard: Shard, items: Sequence[Item], name: str) -> Iterator[tuple[int, int]]:
    """Edit some photos, with a journal of their own; for each (1, whether it was worked on)."""
    path = shard.job.out / HIDDEN / "journals" / f"{name}.jsonl"
    if path.exists():  # a dead worker's shard
        shard.known.add_journal(path)
    journal = Journal(path)
    try:
        for fresh in shard.run(items, journal):
            yield 1, fresh
    finally:
        journal.close()


@functools.lru_cache(maxsize=1)
def _worker(job: Job, run: str) -> Shard:
    """Once per process and run: another run of the same job may find other files, another manifest, another model."""
    return shard_of(job, listing(job.photos))


_WORKER = threading.Lock()


def edit_shard(job: Job, run: str, number: int) -> tuple[int, int]:
    """Edit shard `number` of a job in this process, whatever process it is: how many files it has, and how many of them
    were worked on. `run` names the run that it is part of."""
    with _WORKER:
        shard = _worker(job, run)
    items = shard.files.items[number * SHARD : (number + 1) * SHARD]
    return len(items), sum(fresh for _, fresh in rows(shard, items, f"shard-{number:06d}"))


def places(items: tuple[Item, ...], *, lossless: bool) -> dict[str, str]:
    """Where the edited photos go."""

    def extension(name: str) -> str:
        own = PurePosixPath(name).suffix
        if lossless:
            return own if own.lower() == ".png" else ".png"
        return ".png" if own.lower() in PNG_FOR else own

    return outputs(items, extension)


@contextlib.contextmanager
def _alone(hidden: Path) -> Iterator[None]:
    """The output folder for this job alone, without the parts that a killed one left."""
    try:
        hidden.mkdir(parents=True, exist_ok=True)
        lock = os.open(hidden / "lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise JobError(f"{hidden.parent} cannot be written ({error.strerror}); choose another output folder") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JobError(
                f"another job is writing to {hidden.parent}; wait for it, or choose another folder"
            ) from None
        shutil.rmtree(hidden / "parts", ignore_errors=True)
        (hidden / "parts").mkdir()
        (hidden / "journals").mkdir(exist_ok=True)
        yield
    finally:
        os.close(lock)


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a job would do."""

    photos: int
    done: int  # of them, already
    others: int
    tried: int
    refused: dict[str, int]  # of those tried, by reason
    seconds: float  # for the rest
    bytes: int  # of results

    def __str__(self) -> str:
        rest = self.photos - self.done
        lines = [f"{self.photos:,} photos, {self.done:,} done already, {self.others:,} other files"]
        if rest and self.tried:
            lines.append(f"{rest:,} to edit: about {duration(self.seconds)} and {self.bytes / 1e6:,.0f} MB")
            refused = ", ".join(f"{count} {reason}" for reason, count in sorted(self.refused.items()))
            lines.append(f"of {self.tried} tried, {refused or 'none is refused'}")
        return "\n".join(lines)


def estimate(job: Job) -> Estimate:
    """What a job would do and how long it would take, from some of its photos; nothing is written."""
    check(job)
    files = listing(job.photos)
    shard = shard_of(job, files)
    for path in sorted((job.out / HIDDEN / "journals").glob("*.jsonl")):
        shard.known.add_journal(path)
    left = [item for item in files.items if not shard.is_done(item)]
    step = max(len(left) // TRIED, 1)
    tried = left[::step][:TRIED]
    shard.try_out(tried[:1])  # what is only slow once
    begin = time.monotonic()
    refused, size = shard.try_out(tried)
    seconds = time.monotonic() - begin
    scale = len(left) / max(len(tried), 1)
    return Estimate(
        len(files.items),
        len(files.items) - len(left),
        files.others,
        len(tried),
        refused,
        seconds * scale,
        round(size * scale),
    )
