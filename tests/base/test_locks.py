"""One process at a time holds a lock, and whoever needs one works on file systems without them, too."""

import errno
import fcntl
import os
import subprocess
import sys
import threading

import pytest

from facet.base import locks
from facet.nights.champions import Champions
from facet.training.resume import Resume
from flows import night_lock
from tests.support.paths import ROOT

HOLDER = """
import os, sys
from pathlib import Path
from facet.base import locks
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
assert locks.take(file, Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path):
    opened = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def test_a_lock_is_held_by_one_process_and_waited_for_as_long_as_asked(file, tmp_path, caplog):
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        assert not locks.take(file, path)
        assert not locks.take(file, path, wait=0.01)
        threading.Timer(0.1, other.stdin.close).start()
        assert locks.take(file, path, wait=60)
    assert locks.take(file, path)  # again in this process
    assert not caplog.records


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_lock_that_is_held_is_told_from_a_file_system_without_locks(file, tmp_path, monkeypatch, caplog, number):
    refuse(monkeypatch, number)
    assert not locks.take(file, tmp_path)
    assert not caplog.records


WITHOUT = [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL]


@pytest.mark.parametrize("number", WITHOUT)
def test_a_training_a_night_and_a_promotion_work_on_a_file_system_without_locks(tmp_path, monkeypatch, caplog, number):
    refuse(monkeypatch, number)
    with night_lock.only_night(tmp_path) as lock:
        assert isinstance(lock, night_lock.Lock)
    Resume(tmp_path / "resume", "a").save({"step": 1})
    with Champions(tmp_path / "champions")._write_lock():
        pass
    texts = [record.getMessage() for record in caplog.records]
    assert [text.split(" is on a file system without locks (")[0] for text in texts] == [
        str(tmp_path / name) for name in (night_lock.LOCK, "resume", "champions")
    ]


def refuse(monkeypatch, number):
    def flock(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
