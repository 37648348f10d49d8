"""Edit a whole folder of photos as one job, from the lock of the output folder to the contact sheet."""

import contextlib
import dataclasses
import logging
import operator
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

from facet.base import locks
from facet.base.errors import InputError
from facet.base.progress import duration, progress
from facet.photos.folder import contact, manifest
from facet.photos.folder.job import HIDDEN, Job, JobError, check_paths
from facet.photos.folder.manifest import ManifestReader
from facet.photos.folder.open_job import OpenJob
from facet.photos.folder.shard import SHARD_SIZE, Shard
from facet.sources.tree import first

log = logging.getLogger(__name__)

# An engine: a job, its number of shards and the name of its run -> for each part done, its number of files and how many
# were edited anew.
Run = Callable[[Job, int, str], Iterator[tuple[int, int]]]


@dataclasses.dataclass(frozen=True)
class Summary:
    """The outcome of a job."""

    reasons: Counter[tuple[str, str]]  # number of files by status and reason
    redone: int  # files that this run edited anew
    others: int  # files that are not pictures
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """The number of files by status."""
        counts: Counter[str] = Counter()
        for (status, _), count in self.reasons.items():
            counts[status] += count
        return dict(counts)

    @property
    def in_vain(self) -> bool:
        """True if there were photos and none could be edited."""
        return bool(self.reasons) and not {"edited", "unchanged"} & self.counts.keys()

    def _with_reasons(self, status: str, count: int) -> str:
        """For example `3 skipped (2 no_face, 1 too_small)`."""
        reasons = [f"{n:,} {reason}" for (own, reason), n in sorted(self.reasons.items()) if own == status and reason]
        return f"{count:,} {status}" + (f" ({', '.join(reasons)})" if reasons else "")

    def __str__(self) -> str:
        text = ", ".join(self._with_reasons(status, count) for status, count in sorted(self.counts.items()))
        text = text or "no picture"
        if self.others:
            text += f"; {self.others:,} other files left alone"
        if not self.redone:
            return f"{text} (nothing to do)"
        rate = f", {self.redone / self.seconds:,.1f} photos/s" if self.redone and self.seconds > 0.5 else ""
        return f"{text} ({self.redone:,} done now in {duration(self.seconds)}{rate})"


def edit_folder(job: Job, run: Run | None = None, *, sheet: int = 100) -> Summary:
    """Edit every photo of a job whose result is not up to date.

    `run` is the engine, None for this process; `sheet` the largest number of photos on contact.html, 0 for no page.
    InputError if the job cannot work, JobError if it cannot continue."""
    check_paths(job)
    begin = time.monotonic()
    opened = OpenJob(job)
    opened.open_model()  # InputError before anything is written
    items = opened.listing.items
    _check_foreign(opened)
    _check_landmarks(opened)
    with _locked(job) as name:
        unfinished = _recover_journals(job)
        names = [item.name for item in items]
        done: Iterator[tuple[int, int]]
        if run is None:
            done = ((1, anew) for anew in Shard(opened, name).run(items, "local"))
        else:
            done = run(job, -(-len(items) // SHARD_SIZE), name)
        redone = sum(anew for _, anew in progress(done, len(items), "photos", size=operator.itemgetter(0)))
        opened.manifest.add_journals(job.journals)
        try:
            if sheet and (redone or unfinished or not (job.out / contact.NAME).exists()):
                contact.write(opened, most=sheet)
            counts = opened.manifest.write(job.out, names, opened.settings | {"photos": job.photos.name})
        except OSError as error:
            raise JobError(f"{job.out} cannot be written: {error}; fix that and run the job again") from error
        _remove_journals(job)
    kept = counts["failed", "result_changed"]
    if kept:
        log.warning(
            "%s holds %d files that no job wrote, or that were changed since (result_changed in the manifest): they "
            "are kept; move them away to get new results", job.out, kept,
        )  # fmt: skip
    return Summary(counts, redone, opened.listing.others, time.monotonic() - begin)


def _check_foreign(opened: OpenJob) -> None:
    """InputError if results would replace files in a folder that no job has written to."""
    out = opened.job.out
    if (out / HIDDEN).exists() or (out / manifest.NAME).exists():
        return
    names = sorted(
        {*opened.outputs.values(), *(item.name for item in opened.listing.items), manifest.NAME, contact.NAME}
    )
    there = [name for name in names if os.path.lexists(out / name)] if out.exists() else []
    if there:
        raise InputError(
            f"{out} holds files that results would replace: {first(there)}; choose another output folder, or move them"
        )


def _check_landmarks(opened: OpenJob) -> None:
    """InputError if landmarks name none of the photos; a warning if there are other names among them."""
    if opened.landmarks is None:
        return
    names = {item.name for item in opened.listing.items}
    others = [name for name in opened.landmarks if name not in names]
    if len(others) == len(opened.landmarks):
        raise InputError(
            f"{opened.job.landmarks} names none of the photos: it has {first(others)}, they are {first(sorted(names))}"
        )
    if others:
        log.warning("%s: %d names are no photo of this job: %s", opened.job.landmarks, len(others), first(others))


def _recover_journals(job: Job) -> bool:
    """Write the journals of a killed job into the manifest; False if there are none."""
    if not any(job.journals.glob("*.jsonl")):
        return False
    earlier = ManifestReader(job.out)
    earlier.add_journals(job.journals)
    earlier.write(job.out, earlier.names, {"unfinished": True}, finished=False)
    _remove_journals(job)
    return True


def _remove_journals(job: Job) -> None:
    for path in job.journals.glob("*.jsonl"):
        path.unlink()


@contextlib.contextmanager
def _locked(job: Job) -> Iterator[str]:
    """Lock the output folder for this job and remove unfinished files of a killed one; gives the name of this run."""
    hidden = job.out / HIDDEN
    try:
        hidden.mkdir(parents=True, exist_ok=True)
        lock = os.open(hidden / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise JobError(f"{job.out} cannot be written ({error.strerror}); choose another output folder") from None
    try:
        if not locks.take(lock, job.out):
            raise JobError(f"another job is writing to {job.out}; wait for it, or choose another folder")
        name = uuid.uuid4().hex
        job.current.write_text(name, encoding="ascii")  # from now on, workers of a killed job write nothing
        shutil.rmtree(job.parts, ignore_errors=True)
        job.parts.mkdir()
        job.journals.mkdir(exist_ok=True)
        yield name
    finally:
        os.close(lock)
