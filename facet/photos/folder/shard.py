"""Edit some of a job's files in one process: batches, threads, and a journal.

Every thread takes a batch of photos from reading to writing: while one runs Python, others decode, compute or write,
and they rarely wait for each other. A result is renamed into place and then noted in the journal, so a stopped job
resumes there and ends with the same bytes."""

import functools
import multiprocessing
import multiprocessing.process
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from facet.base.threads import in_order, worker_count
from facet.photos.batch import BATCH
from facet.photos.folder.job import Job, check_current
from facet.photos.folder.listing import Item
from facet.photos.folder.manifest import Journal
from facet.photos.folder.open_job import OpenJob
from facet.photos.folder.reading import PhotoReader, PhotoTask
from facet.photos.folder.results import ResultWriter

SHARD_SIZE = 64  # photos of one shard on an engine
IN_MEMORY = 512 << 20  # bytes of decoded photos in memory at a time
LARGE = 50_000_000  # pixels from which on a photo is edited alone: of 200 million, one takes some 4 GB
PHOTO_BYTES = 16 << 20  # assumed size of a decoded photo before the first one is read


Result = TypeVar("Result")


class Shard:
    """Edits files of a job in this process."""

    def __init__(self, job: OpenJob, run: str = ""):
        """`run` names the run of the job, without which nothing can be written."""
        job.open_all()
        self.job = job
        self.reader = PhotoReader(job)
        self._writer = ResultWriter(job, run)
        self._workers = worker_count(job.job.workers)
        self._alone = threading.Lock()  # held while a large photo is in memory

    def run(self, items: Sequence[Item], name: str) -> Iterator[bool]:
        """Edit these files, with a journal of this name; yields for each, once it is noted, True if it was edited anew
        and False if it was up to date."""
        path = self.job.job.journals / f"{name}.jsonl"
        if path.exists():  # of a worker that died on the same shard
            self.job.manifest.add_journal(path)
        journal = Journal(path)
        try:
            finished = functools.partial(self._finished, journal)
            for tasks in in_order(finished, self._batches(items), self._workers):
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

    def made(self, item: Item) -> tuple[dict[str, Any], str, bytes]:
        """The row of the manifest, and the name and bytes, that a job writes for one file, without writing them."""

        def made(task: PhotoTask) -> tuple[dict[str, Any], str, bytes]:
            name, data = self._writer.made(task)
            return task.row, name, data

        (result,) = self._each([item], made)
        return result

    def made_of(self, task: PhotoTask) -> tuple[str, bytes]:
        """The name and bytes of a photo whose edits are known, which are pasted, judged and encoded as in a job."""
        self._paste([task] if task.moved else [])
        return self._writer.made(task)

    def _batches(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """Batches for the networks, smaller if that many photos on every thread would not fit in memory."""
        start = 0
        while start < len(items):
            fitting = IN_MEMORY // (self._workers * (self.reader.largest or PHOTO_BYTES))
            stop = start + min(max(fitting, 1), BATCH)
            yield items[start:stop]
            start = stop

    def _finished(self, journal: Journal, items: Sequence[Item]) -> list[PhotoTask]:
        """Take a batch from reading to writing."""

        def finished(task: PhotoTask) -> PhotoTask:
            self._writer.finish(task, journal)
            return task

        return self._each(items, finished)

    def _tried(self, items: Sequence[Item]) -> list[tuple[str, int]]:
        """The reason, if refused, and the size of the result of each file."""

        def tried(task: PhotoTask) -> tuple[str, int]:
            result = None
            with task.guarded():
                result = self._writer.encoded(task)
                if result is not None:
                    self._writer.check_own(result[0])
            size = len(result[1]) if result is not None else len(task.data) if self.job.job.copy else 0
            return task.row["reason"], size

        return self._each(items, tried)

    def _each(self, items: Sequence[Item], end: Callable[[PhotoTask], Result]) -> list[Result]:
        """Read a batch, run its faces through the networks, and `end` each photo: first the usual ones, then the large
        ones one by one, of which only one is in memory whatever the number of threads."""
        tasks = [self.reader.read(item, LARGE) for item in items]
        self._edit([task for task in tasks if not task.later])
        results = {number: end(task) for number, task in enumerate(tasks) if not task.later}
        for number, task in enumerate(tasks):
            if task.later:
                with self._alone:
                    large = self.reader.read(task.item)
                    self._edit([large])
                    results[number] = end(large)
                    large.release()
        return [results[number] for number in range(len(tasks))]

    def _edit(self, tasks: Sequence[PhotoTask]) -> None:
        """Run the faces of photos through the networks, and paste the results into them."""
        faces = [(task, face_crop) for task in tasks for face_crop in task.face_crops]
        edits = self.job.editor.all_edits([face_crop for _, face_crop in faces], self.job.spec, self.job.job.options)
        for (task, _), edit in zip(faces, edits, strict=True):
            task.edits.append(edit)
        self._paste([task for task in tasks if task.moved])

    def _paste(self, tasks: Sequence[PhotoTask]) -> None:
        """Paste the edits of photos, and let the judge look at these: colours, tints, masks and other faces take from
        what a crop alone shows."""
        editor, options = self.job.editor, self.job.job.options
        finished, crops = list[PhotoTask](), list[np.ndarray]()
        for task in tasks:
            with task.guarded():
                assert task.photo is not None
                task.pasted = editor.paste(task.photo, task.edits, task.mask)
                crops += [editor.crop_again(task.photo, edit.face_crop, options) for edit in task.edits]
                finished.append(task)
        edits = [edit for task in finished for edit in task.edits]
        judged = iter(editor.crop_editor.judged(edits, crops, self.job.spec, options))
        for task in finished:
            task.edits = [next(judged) for _ in task.edits]


@functools.lru_cache(maxsize=1)
def _shard_of_process(job: Job, run: str) -> Shard:
    """The open job of this process. A new run opens it anew: it may find other files, another manifest or model."""
    return Shard(OpenJob(job), run)


@functools.cache
def _end_with_parent() -> None:
    """From now on, end this process once the process is killed that started it as a worker: it would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), name="end-with-parent", daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


_OPENING = threading.Lock()


def edit_shard(job: Job, run: str, number: int) -> tuple[int, int]:
    """Edit shard `number` of a job, in any process; returns its number of files, and how many of them were edited anew.

    `run` identifies the run that the shard is part of; JobError if another one has begun."""
    _end_with_parent()
    check_current(job, run)
    with _OPENING:
        shard = _shard_of_process(job, run)
    items = shard.job.listing.items[number * SHARD_SIZE : (number + 1) * SHARD_SIZE]
    return len(items), sum(shard.run(items, f"shard-{number:06d}"))
