"""A night on a Prefect server whose database is PostgreSQL, as for several workers."""

import contextlib
import getpass
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import nights
from tests.support.paths import ROOT
from tests.support.processes import POSTGRES, free_port, wait_for_port

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def running(command: list[str], log: Path, **options: object) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, **options)  # type: ignore[call-overload]
        try:
            yield
        finally:
            process.terminate()
            process.wait()


@pytest.mark.skipif(POSTGRES is None, reason="needs PostgreSQL (Debian: postgresql)")
def test_a_night_on_postgresql(tmp_path):
    assert POSTGRES is not None
    place = Path(f"/tmp/facet-pg-{os.getpid()}")  # a short path for the socket, which the user postgres can reach
    place.mkdir()
    as_user: list[str] = []
    if getpass.getuser() == "root":  # PostgreSQL refuses to run as root
        if shutil.which("runuser") is None:
            pytest.skip("needs runuser")
        shutil.chown(place, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    try:
        data = place / "data"
        initialise = [*as_user, str(POSTGRES / "initdb"), "-A", "trust", "-U", "postgres", "-D", str(data)]
        subprocess.run(initialise, check=True, capture_output=True)
        port, api = free_port(), free_port()
        database = [*as_user, str(POSTGRES / "postgres"), "-D", str(data), "-p", str(port), "-k", str(place)]
        env = {
            **os.environ,
            "PREFECT_HOME": str(tmp_path / "home"),
            "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }
        server = [sys.executable, "-m", "prefect", "server", "start", "--port", str(api), "--no-ui"]
        with running(database, tmp_path / "database.log"):
            wait_for_port(port)
            with running(server, tmp_path / "server.log", env=env | {"PREFECT_API_URL": ""}):
                wait_for_port(api)
                root = nights.make(tmp_path / "project")
                nights.deliver(root / "arrivals/drop/a", range(1, 2))
                env |= {"PREFECT_API_URL": f"http://127.0.0.1:{api}/api", "PYTHONPATH": str(ROOT)}
                done = subprocess.run(
                    [sys.executable, nights.__file__, str(root), "one"], env=env, capture_output=True, text=True
                )
                assert '"Promoted"' in done.stdout, done.stdout + done.stderr
                body = urllib.request.Request(
                    f"http://127.0.0.1:{api}/api/flow_runs/filter", data=b"{}", method="POST",
                    headers={"Content-Type": "application/json"},
                )  # fmt: skip
                assert b'"state_name":"Promoted"' in urllib.request.urlopen(body).read()
    finally:
        shutil.rmtree(place, ignore_errors=True)
