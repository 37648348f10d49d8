"""The flow `reproduce`: one Prefect task per stage, over dvc's own graph. dvc decides what runs and keeps the outputs;
Prefect adds names, states, live logs, parallel stages, cancellation and a history."""

import functools
import os
import queue
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.server.api.server import SubprocessASGIServer
from prefect.states import Cancelled, Completed
from ruamel.yaml import YAML

from facet.base.errors import FacetError
from flows import artifacts, lockfile
from flows.dag import BUSY, BUSY_PAUSE, Needs, select, stage_needs, stale_stages
from flows.supervise import Children, Stopped, end_with_this_process

GRACE = 30.0  # seconds a stage has to write its checkpoint after SIGTERM
# Lines of dvc about a stage that it did not run. `dvc repro` exits with 0 either way and reports it nowhere else.
UNCHANGED = ("didn't change, skipping", "is cached - skipping run")
CHATTER = (  # lines that dvc prints after every stage
    "To track the changes with git, run:", "To enable auto staging, run:", "dvc config core.autostage true",
    "Use `dvc push` to send your updates to remote storage.",
)  # fmt: skip
TAIL = 15  # last lines of a failed stage that its error quotes


class StageFailed(FacetError):
    """One or more stages failed; the message quotes the last lines of each."""

    exit_code = 1


@task(persist_result=False, cache_policy=NO_CACHE, task_run_name="{stage}")
def reproduce_stage(stage: str, root: Path, stale: bool, force: bool, children: Children) -> State[Any]:
    """Bring one stage up to date, whose inputs are."""
    log = get_run_logger()
    if not (stale or force):
        return Completed(name="Cached", message="up to date")
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage]
    if force:
        command.append("--force")
    bar = artifacts.Progress(stage)
    while True:
        try:
            code, output = run_logged(children, command, root, bar=bar)
        except Stopped:
            return Cancelled(message="the flow ended before this stage began")
        if children.stopped.is_set():
            return Cancelled(message="ended with the flow")
        if code == 0:
            lockfile.keep(root)
            bar.end()
            skipped = any(text in line for text in UNCHANGED for line in output)
            if not skipped:
                artifacts.results(root, stage)
            return Completed(name="Cached", message="unchanged, or in dvc's cache") if skipped else Completed()
        if not any(BUSY in line for line in output):
            raise StageFailed("\n".join(output[-TAIL:]) or f"exit code {code} without output")
        log.warning("%s waits for another dvc", stage)
        if children.stopped.wait(BUSY_PAUSE):
            return Cancelled(message="ended with the flow")


def run_logged(
    children: Children, command: Sequence[str], root: Path, bar: artifacts.Progress | None = None
) -> tuple[int, list[str]]:
    """Run a command under supervision with its output in the log; return its exit code and last lines. Stopped if the
    flow has ended before. `bar` shows the progress that its lines report."""
    log, output = get_run_logger(), deque[str](maxlen=200)
    with children.run(command, cwd=root, env=_environment(root), grace=GRACE) as child:
        for line in child.lines():
            if line and line.strip() not in CHATTER and not line.startswith("\tgit add"):
                output.append(line)
                log.info("%s", line)
                if bar is not None:
                    bar.read_line(line)
        return child.wait(), list(output)


@flow(name="reproduce")
def reproduce(
    stages: list[str] | None = None, root: Path = Path(), jobs: int | None = None, force: bool = False
) -> None:
    """Run every stage whose inputs changed, or only those that `stages` need, at most `jobs` at the same time.

    A failed stage stops the stages that read its outputs and, once the others are done, the flow."""
    log = get_run_logger()
    guard_temporary_server()
    root = root.resolve()
    if mended := lockfile.mend(root):
        log.warning("%s", mended)
    needs = stage_needs(root)
    if stages:
        needs = select(needs, stages)
    stale = set(needs) if force else stale_stages(root, needs)
    jobs = jobs or default_jobs(root)
    log.info("%d stages, %d to look at, %d at a time", len(needs), len(stale), jobs)
    started = time.monotonic()
    children = Children()
    try:
        states = run_stages(needs, stale=stale, root=root, jobs=jobs, force=force, children=children)
    except BaseException as error:  # SIGTERM, cancellation and Ctrl-C arrive here, in the main thread
        children.stop()
        leave_if_interrupted(error)
        raise
    failed = failures(states)
    cached = sum(state.name == "Cached" for state in states.values())
    ran = sum(state.name == "Completed" for state in states.values())
    log.info("%d cached, %d ran, %d failed in %.0f s", cached, ran, len(failed), time.monotonic() - started)
    if failed:
        left = [stage for stage, state in states.items() if not state.is_final() or state.is_cancelled()]
        raise StageFailed("\n".join([*failed, *([f"not run: {', '.join(left)}"] if left else [])]))


def run_stages(
    needs: Needs, *, stale: set[str], root: Path, jobs: int, force: bool, children: Children
) -> dict[str, State[Any]]:
    """Submit each stage once the stages it needs have ended, `jobs` at a time; return every stage's final state.

    A waiting task would occupy one of the runner's threads, so stages are held back here instead. A stage whose needs
    failed is submitted all the same: Prefect then shows it as not ready."""
    waiting = list(needs)
    futures: dict[str, PrefectFuture[Any]] = {}
    states: dict[str, State[Any]] = {}
    ended: queue.SimpleQueue[str] = queue.SimpleQueue()
    bar, began, rows = artifacts.Progress("stages"), dict[str, float](), []
    while len(states) < len(needs):
        for stage in [stage for stage in waiting if all(need in states for need in needs[stage])]:
            if len(futures) - len(states) >= jobs:
                break
            waiting.remove(stage)
            began[stage] = time.monotonic()
            future = reproduce_stage.submit(
                stage=stage,
                root=root,
                stale=stage in stale,
                force=force,
                children=children,
                return_state=False,
                wait_for=[futures[need] for need in needs[stage]],
            )
            futures[stage] = future
            future.add_done_callback(functools.partial(_put, ended, stage))
        stage = ended.get()
        futures[stage].wait()
        states[stage] = futures[stage].state
        if stage in stale or force:
            seconds = round(time.monotonic() - began[stage], 1)
            rows.append({"stage": stage, "state": states[stage].name, "seconds": seconds})
            running = [name for name in futures if name not in states]
            bar.set(len(states) / len(needs), f"{len(states)} of {len(needs)} stages; {', '.join(running) or stage}")
    if rows:
        artifacts.stages(rows)
    return states


@functools.cache
def guard_temporary_server() -> list[subprocess.Popen[bytes]]:
    """End Prefect's temporary server with this process; Prefect leaves it running after SIGTERM or SIGKILL."""
    servers = [server.server_process for server in SubprocessASGIServer._instances.values()]
    return [end_with_this_process(server.pid) for server in servers if server is not None]


def leave_if_interrupted(error: BaseException) -> None:
    """End the process after Ctrl-C if it also ended a temporary server, which Prefect's clean-up would try to reach for
    minutes. Supervised commands still have their time to write a checkpoint."""
    if isinstance(error, KeyboardInterrupt) and guard_temporary_server():
        print("interrupted; run it again to continue", file=sys.stderr)
        leave()


def leave() -> NoReturn:
    """Exit as after Ctrl-C, without Prefect's clean-up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(130)


def _put(ended: queue.SimpleQueue[str], stage: str, future: PrefectFuture[Any]) -> None:
    ended.put(stage)


def failures(states: Mapping[str, State[Any]]) -> list[str]:
    """The stages that failed, each with its reason."""
    failed = {stage: state for stage, state in states.items() if state.is_failed() or state.is_crashed()}
    return [f"stage {stage} failed:\n{_reason(state)}" for stage, state in failed.items()]


def _reason(state: State[Any]) -> str:
    result = state.result(raise_on_failure=False)
    return str(result) if isinstance(result, BaseException) else str(state.message)


def _environment(root: Path) -> dict[str, str]:
    """This process's environment, with `python` meaning this interpreter, packages of the project coming first, and
    unbuffered output."""
    folder = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(root.resolve()), os.environ.get("PYTHONPATH")))),
        "PATH": folder + os.pathsep + os.environ.get("PATH", os.defpath),
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
    }


def default_jobs(root: Path) -> int:
    """Number of stages at a time: cores / `compute.threads` of params.yaml; one if the stages share a GPU."""
    params = root / "params.yaml"
    loaded = YAML(typ="safe").load(params) if params.exists() else None
    compute = (loaded or {}).get("compute") or {}
    if compute.get("device", "auto") != "cpu" and _has_gpu():
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = compute.get("threads") or cores
    processes = os.environ.get("FACET_PROCESSES", "")  # ranks of one training (facet/training/launch.py)
    return max(1, cores // (threads * max(int(processes) if processes.isdecimal() else 1, 1)))


def _has_gpu() -> bool:
    tool = shutil.which("nvidia-smi")
    return tool is not None and b"GPU " in subprocess.run([tool, "-L"], capture_output=True).stdout
