"""CelebA's and LFW's lists as people have them: read right, or refused with the place, the value and what to do."""

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facet.base.errors import InputError
from facet.sources import celeba, digits, lfw
from tests.support.pictures import NAMES, attribute_lines, jpeg, name_of, write_celeba, write_lines

LINES = attribute_lines(6)
ROWS = [line.split() for line in LINES[2:]]
CSV = ["image_id," + ",".join(NAMES), *map(",".join, ROWS)]
HARMLESS = {
    "blank lines": ("txt", [LINES[0], "", LINES[1], *LINES[2:5], " ", *LINES[5:], "", ""]),
    "comments": ("txt", ["# from the mirror", "# again", *LINES]),
    "floats": ("txt", [*LINES[:2], *(" ".join([name, *(f"{cell}.0" for cell in row)]) for name, *row in ROWS)]),
    "values as floats": ("csv", [CSV[0], *(",".join([name, *(f"{cell}.0" for cell in row)]) for name, *row in ROWS)]),
    "the index of pandas": ("csv", [f",{CSV[0]}", *(f"{number},{line}" for number, line in enumerate(CSV[1:]))]),
    "semicolons": ("csv", ["sep=;", *(line.replace(",", ";") for line in CSV)]),
    "blanks": ("csv", [" , ".join(line.split(",")) for line in CSV]),
    "rows of commas": ("csv", [CSV[0], ",,,", *CSV[1:], ",,,"]),
    "an empty last column": ("csv", [f"{line}," for line in CSV]),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_harmless_oddity_of_a_list_changes_nothing(tmp_path, kind):
    root = write_celeba(tmp_path, 6)
    plain = celeba.read(root)
    suffix, lines = HARMLESS[kind]
    (root / "list_attr_celeba.txt").unlink()
    write_lines(root / f"list_attr_celeba.{suffix}", lines)
    listing = celeba.read(root)
    pd.testing.assert_frame_equal(listing.table, plain.table)
    assert listing.notes == plain.notes


def test_identities_and_parts_as_floats_are_the_whole_numbers(tmp_path):
    root = write_celeba(tmp_path, 6)
    plain = celeba.read(root).table
    for stem in ("list_eval_partition", "identity_CelebA"):
        rows = (root / f"{stem}.txt").read_text().split()
        (root / f"{stem}.txt").unlink()
        pairs = zip(rows[::2], rows[1::2], strict=True)
        write_lines(root / f"{stem}.csv", ["image_id,x", *(f"{name},{value}.0" for name, value in pairs)])
    pd.testing.assert_frame_equal(celeba.read(root).table, plain)


@pytest.mark.parametrize("stem", celeba.LISTS)
def test_a_csv_without_header_is_an_error_and_loses_no_row(tmp_path, stem):
    root = write_celeba(tmp_path, 6)
    rows = CSV[1:] if stem == celeba.LISTS[0] else [f"{name_of(index)},{index % 2}" for index in range(6)]
    (root / f"{stem}.txt").unlink()
    write_lines(root / f"{stem}.csv", rows)
    with pytest.raises(InputError, match=rf"{stem}\.csv, line 1 names the picture '000001.jpg' where the names of"):
        celeba.read(root)


def test_a_list_without_its_line_of_names_is_an_error(tmp_path):
    root = write_celeba(tmp_path, 6)
    write_lines(root / "list_attr_celeba.txt", [LINES[0], *LINES[2:]])
    with pytest.raises(InputError, match=r"names the picture '000001.jpg'; expected the names of the attributes"):
        celeba.read(root)


def renamed(root: Path, name: str) -> Path:
    """The third of six pictures under another name."""
    write_celeba(root, 6, zipped=False)
    (root / "img_align_celeba" / name_of(2)).rename(root / "img_align_celeba" / name)
    return root


@pytest.mark.parametrize("name", ["000003.JPG", "deep/000003.jpg"])
def test_the_case_of_an_ending_and_a_folder_are_nothing(tmp_path, name):
    (tmp_path / "img_align_celeba" / name).parent.mkdir(parents=True)
    if name.startswith("deep"):
        root = write_celeba(tmp_path / "other", 6, zipped=False)
        (root / "img_align_celeba/deep").mkdir()
        (root / "img_align_celeba" / name_of(2)).rename(root / "img_align_celeba" / name)
    else:
        (tmp_path / "img_align_celeba").rmdir()
        root = renamed(tmp_path, name)
    listing = celeba.read(root)
    assert listing.table["image_id"].tolist() == [name_of(index) for index in range(6)]
    assert listing.table["member"][2] == name
    assert "warnings" not in listing.notes


def test_a_list_in_another_unicode_form_names_the_same_pictures(tmp_path):
    root = renamed(tmp_path, unicodedata.normalize("NFD", "Zoë.jpg"))
    for stem in celeba.LISTS:
        path = root / f"{stem}.txt"
        path.write_text(path.read_text().replace(name_of(2), unicodedata.normalize("NFC", "Zoë.jpg")))
    table = celeba.read(root).table
    assert table["problem"].eq("").all()
    assert table["official_split"].ne("").all()


def test_pictures_with_another_ending_are_paired_and_told(tmp_path):
    root = renamed(tmp_path, "000003.png")
    listing = celeba.read(root)
    assert listing.table.loc[2, ["image_id", "member", "problem"]].tolist() == ["000003.jpg", "000003.png", ""]
    assert "with another ending than they have: 000003.jpg is 000003.png" in listing.notes["warnings"][0]


@pytest.mark.parametrize("name", ["3.jpg", "0000003.jpg"])
def test_names_of_a_list_that_match_but_for_zeros_stop_with_both_sides(tmp_path, name):
    with pytest.raises(InputError, match=f"'000003.jpg', the picture is '{name}'; write the names"):
        celeba.read(renamed(tmp_path, name))


def test_lists_of_other_pictures_are_named_with_both_sides(tmp_path):
    root = write_celeba(tmp_path, 3)
    write_lines(root / "list_attr_celeba.txt", ["2", LINES[1], "a.jpg 1 1 1", "b.jpg 1 1 1"])
    with pytest.raises(InputError, match=r"list_attr_celeba.txt \(a.jpg, b.jpg\) .*\(000001.jpg, 000002.jpg,"):
        celeba.read(root)
    write_celeba(root, 3)
    write_lines(root / "list_eval_partition.txt", ["a.jpg 0", "b.jpg 1"])
    with pytest.raises(InputError, match=r"list_eval_partition.txt \(a.jpg, b.jpg\) .*\(000001.jpg, 000002.jpg,"):
        celeba.read(root)
    write_lines(root / "list_eval_partition.txt", ["1.jpg 0", "000002.jpg 1"])
    with pytest.raises(InputError, match=r"list_eval_partition.txt .*'1.jpg', the picture is '000001.jpg'"):
        celeba.read(root)
    write_lines(root / "list_eval_partition.txt", ["000001.jpg 0", "000002.jpg 1"])
    listing = celeba.read(root)
    assert listing.table["official_split"].tolist() == ["train", "valid", ""]
    assert "has no row for 1 pictures (000003.jpg)" in listing.notes["warnings"][0]


def test_a_list_that_is_there_twice_may_say_the_same_and_nothing_else(tmp_path):
    root = write_celeba(tmp_path, 6)
    plain = celeba.read(root).table
    write_lines(root / "list_attr_celeba.csv", CSV)
    (root / "Anno").mkdir()
    write_lines(root / "Anno/identity_CelebA.txt", (root / "identity_CelebA.txt").read_text().splitlines())
    pd.testing.assert_frame_equal(celeba.read(root).table, plain)
    write_lines(root / "list_attr_celeba.csv", [*CSV[:3], "000003.jpg,-1,-1,-1", *CSV[4:]])
    with pytest.raises(InputError, match=r"list_attr_celeba\.csv differ: 000003\.jpg has other values there; keep"):
        celeba.read(root)
    (root / "list_attr_celeba.csv").unlink()
    write_lines(root / "Anno/identity_CelebA.txt", ["000001.jpg 7"])
    with pytest.raises(InputError, match=r"Anno/identity_CelebA\.txt differ: 000001\.jpg"):
        celeba.read(root)


@pytest.mark.parametrize("name", ["list_attr_celeba (1).txt", "List_attr_celeba.TXT", "list_attr_celeba - copy.txt"])
def test_a_list_that_a_browser_renamed_is_named(tmp_path, name):
    root = write_celeba(tmp_path, 3)
    (root / "list_attr_celeba.txt").rename(root / name)
    with pytest.raises(InputError, match=r"has no list_attr_celeba.txt or .csv, but .*: rename it") as caught:
        celeba.read(root)
    assert name in str(caught.value)


def test_a_published_file_of_digits_that_was_renamed_is_named(tmp_path):
    (tmp_path / "train-images.idx3-ubyte").write_bytes(b"")
    with pytest.raises(InputError, match=r"no train-images-idx3-ubyte\.gz, but .*train-images\.idx3-ubyte: rename it"):
        digits.read_mnist(tmp_path)


def write_lfw(root: Path, rows: list[str]) -> Path:
    for index, name in enumerate(("Ann_Lee_0001.jpg", "Ann_Lee_0002.jpg", "Bob_Ray_0001.jpg")):
        path = root / "lfw" / name[:7] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(index, 25, 25))
    write_lines(root / lfw.TABLE, rows)
    return root


LFW = ["# lfw", "#\tperson\timagenum\tMale\tSmiling", "Ann Lee\t1\t-1\t0.5", "Ann Lee\t2\t-2\t1.5", "Bob Ray\t1\t3\t-1"]


def test_blank_lines_and_a_table_s_end_are_nothing_to_lfw(tmp_path):
    rows = [*LFW[:2], "", *(f"{line}\t\t" for line in LFW[2:]), "\t\t\t", ""]
    table = lfw.read(write_lfw(tmp_path, rows)).table
    np.testing.assert_allclose(table[["Male", "Smiling"]], [[-1, 0.5], [-2, 1.5], [3, -1]])


def test_lfw_in_another_format_is_paired_and_told(tmp_path):
    root = write_lfw(tmp_path, LFW)
    for path in sorted((root / "lfw").glob("*/*")):
        path.rename(path.with_suffix(".png"))
    listing = lfw.read(root)
    assert listing.table["problem"].eq("").all()
    assert listing.table["member"][0] == "Ann_Lee/Ann_Lee_0001.png"
    assert "Ann_Lee/Ann_Lee_0001.jpg is Ann_Lee/Ann_Lee_0001.png" in listing.notes["warnings"][0]
