import hashlib
import io
import json
import os
import sys
import types
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facet.base.errors import InputError
from facet.base.params import check
from facet.drawn import GRADES, sample_graded
from facet.pictures.decode import BadImage, decode
from facet.sources import folder
from facet.sources.labels import Listing, read_labels
from facet.sources.tree import is_safe, open_tree
from stages import source
from tests.support.pictures import NAMES, attribute_lines, jpeg, name_of, write_celeba, write_lines


def sourced(root: Path, kind: str = "celeba", **changes) -> Listing:
    """Stage `source` of `root`, read back from labels.parquet."""
    raw = root.parent / "raw"
    values = {"kind": kind, "root": root, "raw": raw, "count": 0, "seed": 0, "workers": 2, "download": False} | changes
    source.run(check(source.Params(**values)))
    return read_labels(raw)


def test_the_published_layout_is_listed_with_labels_splits_identities_and_hashes(tmp_path):
    listing = sourced(write_celeba(tmp_path / "celeba", 10))
    table = listing.table
    assert (listing.source, listing.images, listing.attributes) == ("celeba", "zip", NAMES)
    assert table["image_id"].tolist() == [name_of(index) for index in range(10)]
    assert table["official_split"].tolist() == ["train"] * 6 + ["valid"] * 2 + ["test"] * 2
    assert table["identity"].tolist() == [100 + index // 2 for index in range(10)]
    assert table.loc[5, list(NAMES)].tolist() == [1, -1, 1]
    assert table["sha256"][7] == hashlib.sha256(jpeg(7)).hexdigest()


def kaggle(root: Path, count: int) -> None:
    """Kaggle's repacking: CSVs, and the pictures in a folder inside the folder."""
    write_celeba(root, count, zipped=False)
    inner = root / "aside"
    (root / "img_align_celeba").rename(inner)
    (root / "img_align_celeba").mkdir()
    inner.rename(root / "img_align_celeba" / "img_align_celeba")
    rows = [line.split() for line in attribute_lines(count)[2:]]
    write_lines(root / "list_attr_celeba.csv", [",".join(["image_id", *NAMES]), *[",".join(row) for row in rows]])
    (root / "list_attr_celeba.txt").unlink()
    parts = (root / "list_eval_partition.txt").read_text().split("\n")
    write_lines(root / "list_eval_partition.csv", ["image_id,partition", *[p.replace(" ", ",") for p in parts if p]])
    (root / "list_eval_partition.txt").unlink()


def test_kaggle_s_csvs_and_archive_say_the_same_as_the_published_lists(tmp_path):
    published = sourced(write_celeba(tmp_path / "celeba", 10)).table
    kaggle(tmp_path / "kaggle", 10)
    unpacked = sourced(tmp_path / "kaggle").table
    with zipfile.ZipFile(tmp_path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((tmp_path / "kaggle").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "kaggle"))
    packed = sourced(tmp_path / "archive.zip").table
    for table in (unpacked, packed):
        pd.testing.assert_frame_equal(table.drop(columns="member"), published.drop(columns="member"))


def test_without_lists_of_parts_and_identities_both_are_unknown(tmp_path):
    root = write_celeba(tmp_path / "celeba", 4)
    (root / "list_eval_partition.txt").unlink()
    (root / "identity_CelebA.txt").unlink()
    table = sourced(root).table
    assert table["official_split"].eq("").all()
    assert table["identity"].isna().all()


def test_count_keeps_the_first_pictures(tmp_path):
    assert sourced(write_celeba(tmp_path / "celeba", 10), count=3).table["image_id"].tolist() == list(
        map(name_of, range(3))
    )


HTML = "<!DOCTYPE html><html><body>Google Drive - Quota exceeded</body></html>"
LINES = attribute_lines(6)
BAD_LISTS = {
    "HTML": ([HTML], r"web page \(HTML\)"),
    "html after blank lines": (["", "  ", "<html>"], "web page"),
    "nothing": ([], "is empty"),
    "blank lines": (["", ""], "is empty"),
    "count too high": (["7", *LINES[1:]], "says 7 pictures in line 1 and has 6 rows"),
    "count too low": (["5", *LINES[1:]], "says 5 pictures in line 1 and has 6 rows"),
    "no count": (LINES[1:], "line 1 is .* expected the number of pictures"),
    "only a count": (LINES[:1], "expected the number of pictures, then"),
    "a negative count": (["-6", *LINES[1:]], "expected the number of pictures"),
    "one value too few": ([*LINES[:4], "000003.jpg 1 -1", *LINES[5:]], "line 5 has 3 columns; expected a name and 3"),
    "one value too many": ([*LINES[:4], "000003.jpg 1 -1 1 1", *LINES[5:]], "line 5 has 5 columns"),
    "a value 0": ([*LINES[:4], "000003.jpg 1 -1 0", *LINES[5:]], r"line 5 \(000003.jpg\) has the value '0'; expected"),
    "a value 2": ([*LINES[:4], "000003.jpg 1 -1 2", *LINES[5:]], "has the value '2'"),
    "a word": ([*LINES[:4], "000003.jpg 1 -1 yes", *LINES[5:]], "has the value 'yes'"),
    "a fraction": ([*LINES[:4], "000003.jpg 1 -1 0.5", *LINES[5:]], "has the value '0.5'"),
    "a picture twice": ([*LINES[:4], "000001.jpg 1 -1 1", *LINES[5:]], "names '000001.jpg' a second time"),
    "a name with ..": ([*LINES[:4], "../../etc/passwd 1 -1 1", *LINES[5:]], "is outside the folder"),
    "an absolute name": ([*LINES[:4], "/etc/passwd 1 -1 1", *LINES[5:]], "is outside the folder"),
    "an attribute twice": ([LINES[0], "Male Male Smiling", *LINES[2:]], "names the attribute 'Male' twice"),
    "a reserved name": ([LINES[0], "Male split Smiling", *LINES[2:]], "attribute named 'split', which is reserved"),
    "a name with =": ([LINES[0], "Male a=b Smiling", *LINES[2:]], "attribute named 'a=b'"),
    "one name too few": ([LINES[0], "Male Smiling", *LINES[2:]], "line 3 has 4 columns"),
    "other pictures": (["2", LINES[1], "a.jpg 1 1 1", "b.jpg 1 1 1"], "none of the 2 rows"),
    "JSON": (['{"error": "not found"}'], "expected the number of pictures"),
}


@pytest.mark.parametrize("fault", BAD_LISTS)
def test_a_list_of_attributes_that_is_not_as_published_is_a_clear_error(tmp_path, fault):
    lines, message = BAD_LISTS[fault]
    root = write_celeba(tmp_path / "celeba", 6)
    write_lines(root / "list_attr_celeba.txt", lines)
    with pytest.raises(InputError, match=message) as caught:
        sourced(root)
    assert "list_attr_celeba.txt" in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"celeba"}


BAD_SIDE_LISTS = [
    ("list_eval_partition.txt", [HTML], "web page"),
    ("list_eval_partition.txt", ["000001.jpg 3"], "has the part '3'"),
    ("list_eval_partition.txt", ["000001.jpg train"], "has the part 'train'"),
    ("list_eval_partition.txt", ["000001.jpg"], "line 1 has 1 columns; expected 2"),
    ("list_eval_partition.txt", ["000001.jpg 0", "000001.jpg 2"], "line 2 puts '000001.jpg' into a second part"),
    ("list_eval_partition.txt", [""], "is empty"),
    ("identity_CelebA.txt", [HTML], "web page"),
    ("identity_CelebA.txt", ["000001.jpg Bob"], "has the identity 'Bob'"),
    ("identity_CelebA.txt", ["000001.jpg -3"], "has the identity '-3'"),
    ("identity_CelebA.txt", ["000001.jpg 99999999999"], "has the identity '99999999999'"),
    ("identity_CelebA.txt", ["000001.jpg 1 2"], "line 1 has 3 columns"),
    ("identity_CelebA.txt", ["000001.jpg 1", "000001.jpg 2"], "gives '000001.jpg' a second identity"),
]


@pytest.mark.parametrize(("file", "lines", "message"), BAD_SIDE_LISTS)
def test_a_faulty_list_of_parts_or_identities_is_a_clear_error(tmp_path, file, lines, message):
    root = write_celeba(tmp_path / "celeba", 3)
    write_lines(root / file, lines)
    with pytest.raises(InputError, match=message):
        sourced(root)
    assert not (tmp_path / "raw").exists()


def test_bytes_that_are_no_text_are_a_clear_error(tmp_path):
    root = write_celeba(tmp_path / "celeba", 3)
    (root / "list_attr_celeba.txt").write_bytes(jpeg(0))
    with pytest.raises(InputError, match="is not text"):
        sourced(root)


def test_a_list_in_utf_16_is_read_as_spreadsheets_write_it(tmp_path):
    root = write_celeba(tmp_path / "celeba", 3)
    path = root / "list_attr_celeba.txt"
    plain = sourced(root).table
    path.write_bytes(path.read_text().encode("utf-16"))
    pd.testing.assert_frame_equal(sourced(root).table, plain)


def test_missing_pieces_are_named(tmp_path):
    with pytest.raises(InputError, match=r"is missing; expected img_align_celeba.zip"):
        sourced(tmp_path / "nowhere")
    root = write_celeba(tmp_path / "celeba", 3)
    (root / "list_attr_celeba.txt").unlink()
    with pytest.raises(InputError, match=r"has no list_attr_celeba.txt or .csv"):
        sourced(root)
    write_lines(root / "list_attr_celeba.txt", attribute_lines(3))
    (root / "img_align_celeba.zip").unlink()
    with pytest.raises(InputError, match="holds no picture"):
        sourced(root)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 cut short", HTML.encode(), b"\0" * 1000], ids=["empty", "cut", "html", "0"]
)
def test_a_zip_that_is_none_is_a_clear_error(tmp_path, data):
    root = write_celeba(tmp_path / "celeba", 3)
    (root / "img_align_celeba.zip").write_bytes(data)
    with pytest.raises(InputError, match="web page" if b"html" in data else "is not a complete zip file"):
        sourced(root)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_zip_cut_short_is_a_clear_error(tmp_path, share):
    root = write_celeba(tmp_path / "celeba", 3)
    data = (root / "img_align_celeba.zip").read_bytes()
    (root / "img_align_celeba.zip").write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match="is not a complete zip file"):
        sourced(root)


UNSAFE = [
    "../outside.jpg",
    "/etc/outside.jpg",
    "a/../../outside.jpg",
    "..\\outside.jpg",
    "C:\\outside.jpg",
    "C:outside.jpg",
]


@pytest.mark.parametrize("name", UNSAFE)
def test_a_zip_member_that_leads_outside_is_listed_and_never_read(tmp_path, name):
    root = write_celeba(tmp_path / "celeba", 3)
    with zipfile.ZipFile(root / "img_align_celeba.zip", "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), jpeg(9))
    table = sourced(root).table
    assert table["problem"].tolist() == ["", "", "", "unsafe_name"]
    assert table["sha256"][3] == ""
    assert {path.name for path in tmp_path.iterdir()} == {"celeba", "raw"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_backslashes_in_the_names_of_a_zip_are_slashes(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("happy\\", "")
        archive.writestr("happy\\1.jpg", jpeg(1))
        archive.writestr("sad\\deep/1.jpg", jpeg(2))
        archive.writestr("sad\\@eaDir\\1.jpg", jpeg(3))
    tree = open_tree(tmp_path / "a.zip")
    assert tree.names == ["happy/1.jpg", "sad/deep/1.jpg"]
    assert [tree.read(name) for name in tree.names] == [jpeg(1), jpeg(2)]
    assert folder.read(tmp_path / "a.zip").attributes == ("happy", "sad")


def test_names_that_stay_inside_are_safe():
    assert all(is_safe(name) for name in ("a.jpg", "a/b.jpg", "a..b.jpg", "./a.jpg", "img align/ä.jpg"))


def test_a_member_that_is_there_twice_is_kept_once(tmp_path):
    root = write_celeba(tmp_path / "celeba", 3)
    with zipfile.ZipFile(root / "img_align_celeba.zip", "a") as archive:
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("img_align_celeba/000001.jpg", jpeg(8))
        archive.writestr("other/000002.jpg", jpeg(9))
    table = sourced(root).table
    assert table["problem"].tolist() == ["", "", "", "duplicate_name", "duplicate_name"]
    assert table["image_id"].is_unique
    assert table["sha256"][0] == hashlib.sha256(jpeg(0)).hexdigest()


def test_damaged_and_encrypted_members_are_unreadable_and_the_others_go_on(tmp_path):
    root = write_celeba(tmp_path / "celeba", 4)
    path = root / "img_align_celeba.zip"
    data = bytearray(path.read_bytes())
    data[data.index(jpeg(1)) + 500] ^= 255  # one byte of the second picture: its checksum differs
    entry = data.index(b"img_align_celeba/000003.jpg", data.index(b"PK\x01\x02")) - 46
    data[entry + 8] |= 1  # the third picture is flagged as encrypted
    path.write_bytes(data)
    tree = open_tree(path)
    for name, message in (("000002", "checksum differs"), ("000003", "encrypted")):
        with pytest.raises(BadImage, match=message):
            tree.read(f"img_align_celeba/{name}.jpg")
    assert tree.read("img_align_celeba/000004.jpg") == jpeg(3)
    assert sourced(root).table["sha256"].eq("").tolist() == [False, True, True, False]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_of_compression_gives_the_bytes_back(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("x/y.jpg", jpeg(5))
        archive.writestr("ä.txt", "hello")
    tree = open_tree(tmp_path / "a.zip")
    assert tree.names == ["x/y.jpg", "ä.txt"]
    assert (tree.read("x/y.jpg"), tree.read("ä.txt")) == (jpeg(5), b"hello")


def test_a_zip_member_that_unpacks_to_more_than_it_says_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.jpg", b"\0" * 10_000_000)
    data = bytearray(buffer.getvalue())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (1000).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(BadImage, match="unreadable"):
        open_tree(tmp_path / "a.zip").read("bomb.jpg")


def test_links_in_a_circle_do_not_trap_the_reader(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(jpeg(0))
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    assert open_tree(tmp_path / "a").names == ["1.jpg"]


def write_folder(root: Path, names: list[str]) -> Path:
    for index, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg(index))
    return root


def test_a_folder_with_a_csv_understands_signs_bits_words_numbers_identity_and_split(tmp_path):
    root = write_folder(tmp_path / "mine", ["a/1.jpg", "a/2.png", "b/3.jpg", "b/4.jpg"])
    write_lines(
        root / "labels.csv",
        [
            "file,signs,bits,truth,with unknown,age,note,identity,split",
            "a/1.jpg,1,1,true,1,31.5,hello,ann,train",
            "2.png,-1,0,False,,40,bye,bob,val",
            "3,1,0,yes,-1,,hm,ann,TEST",
            "gone.jpg,1,1,no,0,1,x,bob,train",
        ],
    )
    listing = sourced(root, "folder")
    table = listing.table
    assert listing.attributes == ("signs", "bits", "truth", "with_unknown")
    assert listing.real == ("age",)
    assert table["image_id"].tolist() == ["a/1.jpg", "a/2.png", "b/3.jpg", "b/4.jpg"]
    assert table[["signs", "bits", "truth", "with_unknown"]].to_numpy()[:3].tolist() == [
        [1, 1, 1, 1],
        [-1, -1, -1, 0],
        [1, -1, 1, -1],
    ]
    assert table["age"][:2].tolist() == [31.5, 40]
    assert np.isnan(table["age"][2])
    first, second, third = table["identity"][:3]
    assert first == third != second
    assert [first, second] == [zlib.crc32(name) >> 1 for name in (b"ann", b"bob")]
    assert table["official_split"].tolist() == ["train", "valid", "test", ""]
    assert table["problem"].tolist() == ["", "", "", "no_labels"]
    notes = json.loads((tmp_path / "raw" / "source.json").read_text())["notes"]
    assert notes["columns_of_words_left_out"] == ["note"]
    assert notes["label_rows_without_picture"] == 1


def test_what_source_guessed_is_a_warning_and_stays_in_its_record(tmp_path, caplog):
    root = write_folder(tmp_path / "mine", ["1.jpg", "2.png"])
    write_lines(root / "labels.csv", ["file,Smiling,note", "1.jpg,1,hello", "2.jpg,0,"])
    sourced(root, "folder")
    notes = json.loads((tmp_path / "raw" / "source.json").read_text())["notes"]
    for text in ("2.jpg is 2.png", "column note holds words ('hello' in line 2) and is left out"):
        assert any(text in warning for warning in notes["warnings"])
        assert any(text in record.message and record.levelname == "WARNING" for record in caplog.records)


def test_a_zip_and_a_parquet_of_labels_say_the_same_as_a_folder_and_a_csv(tmp_path):
    root = write_folder(tmp_path / "mine", ["1.jpg", "2.jpg"])
    write_lines(root / "labels.csv", ["image;Smiling;age", "1.jpg;1;20", "2.jpg;0;30.5"])
    folder = sourced(root, "folder").table
    pd.DataFrame({"image": ["1.jpg", "2.jpg"], "Smiling": [True, False], "age": [20.0, 30.5]}).to_parquet(
        tmp_path / "labels.parquet"
    )
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.write(tmp_path / "labels.parquet", "top/labels.parquet")
        for name in ("1.jpg", "2.jpg"):
            archive.write(root / name, f"top/{name}")
    packed = sourced(tmp_path / "mine.zip", "folder").table
    drop = ["image_id", "member"]
    pd.testing.assert_frame_equal(packed.drop(columns=drop), folder.drop(columns=drop))


def test_one_folder_per_class_makes_one_attribute_each(tmp_path):
    root = write_folder(tmp_path / "mine", ["all/big hat/1.jpg", "all/big hat/deep/2.jpg", "all/none/3.jpg"])
    listing = sourced(root, "folder")
    assert listing.attributes == ("big_hat", "none")
    assert listing.table[["big_hat", "none"]].to_numpy().tolist() == [[1, -1], [1, -1], [-1, 1]]


def test_folders_named_like_splits_are_the_official_split(tmp_path):
    root = write_folder(tmp_path / "mine", ["train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg", "test/dog/4.jpg"])
    listing = sourced(root, "folder")
    assert listing.attributes == ("cat", "dog")
    assert sorted(listing.table["official_split"]) == ["test", "train", "train", "valid"]


BAD_TABLES = {
    "HTML": ([HTML], "web page"),
    "no attribute": (["image", "1.jpg"], "expected the picture's name, then at least one attribute"),
    "ragged": (["image,a", "1.jpg,1,1"], "line 2 has 3 cells; expected 2"),
    "short": (["image,a,b", "1.jpg,1"], "line 2 has 2 cells; expected 3"),
    "a word among signs": (["image,a", "1.jpg,1", "x/2.jpg,maybe"], "line 3 has 'maybe' in the column a"),
    "infinity": (["image,a", "1.jpg,0.5", "x/2.jpg,inf"], "has 'inf' in the column a"),
    "a picture twice": (["image,a", "1.jpg,1", "1.jpg,0"], "names '1.jpg' a second time"),
    "no such pictures": (["image,a", "7.jpg,1"], "none of the 1 rows"),
    "no name": (["image,a", ",1"], "line 2 names no picture"),
    "several answer": (["image,a", "2.jpg,1"], "names '2.jpg', of which there are several"),
    "a bad split": (["image,a,split", "1.jpg,1,holdout"], "has the split 'holdout'"),
    "a reserved name": (["image,row", "1.jpg,1"], "attribute named 'row'"),
    "a column twice": (["image,a,a", "1.jpg,1,1"], "the attribute 'a' twice"),
    "an unnamed column": (["image,a,", "1.jpg,1,1"], "column 3 has no name and holds '1' in line 2: name"),
    "empty": ([], "is empty"),
}


@pytest.mark.parametrize("fault", BAD_TABLES)
def test_a_table_of_labels_that_does_not_fit_is_a_clear_error(tmp_path, fault):
    lines, message = BAD_TABLES[fault]
    root = write_folder(tmp_path / "mine", ["1.jpg", "x/2.jpg", "y/2.jpg"])
    write_lines(root / "labels.csv", lines)
    with pytest.raises(InputError, match=message):
        sourced(root, "folder")
    assert not (tmp_path / "raw").exists()


def test_folders_that_hold_nothing_to_learn_from_are_a_clear_error(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        sourced(tmp_path / "nowhere", "folder")
    root = write_folder(tmp_path / "mine", ["1.jpg"])
    with pytest.raises(InputError, match="pictures and no labels"):
        sourced(root, "folder")
    (root / "1.jpg").rename(root / "1.txt")
    with pytest.raises(InputError, match=r"holds no picture \(1 other files\)"):
        sourced(root, "folder")
    (root / "labels.parquet").write_bytes(b"not parquet")
    (root / "1.txt").rename(root / "1.jpg")
    with pytest.raises(InputError, match="is not a Parquet file"):
        sourced(root, "folder")
    twice = pa.table([["1.jpg"], [1], [0]], names=["image", "Smiling", "Smiling"])
    pq.write_table(twice, root / "labels.parquet")
    with pytest.raises(InputError, match="names the attribute 'Smiling' twice"):
        sourced(root, "folder")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "faces"}, "kind 'faces' is unknown; choose one of drawn, drawn_graded, celeba, folder"),
        ({"workers": -1}, "workers -1"),
        ({"count": -1}, "count -1"),
        ({"kind": "drawn", "count": 0}, "need the number to draw"),
    ],
)
def test_a_param_that_does_not_fit_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        sourced(write_celeba(tmp_path / "celeba", 2), **changes)
    assert not (tmp_path / "raw").exists()


def test_a_download_is_tried_only_where_nothing_is_and_its_failure_is_one_clear_error(tmp_path, monkeypatch):
    assert len(sourced(write_celeba(tmp_path / "celeba", 2), download=True).table) == 2
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    if "torchvision" in sys.modules:  # another test may have imported it
        monkeypatch.delattr(sys.modules["torchvision"], "datasets", raising=False)
    with pytest.raises(InputError, match="download needs torchvision, which is not installed"):
        sourced(tmp_path / "nowhere", download=True)

    class Refused:
        def __init__(self, *args, **options):
            raise RuntimeError("Too many users have viewed or downloaded this file recently")

    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", types.SimpleNamespace(CelebA=Refused))
    with pytest.raises(InputError, match=r"could not be downloaded \(Too many users.* fetch it by hand"):
        sourced(tmp_path / "nowhere", download=True)


def test_a_downloaded_celeba_is_read_from_raw(tmp_path, monkeypatch):
    class Fetched:
        def __init__(self, root, **options):
            write_celeba(Path(root) / "celeba", 3)

    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", types.SimpleNamespace(CelebA=Fetched))
    listing = sourced(tmp_path / "nowhere", download=True)
    where = listing.where(tmp_path / "nowhere", tmp_path / "raw")
    assert where == tmp_path / "raw" / "celeba" / "img_align_celeba.zip"
    assert where.exists()


def test_a_table_that_source_did_not_write_is_named(tmp_path):
    with pytest.raises(InputError, match="stage `source` writes it"):
        read_labels(tmp_path)
    (tmp_path / "labels.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="was not written by stage `source`"):
        read_labels(tmp_path)


@pytest.mark.slow
def test_drawn_faces_are_the_same_bytes_for_a_seed_whatever_the_workers(tmp_path):
    made = []
    for index, (seed, workers) in enumerate([(1, 1), (1, 3), (2, 1)]):
        raw = tmp_path / str(index) / "raw"
        source.run(source.Params(kind="drawn", root=raw, raw=raw, count=70, seed=seed, workers=workers, download=False))
        made.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(raw.iterdir())})
    assert made[0] == made[1]
    assert made[0]["img_align_celeba.zip"] != made[2]["img_align_celeba.zip"]


def test_drawn_faces_are_written_in_celeba_s_layout(tmp_path):
    raw = tmp_path / "raw"
    source.run(source.Params(kind="drawn", root=tmp_path, raw=raw, count=40, seed=0, workers=1, download=False))
    listing = read_labels(raw)
    assert listing.where(tmp_path, raw) == raw / "img_align_celeba.zip"
    assert listing.source == "drawn"
    assert len(listing.table) == 40
    assert (raw / "list_attr_celeba.txt").read_bytes().startswith(b"40\r\n")
    tree = open_tree(raw / "img_align_celeba.zip")
    assert decode(tree.read("img_align_celeba/000001.jpg")).shape == (218, 178, 3)
    whole = listing.table.groupby("identity")["official_split"].nunique()
    assert whole.eq(1).all()
    assert set(listing.table["official_split"]) == {"train", "valid", "test"}
    assert pq.read_table(raw / "labels.parquet").num_rows == 40


def test_graded_faces_have_real_numbers_in_the_place_of_the_attributes_they_grade(tmp_path):
    listings = {}
    for kind in ("drawn", "drawn_graded"):
        raw = tmp_path / kind
        source.run(source.Params(kind=kind, root=tmp_path, raw=raw, count=40, seed=0, workers=1, download=False))
        listings[kind] = read_labels(raw)
    plain, graded = listings.values()
    assert not plain.real
    assert set(graded.real) == set(GRADES)
    replaced = {name for others in GRADES.values() for name in others}
    assert set(graded.attributes) == set(plain.attributes) - replaced
    people = [sample_graded(0, index) for index in range(40)]
    for name in GRADES:
        np.testing.assert_allclose(graded.table[name], [person.grades[name] for person in people], rtol=1e-6)
    assert graded.source == "drawn"  # as free to publish
    assert graded.table["identity"].equals(plain.table["identity"])
    archives = [open_tree(listing.where(tmp_path, tmp_path / kind)) for kind, listing in listings.items()]
    first, second = (decode(archive.read("img_align_celeba/000001.jpg")) for archive in archives)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("inside", ["", "pictures"])
def test_a_source_that_would_be_replaced_by_its_own_result_is_refused_and_kept(tmp_path, inside):
    root = tmp_path / "raw" / inside
    root.mkdir(parents=True)
    (root / "a.jpg").write_bytes(jpeg(1))
    with pytest.raises(InputError, match="move them"):
        source.run(
            source.Params(kind="folder", root=root, raw=tmp_path / "raw", count=0, seed=0, workers=1, download=False)
        )
    assert (root / "a.jpg").exists()


def test_a_pipe_among_the_pictures_is_quarantined_and_nobody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(BadImage, match="no regular file"):
        open_tree(tmp_path).read("a.jpg")


def test_a_name_that_is_not_utf8_is_a_clear_error(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.jpg")).write_bytes(b"")
    with pytest.raises(InputError, match="rename it"):
        open_tree(tmp_path)


def test_a_word_among_true_and_false_is_an_error_not_a_column_lost(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    (tmp_path / "b.jpg").write_bytes(jpeg(2))
    (tmp_path / "labels.csv").write_text("file,Smiling\na.jpg,true\nb.jpg,maybe\n")
    with pytest.raises(InputError, match="'maybe' in the column Smiling"):
        sourced(tmp_path, kind="folder", raw=tmp_path.parent / f"{tmp_path.name}-raw")


def test_a_quotation_mark_that_is_never_closed_is_a_clear_error(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    (tmp_path / "labels.csv").write_text('file,Smiling\n"a.jpg,1\n' + "x" * 200_000)
    with pytest.raises(InputError, match="not closed"):
        sourced(tmp_path, kind="folder", raw=tmp_path.parent / f"{tmp_path.name}-raw")


def test_a_quotation_mark_in_kaggle_s_csv_that_is_never_closed_is_a_clear_error(tmp_path):
    kaggle(tmp_path, 3)
    (tmp_path / "list_attr_celeba.csv").write_text('image_id,Smiling\n"000001.jpg,1\n' + "x" * 200_000)
    with pytest.raises(InputError, match="not closed"):
        sourced(tmp_path, raw=tmp_path.parent / f"{tmp_path.name}-raw")
