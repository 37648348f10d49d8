"""Jobs on disks, lists and folders as people have them."""

import errno
import fcntl
import os
import tarfile
import threading
from pathlib import Path

import pytest
from PIL import Image

from facet.base.errors import InputError
from facet.photos.folder import run, shard
from facet.photos.folder.estimate import estimate
from facet.photos.folder.job import JobError
from facet.photos.folder.listing import listing
from facet.photos.folder.reading import PhotoReader
from facet.photos.folder.run import edit_folder
from tests.support import photographs
from tests.support.photo_jobs import aligned_job, fresh_hashes, hashes, rows

pytestmark = [pytest.mark.usefixtures("linear_editor"), pytest.mark.slow]


def test_a_folder_of_out_on_another_disk_is_written_too(photos, tmp_path, monkeypatch):
    whole = fresh_hashes(photos, tmp_path / "whole")
    rename = os.replace

    def replace(source, target):
        if Path(source).parent != Path(target).parent and "Urlaub" in str(target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr("pathlib.Path.replace", lambda self, target: replace(str(self), str(target)))
    out = tmp_path / "out"
    stale = out / "Urlaub 2026"
    stale.mkdir(parents=True)
    edit_folder(aligned_job(photos, out))
    assert hashes(out) == whole
    assert not list((out / ".facet/parts").iterdir())


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_is_said_and_written_to(photos, tmp_path, monkeypatch, caplog, number):
    def refuse(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert edit_folder(aligned_job(photos, tmp_path / "out")).counts == {"edited": 6}
    assert "is on a file system without locks" in caplog.text


def test_a_lock_that_is_held_is_another_job(photos, tmp_path, monkeypatch):
    def refuse(*args):
        raise BlockingIOError(errno.EWOULDBLOCK, "held")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(JobError, match="another job is writing"):
        edit_folder(aligned_job(photos, tmp_path / "out"))


def test_folders_that_cannot_be_entered_are_counted(photos, tmp_path, monkeypatch):
    (photos / "closed").mkdir()
    (photos / "linked").symlink_to(tmp_path)
    (photos / "within").symlink_to(photos / "Urlaub 2026")
    real, closed = os.scandir, "closed"

    def scan(path):
        if str(path).endswith(closed):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scan)
    summary = edit_folder(aligned_job(photos, tmp_path / "out"))
    assert summary.counts == {"edited": 6, "failed": 2}
    reasons = {name: row["reason"] for name, row in rows(tmp_path / "out").items() if row["reason"]}
    assert reasons == {"closed": "folder_unreadable", "linked": "link_folder"}
    closed = "photos"
    with pytest.raises(InputError, match="photos cannot be entered"):
        listing(photos)


def test_archives_that_cannot_be_read_in_place_are_refused(photos, tmp_path):
    with tarfile.open(tmp_path / "p.tar", "w") as file:
        file.add(photos)
    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as file:
        file.add(photos)
    (tmp_path / "p.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(99))
    (tmp_path / "p.rar").write_bytes(b"Rar!\x1a\x07\x01\0" + bytes(99))
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04" + bytes(99))
    kinds = {"p.tar": "tar", "p.tar.gz": "gzip", "p.7z": "7z", "p.rar": "RAR"}
    for name, kind in kinds.items():
        with pytest.raises(InputError, match=rf"{name} is an archive \({kind}\) that cannot be read in place; unpack"):
            edit_folder(aligned_job(tmp_path / name, tmp_path / "out"))
    with pytest.raises(InputError, match=r"cut\.zip is not a complete zip file"):
        edit_folder(aligned_job(tmp_path / "cut.zip", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_lists_have_comments_and_no_addresses(photos, tmp_path):
    (photos / "#1.jpg").write_bytes(photographs.jpeg())
    path = tmp_path / "list.txt"
    path.write_bytes(b"# of the summer\r\n\r\nphotos/a.jpg\r\nphotos/#1.jpg\r\n#2.jpg\r\n")
    assert [item.name for item in listing(path).items] == ["#1.jpg", "a.jpg"]
    path.write_text(f"file://{str(photos).replace(' ', '%20')}/b%20c.JPG\n")
    assert [(item.name, item.refused) for item in listing(path).items] == [("b c.JPG", "")]
    for address in ("https://example.org/a.jpg", "s3://bucket/a.jpg"):
        path.write_text(f"photos/a.jpg\n{address}\n")
        with pytest.raises(InputError, match=rf"list.txt, line 2 is the address {address}; fetch"):
            listing(path)
    path.write_bytes(b"photos/a.jpg\na\0.jpg\n")
    with pytest.raises(InputError, match=r"list\.txt, line 2 holds a NUL byte"):
        listing(path)
    path.write_text("# nothing yet\n")
    with pytest.raises(InputError, match="lists no photo"):
        listing(path)


def test_a_folder_without_photos_is_refused_like_an_empty_list(tmp_path):
    (tmp_path / "photos").mkdir()
    job = aligned_job(tmp_path / "photos", tmp_path / "out")
    with pytest.raises(InputError, match=r"photos holds no photo; expected \.apng"):
        edit_folder(job)
    (tmp_path / "photos/notes.txt").write_text("")
    with pytest.raises(InputError, match="holds no photo among its 1 files"):
        estimate(job)
    assert not (tmp_path / "out").exists()


def test_an_mpo_is_a_photo(tmp_path):
    (tmp_path / "p").mkdir()
    picture = Image.fromarray(photographs.pixels())
    more = [Image.fromarray(photographs.pixels(seed=1))]
    (tmp_path / "p/DSCF1.MPO").write_bytes(photographs.encoded(picture, "MPO", save_all=True, append_images=more))
    edit_folder(aligned_job(tmp_path / "p", tmp_path / "out"))
    row = rows(tmp_path / "out")["DSCF1.MPO"]
    assert (row["status"], row["notes"].tolist()) == ("edited", ["primary_picture"])


def test_a_copy_has_no_notes_of_conversions(tmp_path):
    (tmp_path / "p").mkdir()
    wide = Image.new("RGB", (300, 100)).quantize(4)
    for name, form in (("a.gif", "GIF"), ("b.png", "PNG")):
        (tmp_path / "p" / name).write_bytes(photographs.encoded(wide, form))
    edit_folder(aligned_job(tmp_path / "p", tmp_path / "out"))
    assert {(row["status"], *row["notes"]) for row in rows(tmp_path / "out").values()} == {("skipped",)}


def test_large_photos_are_in_memory_one_at_a_time_and_end_the_same(photos, tmp_path, monkeypatch):
    whole = fresh_hashes(photos, tmp_path / "whole")
    monkeypatch.setattr(shard, "LARGE", 178 * 218 - 1)
    reading, held = PhotoReader._read, []

    def read(self, task, most):
        reading(self, task, most)
        if task.photo is not None:
            held.append(threading.get_ident())
            assert shard_lock[0].locked()

    made, shard_lock = shard.Shard.__init__, []

    def make(self, job, name):
        made(self, job, name)
        shard_lock[:] = [self._alone]

    monkeypatch.setattr(PhotoReader, "_read", read)
    monkeypatch.setattr(shard.Shard, "__init__", make)
    out = tmp_path / "out"
    assert run.edit_folder(aligned_job(photos, out)).counts == {"edited": 6}
    assert hashes(out) == whole
    assert len(held) == 6
