"""Two jobs on overlapping photos in one output folder, each killed at every file operation: what the other and the
resumed one make of it."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from facet.photos.folder import results, run, shard
from facet.photos.folder.job import JobError
from facet.photos.folder.run import edit_folder
from tests.support import photographs
from tests.support.dying import kills
from tests.support.paths import ROOT
from tests.support.photo_jobs import aligned_job, fresh_hashes, hashes, rows
from tests.support.processes import running, within

pytestmark = [pytest.mark.usefixtures("linear_editor"), pytest.mark.slow]


def test_a_job_that_is_killed_leaves_the_other_s_results_and_resumes(tmp_path):
    ours, theirs, out = tmp_path / "ours", tmp_path / "theirs", tmp_path / "out"
    for seed, folder in enumerate((ours, theirs)):
        folder.mkdir()
        for name in ("same.jpg", "other.jpg"):
            (folder / name).write_bytes(photographs.jpeg(seed=7 if name == "same.jpg" else seed))
        (folder / f"{folder.name}.png").write_bytes(
            photographs.encoded(Image.fromarray(photographs.pixels(seed=seed)), "PNG")
        )

    def job(folder, spec, into=out):
        return aligned_job(folder, into, spec=spec)

    fresh = {
        (folder, spec): fresh_hashes(folder, tmp_path / f"{folder.name}{spec}", spec=spec)
        for folder in (ours, theirs)
        for spec in ("Smiling=on", "Smiling=off")
    }
    for kill in kills(least=18):
        shutil.rmtree(out, ignore_errors=True)
        edit_folder(job(theirs, "Smiling=off"), sheet=0)
        (out / "note.txt").write_text("mine")
        kill(lambda: edit_folder(job(ours, "Smiling=on"), sheet=0))
        edit_folder(job(theirs, "Smiling=on"), sheet=0)
        found = hashes(out)
        assert fresh[theirs, "Smiling=on"].items() <= found.items()
        assert {row["status"] for row in rows(out).values()} == {"edited"}
        edit_folder(job(ours, "Smiling=off"), sheet=0)
        found = hashes(out)
        assert fresh[ours, "Smiling=off"].items() <= found.items()
        assert {row["status"] for row in rows(out).values()} == {"edited"}
        assert found["theirs.png"] == fresh[theirs, "Smiling=on"]["theirs.png"]
        assert "note.txt" in found
        assert not list((out / ".facet/parts").iterdir())


def test_a_worker_that_outlives_its_job_writes_nothing_over_the_next_one_s_results(photos, tmp_path, monkeypatch):
    """So do two jobs at once on a file system without locks: the one that began first ends."""

    def no_locks(*args):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    for module in (run, shard):
        monkeypatch.setattr(module, "SHARD_SIZE", 2)
    out = tmp_path / "out"

    def engine(job, shards, name):
        yield shard.edit_shard(job, name, 0)
        edit_folder(aligned_job(photos, out, spec="Smiling=off"))
        yield shard.edit_shard(job, name, 1)

    with pytest.raises(JobError, match="another job has begun to write to"):
        edit_folder(aligned_job(photos, out), engine)
    fresh = fresh_hashes(photos, tmp_path / "fresh", spec="Smiling=off")
    assert hashes(out) == fresh
    assert edit_folder(aligned_job(photos, out, spec="Smiling=off")).redone == 0

    writing = results._move

    def late(part, path, data):  # the next job begins while a photo is on its way
        monkeypatch.setattr(results, "_move", writing)
        edit_folder(aligned_job(photos, out, spec="Smiling=+1"))
        writing(part, path, data)

    monkeypatch.setattr(results, "_move", late)
    with pytest.raises(JobError):
        edit_folder(aligned_job(photos, out))
    assert hashes(out) == fresh_hashes(photos, tmp_path / "one", spec="Smiling=+1")


WORKER = """
import concurrent.futures, multiprocessing, os, time
from facet.photos.folder import shard

def work():
    shard._end_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    concurrent.futures.ProcessPoolExecutor(1, mp_context=context).submit(work).result()
"""


def test_the_workers_of_a_killed_job_end(tmp_path):
    (tmp_path / "job.py").write_text(WORKER)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MARK": str(tmp_path)}
    command = [sys.executable, str(tmp_path / "job.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as job:
        assert int(job.stdout.readline()) != job.pid
        job.kill()
        assert within(20, lambda: not running(str(tmp_path)))
