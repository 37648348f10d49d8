"""Every source passes over junk."""

import shutil
import zipfile

import pytest

from facet.photos.folder.listing import listing
from facet.sources import celeba, folder
from facet.sources.tree import open_tree, shard_paths
from tests.support import junk
from tests.support.pictures import jpeg, write_celeba

TABLE = "file,Smiling\n1.jpg,0\n2.jpg,0\n"


def packed(root, path):
    """A zip of a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root).as_posix())
    return path


@pytest.fixture
def own(tmp_path):
    """A folder of two pictures with their table, and junk that holds other pictures and another table."""
    root = tmp_path / "own"
    (root / "faces").mkdir(parents=True)
    for place in (root, root / "faces"):
        junk.scatter(place, jpeg(9), table="file,Smiling\n1.jpg,0\n")
    (root / "faces/1.jpg").write_bytes(jpeg(1))
    (root / "faces/2.jpg").write_bytes(jpeg(2))
    (root / "labels.csv").write_text("file,Smiling\n1.jpg,1\n2.jpg,0\n")
    return root


@pytest.mark.parametrize("zipped", [False, True])
def test_junk_takes_the_place_of_no_picture_and_no_table(own, tmp_path, zipped):
    place = packed(own, tmp_path / "own.zip") if zipped else own
    found = folder.read(place)
    assert found.table["member"].tolist() == ["faces/1.jpg", "faces/2.jpg"]
    assert found.table["Smiling"].tolist() == [1, -1]
    assert found.notes["other_files"] == 0
    assert [item.name for item in listing(place).items] == ["faces/1.jpg", "faces/2.jpg"]
    assert listing(place).others == 1  # the table


def test_junk_beside_folders_of_classes_is_no_class(tmp_path):
    for seed, name in enumerate(("happy", "sad")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(jpeg(seed))
    junk.scatter(tmp_path, jpeg(9))
    assert folder.read(tmp_path).attributes == ("happy", "sad")


@pytest.mark.parametrize("zipped", [False, True])
def test_a_thumbnail_of_the_same_name_never_replaces_a_picture_of_celeba(tmp_path, zipped):
    root = write_celeba(tmp_path / "celeba", 4, zipped=False)
    pictures = root / "img_align_celeba"
    for name in ("@eaDir/000001.jpg", "a small copy/000002.jpg"):
        (pictures / name).parent.mkdir()
        (pictures / name).write_bytes(jpeg(9))
    if zipped:
        packed(pictures, root / "img_align_celeba.zip")
        shutil.rmtree(pictures)
    found = celeba.read(root)
    taken = dict(zip(found.table["member"], found.table["problem"], strict=True))
    assert taken == {f"{i:06d}.jpg": "" for i in range(1, 5)} | {"a small copy/000002.jpg": "duplicate_name"}
    (warning,) = found.notes["warnings"]
    assert "1 pictures have the name of another" in warning
    assert "a small copy/000002.jpg" in warning


def test_a_growing_data_set_keeps_every_photo_it_has_taken_in_and_passes_over_junk_beside_its_zips(tmp_path):
    with zipfile.ZipFile(tmp_path / "1.zip", "w") as archive:
        archive.writestr("a/.1\\2.jpg", jpeg(1))
    (tmp_path / "._1.zip").write_bytes(b"of a Mac")
    (tmp_path / "dataset.json").write_text("{}")
    assert open_tree(tmp_path).read("1.zip/a/.1\\2.jpg") == jpeg(1)
    assert [path.name for path in shard_paths(tmp_path)] == ["1.zip"]
