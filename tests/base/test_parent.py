"""A stage ends with the dvc that started it, whatever stands between them."""

import os
import signal
import subprocess
import sys
import uuid

import pytest

from tests.support.paths import ROOT
from tests.support.processes import running, within

STAGE = """
import os, signal, sys, time
from pathlib import Path
from facet.base import parent
signal.signal(signal.SIGTERM, lambda *_: (Path(sys.argv[1], "saved").touch(), sys.exit(143)))
parent.end_with_dvc()
Path(sys.argv[1], "began.part").write_text(str(os.getpid()))
Path(sys.argv[1], "began.part").rename(Path(sys.argv[1], "began"))
time.sleep(100)
"""
WORKERS = """
import multiprocessing, sys, time
from facet.base import parent
if __name__ == "__main__":
    parent.end_with_dvc()
    multiprocessing.get_context("spawn").Process(target=time.sleep, args=(100,)).start()
    open(sys.argv[1] + "/began", "w").close()
    time.sleep(100)
"""


@pytest.fixture
def mark(monkeypatch):
    """A word in the environment of every process of the test."""
    word = uuid.uuid4().hex
    monkeypatch.setenv("FACET_TEST_MARK", word)
    yield word
    for line in running(word):
        print("left:", line)


def start(command, *, dvc, tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"DVC_STAGE": "train_gan@ian"} if dvc else {})
    started = subprocess.Popen([sys.executable, "-c", command], cwd=tmp_path, env=env, start_new_session=True)
    assert within(60, (tmp_path / "began").exists)
    return started


@pytest.mark.slow
@pytest.mark.parametrize(
    "shell", ["{0}", "{0}; true"]
)  # a shell replaces itself by its last command, unless more follows
@pytest.mark.parametrize("script", [STAGE, WORKERS])
def test_a_stage_and_its_workers_end_when_their_dvc_is_killed(tmp_path, mark, shell, script):
    (tmp_path / "stage.py").write_text(script)
    command = shell.format(f"{sys.executable} stage.py {tmp_path}")
    dvc = start(f"import subprocess; subprocess.run(['/bin/sh', '-c', {command!r}])", dvc=True, tmp_path=tmp_path)
    dvc.send_signal(signal.SIGKILL)
    dvc.wait()
    assert within(20, lambda: not running(mark)), running(mark)
    assert (tmp_path / "saved").exists() == (script == STAGE)


@pytest.mark.slow
def test_a_stage_that_was_started_by_hand_outlives_its_terminal(tmp_path, mark):
    (tmp_path / "stage.py").write_text(STAGE)
    command = [sys.executable, "stage.py", str(tmp_path)]
    shell = start(f"import subprocess; subprocess.run({command})", dvc=False, tmp_path=tmp_path)
    shell.send_signal(signal.SIGKILL)
    shell.wait()
    assert not within(2, lambda: not running(mark))
    os.kill(int((tmp_path / "began").read_text()), signal.SIGTERM)
    assert within(20, (tmp_path / "saved").exists)
