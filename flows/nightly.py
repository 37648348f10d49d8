"""The flow `nightly`: take in deliveries, train what is stale, and promote what is no worse than the champion.

    deliveries -> source, prepare -> drift of the newcomers -> training up to the attributes -> gate -> promotion
    -> report -> push -> message

Everything that takes time runs in supervised processes of its own, so that nothing outlives the flow. Each step
(flows/night.py) may be killed, and the next night continues from there: deliveries are taken in by hash, stages run by
dvc, training resumes from its checkpoint, verdicts and versions are known by the hash of what was trained."""

import contextlib
import dataclasses
import datetime
import itertools
import logging
import re
import threading
import time
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from facet.base.errors import FacetError, InputError
from facet.base.files import write_json
from facet.nights import page as nights_page
from flows import artifacts, lockfile, messages, night_lock
from flows import night as steps
from flows.dag import select, stale_stages
from flows.night import NIGHTS, Night, Unfinished
from flows.reproduce import guard_temporary_server, leave_if_interrupted
from flows.supervise import Children

PAGE = "reports/nights.html"  # page of all nights
INTERRUPTED = "interrupted; the next night continues"
Log = logging.Logger | logging.LoggerAdapter[Any]


@flow(name="nightly", persist_result=False)
def nightly(root: Path = Path(), night: str | None = None, drop: Path | None = None) -> State[Any]:
    """One night of the project at `root`, named by its date unless `night` names it. `drop` takes the place of the drop
    folder and stays as it is (a backfill).

    The state's name is the outcome: Promoted, Kept (the champion was better), Nothing new, Unfinished, Waiting (nothing
    has ever been delivered), Busy (another night is running), or Failed."""
    log = get_run_logger()
    guard_temporary_server()
    root = root.resolve()
    called = night or datetime.date.today().isoformat()
    if not re.fullmatch(r"\w[\w.-]{0,99}", called):
        text = f"{called!r} cannot name a night; expected a date, as in 2026-11-27"
        messages.send("A night: Failed - please look", text)
        return Failed(message=text)
    try:
        with night_lock.only_night(root) as lock:
            if isinstance(lock, night_lock.Holder):
                text = f"another night is running here {lock}; this one is left out"
                messages.send(f"Night {called}: Busy - please look", text)
                return Completed(name="Busy", message=text)
            night_lock.mark_crashed(lock.previous_run)
            name = _taken(root, night) if night else _unused_name(root, called)
            return _run(Night(root, name, drop=drop, children=Children(held=(lock.file,))), log)
    except InputError as error:
        messages.send(f"Night {called}: Failed - please look", str(error))
        return Failed(message=str(error))


def _taken(root: Path, name: str) -> str:
    """The name given to a night. InputError if a night of this name has ended well; the record of one that has not is
    kept under another file name, and the night continues."""
    record = root / NIGHTS / f"{name}.json"
    if is_done(root, name):
        raise InputError(f"the night {name} has been, and {record} is its record; name this one otherwise (--night)")
    if record.exists():
        numbers = itertools.count(1)
        kept = next(path for n in numbers if not (path := record.with_name(f"{name}.before-{n}.json")).exists())
        record.rename(kept)
    return name


def _run(night: Night, log: Log) -> State[Any]:
    """Run a night, keep its record and send its message."""
    began = time.monotonic()
    try:
        run_steps(night)
    except BaseException as error:
        night.children.stop()
        night.interrupted = isinstance(error, KeyboardInterrupt)
        night.record.state = "Unfinished" if night.interrupted else "Failed"
        night.record.problems.append(INTERRUPTED if night.interrupted else f"{type(error).__name__}: {error}")
        night.record.seconds = time.monotonic() - began
        _finish(night, log)
        leave_if_interrupted(error)
        if isinstance(error, FacetError | OSError):
            return Failed(message=night.record.message())
        raise  # a cancellation, or a bug
    night.record.seconds = time.monotonic() - began
    _finish(night, log)
    return Completed(name=night.record.state, message=night.record.message())


def run_steps(night: Night) -> None:
    """The steps of a night in their order; the outcome is in its record."""
    record, settings = night.record, night.settings
    if mended := lockfile.mend(night.root):
        get_run_logger().warning("%s", mended)
    if night.data_set is not None:
        steps.take_deliveries(night)
        if not list(night.data_set.glob("*.zip")):
            record.state = "Waiting"
            return
    needs = steps.training(night.needs(), settings.systems)
    stale = stale_stages(night.root, needs)
    record.stages = [stage for stage in needs if stage in stale]
    deadline = threading.Timer(settings.hours * 3600, night.children.stop)
    deadline.daemon = True
    deadline.start()
    try:
        data = select(needs, ["prepare"])
        night.bring_up(data, stale)
        if record.intake and record.intake["shard"]:
            night.try_step("drift", steps.look_for_drift)
        with steps.warm_starts(night):
            night.bring_up({stage: needs[stage] for stage in needs if stage not in data}, stale)
        for system in settings.systems:
            verdict = steps.gate(night, system)
            if verdict is not None:
                record.verdicts[system] = verdict
    except Unfinished as error:
        record.state = "Unfinished"
        record.problems.append(str(error))
        return
    finally:
        deadline.cancel()
    steps.promote(night)
    record.live = {system: version for system in settings.systems if (version := night.store.live(system))}
    record.state = "Promoted" if night.promoted else "Kept" if record.verdicts else "Nothing new"
    record.problems += [fault for system in record.live if (fault := night.store.fault(system))]
    if night.promoted and settings.report:
        night.try_step("report", steps.report)
    if night.promoted and settings.git:
        night.try_step("git", steps.commit)
    if settings.remote and (night.promoted or steps.last_push_failed(night)):
        record.pushed = steps.push(night)


def _finish(night: Night, log: Log) -> None:
    """Write the record and the page of all nights, show them on the server, and send the message."""
    record = night.record
    try:
        write_json(night.root / NIGHTS / f"{record.name}.json", dataclasses.asdict(record))
    except OSError as error:  # a full disk must not hide the outcome
        record.problems.append(f"the record could not be written: {error}")
    text = record.message()
    log.info("%s", text)
    out = night.root / PAGE
    try:
        nights_page.run(nights_page.Params(nights=night.root / NIGHTS, champions=night.store.root, out=out))
    except Exception as error:  # a broken page must not hide the outcome
        log.warning("the page of nights could not be written: %s", error)
    if night.interrupted:  # whoever did that knows, and a temporary server is gone
        return
    url = artifacts.page_url(night.root, out.name)
    with contextlib.suppress(Exception):  # an unreachable server must not hide the outcome
        create_markdown_artifact(key="night", markdown=record.markdown(), description=f"Night {record.name}")
    artifacts.show_link(url, "all nights", key="nights", description="Every verdict with its intervals.")
    delivered = record.intake is not None and not record.intake["empty"]
    if record.state != "Nothing new" or record.needs_attention or delivered:
        title, *lines = text.splitlines()
        lines += [f"all nights: {url}"] if url.startswith("http") else []
        messages.send(title, "\n".join(lines) or record.state)


def _unused_name(root: Path, date: str) -> str:
    """The name of a night of a date; the second one is `<date>-2`."""
    names = [date, *(f"{date}-{number}" for number in range(2, 10_000))]
    return next(name for name in names if not (root / NIGHTS / f"{name}.json").exists())


def is_done(root: Path, name: str) -> bool:
    """True if a night of this name has ended well."""
    record = nights_page.read_one(root / NIGHTS / f"{name}.json")
    return record is not None and record["state"] not in ("Failed", "Unfinished")
