"""What is saved from the studio: the bytes of `facet edit`, and of the brush."""

import pytest

from facet.photos.folder.run import edit_folder
from tests.support import photo_jobs, photographs, studio

SPECS = [
    ("Smiling=on", {}),
    ("Smiling=+1.5, Eyeglasses=-0.5", {}),
    ("Smiling=on", {"mode": "replace"}),
    ("Smiling=on", {"mode": "decode", "clip": True}),
    ("Smiling=on", {"sure": 0.6}),
    ("Smiling=on", {"unless_already": True}),
]


@pytest.mark.parametrize(("spec", "options"), SPECS)
def test_a_saved_photo_has_the_bytes_of_the_command(spec, options, tmp_path):
    photos = photo_jobs.write_photos(tmp_path / "photos")
    edit_folder(photo_jobs.aligned_job(photos, tmp_path / "out", spec=spec, options=options))
    rows, page = photo_jobs.rows(tmp_path / "out"), studio.client()
    for path in (path for path in photos.rglob("*") if path.suffix != ".txt" and path.is_file()):
        row = rows[path.relative_to(photos).as_posix()]
        photo = studio.uploaded(page, path.read_bytes(), path.name)["id"]
        data, outcome = studio.saved(page, photo, {"spec": spec} | options)
        assert data == (tmp_path / "out" / row["output"]).read_bytes()
        assert (outcome["status"], outcome["name"]) == (row["status"], row["output"].rpartition("/")[2])


def test_without_an_edit_there_is_nothing_to_save():
    page = studio.client()
    photo = studio.uploaded(page, photographs.jpeg())["id"]
    for verb in ("save", "both"):
        answer = studio.asked(page, photo, verb, {})
        assert (answer.status_code, "nothing is edited yet" in answer.json()["error"]) == (400, True)
