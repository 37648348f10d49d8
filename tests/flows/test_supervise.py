import fcntl
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from flows.supervise import Child, Children, Stopped
from tests.support.paths import ROOT
from tests.support.processes import running, within

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted in /proc")


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-u", "-S", "-c", code, *arguments]


def start(command: list[str], *, grace: float = 5.0) -> Child:
    return Child(command, cwd=Path(), env=os.environ, grace=grace)


def test_output_arrives_line_by_line_while_the_command_still_runs():
    child = start(python("import sys, time; print('one'); print('two', file=sys.stderr); time.sleep(60)"))
    lines = child.lines()
    assert [next(lines), next(lines)] == ["one", "two"]
    child.stop()
    assert child.wait() == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 128 + 9), ("", 0)]
)
def test_the_exit_code_of_the_command_is_handed_on(code, expected):
    child = start(python(code))
    assert list(child.lines()) == []
    assert child.wait() == expected


@linux
def test_stopping_gives_time_for_last_words_and_ends_grandchildren_even_in_sessions_of_their_own():
    mark = f"mark-{uuid.uuid4()}"
    sleeper = "import time; time.sleep(60)"
    parent = f"""
import signal, subprocess, sys, time
for new in (False, True):
    subprocess.Popen([sys.executable, '-S', '-c', {sleeper!r}, {mark!r}], start_new_session=new)
def last_words(*_):
    print('checkpoint written'); sys.exit(0)
signal.signal(signal.SIGTERM, last_words)
print('ready')
time.sleep(60)
"""
    child = start(python(parent, mark), grace=0.5)
    lines = child.lines()
    assert next(lines) == "ready"
    assert within(2, lambda: len(running(mark)) >= 3)
    child.stop()
    assert list(lines) == ["checkpoint written"]
    child.wait()
    assert running(mark) == []


@linux
def test_a_command_deaf_to_sigterm_is_killed_after_its_grace():
    mark = f"mark-{uuid.uuid4()}"
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(60)"
    child = start(python(deaf, mark), grace=0.3)
    lines = child.lines()
    assert next(lines) == "ready"
    began = time.monotonic()
    child.stop()
    child.wait()
    assert 0.3 <= time.monotonic() - began < 3
    assert running(mark) == []


@linux
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_parent_that_is_killed_leaves_nothing_behind(how):
    mark = f"mark-{uuid.uuid4()}"
    parent = f"""
import os, sys
from pathlib import Path
from flows.supervise import Child
command = [sys.executable, '-u', '-S', '-c', 'print(1); import time; time.sleep(60)', {mark!r}]
child = Child(command, cwd=Path(), env=os.environ, grace=1)
print(next(child.lines()), flush=True)
child.wait()
"""
    process = subprocess.Popen([sys.executable, "-c", parent, mark], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"1\n"
        process.send_signal(how)
        process.wait()
        assert within(3, lambda: not running(mark)), running(mark)


@linux
def test_what_a_finished_command_left_in_the_background_is_ended():
    mark = f"mark-{uuid.uuid4()}"
    code = f"""
import subprocess, sys
subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)', {mark!r}], start_new_session=True)
"""
    child = start(python(code))
    list(child.lines())
    assert child.wait() == 0
    assert running(mark) == []


def test_nothing_starts_after_the_children_were_stopped():
    children = Children()
    children.stop()
    with pytest.raises(Stopped), children.run(python(""), cwd=Path(), env=os.environ, grace=1):
        pass


@pytest.mark.slow
@linux
def test_a_lock_is_held_until_the_last_command_of_a_killed_flow_has_ended(tmp_path):
    command = """
import pathlib, signal, time
def stop(*_):
    time.sleep(1.5)
    pathlib.Path('ended').touch()
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
pathlib.Path('started').touch()
time.sleep(60)
"""
    flow = f"""
import fcntl, os, sys
from pathlib import Path
from flows.supervise import Children
lock = open('lock', 'a')
fcntl.flock(lock, fcntl.LOCK_EX)
words = [sys.executable, '-c', {command!r}]
with Children(held=(lock.fileno(),)).run(words, cwd=Path(), env=os.environ, grace=20) as child:
    child.wait()
"""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", flow], cwd=tmp_path, env=env)
    assert within(60, (tmp_path / "started").exists)
    process.kill()
    process.wait()
    with (tmp_path / "lock").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert (tmp_path / "ended").exists()


def test_output_is_harmless_and_short_on_a_terminal_and_in_the_log(tmp_path):
    coloured = "\x1b]0;title\x07\x1b[31mred\x1b[0m\0 \x1b[2J\x1b(Bdone\tof \u202eit\x9b\n"
    (tmp_path / "output").write_bytes(
        b"a" * 5_000_000 + b"\n" + coloured.encode() + b"\xff\xfe last, and no end of the line" + b"b" * 3000
    )
    child = Child(["cat", "output"], cwd=tmp_path, env=os.environ, grace=1)
    long, second, last = child.lines()
    assert child.wait() == 0
    assert long == "a" * 2000 + " … and 4,998,000 more characters"
    assert second == "red done\tof it"
    assert last.startswith("\ufffd\ufffd last, and no end of the line")
    assert last.endswith(" more characters")
