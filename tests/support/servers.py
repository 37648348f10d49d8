"""A Prefect server of the tests' own."""

import contextlib
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from flows.supervise import Child
from tests.support.processes import free_port, within

PATIENCE = 300.0  # seconds to start; 20 to 30 on an idle machine


@contextlib.contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """Run a server during the block, whose scheduler looks every second; the address of its API. Its database is in the
    empty folder `home`."""
    port = free_port()
    env = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": "",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port), "--no-ui"]
    child = Child(command, cwd=home, env=env, grace=5)
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.extend(child.lines()))
    reader.start()
    url = f"http://127.0.0.1:{port}/api"

    def up() -> bool:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            return urllib.request.urlopen(f"{url}/health").status == 200
        return False

    try:
        assert within(PATIENCE, up), "\n".join(output[-30:])
        yield url
    finally:
        child.stop()
        child.wait()
        reader.join()
