"""The steps of a night, and what they share. Their order is in flows/nightly.py."""

import contextlib
import dataclasses
import datetime
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from facet.base import project
from facet.base.files import write_json
from facet.nights import page, promotion, verdicts
from facet.nights.champions import ENDS, STORE, Champions, digest_of, latest_paths, latest_refiner
from facet.nights.intake_report import IntakeReport
from facet.nights.record import NightRecord
from facet.nights.settings import Settings
from facet.training import warm_start
from flows import tracked_data
from flows.dag import Needs, select, stage_needs, stale_stages
from flows.reproduce import TAIL, StageFailed, default_jobs, failures, run_logged, run_stages
from flows.supervise import Children, Stopped

NIGHTS = "nights"  # folder of records in the project's root
JUDGE = "train_judge"
JUDGES = Path("data/judges")
PUSH_TRIES = 3
PUSH_PAUSE = float(os.environ.get("FACET_PUSH_PAUSE", 30))  # seconds between tries
DRIFT_BATCH = 128  # photos per forward pass


class Unfinished(Exception):
    """The night's hours are over, so the step did not end; the flow turns this into the state of the same name."""


class Night:
    """One night of the project at `root`: its settings, the store of champions, its record and its commands."""

    def __init__(self, root: Path, name: str, *, drop: Path | None, children: Children):
        self.root = root
        self.drop = drop  # folder of deliveries of a backfill, which stays as it is; None for the usual ones
        self.children = children
        self.store = Champions(root / STORE)
        self.record = NightRecord(name, utc_now())
        self.promoted: list[str] = []  # systems with a new champion
        self.interrupted = False  # ended by Ctrl-C

    @functools.cached_property
    def params(self) -> dict[str, Any]:
        """params.yaml; InputError if it cannot be read."""
        return project.params(self.root)

    @functools.cached_property
    def settings(self) -> Settings:
        """The section `nightly` of params.yaml; InputError if it does not fit."""
        return Settings.of(self.params)

    @property
    def data_set(self) -> Path | None:
        """The folder of shards that deliveries go to; None if the source takes no deliveries."""
        source = self.params["source"]
        return self.root / source["root"] if source["kind"] == "shards" else None

    def needs(self) -> Needs:
        """The stages of the project. Once a champion was judged the judges stay as they are, so that scores of two
        nights can be compared; judges from before the first champion may be of other data, as left by a profile."""
        needs = stage_needs(self.root)
        frozen = bool(self.store.systems()) and (self.root / JUDGES / "judges.json").exists()
        return without(needs, JUDGE) if frozen else needs

    def bring_up(self, needs: Needs, stale: set[str]) -> None:
        """Run the stale stages of `needs`; StageFailed if one fails, Unfinished if the hours are over before."""
        chosen = [stage for stage in needs if stage in stale]
        if not chosen:
            return
        own = {stage: [need for need in needs[stage] if need in chosen] for stage in chosen}
        jobs = default_jobs(self.root)
        states = run_stages(own, stale=stale, root=self.root, jobs=jobs, force=False, children=self.children)
        if failed := failures(states):
            raise StageFailed("\n".join(failed))
        if self.children.stopped.is_set():
            left = [stage for stage, state in states.items() if state.is_cancelled() or not state.is_final()]
            raise Unfinished(
                f"the night's hours are over before {', '.join(left)}; training continues from its checkpoint"
            )

    def try_step(self, name: str, step: Callable[["Night"], object]) -> None:
        """Run a step whose failure must not stop the others; a failure becomes a problem of the record."""
        try:
            step(self)
        except (StageFailed, Unfinished) as error:
            self.record.problems.append(f"{name}: {error}")

    def run_module(self, *words: str) -> None:
        """Run a module of facet with its flags, as `command` does."""
        self.command([sys.executable, "-m", *words])

    def command(self, words: Sequence[str]) -> None:
        """Run a command under supervision with its output in the log. StageFailed holds the end of the output of one
        that fails; Unfinished if the hours are over."""
        try:
            code, output = run_logged(self.children, words, self.root)
        except Stopped:
            raise Unfinished("the night's hours are over") from None
        if self.children.stopped.is_set():
            raise Unfinished("the night's hours are over")
        if code:
            raise StageFailed("\n".join(output[-TAIL:]) or f"{' '.join(words)}: exit code {code} without output")

    def compute_flags(self) -> list[str]:
        """The section `compute` of params.yaml as flags."""
        return flags(self.params["compute"])


def take_deliveries(night: Night) -> None:
    """Take in the deliveries of the drop folder, or what is new in the data set that `pull` names."""
    pull = night.settings.pull
    if night.drop is not None or not pull:
        drop = night.drop if night.drop is not None else night.root / night.settings.arrivals / "drop"
        night.record.intake = take_in(night, drop, settle=night.settings.settle, keep=night.drop is not None)
        return
    try:
        night.command(tracked_data.read(night.root, pull).command(night.settings.remote))
    except StageFailed as error:
        lines = str(error).splitlines()
        reason = ([line for line in lines if line.startswith("ERROR")] or lines)[-1]  # dvc's own, before its hints
        night.record.problems.append(f"pull: {reason}; the night continues with the photos that are there")
    pulled = tracked_data.read(night.root, pull)
    if tracked_data.is_taken(night.root, pulled):
        night.record.intake = IntakeReport(unchanged=pulled.file.as_posix()).to_json()
        return
    night.record.intake = take_in(night, pulled.folder, settle=0.0, keep=True)
    if pulled.folder.exists() and not night.record.intake["refused"]:
        tracked_data.note_taken(night.root, pulled)


@task(persist_result=False, cache_policy=NO_CACHE)
def take_in(night: Night, drop: Path, *, settle: float, keep: bool) -> dict[str, Any]:
    """Take deliveries into the data set; the report."""
    report = night.root / ".resume" / f"{night.record.name}.intake.json"
    night.run_module(
        "facet.nights.intake", "--drop", str(drop), "--root", str(night.data_set),
        "--quarantine", str(night.root / night.settings.arrivals / "quarantine"), "--night", night.record.name,
        "--settle", str(settle), "--report", str(report), *(["--keep"] if keep else []),
    )  # fmt: skip
    return _read_once(report)


@task(persist_result=False, cache_policy=NO_CACHE)
def look_for_drift(night: Night) -> None:
    """Compare the newcomers with the faces that the champion was trained on, if there is a champion."""
    system = next((name for name in night.settings.systems if night.store.live(name)), None)
    if system is None or night.record.intake is None:
        return
    report = night.root / ".resume" / f"{night.record.name}.drift.json"
    night.run_module(
        "facet.nights.drift", "--prepared", "data/prepared", "--champion", str(night.store.folder(system)),
        "--shard", night.record.intake["shard"].removesuffix(".zip"), "--report", str(report),
        "--batch_size", str(DRIFT_BATCH), *night.compute_flags(),
    )  # fmt: skip
    night.record.drift = _read_once(report)


@contextlib.contextmanager
def warm_starts(night: Night) -> Iterator[None]:
    """Let trainings in this block begin where those of the champions ended, if `start` says so and the ends were
    kept."""
    if night.settings.start == "champion":
        live = [night.store.folder(system) for system in night.settings.systems if night.store.live(system)]
        ends = [str(end) for model in live for end in warm_start.ends_of(night.store.root / ENDS, model)]
        os.environ |= {warm_start.START: os.pathsep.join(ends), warm_start.SHARE: str(night.settings.share)}
    try:
        yield
    finally:
        for name in (warm_start.START, warm_start.SHARE):
            os.environ.pop(name, None)


@task(persist_result=False, cache_policy=NO_CACHE, task_run_name="gate-{system}")
def gate(night: Night, system: str) -> dict[str, Any] | None:
    """The verdict on the model trained last; None if it is or was live, or was rejected before by the same judges."""
    model, table = latest_paths(night.root, system)
    digest = digest_of(model, table, latest_refiner(night.root, system))[:12]
    live = night.store.live(system)
    path = verdicts.verdict_path(night.store.root, system, digest)
    if any(change.system == system and change.version.endswith(digest) for change in night.store.changes()):
        return None
    if path.exists():
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        judges = verdicts.judges_hash(night.root / JUDGES)
        if (before.get("champion"), before["judges"]) == (live, judges) and not before["promote"]:
            return None
    champion = night.store.folder(system) if live else night.store.root / "none"
    night.run_module(
        "facet.nights.gate", "--system", system, "--prepared", "data/prepared", "--judges", str(JUDGES),
        "--candidate", str(model), "--attributes", str(table), "--champion", str(champion),
        "--store", str(night.store.root), "--frozen", str(night.store.root / verdicts.FROZEN), "--verdict", str(path),
        *flags(dataclasses.asdict(night.settings.gate)), *night.compute_flags(),
    )  # fmt: skip
    verdict: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) | {"champion": live, "digest": digest}
    write_json(path, verdict)
    return verdict


def promote(night: Night) -> None:
    """Make every candidate live that passed the gate."""
    for system, verdict in night.record.verdicts.items():
        if not verdict["promote"]:
            continue
        card = {"night": night.record.name, "when": utc_now(), "scores": verdict["scores"], "verdict": verdict}
        why = f"night {night.record.name}: {'; '.join(verdict['reasons'])}"
        version = promotion.promote(night.root, night.store, system, card, why=why)
        get_run_logger().info("%s: %s is live", system, version)
        night.promoted.append(system)


def report(night: Night) -> None:
    """Evaluate the models in the workspace and write the report."""
    needs = select(without(stage_needs(night.root), JUDGE), ["report"])  # a champion is live, so its judges stay
    night.bring_up(needs, stale_stages(night.root, needs))


@task(persist_result=False, cache_policy=NO_CACHE)
def commit(night: Night) -> None:
    """Commit the files that made the new champions, and those alone, and tag each champion."""
    names = ("dvc.lock", "params.yaml", "reports", night.settings.pull)
    paths = [name for name in names if name and (night.root / name).exists()]
    night.command(["git", "add", "--", *paths])
    live = {system: str(night.store.live(system)) for system in night.promoted}
    title = f"Night {night.record.name}: {', '.join(f'{system} {version}' for system, version in live.items())}"
    unchanged = subprocess.run(["git", "diff", "--cached", "--quiet", "--", *paths], cwd=night.root).returncode == 0
    if not unchanged:
        night.command(["git", "commit", "--quiet", "--only", "-m", title, "--", *paths])
    for system, version in live.items():
        tag = f"{system}@v0.0.{int(version[:6])}"
        why = "; ".join(night.record.verdicts[system]["reasons"])
        night.command(["git", "tag", "--force", "--annotate", tag, "-m", f"{version}: {why}"])


@task(persist_result=False, cache_policy=NO_CACHE)
def push(night: Night) -> bool:
    """Push to the dvc remote, with some tries; True if it succeeded."""
    log = get_run_logger()
    for left in reversed(range(PUSH_TRIES)):
        try:
            night.run_module("dvc", "push", "--remote", night.settings.remote)
            return True
        except (StageFailed, Unfinished) as error:
            log.warning("dvc push failed: %s", error)
            if left and night.children.stopped.wait(PUSH_PAUSE):
                break
    return False


def last_push_failed(night: Night) -> bool:
    """True if the last earlier night that had something to push could not."""
    records, _ = page.read(night.root / NIGHTS)
    pushes = [record["pushed"] for record in records if record["name"] != night.record.name]
    tried = [pushed for pushed in pushes if pushed is not None]
    return bool(tried) and not tried[-1]


def training(needs: Needs, systems: Sequence[str]) -> Needs:
    """The part of the graph that makes candidates of these systems: up to their attributes, and their refiners if there
    are any."""
    refiners = [stage for system in systems if (stage := f"train_refiner@{system}") in needs]
    return select(needs, [*(f"attributes@{system}" for system in systems), *refiners])


def without(needs: Needs, stage: str) -> Needs:
    """The graph without a stage whose outputs stay as they are."""
    return {name: [need for need in needs[name] if need != stage] for name in needs if name != stage}


def flags(values: dict[str, Any]) -> list[str]:
    """A mapping as command-line flags."""
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def utc_now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _read_once(path: Path) -> dict[str, Any]:
    """The content of a JSON file, which is removed."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    return value
