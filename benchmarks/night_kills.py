"""Robustness of nights: parts of a night are killed with -9 at random moments.

    python benchmarks/night_kills.py [--trials 30] [--seed 1] [--postgres]

A project whose stages take a second (tests/support/nights.py), on a real Prefect server with a worker; every trial puts
new photos into the drop folder, starts the deployment, and kills one of: the flow, the training command, dvc, the
supervisor, the worker, the server, the database (--postgres). Then everything that was killed is started again and the
next night runs undisturbed. Each trial prints what was killed and when, processes left over, photos lost or taken in
twice, whether the champion could be read at every moment, and the state of the next night."""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from facet.nights.champions import TABLE, Champions, digest_of  # noqa: E402
from facet.sources import shards  # noqa: E402
from tests.support import nights  # noqa: E402
from tests.support.processes import POSTGRES, free_port  # noqa: E402

PATIENCE = 120.0
AS_POSTGRES = ("runuser", "-u", "postgres", "--")
TARGETS = ("flow", "training", "dvc", "supervisor", "worker", "server")


class Stand:
    """The project, and the server, worker and database around it."""

    def __init__(self, root: Path, *, postgres: bool):
        self.root, self.postgres = root, postgres
        self.project = nights.make(root / "project")
        toy = (self.project / "toy.py").read_text()
        (self.project / "toy.py").write_text(
            toy.replace("import hashlib", "import time; time.sleep(.4)\nimport hashlib")
        )
        self.port = free_port()
        self.env = {
            **os.environ, "PREFECT_HOME": str(root / "home"), "DO_NOT_TRACK": "1", "PYTHONPATH": str(ROOT),
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api", "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }  # fmt: skip
        if postgres:
            url = f"postgresql+asyncpg://postgres@127.0.0.1:{self.port + 1}/postgres"
            self.env["PREFECT_API_DATABASE_CONNECTION_URL"] = url
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        (self.project / "prefect.yaml").write_text(
            "name: toy\ndeployments:\n  - name: nightly\n    entrypoint: flows.nightly.nightly\n"
            "    work_pool: {name: toy}\n"
        )

    def prefect(self, *words: str) -> str:
        command = [sys.executable, "-m", "prefect", *words]
        done = subprocess.run(command, env=self.env, cwd=self.project, capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout + done.stderr

    def start(self, name: str) -> None:
        if name in self.running and self.running[name].poll() is None:
            return
        log = (self.root / f"{name}.log").open("ab")
        words = {
            "server": [sys.executable, "-m", "prefect", "server", "start", "--port", str(self.port), "--no-ui"],
            "worker": [sys.executable, "-m", "prefect", "worker", "start", "--pool", "toy"],
        }
        if name == "database":
            assert POSTGRES is not None
            folder = self.root / "pg"
            if not folder.exists():
                folder.mkdir()
                shutil.chown(folder, "postgres")
                self.root.chmod(0o755)
                command = [*AS_POSTGRES, str(POSTGRES / "initdb"), "-A", "trust", "-D", str(folder)]
                subprocess.run(command, check=True, stdout=log, stderr=log)
            (folder / "postmaster.pid").unlink(missing_ok=True)
            port = str(self.port + 1)
            words[name] = [*AS_POSTGRES, str(POSTGRES / "postgres"), "-D", str(folder), "-p", port, "-k", str(folder)]
        env = self.env | ({"PREFECT_API_URL": ""} if name == "server" else {})
        self.running[name] = subprocess.Popen(
            words[name], env=env, cwd=self.project if name == "worker" else self.root, stdout=log, stderr=log
        )
        if name == "server":
            self.wait_for_server()
        elif name == "database":
            time.sleep(2)

    def wait_for_server(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/ready", timeout=5)
                return
            except OSError:
                time.sleep(0.3)
        raise SystemExit((self.root / "server.log").read_text()[-3000:])

    def processes(self) -> Iterator[tuple[int, str]]:
        """Processes that work in the project: pid and command line."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                where = (entry / "cwd").resolve()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if where == self.project and "worker start" not in command and int(entry.name) != os.getpid():
                yield int(entry.name), command

    def find(self, target: str) -> int | None:
        """The pid of a process to kill; None if there is none."""
        if target in self.running:
            pid = self.running[target].pid
            if target == "database":  # runuser's child
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                return int(children[0]) if children else pid
            return pid
        marks = {"flow": "prefect.engine", "training": "toy.py train", "dvc": "-m dvc", "supervisor": "supervise.py"}
        flows = {"flow": ("prefect.engine", "flow-run execute", "prefect.flow_engine")}.get(target, (marks[target],))
        pids = [pid for pid, command in self.processes() if any(mark in command for mark in flows)]
        return random.choice(pids) if pids else None

    def end(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        for pid, _ in self.processes():
            os.kill(pid, signal.SIGKILL)


def night(stand: Stand, name: str) -> str:
    """Start a night by the deployment; the id of its flow run."""
    words = ("deployment", "run", "nightly/nightly", "-p", f"night={name}", "-p", f"root={stand.project}")
    return stand.prefect(*words).split("/flow-run/")[-1].split()[0]


def state(stand: Stand, run: str) -> tuple[str, str]:
    """Type and name of a flow run's state."""
    url = f"http://127.0.0.1:{stand.port}/api/flow_runs/{run}"
    value = json.loads(urllib.request.urlopen(url, timeout=10).read())["state"]
    return value["type"], value["name"]


def readable(project: Path) -> bool:
    """True if there is no champion, or a whole one."""
    store = Champions(project / "champions")
    if store.live("vigan") is None:
        return True
    folder = store.folder("vigan")
    return bool(digest_of(folder, folder / TABLE) == store.card("vigan")["sha256"])


def deliver(project: Path, trial: int) -> set[str]:
    """Put three new photos into the drop folder; their hashes."""
    folder = project / "arrivals" / "drop" / f"t{trial}"
    nights.deliver(folder, range(10 * trial, 10 * trial + 3))
    return {hashlib.sha256(photo.read_bytes()).hexdigest() for photo in folder.glob("*.jpg")}


def passes(stand: Stand, trial: int, target: str, services: list[str], expected: set[str]) -> bool:
    """Run one trial; True if nothing was wrong."""
    night(stand, f"n{trial:03d}a")
    begin, wait, pid, whole = time.monotonic(), random.uniform(0, 9), None, True
    while time.monotonic() < begin + 40 and pid is None:
        whole &= readable(stand.project)
        if time.monotonic() > begin + wait:
            pid = stand.find(target)
        time.sleep(0.02)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    killed = time.monotonic() - begin
    if target in services:
        time.sleep(1)
        for name in services:
            stand.start(name)
    over = time.monotonic() + 90
    while any(True for _ in stand.processes()) and time.monotonic() < over:
        whole &= readable(stand.project)
        time.sleep(0.2)
    left = [command[:80] for _, command in stand.processes()]
    run = night(stand, f"n{trial:03d}b")
    over = time.monotonic() + 120
    while (after := state(stand, run))[0] in ("SCHEDULED", "PENDING", "RUNNING") and time.monotonic() < over:
        whole &= readable(stand.project)
        time.sleep(0.3)
    hashes = list(shards.read(stand.project / "arrivals" / "faces").table["sha256"])
    lost, twice = len(expected - set(hashes)), len(hashes) - len(set(hashes))
    good = whole and not left and not lost and not twice and after[0] == "COMPLETED"
    print(
        f"{trial:2d} {target:10s} after {killed:4.1f} s{'' if pid else ' (not there)'}: next night {after[1]}, "
        f"{len(left)} processes left, {lost} lost, {twice} twice, champion {'' if whole else 'NOT '}readable"
        f"{'' if good else '  FAULT ' + str(left)}",
        flush=True,
    )
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    random.seed(options.seed)
    targets = [*TARGETS, *(["database"] if options.postgres else [])]
    services = [*(["database"] if options.postgres else []), "server", "worker"]
    faults = 0
    with tempfile.TemporaryDirectory() as place:
        stand = Stand(Path(place), postgres=options.postgres)
        try:
            for name in services[:-1]:
                stand.start(name)
            stand.prefect("work-pool", "create", "toy", "--type", "process")
            output = stand.prefect("--no-prompt", "deploy", "--all")
            assert "successfully created" in output, output
            stand.start("worker")
            expected: set[str] = set()
            for trial in range(options.trials):
                expected |= deliver(stand.project, trial)
                faults += not passes(stand, trial, targets[trial % len(targets)], services, expected)
        finally:
            stand.end()
    print(f"{options.trials} trials, {faults} faults")
    sys.exit(int(faults > 0))


if __name__ == "__main__":
    main()
