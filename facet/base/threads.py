"""Work on threads with results in order and a bounded number of them in memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from facet.base.errors import InputError

T = TypeVar("T")
R = TypeVar("R")


def worker_count(workers: int) -> int:
    """`workers`, or for 0 one per core of this process; only for work whose bytes do not depend on the number."""
    if workers < 0:
        raise InputError(f"workers {workers}: expected a number of threads or processes, or 0 for one per core")
    affinity = getattr(os, "sched_getaffinity", None)  # on Linux: the cores that a container or a job scheduler grants
    return workers or (len(affinity(0)) if affinity else os.cpu_count() or 1)


def in_order(
    work: Callable[[T], R], items: Iterable[T], workers: int, ahead: Callable[[], int] | None = None
) -> Iterator[R]:
    """`map` on `workers` threads: results in the order of `items`, with at most two per thread waiting, or `ahead()`.

    For work that releases the GIL (decoding, hashing, reading). An exception of `work` is raised at its item."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                while len(waiting) >= (ahead() if ahead is not None else 2 * workers):
                    yield waiting.popleft().result()
                waiting.append(pool.submit(work, item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
