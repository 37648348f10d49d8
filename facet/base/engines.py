"""Independent pieces of one stage in this process, on threads, on processes or on a Dask cluster. The engine comes from
the environment, not from params: results are byte-identical on every engine.

    FACET_ENGINE   here (the default), threads, processes or dask
    FACET_JOBS     number of workers (default: one per core)
    FACET_DASK     address of a Dask cluster (default: start a local one)"""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from typing import TypeVar

from facet.base.errors import InputError
from facet.base.threads import worker_count

T = TypeVar("T")
R = TypeVar("R")

ENGINES = ("here", "threads", "processes", "dask")


def spread(work: Callable[[T], R], pieces: Sequence[T]) -> Iterator[R]:
    """Apply `work` to every piece and yield results as they come. Pieces and results are sent between processes, so
    they should be small. The exception of a failing piece is raised here."""
    engine = os.environ.get("FACET_ENGINE") or "here"
    if engine not in ENGINES:
        raise InputError(f"FACET_ENGINE {engine!r} is unknown; choose one of {', '.join(ENGINES)}")
    try:
        jobs = worker_count(int(os.environ.get("FACET_JOBS") or 0))
    except ValueError:
        raise InputError(f"FACET_JOBS {os.environ['FACET_JOBS']!r}: expected a number of workers") from None
    if engine == "here":
        yield from map(work, pieces)
    elif engine == "threads":
        with ThreadPoolExecutor(jobs) as threads:
            yield from _results([threads.submit(work, piece) for piece in pieces])
    elif engine == "processes":
        context = multiprocessing.get_context("spawn")  # a fork would inherit the state of torch's threads
        with ProcessPoolExecutor(jobs, mp_context=context) as processes:
            yield from _results([processes.submit(work, piece) for piece in pieces])
    else:
        yield from _on_dask(work, pieces, jobs)


def _results(futures: list[Future[R]]) -> Iterator[R]:
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _on_dask(work: Callable[[T], R], pieces: Sequence[T], jobs: int) -> Iterator[R]:
    try:
        from distributed import Client, LocalCluster
        from distributed import as_completed as completed
    except ImportError:
        raise InputError("the engine dask needs its extra; run `pip install -e '.[dask]'` in the clone") from None
    address = os.environ.get("FACET_DASK")
    with contextlib.ExitStack() as stack:
        cluster = address or stack.enter_context(
            LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None)  # type: ignore[no-untyped-call]
        )
        client = stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]
        for future in completed(client.map(work, pieces, pure=False)):  # type: ignore[no-untyped-call]
            yield future.result()
