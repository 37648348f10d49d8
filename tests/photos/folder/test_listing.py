"""Where the photos of a job come from, and the names of their results."""

import shutil
import zipfile

import pytest
from PIL import Image

from facet.photos.folder.run import edit_folder
from tests.support import photographs
from tests.support.photo_jobs import aligned_job, fresh_hashes, rows

pytestmark = [pytest.mark.usefixtures("linear_editor"), pytest.mark.slow]


def test_a_zip_a_list_and_one_photo_are_folders_too(photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as file:
        for path in photos.rglob("*.*"):
            file.write(path, path.relative_to(photos).as_posix())
        file.writestr("../escape.jpg", photographs.jpeg())
    whole = fresh_hashes(photos, tmp_path / "out")
    assert fresh_hashes(tmp_path / "p.zip", tmp_path / "zipped") == whole
    assert not (tmp_path / "escape.jpg").exists()
    (tmp_path / "list.txt").write_text("photos/a.jpg\n" + str(photos / "Urlaub 2026/Ä#%.jpeg") + "\nphotos/gone.jpg\n")
    listed = fresh_hashes(tmp_path / "list.txt", tmp_path / "listed")
    assert listed == {name: whole[name] for name in ("a.jpg", "Urlaub 2026/Ä#%.jpeg")}
    assert rows(tmp_path / "listed")["gone.jpg"]["reason"] == "missing"
    assert fresh_hashes(photos / "a.jpg", tmp_path / "one") == {"a.jpg": whole["a.jpg"]}


def test_three_names_that_would_meet_stay_three(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    gif = photographs.encoded(Image.fromarray(photographs.pixels()), "GIF")
    png = photographs.encoded(Image.fromarray(photographs.pixels()), "PNG")
    for name, data in (("a.gif", gif), ("a.png", png), ("a-gif.png", png)):
        (photos / name).write_bytes(data)
    assert set(fresh_hashes(photos, tmp_path / "out")) == {"a.png", "a-gif.png", "a-gif-2.png"}


def test_names_that_out_cannot_hold_fail_alone(photos, tmp_path):
    (photos / "a.png").mkdir()
    shutil.copy(photos / "a.jpg", photos / "a.png/in.jpg")
    (photos / "a.gif").write_bytes(photographs.encoded(Image.fromarray(photographs.pixels()), "GIF"))
    (photos / "contact.html").mkdir()
    shutil.copy(photos / "a.jpg", photos / "contact.html/in.jpg")
    (photos / "self.jpg").symlink_to("self.jpg")
    with zipfile.ZipFile(tmp_path / "long.zip", "w") as file:
        file.writestr("y" * 300 + ".jpg", photographs.jpeg())
        file.writestr("b.jpg", photographs.jpeg())
    out = tmp_path / "out"
    edit_folder(aligned_job(photos, out))
    reasons = {name: row["reason"] for name, row in rows(out).items() if row["status"] == "failed"}
    assert reasons == {
        "contact.html/in.jpg": "reserved_name",
        "self.jpg": "link_outside",
    }
    edit_folder(aligned_job(tmp_path / "long.zip", tmp_path / "zipped"))
    assert [row["status"] for row in rows(tmp_path / "zipped").values()] == ["edited", "failed"]
    assert rows(out)["a.gif"]["output"] == "a-gif.png"
