"""The dry run."""

import pytest
from PIL import Image

from facet.photos.folder.estimate import estimate
from facet.photos.folder.run import edit_folder
from tests.support import photographs
from tests.support.photo_jobs import aligned_job

pytestmark = pytest.mark.usefixtures("linear_editor")


def test_a_dry_run_writes_nothing_and_tells_what_there_is_to_do(photos, tmp_path):
    (photos / "wide.jpg").write_bytes(photographs.encoded(Image.new("RGB", (300, 100)), "JPEG"))
    estimated = estimate(aligned_job(photos, tmp_path / "out"))
    assert (estimated.photos, estimated.done, estimated.others, estimated.refused) == (7, 0, 1, {"aspect": 1})
    assert not (tmp_path / "out").exists()
    edit_folder(aligned_job(photos, tmp_path / "out"))
    assert estimate(aligned_job(photos, tmp_path / "out")).done == 7
