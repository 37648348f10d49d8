"""Run a command so that no process of it outlives the flow that started it, however that flow ends.

`Child` starts this file as a small process in a session of its own, with one end of a pipe as its standard input. When
the pipe closes (the flow stopped it, ended, or was killed with -9) or SIGTERM comes, it sends SIGTERM to the command's
process group, waits long enough for a checkpoint to be written, then sends SIGKILL to whatever is left.

    python supervise.py GRACE_SECONDS COMMAND [ARGUMENT...]"""

import contextlib
import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SET_CHILD_SUBREAPER = 36  # linux/prctl.h
LONGEST, CHUNK = 2000, 1 << 16  # characters of a line that are shown, and of the rest that are read at a time
CONTROL = re.compile(  # escape sequences of terminals, and characters that act instead of being shown; tabs stay
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
TERMINATED = 128 + signal.SIGTERM
STRAGGLERS = 2.0  # seconds that helpers of a finished command (multiprocessing's trackers) have to end by themselves


class Child:
    """A supervised command: its output as lines, its exit code, and a way to end it.

    `held` are file descriptors that the supervisor inherits, such as that of a lock."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], grace: float, held: Sequence[int] = ()
    ):
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(grace), *command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches only the flow, which then closes the pipe
            pass_fds=held,
        )

    def lines(self) -> Iterator[str]:
        """Standard output and error, line by line as they are written, until the command has ended: without control
        characters, and the beginning of very long lines."""
        assert self._process.stdout is not None
        with self._process.stdout as output:
            while piece := output.readline(LONGEST):
                left_out = 0
                while not piece.endswith("\n") and (more := output.readline(CHUNK)):
                    left_out += len(more.rstrip("\n"))
                    if more.endswith("\n"):
                        break
                ending = f" … and {left_out:,} more characters" if left_out else ""
                yield CONTROL.sub("", piece).rstrip() + ending

    def stop(self) -> None:
        """Close the pipe, which ends the command within its grace."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def wait(self) -> int:
        """Wait for the end; the exit code."""
        code = self._process.wait()
        self.stop()
        return code


def end_with_this_process(pid: int) -> subprocess.Popen[bytes]:
    """Send SIGTERM to process `pid` once this process has ended, in whatever way; keep the returned process until
    then."""
    code = "import os, signal, sys; sys.stdin.read(); os.kill(int(sys.argv[1]), signal.SIGTERM)"
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code, str(pid)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class Children:
    """All running commands of one flow; after `stop` none can be started. `held` are open files, such as a lock, that
    stay open until the last command has ended, even if the flow is killed before."""

    def __init__(self, held: Sequence[int] = ()) -> None:
        self._held = held
        self._running: set[Child] = set()
        self._lock = threading.Lock()
        self.stopped = threading.Event()

    @contextlib.contextmanager
    def run(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], grace: float) -> Iterator[Child]:
        """Start a command, and end it with the block; Stopped if none can be started any more."""
        with self._lock:
            if self.stopped.is_set():
                raise Stopped
            child = Child(command, cwd=cwd, env=env, grace=grace, held=self._held)
            self._running.add(child)
        try:
            yield child
        finally:
            with self._lock:
                self._running.discard(child)
            child.stop()
            child.wait()

    def stop(self) -> None:
        """End all commands, each within its grace."""
        with self._lock:
            self.stopped.set()
            for child in self._running:
                child.stop()


class Stopped(Exception):
    """The flow is ending, so no command can be started; callers turn it into the state of their task or night."""


def supervise(command: Sequence[str], grace: float) -> int:
    """Run `command`; its exit code (128 + signal if a signal ended it), or 143 if it was stopped."""
    _adopt_orphans()
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    terminated = False

    def terminate(signum: int, frame: object) -> None:
        nonlocal terminated
        terminated = True

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGCHLD, lambda signum, frame: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    while _running(child):
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 512)
        if terminated or (0 in ready and not os.read(0, 512)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            _end(child, grace)
            return TERMINATED
    _end(child, STRAGGLERS)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _end(child: subprocess.Popen[bytes], grace: float) -> None:
    """Wait until no process of the command is left; after `grace` seconds kill those that are.

    A process outside the command's group gets SIGTERM once its parent has ended; until then the parent ends it."""
    deadline = time.monotonic() + grace
    terminated = set()
    while _any_left(child):
        for pid, parent in _descendants(child).items():
            with contextlib.suppress(ProcessLookupError):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                elif parent == os.getpid() and pid not in terminated and os.getpgid(pid) != child.pid:
                    terminated.add(pid)
                    os.kill(pid, signal.SIGTERM)
        time.sleep(0.05)


def _running(child: subprocess.Popen[bytes]) -> bool:
    _reap(child)
    return child.returncode is None


def _reap(child: subprocess.Popen[bytes]) -> bool:
    """Collect every child that has ended, adopted orphans included; True if some are left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
            if pid == child.pid:
                child.returncode = os.waitstatus_to_exitcode(status)
    return False


def _any_left(child: subprocess.Popen[bytes]) -> bool:
    """True if any process that `child` started still runs.

    On Linux orphans become our children, so the kernel knows. A list of processes would miss one whose parent ends
    while the list is read."""
    children = _reap(child)
    if sys.platform == "linux":
        return children
    with contextlib.suppress(OSError):
        os.killpg(child.pid, 0)
        return True
    return children


def _descendants(child: subprocess.Popen[bytes]) -> dict[int, int]:
    """The running processes that `child` started, as `os.kill` takes them, with the parent of each, from /proc."""
    if sys.platform != "linux":
        return {-child.pid: child.pid}  # only the group is known
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return {pid: parents[pid] for pid in family - {os.getpid()}}


def _adopt_orphans() -> None:
    """Become the parent of processes whose own parent ends, also of those in other sessions (torchrun's workers)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[2:], float(sys.argv[1])))
