"""Edit some of a job's files in one process: batches, threads, and a journal.

Every thread takes a batch of photos from reading to writing: while one runs Python, others decode, compute or write,
and they rarely wait for each other. A result is renamed into place and then noted in the journal, so a stopped job
resumes there and ends with the same bytes."""

import functools
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

from facet.base.threads import in_order, worker_count
from facet.photos.batch import BATCH
from facet.photos.folder.job import Job
from facet.photos.folder.listing import Item
from facet.photos.folder.manifest import Journal
from facet.photos.folder.open_job import OpenJob
from facet.photos.folder.reading import PhotoReader, PhotoTask
from facet.photos.folder.results import ResultWriter

SHARD_SIZE = 64  # photos of one shard on an engine
IN_MEMORY = 512 << 20  # bytes of decoded photos in memory at a time
PHOTO_BYTES = 16 << 20  # assumed size of a decoded photo before the first one is read


class Shard:
    """Edits files of a job in this process."""

    def __init__(self, job: OpenJob):
        job.open_all()
        self.job = job
        self.reader = PhotoReader(job)
        self._writer = ResultWriter(job)
        self._workers = worker_count(job.job.workers)

    def run(self, items: Sequence[Item], name: str) -> Iterator[bool]:
        """Edit these files, with a journal of this name; yields for each, once it is noted, True if it was edited anew
        and False if it was up to date."""
        path = self.job.job.journals / f"{name}.jsonl"
        if path.exists():  # of a worker that died on the same shard
            self.job.manifest.add_journal(path)
        journal = Journal(path)
        try:
            for tasks in in_order(self._finished, self._batches(items), self._workers):
                for task in tasks:
                    journal.add(task.row)
                    yield not task.up_to_date
        finally:
            journal.close()

    def try_out(self, items: Sequence[Item]) -> tuple[dict[str, int], int]:
        """Edit files without writing: the number of photos refused, by reason, and the bytes of all results."""
        refused: Counter[str] = Counter()
        total = 0
        for tried in in_order(self._tried, self._batches(items), self._workers):
            for reason, size in tried:
                refused.update([reason] if reason else [])
                total += size
        return dict(refused), total

    def _batches(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """Batches for the networks, smaller if that many photos on every thread would not fit in memory."""
        start = 0
        while start < len(items):
            fitting = IN_MEMORY // (self._workers * (self.reader.largest or PHOTO_BYTES))
            stop = start + min(max(fitting, 1), BATCH)
            yield items[start:stop]
            start = stop

    def _finished(self, items: Sequence[Item]) -> list[PhotoTask]:
        """Take a batch from reading to writing."""
        tasks = self._edited(items)
        for task in tasks:
            self._writer.finish(task)
        return tasks

    def _tried(self, items: Sequence[Item]) -> list[tuple[str, int]]:
        """The reason, if refused, and the size of the result of each file."""

        def size(task: PhotoTask) -> int:
            result = self._writer.encoded(task)
            return len(result[1]) if result is not None else len(task.data) if self.job.job.copy else 0

        return [(task.row["reason"], size(task)) for task in self._edited(items)]

    def _edited(self, items: Sequence[Item]) -> list[PhotoTask]:
        """Read a batch and run its faces through the networks."""
        tasks = [self.reader.read(item) for item in items]
        faces = [(task, face_crop) for task in tasks for face_crop in task.face_crops]
        for start in range(0, len(faces), BATCH):
            batch = faces[start : start + BATCH]
            edits = self.job.editor.edits([face_crop for _, face_crop in batch], self.job.spec, self.job.job.options)
            for (task, _), edit in zip(batch, edits, strict=True):
                task.edits.append(edit)
        return tasks


@functools.lru_cache(maxsize=1)
def _shard_of_process(job: Job, run: str) -> Shard:
    """The open job of this process. A new run opens it anew: it may find other files, another manifest or model."""
    return Shard(OpenJob(job))


_OPENING = threading.Lock()


def edit_shard(job: Job, run: str, number: int) -> tuple[int, int]:
    """Edit shard `number` of a job, in any process; returns its number of files, and how many of them were edited anew.

    `run` identifies the run that the shard is part of."""
    with _OPENING:
        shard = _shard_of_process(job, run)
    items = shard.job.listing.items[number * SHARD_SIZE : (number + 1) * SHARD_SIZE]
    return len(items), sum(shard.run(items, f"shard-{number:06d}"))
