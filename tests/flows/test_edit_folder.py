"""The flow `edit-folder`: shards on Prefect's task runners, the same results as in one process."""

import json
import os
import subprocess
import sys

import pytest

from facet.base.errors import InputError
from flows.edit_folder import runner
from tests.support import photo_jobs
from tests.support.paths import ROOT
from tests.support.photo_jobs import fresh_hashes, hashes, rows

RUNS = """
import json, sys
from pathlib import Path
import pytest
from facet.photos.folder import run, shard
from flows.edit_folder import edit_on
from tests.support.photo_jobs import aligned_job, use_linear_editor

photos, out = map(Path, sys.argv[1:])
with pytest.MonkeyPatch.context() as patch:
    use_linear_editor(patch)
    for module in (run, shard):
        patch.setattr(module, "SHARD_SIZE", 2)
    redone = [edit_on(aligned_job(photos, out), "threads", jobs=2).redone for _ in range(2)]
    (photos / "0.jpg").write_bytes((photos / "a.jpg").read_bytes())
    redone.append(edit_on(aligned_job(photos, out), "threads", jobs=2).redone)
print("redone", json.dumps(redone))
"""


@pytest.mark.slow
def test_shards_on_threads_give_the_same_results_as_one_process(tmp_path, monkeypatch):
    """In a process of its own: a temporary server does not stop where others ran flows before it."""
    photo_jobs.use_linear_editor(monkeypatch)
    photos = photo_jobs.write_photos(tmp_path / "photos")
    out, alone = tmp_path / "out", tmp_path / "alone"
    done = subprocess.run(
        [sys.executable, "-c", RUNS, str(photos), str(out)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(tmp_path / "prefect")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("redone"))
    assert json.loads(line.removeprefix("redone")) == [6, 0, 1]  # the third time a worker sees the photo that is new
    assert hashes(out) == fresh_hashes(photos, alone)
    assert str(rows(out)) == str(rows(alone))


def test_an_engine_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "prefect_dask", None)
    with pytest.raises(InputError, match="the engine dask needs its extra"):
        runner("dask", 2, None)
