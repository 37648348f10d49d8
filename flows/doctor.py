"""`facet doctor`: find what is wrong with a set-up, and say how to fix it."""

import dataclasses
import importlib.metadata
import json
import math
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import httpx
from jsonschema import Draft202012Validator

from facet.base import project
from facet.base.errors import FacetError, InputError
from facet.base.junk import in_junk
from facet.nights.champions import STORE, Champions
from facet.nights.quarantine import TABLES
from facet.nights.settings import Settings
from facet.photos.faces import networks
from flows import lockfile, profiles, server, tracked_data

Level = Literal["ok", "note", "FAIL"]
REMOTE_SECONDS, SERVER_SECONDS = 60, 10
QUIET_SECONDS = 120.0  # without a poll, after which no worker is running; workers poll every few seconds
ROOM = 3  # multiple of the size of data/ that should be free: outs, cache, and what replaces them
PATH_FILE = "dvc_python.pth"  # of `make install`: dvc finds the python of its own environment first
BOUNDS = {  # first version that does not work, and why; see pyproject.toml
    "fastapi": ((0, 151), "the Prefect server refuses its own client"),
    "sqlalchemy": ((2, 1), "the Prefect server never fires a schedule"),
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of one check."""

    level: Level
    what: str
    fix: str = ""  # what to do about it

    def __str__(self) -> str:
        return f"{self.level:<4}  {self.what}" + (f"\n      -> {self.fix}" if self.fix else "")


def examine(root: Path) -> Iterator[Finding]:
    """Check the project at `root` and the server of PREFECT_API_URL, one thing after another."""
    checks: tuple[Callable[[Path], Iterator[Finding]], ...] = (
        _python, _project, _disk, _device, _networks, _server, _remote, _commits, _champions, _deliveries, _messages,
    )  # fmt: skip
    for check in checks:
        try:
            yield from check(root)
        except (FacetError, OSError, ValueError, KeyError) as error:
            yield Finding("FAIL", f"{check.__name__.strip('_')}: {error}")
        if check is _project and not _is_clone(root):
            return  # the other checks would repeat it


def _python(root: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Finding("ok" if good else "FAIL", f"Python {version}", "" if good else "Facet needs 3.11 or later")
    found = shutil.which("python")
    if not _is_first(found) and not (Path(sysconfig.get_path("purelib")) / PATH_FILE).exists():
        fix = "activate the environment (source .venv/bin/activate), or set it up with make install"
        yield Finding("note", f"dvc repro would run stages with {found or 'no python'}, not {sys.executable}", fix)
    for name, (bound, why) in BOUNDS.items():
        installed = importlib.metadata.version(name)
        parts = tuple(int(part) for part in installed.split(".")[:2] if part.isdigit())
        if parts >= bound:
            fix = "install the versions of requirements.lock: make .venv/.installed"
            yield Finding("FAIL", f"{name} {installed}: with it {why}", fix)
        else:
            yield Finding("ok", f"{name} {installed}")
    for name in ("prefect", "dvc", "torch"):
        yield Finding("ok", f"{name} {importlib.metadata.version(name)}")


def _is_first(found: str | None) -> bool:
    """True if the `python` that is found first is that of this environment."""
    return found is not None and Path(found).parent == Path(sys.executable).parent


def _is_clone(root: Path) -> bool:
    return project.is_clone(root)


def _project(root: Path) -> Iterator[Finding]:
    if not _is_clone(root):
        yield Finding("FAIL", f"{root.resolve()} is no clone of Facet", "run this in a clone, or name one with --root")
        return
    try:
        lockfile.check(root)
    except InputError as error:
        what, _, fix = str(error).partition("; ")
        yield Finding("FAIL", what, fix)
    if lockfile.is_cut(root):
        yield Finding("FAIL", "dvc.lock is damaged", "facet reproduce restores a copy; or git checkout dvc.lock")
    origin = profiles.origin(root)
    name = f"profile {origin[0]}" if origin else "values of no profile"
    yield Finding("ok" if origin else "note", f"params.yaml holds {name}")
    params = project.params(root)
    for what in misfits(root, params):
        yield Finding("FAIL", f"params.yaml: {what}", "correct it, or write it anew: facet profile NAME --force")
    settings = Settings.of(params)
    kind = params["source"]["kind"]
    if kind == "shards":
        yield Finding("ok", f"nightly trains {', '.join(settings.systems)}")
    else:
        fix = "facet profile nightly"
        yield Finding("note", f"source.kind is {kind}: nights retrain, but take no deliveries", fix)


def misfits(root: Path, params: Mapping[str, Any]) -> list[str]:
    """What does not fit the schema of params.yaml (params.schema.json), each with its place."""
    path = root / "params.schema.json"
    if not path.exists():
        return []
    errors = Draft202012Validator(json.loads(path.read_text(encoding="utf-8"))).iter_errors(params)
    places = ((".".join(map(str, error.absolute_path)), error.message) for error in errors)
    return [f"{place}: {message}" if place else message for place, message in places]


def _disk(root: Path) -> Iterator[Finding]:
    used = sum(path.stat().st_size for path in (root / "data").rglob("*") if path.is_file() and not path.is_symlink())
    free = shutil.disk_usage(root).free
    enough = free > max(ROOM * used, 1 << 30)
    fix = "" if enough else "free some: `dvc gc --workspace` and `facet champion prune` remove unneeded files"
    yield Finding("ok" if enough else "FAIL", f"{free / 1e9:.1f} GB free, data/ holds {used / 1e9:.1f} GB", fix)
    for path in (root, root / "data"):
        if path.exists() and not os.access(path, os.W_OK):
            yield Finding("FAIL", f"{path} cannot be written", "give this user write permission")


def _device(root: Path) -> Iterator[Finding]:
    import torch

    from facet.base import compute

    wanted = project.params(root)["compute"]["device"]
    if torch.cuda.is_available():
        yield Finding("ok", f"GPU {torch.cuda.get_device_name()}")
    elif wanted == "cuda":
        fix = "install a driver that fits torch, or set compute.device to auto"
        yield Finding("FAIL", "compute.device is cuda, and torch sees no GPU", fix)
    else:
        precision = "bf16" if compute.has_bf16(torch.device("cpu")) else "fp32"
        yield Finding("ok", f"no GPU: {os.cpu_count()} cores in {precision}")


def _networks(root: Path) -> Iterator[Finding]:
    if networks.installed():
        yield Finding("ok", "the networks that find faces are installed")
    else:
        yield Finding("FAIL", "the networks that find faces are missing", "facet networks")


def _server(root: Path) -> Iterator[Finding]:
    server.prepare(root)
    url = os.environ.get("PREFECT_API_URL") or _configured()
    if not url:
        fix = "for schedules: prefect server start, then export PREFECT_API_URL=http://127.0.0.1:4200/api"
        yield Finding("note", "no Prefect server: every run starts its own, and nothing runs on a schedule", fix)
        return
    if server.CLOUD in url:
        server.check(root)
        yield Finding("ok", f"Prefect Cloud answers at {url}")
        return
    try:
        with httpx.Client(base_url=url, timeout=SERVER_SECONDS) as client:
            client.get("/health").raise_for_status()
            theirs, mine = client.get("/admin/version").json(), importlib.metadata.version("prefect")
            same = theirs == mine
            fix = "" if same else "run server and flows from the same lock"
            yield Finding("ok" if same else "FAIL", f"Prefect server {theirs} at {url}, client {mine}", fix)
            ready = client.get("/ready").status_code == 200
            if not ready:
                fix = "read the server's log; PREFECT_API_DATABASE_CONNECTION_URL names its database"
                yield Finding("FAIL", "the server cannot reach its database", fix)
            response = client.get("/deployments/name/nightly/nightly")
            if response.status_code == 404:
                fix = "prefect deploy --all, or facet nightly --serve"
                yield Finding("note", "the server has no deployment nightly: nothing runs on a schedule", fix)
                return
            deployment = response.raise_for_status().json()
            yield from _schedule(deployment)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fix = "start it (prefect server start), or correct PREFECT_API_URL"
        yield Finding("FAIL", f"the Prefect server at {url} does not answer ({type(error).__name__}: {error})", fix)


def _schedule(deployment: dict[str, Any]) -> Iterator[Finding]:
    """Check that the server will schedule nights and that a worker will run them."""
    active = [one["schedule"] for one in deployment["schedules"] if one["active"] and not deployment["paused"]]
    when = ", ".join(f"{one.get('cron')} {one.get('timezone') or 'UTC'}" for one in active)
    fix = "facet nightly --serve, or resume it: prefect deployment schedule resume"
    yield (
        Finding("ok", f"nightly is scheduled at {when}")
        if active
        else Finding("note", "nightly has no active schedule", fix)
    )
    polled = deployment.get("last_polled")
    quiet = (datetime.now(UTC) - datetime.fromisoformat(polled)).total_seconds() if polled else math.inf
    if deployment.get("status") != "READY" or quiet > QUIET_SECONDS:
        fix = "facet nightly --serve, or prefect worker start --pool facet (docs/nightly.md has units for systemd)"
        yield Finding("FAIL", "no worker is polling; scheduled nights will not run", fix)


def _configured() -> str | None:
    from prefect.settings import PREFECT_API_URL

    return PREFECT_API_URL.value()  # type: ignore[no-any-return]


def _remote(root: Path) -> Iterator[Finding]:
    name = Settings.of(project.params(root)).remote
    if not name:
        fix = "dvc remote add store URL, and nightly.remote: store in params.yaml"
        yield Finding("note", "no remote: results are only on this disk", fix)
        return
    command = [sys.executable, "-m", "dvc", "remote", "list"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=REMOTE_SECONDS).stdout
    if name not in {line.split()[0] for line in listed.splitlines() if line.strip()}:
        yield Finding("FAIL", f"dvc knows no remote {name}", f"dvc remote add {name} URL")
        return
    command = [sys.executable, "-m", "dvc", "status", "--cloud", "--remote", name, "--quiet"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=REMOTE_SECONDS)
    except subprocess.TimeoutExpired:
        yield Finding(
            "FAIL", f"the remote {name} did not answer within {REMOTE_SECONDS} s", "dvc remote list; try dvc push"
        )
        return
    if done.returncode in (0, 1) and not done.stderr.strip():
        yield Finding("ok", f"the remote {name} answers")
    else:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        yield Finding("FAIL", f"the remote {name}: {last}", "dvc remote list shows its URL")


def _commits(root: Path) -> Iterator[Finding]:
    if not Settings.of(project.params(root)).git:
        return
    done = subprocess.run(["git", "symbolic-ref", "--quiet", "HEAD"], cwd=root, capture_output=True, text=True)
    if done.returncode == 0:
        yield Finding("ok", f"nights commit to {done.stdout.strip().removeprefix('refs/heads/')}")
    elif done.returncode == 1:
        fix = "git switch BRANCH (a submodule is on none until then)"
        yield Finding("note", "git is on no branch, so the tags alone keep what nights commit", fix)
    else:
        said = " ".join(done.stderr.split())
        yield Finding("FAIL", f"nights cannot commit: {said}", "or set nightly.git to false in params.yaml")


def _champions(root: Path) -> Iterator[Finding]:
    store = Champions(root / STORE)
    if not store.systems():
        yield Finding("note", "no champion yet: edits use the model trained last", "facet nightly promotes the first")
    for system in store.systems():
        fault = store.fault(system)
        fix = f"facet champion rollback {system}" if fault else ""
        yield Finding("FAIL" if fault else "ok", fault or f"champion of {system}: {store.live(system)}", fix)


def _deliveries(root: Path) -> Iterator[Finding]:
    params = project.params(root)
    if params["source"]["kind"] != "shards":
        return
    settings = Settings.of(params)
    if settings.pull:
        try:
            yield Finding("ok", f"deliveries come from {tracked_data.read(root, settings.pull).folder}")
        except InputError as error:
            yield Finding("FAIL", str(error), "or set nightly.pull to '' in params.yaml, to use the drop folder")
        return
    drop = root / settings.arrivals / "drop"
    if not drop.exists():
        yield Finding("note", f"{drop} is missing: there is no place for deliveries", f"mkdir -p {drop}")
        return
    waiting = sum(path.is_file() and not in_junk(path.relative_to(drop).as_posix()) for path in drop.rglob("*"))
    yield Finding("ok", f"{waiting:,} files wait in {drop}")
    quarantined = [path.relative_to(drop.parent) for path in (drop.parent / "quarantine").rglob("*") if path.is_file()]
    held = sum(path.suffix != ".csv" and TABLES not in path.parts for path in quarantined)
    if held:
        yield Finding(
            "note",
            f"{held:,} photos or zips are in {drop.parent / 'quarantine'}",
            "reasons.csv beside them has the reasons",
        )


def _messages(root: Path) -> Iterator[Finding]:
    ways = [name for name in ("FACET_WEBHOOK", "FACET_MAIL") if os.environ.get(name)]
    if ways:
        yield Finding("ok", f"messages go to {', '.join(ways)}")
    else:
        yield Finding("note", "nobody gets a message about nights", "export FACET_WEBHOOK=URL or FACET_MAIL=ADDRESS")
