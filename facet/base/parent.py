"""A stage ends with the dvc that started it. dvc that is killed leaves its command running, and the next `dvc repro`
would train beside it.

A thread watches, because the kernel's own signal (PR_SET_PDEATHSIG) knows only the direct parent, which may be a shell,
and takes the end of the thread that started us for that of the process."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

STAGE = "DVC_STAGE"  # set by dvc for its commands
EVERY = 0.5  # seconds between looks
GRACE = 60.0  # seconds to write a checkpoint after SIGTERM
SHELLS = {"sh", "dash", "bash", "zsh", "fish", "ksh", "ash", "busybox"}
ADOPTERS = {"systemd", "init", "launchd", "tini", "dumb-init", "docker-init"}  # parents of processes without one

_Process = tuple[int, str]  # process id and time of its start, since ids are used again


def end_with_dvc() -> None:
    """From now on, send this process SIGTERM, and its child processes, once the dvc that started it has ended. Nothing
    happens in a process that dvc did not start, which may well outlive its terminal."""
    if not os.environ.get(STAGE):
        return
    parent = os.getppid()
    watched = _watched(parent)
    if _name(parent) in ADOPTERS:  # dvc ended while we were starting
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Thread(target=_watch, args=(parent, watched), name="end-with-dvc", daemon=True).start()


def _watched(parent: int) -> list[_Process]:
    """The parent, and its own parent if it is the shell of dvc's command."""
    above = _stat(parent)[1] if _name(parent) in SHELLS else ""
    return [(pid, _stat(pid)[19]) for pid in (parent, *([int(above)] if above.isdecimal() else [])) if _stat(pid)[19]]


def _watch(parent: int, watched: list[_Process]) -> None:
    while os.getppid() == parent and all(_stat(pid)[19] == began for pid, began in watched):
        time.sleep(EVERY)
    print("the dvc that started this stage has ended, so the stage ends too", file=sys.stderr)
    for sent in (signal.SIGTERM, signal.SIGKILL):
        for child in _children():
            with contextlib.suppress(OSError):
                os.kill(child, sent)
        os.kill(os.getpid(), sent)
        time.sleep(GRACE)


def _children() -> list[int]:
    """Processes that this one started; [] where /proc does not tell."""
    own = str(os.getpid())
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _stat(int(path.name))[1] == own]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on (1: parent, 19: time of the start); empty words if it is gone or
    a zombie."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        if fields[0] not in "ZX":
            return fields
    return [""] * 20
