"""Processes and ports of tests: what runs, what answers, and waiting for either."""

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), None)  # folder of its programs on Debian


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Wait until the condition is true, at most so many seconds; True if it is."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


def running(mark: str) -> list[str]:
    """Command lines of other processes with `mark` in their command line or environment, zombies left out."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line, env = ((folder / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ"))
            if folder.name != str(os.getpid()) and mark in line + env:
                lines.append(line.replace("\0", " "))
    return lines


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 60) -> None:
    """Wait until something listens on a port of 127.0.0.1."""

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    assert within(seconds, answers), f"nothing answers on port {port}"
