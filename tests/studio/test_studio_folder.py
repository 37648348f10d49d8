"""A folder in the studio: thumbnails, what a job said, one edit tried over its photos; and starting the studio."""

import io

import pytest
from PIL import Image

from facet.base.errors import InputError
from facet.cli import main
from facet.photos.folder.run import edit_folder
from facet.studio import trained
from facet.studio.folder import Folder
from tests.support import photo_jobs, studio


@pytest.fixture
def photos(tmp_path):
    folder = photo_jobs.write_photos(tmp_path / "photos")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    return folder


@pytest.fixture
def page(photos, tmp_path):
    edit_folder(photo_jobs.aligned_job(photos, tmp_path / "out"))
    return studio.client(Folder(photos, tmp_path / "out"))


def test_the_strip_says_what_the_manifest_says_of_each_photo(page):
    rows = {row["name"]: row for row in page.get("api/folder").json()}
    assert len(rows) == 7
    assert rows["a.jpg"]["status"] == "edited"
    assert rows["broken.jpg"]["status"] == "failed"
    assert rows["broken.jpg"]["reason"].startswith("the ")
    assert page.get("api/status").json()["folder"] == {"count": 7, "unedited": 1}
    assert page.get("api/folder?unedited=true").json() == [rows["broken.jpg"]]
    assert page.get("api/folder?start=5").json() == list(rows.values())[5:]
    assert page.get("api/folder?start=-3").json() == list(rows.values())


def test_photos_are_opened_and_shown_in_small_by_their_number(page):
    names = [row["name"] for row in page.get("api/folder").json()]
    number = names.index("a.jpg")
    assert Image.open(io.BytesIO(page.get(f"api/folder/{number}/thumbnail").content)).size == (131, 160)
    opened = page.post(f"api/folder/{number}/open").json()
    assert (opened["name"], opened["size"]) == ("a.jpg", [178, 218])
    broken = page.get(f"api/folder/{names.index('broken.jpg')}/thumbnail")
    assert broken.status_code == 422


@pytest.mark.slow
def test_an_edit_tried_on_a_photo_says_what_a_job_would(page, photos, tmp_path):
    names = [row["name"] for row in page.get("api/folder").json()]
    wish = {"system": "linear", "state": studio.ALIGNED | {"spec": "Eyeglasses=on"}}
    edited = page.post(f"api/folder/{names.index('a.jpg')}/try", json=wish).json()
    assert (edited["status"], edited["image"][:15]) == ("edited", "data:image/jpeg")
    failed = page.post(f"api/folder/{names.index('broken.jpg')}/try", json=wish).json()
    assert failed["status"] == "failed"
    assert failed["reason"]
    faceless = wish | {"state": {"spec": "Eyeglasses=on"}}
    assert page.post(f"api/folder/{names.index('a.jpg')}/try", json=faceless).json()["reason"] == "no face was found"


def test_results_of_other_photos_are_refused(photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "z.jpg").write_bytes((photos / "a.jpg").read_bytes())
    edit_folder(photo_jobs.aligned_job(other, tmp_path / "out"))
    with pytest.raises(InputError, match="has no manifest of these photos"):
        Folder(photos, tmp_path / "out")


def test_the_command_starts_with_what_it_was_told(photos, monkeypatch, tmp_path):
    served = {}
    monkeypatch.setattr("facet.studio.launch.serve", lambda settings, **how: served.update(how, settings=settings))
    monkeypatch.setattr(trained, "of_folder", lambda model, *rest: {model.name: studio.trained(model.name)})
    root = ["--root", str(tmp_path)]
    assert main(["studio", str(photos / "a.jpg"), "--model", "models/ian", "--no-browser", "--port", "0", *root]) == 0
    assert list(served["settings"].systems) == ["ian"]
    assert [item.name for item in served["settings"].folder.listing.items] == ["a.jpg"]
    assert (served["host"], served["port"], served["browser"]) == ("127.0.0.1", 0, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.jpg", "--model", "m"], "is missing"),
        (["--edited", "out"], "--edited belongs to a FOLDER"),
        (["--attributes", "a.parquet"], "--attributes belongs to --model"),
        (["--port", "70000"], "expected 0 to 65535"),
        (["--host", "192.168.0.7"], "--yes-anyone-can-edit"),
        ([], "has no params.yaml"),
    ],
)
def test_what_cannot_be_started_is_told_in_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trained, "of_folder", lambda *rest: {"m": studio.trained()})
    assert main(["studio", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_strokes_and_chosen_faces_are_not_carried_to_other_photos(page):
    number = [row["name"] for row in page.get("api/folder").json()].index("a.jpg")
    plain = studio.ALIGNED | {"spec": "Eyeglasses=on"}
    strokes = {"strokes": {"0": [{"latent": {"5": 1.4}}]}, "faces": 3, "face": 3}
    results = [
        page.post(f"api/folder/{number}/try", json={"system": "linear", "state": state}).json()
        for state in (plain, plain | strokes)
    ]
    assert results[0] == results[1]
    alone = {"system": "linear", "state": studio.ALIGNED | strokes}
    assert "move a slider" in page.post(f"api/folder/{number}/try", json=alone).json()["error"]


def test_a_photo_that_the_listing_refused_says_so_everywhere(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photo_jobs.photographs.jpeg())
    (tmp_path / "outside.jpg").write_bytes(photo_jobs.photographs.jpeg())
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    page = studio.client(Folder(folder))
    row = page.get("api/folder").json()[1]
    assert (row["status"], row["reason"]) == ("failed", "a link to a file outside the folder")
    wish = {"system": "linear", "state": {"spec": "Smiling=on"}}
    assert page.post("api/folder/1/try", json=wish).json() == {
        "name": "link.jpg", "status": "failed", "reason": row["reason"], "image": "",
    }  # fmt: skip
    for answer in (page.post("api/folder/1/open"), page.get("api/folder/1/thumbnail")):
        assert (answer.status_code, answer.json()["error"]) == (422, row["reason"])
