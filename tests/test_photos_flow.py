"""The flow `edit-folder`: shards on Prefect's task runners, the same results as in one process."""

import pytest
from prefect.testing.utilities import prefect_test_harness
from test_photos_job import a_job, fresh, linear, photos, rows, tree  # noqa: F401  # fixtures

from flows.edit_folder import edit_on, runner
from stages.params import InputError
from stages.photos import folder

pytestmark = pytest.mark.slow


def test_shards_on_threads_give_the_same_results_as_one_process(photos, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(folder, "SHARD", 2)
    folder._worker.cache_clear()
    out = tmp_path / "out"
    with prefect_test_harness(server_startup_timeout=120):
        assert edit_on(a_job(photos, out), "threads", jobs=2).counts == {"edited": 6}
        assert edit_on(a_job(photos, out), "threads", jobs=2).redone == 0
        (photos / "0.jpg").write_bytes((photos / "a.jpg").read_bytes())  # a worker of the runs before must see it
        assert edit_on(a_job(photos, out), "threads", jobs=2).redone == 1
    folder._worker.cache_clear()
    alone = tmp_path / "alone"
    assert tree(out) == fresh(photos, alone)
    assert str(rows(out)) == str(rows(alone))


def test_an_engine_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "prefect_dask", None)
    with pytest.raises(InputError, match="the engine dask needs its extra"):
        runner("dask", 2, None)
