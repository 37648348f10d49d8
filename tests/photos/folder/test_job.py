"""Paths of a job that cannot work."""

import pytest

from facet.base.errors import InputError
from facet.photos.folder.run import edit_folder
from tests.support.photo_jobs import aligned_job, fresh_hashes

pytestmark = pytest.mark.usefixtures("linear_editor")


@pytest.mark.parametrize(
    ("photos_at", "out_at", "message"),
    [
        ("p", "p", "results would be edited again"),
        ("p", "p/out", "results would be edited again"),
        ("p/in", "p", "results could replace photos"),
        ("p/gone", "o", "is missing; expected a folder of photos"),
        ("p", "f", "is a file"),
        ("p", "new.jpg", "has the name of a picture"),
    ],
)
def test_folders_that_cannot_work_are_refused_before_anything_is_written(tmp_path, photos_at, out_at, message):
    (tmp_path / "p/in").mkdir(parents=True)
    (tmp_path / "f").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message):
        edit_folder(aligned_job(tmp_path / photos_at, tmp_path / out_at))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_list_of_photos_in_out_is_refused_and_its_dots_do_not_lead_out_of_out(photos, tmp_path):
    (tmp_path / "list.txt").write_text("photos/a.jpg\n")
    with pytest.raises(InputError, match="results could replace photos"):
        edit_folder(aligned_job(tmp_path / "list.txt", photos))
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/list.txt").write_text("../../photos/a.jpg\n../../photos/b c.JPG\n")
    assert set(fresh_hashes(tmp_path / "deep/er/list.txt", tmp_path / "deep/out")) == {"a.jpg", "b c.JPG"}
