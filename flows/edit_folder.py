"""The flow `edit-folder`: edit a folder of photos, its shards on threads, processes or a Dask cluster.

Results are byte-identical on every engine. If a worker dies, another one resumes its shard."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from facet.base.errors import InputError
from facet.base.threads import worker_count
from facet.photos.folder import run, shard
from facet.photos.folder.job import Job
from facet.photos.folder.run import Summary
from flows import artifacts

Engine = Literal["threads", "processes", "dask"]


@task(name="edit-shard", persist_result=False, cache_policy=NO_CACHE, task_run_name="shard-{number}", retries=2)
def edit_shard(job: Job, run_id: str, number: int) -> tuple[int, int]:
    """Edit one shard of a job; returns its number of files, and how many of them were edited anew."""
    return shard.edit_shard(job, run_id, number)


@flow(name="edit-folder-shards", persist_result=False, validate_parameters=False)
def run_shards(job: Job, shards: int, run_id: str) -> list[tuple[int, int]]:
    """Edit every shard of a job on the flow's task runner."""
    if not shards:
        return []
    futures = edit_shard.map([job] * shards, [run_id] * shards, range(shards))
    return [future.result() for future in as_completed(futures)]


def runner(engine: Engine, jobs: int | None, address: str | None) -> TaskRunner[Any]:
    """The task runner of an engine with `jobs` workers; Dask uses the cluster at `address`, or starts a local one."""
    jobs = jobs or worker_count(0)
    if engine == "threads":
        return ThreadPoolTaskRunner(max_workers=jobs)
    if engine == "processes":
        return ProcessPoolTaskRunner(max_workers=jobs)
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError:
        raise InputError("the engine dask needs its extra; run `pip install -e '.[dask]'` in the clone") from None
    if address:
        return DaskTaskRunner(address=address)  # type: ignore[no-any-return]
    return DaskTaskRunner(cluster_kwargs={"n_workers": jobs, "threads_per_worker": 1})  # type: ignore[no-any-return]


def edit_on(
    job: Job, engine: Engine, *, jobs: int | None = None, address: str | None = None, sheet: int = 100
) -> Summary:
    """Edit a folder with its shards on an engine."""
    task_runner = runner(engine, jobs, address)

    def shards_on_engine(job: Job, shards: int, run_id: str) -> Iterator[tuple[int, int]]:
        yield from run_shards.with_options(task_runner=task_runner)(job, shards, run_id)

    return run.edit_folder(job, shards_on_engine, sheet=sheet)


@flow(name="edit-folder")
def edit_folder(
    photos: Path,
    out: Path,
    spec: str,
    system: str = "vigan",
    root: Path = Path(),
    engine: Engine = "threads",
    jobs: int | None = None,
    address: str | None = None,
    aligned: bool = False,
    faces: Literal["largest", "all"] = "largest",
) -> str:
    """Edit the faces of a folder of photos with a system of the project at `root`; returns a summary in words."""
    from facet.nights.champions import live_paths
    from facet.photos.options import Options

    model, attributes = live_paths(root, system)
    judges = root / "data" / "judges"
    job = Job(
        photos=photos,
        out=out,
        model=model,
        attributes=attributes,
        judges=judges if judges.exists() else None,
        options=Options(spec=spec, aligned=aligned, faces=faces),
        workers=1,
    )
    summary = edit_on(job, engine, jobs=jobs, address=address)
    get_run_logger().info("%s", summary)
    contact = (out / "contact.html").resolve().as_uri()
    artifacts.show_link(contact, "before and after", key="edited", description=str(summary))
    return str(summary)
