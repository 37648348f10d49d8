"""The flow `nightly`: what arrived flows in, what is stale is trained, and what is no worse goes live.

    arrivals -> source, prepare -> drift of the newcomers -> training up to the attributes -> gate -> promotion
    -> report -> push -> a message

Everything that takes time runs in supervised processes of its own, so that nothing outlives the flow; every step may be
killed, and the next night goes on from there: arrivals are taken in by hash, stages by dvc, training from its
checkpoint, verdicts and versions by the hash of what was trained."""

import contextlib
import dataclasses
import datetime
import fcntl
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Crashed, Failed

from facet.base import project
from facet.base.errors import FacetError, InputError
from facet.base.files import hash_of, lives, write_json
from facet.nights import page as nights_page
from facet.nights.champions import ENDS, STORE, Champions, digest_of, latest_paths
from facet.nights.intake import NOTHING
from facet.nights.promotion import promote
from facet.nights.record import Night
from facet.nights.settings import Settings
from facet.training import warm_start
from flows import artifacts, lockfile, messages, tracked_data
from flows.dag import Needs, select, stage_needs, stale_stages
from flows.reproduce import (
    GRACE,
    TAIL,
    StageFailed,
    default_jobs,
    failures,
    guard_temporary_server,
    leave_if_interrupted,
    logged,
    run_stages,
)
from flows.supervise import Children, Stopped

JUDGE = "train_judge"  # trained once: scores of two nights mean the same
VERDICTS, FROZEN = "verdicts", "test_faces.json"  # in the store of champions
NIGHTS, PAGE = "nights", "reports/nights.html"  # of the project's root: one record a night, and all on one page
Log = logging.Logger | logging.LoggerAdapter[Any]
INTERRUPTED = "interrupted; the next night goes on"
PUSH_TRIES = 3
PUSH_PAUSE = float(os.environ.get("FACET_PUSH_PAUSE", 30))  # seconds between tries


class Unfinished(Exception):
    """The night's hours are over; training goes on the next night."""


@flow(name="nightly", persist_result=False)
def nightly(root: Path = Path(), night: str | None = None, drop: Path | None = None) -> State[Any]:
    """One night of the project at `root`, named by its date unless `night` says otherwise; `drop` is looked into
    instead of the drop folder and stays as it is (a backfill).

    The state's name is what became of it: Promoted, Kept (the champion was better), Nothing new, Unfinished, Waiting
    (no picture has ever arrived), Busy (another night runs), or Failed."""
    log = get_run_logger()
    guard_temporary_server()
    root = root.resolve()
    name = night or _unused(root, datetime.date.today().isoformat())
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        return Failed(message=f"{name!r} cannot name a night; expected a date, as 2026-11-27")
    try:
        with _alone(root) as before:
            if before is None:
                return Completed(name="Busy", message="another night is running here; this one is left out")
            run, lock = before
            bury(run)
            return _night(root, name, drop, log, Children(held=(lock,)))
    except InputError as error:
        messages.send(f"Night {name}: Failed - please look", str(error))
        return Failed(message=str(error))


def _night(root: Path, name: str, drop: Path | None, log: Log, children: Children) -> State[Any]:
    """A night that is alone here, with its record and its message."""
    found = Night(name, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    began = time.monotonic()
    try:
        run_night(root, found, children, drop)
    except BaseException as error:
        children.stop()
        stopped = isinstance(error, KeyboardInterrupt)
        found.state = "Unfinished" if stopped else "Failed"
        found.problems.append(INTERRUPTED if stopped else f"{type(error).__name__}: {error}")
        found.seconds = time.monotonic() - began
        _end(root, found, log)
        leave_if_interrupted(error)
        if isinstance(error, FacetError | OSError):
            return Failed(message=found.message())
        raise  # a cancellation, or a fault of ours
    found.seconds = time.monotonic() - began
    _end(root, found, log)
    return Completed(name=found.state, message=found.message())


def run_night(root: Path, found: Night, children: Children, drop: Path | None = None) -> None:
    """The night itself; its outcome is put into `found`."""
    params = project.params(root)
    settings, source = Settings.of(params), params["source"]
    store = Champions(root / STORE)
    if mended := lockfile.mend(root):
        get_run_logger().warning("%s", mended)
    if source["kind"] == "shards":
        found.intake = arrived(root, settings, found, root / source["root"], drop, children)
        if not list((root / source["root"]).glob("*.zip")):
            found.state = "Waiting"
            return
    needs = without(stage_needs(root), JUDGE) if judges_are_frozen(root, store) else stage_needs(root)
    needs = select(needs, [f"attributes@{system}" for system in settings.systems])
    stale = stale_stages(root, needs)
    found.stages = [stage for stage in needs if stage in stale]
    deadline = threading.Timer(settings.hours * 3600, children.stop)
    deadline.daemon = True
    deadline.start()
    try:
        data = select(needs, ["prepare"])
        bring_up(root, data, stale, children)
        if found.intake and found.intake["shard"]:
            attempt(found, "drift", lambda: look_for_drift(root, settings, store, found, children))
        with warm_starts(root, settings, store):
            bring_up(root, {stage: needs[stage] for stage in needs if stage not in data}, stale, children)
        for system in settings.systems:
            verdict = gate(root, settings, store, system, children)
            if verdict is not None:
                found.verdicts[system] = verdict
    except Unfinished as over:
        found.state = "Unfinished"
        found.problems.append(str(over))
        return
    finally:
        deadline.cancel()
    new = [system for system, verdict in found.verdicts.items() if promoted(root, store, system, verdict, found)]
    found.live = {system: version for system in settings.systems if (version := store.live(system))}
    found.state = "Promoted" if new else "Kept" if found.verdicts else "Nothing new"
    found.problems += [fault for system in found.live if (fault := store.fault(system))]
    if new and settings.report:
        attempt(found, "report", lambda: report_on(root, children))
    if new and settings.git:
        attempt(found, "git", lambda: commit(root, settings, store, new, found, children))
    if settings.remote and (new or unpushed(root, found.name)):
        found.pushed = push(root, settings.remote, children)


def judges_are_frozen(root: Path, store: Champions) -> bool:
    """Whether a champion was judged: from then on the judges stay, so that scores of two nights mean the same. Those
    that lie there before the first champion may be of other data, as another profile left them."""
    return bool(store.systems()) and (root / "data" / "judges" / "judges.json").exists()


def attempt(found: Night, what: str, step: Callable[[], None]) -> None:
    """A step that must not stop the others; why it failed is told."""
    try:
        step()
    except (StageFailed, Unfinished) as error:
        found.problems.append(f"{what}: {error}")


def report_on(root: Path, children: Children) -> None:
    """Evaluation and report of what is in the workspace."""
    whole = select(without(stage_needs(root), JUDGE), ["report"])  # a champion is live: its judges stay
    bring_up(root, whole, stale_stages(root, whole), children)


def arrived(
    root: Path, settings: Settings, found: Night, data: Path, drop: Path | None, children: Children
) -> dict[str, Any]:
    """What came, from the drop folder or from the data set that `pull` names."""
    if drop is not None or not settings.pull:
        return take_in(root, settings, found.name, data, drop, children)
    try:
        _command(root, tracked_data.read(root, settings.pull).command(settings.remote), children)
    except StageFailed as error:
        said = [line for line in str(error).splitlines() if line.startswith("ERROR")] or str(error).splitlines()
        found.problems.append(f"pull: {said[-1]}; the night goes on with what is there")
    pulled = tracked_data.read(root, settings.pull)
    if tracked_data.is_taken(root, pulled):
        return {"told": f"{NOTHING}: {pulled.file} is as it was", "shard": "", "refused": {}}
    intake = take_in(root, dataclasses.replace(settings, settle=0.0), found.name, data, pulled.folder, children)
    if pulled.folder.exists() and not intake["refused"]:
        tracked_data.note_taken(root, pulled)
    return intake


@task(persist_result=False, cache_policy=NO_CACHE)
def take_in(
    root: Path, settings: Settings, night: str, data: Path, drop: Path | None, children: Children
) -> dict[str, Any]:
    """Arrivals into the data set; what became of them."""
    arrivals = root / settings.arrivals
    place = drop if drop is not None else arrivals / "drop"
    report = root / ".resume" / f"{night}.intake.json"
    command = ["facet.nights.intake", "--drop", str(place), "--root", str(data),
               "--quarantine", str(arrivals / "quarantine"), "--night", night, "--settle", str(settings.settle),
               "--report", str(report),
               *([] if drop is None else ["--keep"])]  # fmt: skip
    _module(root, command, children)
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    report.unlink()
    return found


@task(persist_result=False, cache_policy=NO_CACHE)
def look_for_drift(root: Path, settings: Settings, store: Champions, found: Night, children: Children) -> None:
    """How the newcomers differ from what the champion learned, where there is one."""
    system = next((name for name in settings.systems if store.live(name)), None)
    if system is None or found.intake is None:
        return
    report = root / ".resume" / f"{found.name}.drift.json"
    shard = found.intake["shard"].removesuffix(".zip")
    command = ["facet.nights.drift", "--prepared", "data/prepared", "--champion", str(store.folder(system)),
               "--shard", shard, "--report", str(report), "--batch_size", "128", *_compute(root)]  # fmt: skip
    _module(root, command, children)
    found.drift = json.loads(report.read_text(encoding="utf-8"))
    report.unlink()


@contextlib.contextmanager
def warm_starts(root: Path, settings: Settings, store: Champions) -> Iterator[None]:
    """Training in this block begins from the champions where the settings say so and the ends of theirs are kept."""
    if settings.start == "champion":
        live = [store.folder(system) for system in settings.systems if store.live(system)]
        ends = [str(end) for model in live for end in warm_start.ends_of(root / STORE / ENDS, model)]
        os.environ |= {warm_start.START: os.pathsep.join(ends), warm_start.SHARE: str(settings.share)}
    try:
        yield
    finally:
        for name in (warm_start.START, warm_start.SHARE):
            os.environ.pop(name, None)


def bring_up(root: Path, needs: Needs, stale: set[str], children: Children) -> None:
    """Run the stages of `needs` that are stale; StageFailed where one fails, Unfinished where the hours are over."""
    chosen = [stage for stage in needs if stage in stale]
    if not chosen:
        return
    own = {stage: [need for need in needs[stage] if need in chosen] for stage in chosen}
    states = run_stages(own, stale=stale, root=root, jobs=default_jobs(root), force=False, children=children)
    if failed := failures(states):
        raise StageFailed("\n".join(failed))
    if children.stopped.is_set():
        left = [stage for stage, state in states.items() if state.is_cancelled() or not state.is_final()]
        raise Unfinished(f"the night's hours are over before {', '.join(left)}; training goes on from its checkpoint")


@task(persist_result=False, cache_policy=NO_CACHE, task_run_name="gate-{system}")
def gate(root: Path, settings: Settings, store: Champions, system: str, children: Children) -> dict[str, Any] | None:
    """The verdict on what was trained last; None where it was judged before, by the same judges, and is done with."""
    model, table = latest_paths(root, system)
    digest = digest_of(model, table)[:12]
    place = root / STORE / VERDICTS / f"{system}-{digest}.json"
    if any(change.system == system and change.version.endswith(digest) for change in store.changes()):
        return None  # it is or was live
    if place.exists():
        before: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        judges = [root / "data" / "judges" / f"{which}.safetensors" for which in ("a", "b")]
        same = (before.get("champion"), before["judges"]) == (store.live(system), hash_of(*judges))
        if same and not before["promote"]:
            return None
    live = store.live(system)
    champion = store.folder(system) if live else root / STORE / "none"
    flags = [part for name, value in settings.gate.items() for part in (f"--{name}", str(value))]
    command = ["facet.nights.gate", "--system", system, "--prepared", "data/prepared", "--judges", "data/judges",
               "--candidate", str(model), "--attributes", str(table), "--champion", str(champion),
               "--frozen", str(root / STORE / FROZEN), "--verdict", str(place), *flags, *_compute(root)]  # fmt: skip
    _module(root, command, children)
    verdict: dict[str, Any] = json.loads(place.read_text(encoding="utf-8")) | {"champion": live, "digest": digest}
    write_json(place, verdict)
    return verdict


def promoted(root: Path, store: Champions, system: str, verdict: dict[str, Any], found: Night) -> bool:
    """Make the candidate live where the verdict says so."""
    if not verdict["promote"]:
        return False
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    card = {"night": found.name, "when": when, "scores": verdict["scores"], "verdict": verdict}
    version = promote(root, store, system, card, why=f"night {found.name}: {'; '.join(verdict['reasons'])}")
    get_run_logger().info("%s: %s is live", system, version)
    return True


@task(persist_result=False, cache_policy=NO_CACHE)
def commit(
    root: Path, settings: Settings, store: Champions, systems: Sequence[str], found: Night, children: Children
) -> None:
    """What the new champions were made by, as a commit of these files alone, and a tag for each champion."""
    made_by = ("dvc.lock", "params.yaml", "reports", settings.pull)
    paths = [name for name in made_by if name and (root / name).exists()]
    _command(root, ["git", "add", "--", *paths], children)
    live = {system: str(store.live(system)) for system in systems}
    title = f"Night {found.name}: {', '.join(f'{system} {version}' for system, version in live.items())}"
    changed = subprocess.run(["git", "diff", "--cached", "--quiet", "--", *paths], cwd=root).returncode
    if changed:
        _command(root, ["git", "commit", "--quiet", "--only", "-m", title, "--", *paths], children)
    for system, version in live.items():
        tag = f"{system}@v0.0.{int(version[:6])}"
        why = "; ".join(found.verdicts[system]["reasons"])
        _command(root, ["git", "tag", "--force", "--annotate", tag, "-m", f"{version}: {why}"], children)


@task(persist_result=False, cache_policy=NO_CACHE)
def push(root: Path, remote: str, children: Children) -> bool:
    """dvc push, some tries; whether it went through."""
    log = get_run_logger()
    for left in reversed(range(PUSH_TRIES)):
        try:
            _command(root, [sys.executable, "-m", "dvc", "push", "--remote", remote], children)
            return True
        except (StageFailed, Unfinished) as error:
            log.warning("dvc push failed: %s", error)
            if left and children.stopped.wait(PUSH_PAUSE):
                break
    return False


def unpushed(root: Path, name: str) -> bool:
    """Whether the last night that had something to push could not."""
    records = [one for one in nights_page.read(root / NIGHTS)[0] if one["name"] != name and one["pushed"] is not None]
    return bool(records) and not records[-1]["pushed"]


def _unused(root: Path, date: str) -> str:
    """The name of a date's night; a second one is `-2`."""
    names = [date, *(f"{date}-{number}" for number in range(2, 10_000))]
    return next(name for name in names if not (root / NIGHTS / f"{name}.json").exists())


def done(root: Path, name: str) -> bool:
    """Whether a night of this name has ended well."""
    record = nights_page.read_one(root / NIGHTS / f"{name}.json")
    return record is not None and record["state"] not in ("Failed", "Unfinished")


def without(needs: Needs, frozen: str) -> Needs:
    """The graph without a stage whose outputs stay as they are."""
    return {stage: [need for need in needs[stage] if need != frozen] for stage in needs if stage != frozen}


def _end(root: Path, found: Night, log: Log) -> None:
    """Keep the record, show it, tell people."""
    text = found.message()
    write_json(root / NIGHTS / f"{found.name}.json", dataclasses.asdict(found))
    log.info("%s", text)
    try:
        nights_page.run(nights_page.Params(nights=root / NIGHTS, champions=root / STORE, out=root / PAGE))
    except Exception as error:  # whatever it is, it must not hide the outcome
        log.warning("the page of nights could not be written: %s", error)
    if found.problems == [INTERRUPTED]:  # whoever did that knows, and a temporary server is gone
        return
    page = artifacts.link(root, Path(PAGE).name)
    with contextlib.suppress(Exception):  # a server that is gone must not hide the outcome
        create_markdown_artifact(key="night", markdown=found.markdown(), description=f"Night {found.name}")
    artifacts.lead_to(page, "all nights", key="nights", about="Every verdict with its intervals.")
    arrived = found.intake is not None and not found.intake["told"].startswith(NOTHING)
    if found.state != "Nothing new" or found.alarming or arrived:
        title, *lines = text.splitlines()
        lines += [f"all nights: {page}"] if page.startswith("http") else []
        messages.send(title, "\n".join(lines) or found.state)


def _compute(root: Path) -> list[str]:
    return [part for name, value in project.params(root)["compute"].items() for part in (f"--{name}", str(value))]


def _module(root: Path, command: Sequence[str], children: Children) -> None:
    _command(root, [sys.executable, "-m", *command], children)


def _command(root: Path, command: Sequence[str], children: Children) -> None:
    """Run a command under supervision, its lines in the log; StageFailed with its last lines, Unfinished where the
    hours are over."""
    try:
        code, said = logged(children, command, root)
    except Stopped:
        raise Unfinished("the night's hours are over") from None
    if children.stopped.is_set():
        raise Unfinished("the night's hours are over")
    if code:
        raise StageFailed("\n".join(said[-TAIL:]) or f"{' '.join(command)}: exit code {code} without a word")


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[tuple[str, int] | None]:
    """The id of the night's run that was here before, "" for none, and the file that keeps others out; None where that
    run goes on. Commands hold the file too: where a night was killed, its commands are waited for, which still write
    their checkpoints."""
    place = root / ".nightly.lock"
    try:
        lock = place.open("a+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{place} cannot be written ({error.strerror}): no night can run here") from None
    with lock:
        patience = time.monotonic() + 2 * GRACE
        while not _locked(lock):
            _, process = _holder(lock)
            if (process and lives(process)) or time.monotonic() > patience:
                yield None
                return
            time.sleep(0.5)
        before, _ = _holder(lock)
        lock.truncate(0)
        lock.write(f"{flow_run.id} {os.getpid()}")
        lock.flush()
        yield before, lock.fileno()


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: TextIO) -> tuple[str, int]:
    """Run and process of the night that wrote the file last, "" and 0 for none."""
    lock.seek(0)
    run, _, process = lock.read().strip().partition(" ")
    return run, int(process) if process.isdecimal() else 0


def bury(run: str) -> None:
    """Where the server still believes that an earlier night runs, whose process was killed, tell it otherwise."""
    with contextlib.suppress(Exception), get_client(sync_client=True) as client:  # another server may not know it
        state = client.read_flow_run(uuid.UUID(run)).state
        if state is not None and not state.is_final():
            client.set_flow_run_state(uuid.UUID(run), Crashed(message="its process was killed"), force=True)
