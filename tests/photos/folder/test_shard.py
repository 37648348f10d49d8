"""Shards of a job on their own."""

import pytest

from facet.photos.folder import run, shard
from facet.photos.folder.run import edit_folder
from tests.support.photo_jobs import aligned_job, fresh_hashes, hashes

pytestmark = pytest.mark.usefixtures("linear_editor")


def test_a_shard_is_the_same_on_its_own(photos, tmp_path, monkeypatch):
    for module in (run, shard):
        monkeypatch.setattr(module, "SHARD_SIZE", 2)
    shard._shard_of_process.cache_clear()
    out = tmp_path / "out"

    def engine(job, shards, name):
        for number in reversed(range(shards)):
            yield shard.edit_shard(job, name, number)

    assert edit_folder(aligned_job(photos, out), engine).counts == {"edited": 6}
    shard._shard_of_process.cache_clear()
    assert hashes(out) == fresh_hashes(photos, tmp_path / "other")
