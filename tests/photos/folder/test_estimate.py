"""The dry run."""

import pytest
from PIL import Image

from facet.photos.file import writing
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


def test_an_estimate_counts_results_that_somebody_changed(photos, tmp_path):
    edit_folder(aligned_job(photos, tmp_path / "out"))
    (tmp_path / "out/a.jpg").write_bytes(b"mine")
    assert estimate(aligned_job(photos, tmp_path / "out")).refused == {"result_changed": 1}


def test_an_estimate_counts_photos_in_which_a_place_is_left(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "without_places", lambda data: (data, ()))
    block = (0xE1, b"Exif\0\0" + photographs.exif())
    (photos / "a.jpg").write_bytes(photographs.with_segments(photographs.jpeg(), block))
    assert estimate(aligned_job(photos, tmp_path / "out", strip_gps=True)).refused == {"place_left": 1}
