"""Tables of labels as people have them: read right, or refused with the place, the value and what to do."""

import io
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facet.base.errors import InputError
from facet.sources import folder
from facet.sources.labels import Listing
from tests.support.pictures import jpeg

NAMES = ["a.jpg", "b.jpg", "c.jpg"]


def with_pictures(root: Path, names: list[str]) -> Path:
    for index, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg(index, 8, 8))
    return root


def listed(root: Path, table: str | bytes, names: list[str] = NAMES, name: str = "labels.csv") -> Listing:
    """The pictures `names` with a table of labels."""
    with_pictures(root, names)
    (root / name).write_bytes(table.encode() if isinstance(table, str) else table)
    return folder.read(root)


def signs(listing: Listing, column: str = "Smiling") -> dict[str, int]:
    table = listing.table[listing.table["problem"] == ""]
    return dict(zip(table["image_id"], table[column].tolist(), strict=True))


def warnings(listing: Listing) -> str:
    return "\n".join(listing.notes.get("warnings", ()))


EXPECTED = {"a.jpg": 1, "b.jpg": -1, "c.jpg": 1}
PLAIN = "file,Smiling\na.jpg,1\nb.jpg,0\nc.jpg,1\n"
HARMLESS = {
    "sep above": "sep=;\r\nfile;Smiling\r\na.jpg;1\r\nb.jpg;0\r\nc.jpg;1\r\n",
    "sep of tabs": "sep=\t\nfile\tSmiling\na.jpg\t1\nb.jpg\t0\nc.jpg\t1\n",
    "comments above": "# labelled by ann, bob\n#, and, checked\n" + PLAIN,
    "quoted comments": '"# labelled by ann"\n' + PLAIN,
    "blank lines": "\n\n" + PLAIN.replace("\n", "\n\n") + "   \n\n",
    "rows of commas": PLAIN.replace("b.jpg", ",\nb.jpg") + ",\n,,,,\n",
    "cells beyond the header": "file,Smiling\na.jpg,1,,\nb.jpg,0,\nc.jpg,1\n",
    "an empty last column": "file,Smiling,\na.jpg,1,\nb.jpg,0,\nc.jpg,1,\n",
    "empty last columns of some rows": "file,Smiling,,\na.jpg,1\nb.jpg,0,\nc.jpg,1,,\n",
    "an empty column inside": "file,,Smiling\na.jpg,,1\nb.jpg,,0\nc.jpg,,1\n",
    "the index of pandas": ",file,Smiling\n0,a.jpg,1\n1,b.jpg,0\n2,c.jpg,1\n",
    "the index of pandas, read once more": "Unnamed: 0,file,Smiling\n0,a.jpg,1\n1,b.jpg,0\n2,c.jpg,1\n",
    "blanks": " file , Smiling \n a.jpg , 1\nb.jpg\t, 0 \n\u00a0c.jpg,1 \n",
    "blanks before quotes": 'file, "Smiling"\na.jpg, "1"\n"b.jpg", 0\nc.jpg,1\n',
    "old Macintosh": PLAIN.replace("\n", "\r"),
    "doubled returns": PLAIN.replace("\n", "\r\r\n"),
    "the end mark of DOS": PLAIN + "\x1a",
    "bars": PLAIN.replace(",", "|"),
    "a mark": "\ufeff" + PLAIN,
    "floats": PLAIN.replace(",1", ",1.00").replace(",0", ",0.0"),
    "slashes of Windows": PLAIN.replace("a.jpg", ".\\a.jpg").replace("b.jpg", "./b.jpg"),
    "endings in capitals": PLAIN.replace("a.jpg", "a.JPG"),
    "no endings": PLAIN.replace(".jpg", ""),
    "invisible characters": PLAIN.replace("a.jpg", "\u200ba.jpg\ufeff"),
    "two marks": "\ufeff\ufeff" + PLAIN,
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_harmless_oddity_of_a_table_changes_nothing(tmp_path, kind):
    listing = listed(tmp_path, HARMLESS[kind])
    assert signs(listing) == EXPECTED
    assert listing.attributes == ("Smiling",)
    assert "warnings" not in listing.notes


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_table_with_a_byte_order_mark_is_read(tmp_path, encoding):
    assert signs(listed(tmp_path, PLAIN.encode(encoding))) == EXPECTED


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x0c", "\x0b", "\x1c", "\x85", "\r"])
def test_only_line_feeds_end_a_line(tmp_path, odd):
    listing = listed(tmp_path, f"file,Smiling,note\na.jpg,1,one{odd}two\nb.jpg,0,\nc.jpg,1,\n")
    assert signs(listing) == EXPECTED


def test_quoted_line_ends_are_part_of_a_cell(tmp_path):
    table = 'file,Smiling,note\na.jpg,1,"one\ntwo, three\r\n\r\nfour"\nb.jpg,0,\nc.jpg,oops,\n'
    with pytest.raises(InputError, match="line 7 has 'oops' in the column Smiling"):
        listed(tmp_path, table)
    (tmp_path / "labels.csv").write_text(table.replace("oops", "1"))
    assert signs(folder.read(tmp_path)) == EXPECTED


def test_numbers_may_name_attributes_if_the_first_column_has_a_name(tmp_path):
    listing = listed(tmp_path, "file,0,1\na.jpg,1,0\nb.jpg,0,1\nc.jpg,1,0\n", [*NAMES, "file.jpg"])
    assert listing.attributes == ("0", "1")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_in_another_unicode_form_is_the_same_name(tmp_path, form):
    other = "NFD" if form == "NFC" else "NFC"
    names = [unicodedata.normalize(form, name) for name in ("José.jpg", "Zoë/Å 1.jpg")]
    rows = "".join(f"{unicodedata.normalize(other, name)},{index}\n" for index, name in enumerate(names))
    listing = listed(tmp_path, f"file,Smiling\n{rows}", names)
    assert signs(listing) == {names[0]: -1, names[1]: 1}
    assert "warnings" not in listing.notes


def test_the_exact_spelling_takes_precedence(tmp_path):
    listing = listed(tmp_path, "file,Smiling\na.jpg,1\na.JPG,0\n", ["a.jpg", "a.JPG"])
    assert signs(listing) == {"a.jpg": 1, "a.JPG": -1}


def test_a_picture_with_another_ending_is_paired_and_told(tmp_path):
    listing = listed(tmp_path, PLAIN.replace("a.jpg", "a.heic"), ["a.jpg", "b.png", "c.jpeg"])
    assert signs(listing) == {"a.jpg": 1, "b.png": -1, "c.jpeg": 1}
    for pair in (
        "3 pictures are named with another ending than",
        "a.heic is a.jpg",
        "b.jpg is b.png",
        "c.jpg is c.jpeg",
    ):
        assert pair in warnings(listing)


ALMOST = {
    "zeros": ([f"{i}.jpg" for i in range(20)], [f"{i:02d}.jpg" for i in range(20)], "'0.jpg', the picture is '00.jpg'"),
    "fewer zeros": (["001.jpg", "a.jpg"], ["1.jpg", "a.jpg"], "line 2 has '001.jpg', the picture is '1.jpg'"),
    "case": (["IMG_1.jpg", "a.jpg"], ["img_1.jpg", "a.jpg"], "'IMG_1.jpg', the picture is 'img_1.jpg'"),
    "case of a folder": (["Cats/1.jpg", "a.jpg"], ["cats/1.jpg", "a.jpg"], "'Cats/1.jpg', the picture is 'cats/1.jpg'"),
    "a folder": (["img/b.jpg", "a.jpg"], ["b.jpg", "a.jpg"], "line 2 has 'img/b.jpg', the picture is 'b.jpg'"),
    "a path elsewhere": (
        ["C:\\x\\b.jpg", "/x/y/a.jpg"],
        ["y/a.jpg", "b.jpg"],
        "the picture is 'b.jpg'; line 3 has '/x/y/a",
    ),
    "blanks": (["my face.jpg", "a.jpg"], ["my_face.jpg", "a.jpg"], "'my face.jpg', the picture is 'my_face.jpg'"),
    "all of them": (["IMG1.jpg", "IMG2.jpg"], ["img1.jpg", "img2.jpg"], "2 pictures .*'IMG1.jpg', the picture is"),
}


@pytest.mark.parametrize("kind", ALMOST)
def test_names_that_match_but_for_zeros_or_case_stop_with_both_sides(tmp_path, kind):
    named, names, message = ALMOST[kind]
    rows = "".join(f"{name},{index % 2}\n" for index, name in enumerate(named))
    with pytest.raises(InputError, match=message) as caught:
        listed(tmp_path, f"file,Smiling\n{rows}", names)
    assert "write the names in the table as the files have them" in str(caught.value)


def test_pictures_of_other_folders_are_not_taken_for_the_lost_ones(tmp_path):
    listing = listed(tmp_path, "file,Smiling\nann/1.jpg,1\nbob/1.jpg,0\n", ["bob/1.jpg", "cid/1.jpg"])
    assert signs(listing) == {"bob/1.jpg": -1}
    assert "1 rows of" in warnings(listing)


def test_what_is_lost_on_both_sides_is_told_with_its_first_names(tmp_path):
    listing = listed(tmp_path, "file,Smiling\na.jpg,1\ny.jpg,0\nz.jpg,1\n")
    assert "2 rows of" in warnings(listing)
    assert "name no picture (y.jpg, z.jpg), and 2 pictures have no row (b.jpg, c.jpg)" in warnings(listing)


@pytest.mark.parametrize("name", ["Labels.CSV", "LABELS.csv", "labels.Csv"])
def test_the_case_of_the_table_s_name_is_nothing(tmp_path, name):
    assert signs(listed(tmp_path, PLAIN, name=name)) == EXPECTED


def excel() -> bytes:
    """The parts of a spreadsheet that matter here."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", "<t>file</t><t>a.jpg</t><t>b.jpg</t>")
    return data.getvalue()


def parquet(table: pd.DataFrame) -> bytes:
    data = io.BytesIO()
    table.to_parquet(data)
    return data.getvalue()


TABLE = pd.DataFrame({"file": NAMES, "Smiling": [1, 0, 1]})
UNREAD = {
    "annotations.csv": PLAIN.encode(),
    "labels.tsv": PLAIN.replace(",", "\t").encode(),
    "labels (1).csv": PLAIN.encode(),
    "labels.csv.txt": PLAIN.encode(),
    "list.txt": b"a 1\nb -1\nc 1\n",
    "annotations.json": b'{"a.jpg": 1}',
    "meta.parquet": parquet(TABLE),
    "labels.xlsx": excel(),
    "labels.xls": b"\xd0\xcf\x11\xe0" + "a.jpg".encode("utf-16-le"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_table_under_another_name_is_not_passed_over(tmp_path, name):
    root = with_pictures(tmp_path, [f"pictures/{picture}" for picture in NAMES])
    (root / name).write_bytes(UNREAD[name])
    with pytest.raises(InputError, match="names pictures and is not read, because tables of labels") as caught:
        folder.read(root)
    assert name in str(caught.value)


def test_a_table_beside_folders_of_classes_stops_and_other_text_does_not(tmp_path):
    root = with_pictures(tmp_path, ["cat/1.jpg", "dog/2.jpg"])
    (root / "notes.csv").write_text("who,when\nann,today\n")
    (root / "README.txt").write_text("cats and dogs")
    assert "warnings" not in folder.read(root).notes
    (root / "md5.txt").write_text("cat/1.jpg 0123\n")
    assert "md5.txt names pictures and is not read" in warnings(folder.read(root))
    (root / "notes.csv").write_text("file,Smiling\n1.jpg,1\n")
    with pytest.raises(InputError, match=r"notes\.csv names pictures"):
        folder.read(root)


def test_a_second_table_under_another_name_is_told(tmp_path):
    with_pictures(tmp_path, NAMES)
    (tmp_path / "labels (1).csv").write_text(PLAIN.replace("b.jpg,0", "b.jpg,1"))
    assert "labels (1).csv names pictures, too, and is not read" in warnings(listed(tmp_path, PLAIN))


@pytest.mark.parametrize("names", [["all/a.jpg", "all/b.jpg"], ["x/all/a.jpg", "x/all/b.jpg"], ["all/a.jpg", "b.jpg"]])
def test_one_class_is_no_attribute(tmp_path, names):
    with pytest.raises(InputError, match=r"in the one folder 'all' .*one class is no attribute"):
        folder.read(with_pictures(tmp_path, names))


def test_two_tables_side_by_side_may_say_the_same_and_nothing_else(tmp_path):
    (tmp_path / "labels.parquet").write_bytes(parquet(TABLE[::-1].assign(Smiling=[True, False, True])))
    assert signs(listed(tmp_path, PLAIN)) == EXPECTED
    for other, message in {
        "file,Smiling\na.jpg,1\nb.jpg,1\nc.jpg,1\n": "b.jpg has the Smiling 1 in one and -1 in the other",
        "file,Smiling\na.jpg,1\nb.jpg,0\n": r"only labels\.parquet names c\.jpg",
        "file,Smiling,Male\na.jpg,1,1\nb.jpg,0,1\nc.jpg,1,0\n": r"only labels\.csv has the column Male",
    }.items():
        with pytest.raises(InputError, match=rf"labels\.csv and labels\.parquet beside it differ: {message}"):
            listed(tmp_path, other)


def test_each_of_several_tables_has_the_labels_of_its_folder(tmp_path):
    root = with_pictures(tmp_path, ["first/1.jpg", "first/2.jpg", "second/1.jpg", "second/deep/2.jpg", "3.jpg"])
    (root / "first/labels.csv").write_text("file,identity,Smiling\n1.jpg,ann,1\n2.jpg,bob,0\n")
    (root / "second/labels.csv").write_text("file,Smiling,age\n1,0,20.5\n2,1,30.5\n")
    listing = folder.read(root)
    assert signs(listing) == {"first/1.jpg": 1, "first/2.jpg": -1, "second/1.jpg": -1, "second/deep/2.jpg": 1}
    assert (listing.attributes, listing.real) == (("Smiling",), ("age",))
    table = listing.table.set_index("image_id")
    assert table["age"]["second/1.jpg"] == 20.5
    assert np.isnan(table["age"]["first/1.jpg"])
    assert table["identity"].isna().tolist() == [False, False, True, True, True]
    assert table["problem"]["3.jpg"] == "no_labels"
    (root / "labels.csv").write_text("file,Smiling\n3.jpg,1\nfirst/1.jpg,0\n")
    with pytest.raises(InputError, match=r"first/1\.jpg has the Smiling -1 in one of the tables and 1 in .*/first"):
        folder.read(root)
    (root / "labels.csv").write_text("file,smiling\n3.jpg,1\n")
    with pytest.raises(InputError, match="'smiling' and 'Smiling' differ in case only"):
        folder.read(root)


def test_a_table_may_name_pictures_of_another_folder_by_their_path(tmp_path):
    root = with_pictures(tmp_path, ["pictures/a.jpg", "pictures/b.jpg"])
    (root / "lists").mkdir()
    (root / "lists/labels.csv").write_text("file,Smiling\n../pictures/a.jpg,1\n../pictures/b.jpg,0\n")
    assert signs(folder.read(root)) == {"pictures/a.jpg": 1, "pictures/b.jpg": -1}


@pytest.mark.parametrize("header", ["Smiling,smiling", "Smiling,SMILING", "identity,Identity", "split,SPLIT"])
def test_columns_that_differ_in_case_only_are_refused(tmp_path, header):
    with pytest.raises(InputError, match=r"case only|twice; keep one"):
        listed(tmp_path, f"file,{header},x\na.jpg,1,0,1\nb.jpg,0,1,1\n")


def people(root: Path, names: list[str]) -> tuple[list[int | None], Listing]:
    pictures = [f"{chr(97 + index)}.jpg" for index in range(len(names))]
    rows = "".join(f"{picture},{name},{i % 2}\n" for i, (picture, name) in enumerate(zip(pictures, names, strict=True)))
    listing = listed(root, f"file,identity,Smiling\n{rows}", pictures)
    return [None if pd.isna(one) else int(one) for one in listing.table["identity"]], listing


def test_only_an_empty_cell_is_an_unknown_person_and_they_are_counted(tmp_path):
    names = ["Null", "None", "NA", "nan", "Null", "None", "NA", "nan", "", " "]
    codes, listing = people(tmp_path, names)
    assert codes[:4] == codes[4:8]
    assert len(set(codes[:4])) == 4
    assert codes[8:] == [None, None]
    assert listing.notes["unknown_people"] == 2


def test_people_are_the_same_only_under_the_same_name(tmp_path):
    codes, listing = people(tmp_path, ["00012", "12", "12.0", "1234567890", "1234567890.0", "012", "Ann", "ann", "Ann"])
    assert len({*codes[:2], codes[5], codes[6], codes[7]}) == 5
    assert codes[1] == codes[2] == 12
    assert codes[3] == codes[4]
    assert codes[6] == codes[8]
    for pair in ("'00012' and '12'", "'00012' and '012'", "'Ann' and 'ann'"):
        assert f"column identity: {pair} are taken for two people" in warnings(listing)


def test_a_person_in_another_unicode_form_is_the_same(tmp_path):
    codes, listing = people(tmp_path, [unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD")] + ["Zoë\u200b"])
    assert len({*codes}) == 1
    assert "warnings" not in listing.notes


@pytest.mark.parametrize("word", ["-1", "unknown", "Unknown", "?", "n/a", "0", "-"])
def test_a_name_that_may_mean_nobody_is_told_with_its_count(tmp_path, word):
    codes, listing = people(tmp_path, ["ann", word, word, "bob", word])
    assert codes[1] == codes[2] == codes[4]
    assert f"{word!r} is taken for one person with 3 of 5 pictures; if it means that the person is unknown" in warnings(
        listing
    )


def test_a_person_0_among_others_is_nothing_to_tell(tmp_path):
    assert "warnings" not in people(tmp_path, ["0", "0", "1", "1", "2"])[1].notes


@pytest.mark.parametrize("name", ["person", "person_id", "Subject", "people", "partition", "fold"])
def test_a_column_that_seems_to_be_people_or_a_split_is_told(tmp_path, name):
    listing = listed(tmp_path, f"file,{name},Smiling\na.jpg,x1,1\nb.jpg,x2,0\nc.jpg,x1,1\n")
    assert f"column {name} is read as an attribute or left out; if it holds the" in warnings(listing)


def test_two_columns_that_name_different_pictures_stop(tmp_path):
    pictures = ["0.jpg", "1.jpg"]
    with pytest.raises(InputError, match=r"line 2 names '0' in id and '1\.jpg' in file; keep one column"):
        listed(tmp_path, "id,file,Smiling\n0,1.jpg,1\n1,0.jpg,0\n", pictures)
    assert signs(listed(tmp_path, "id,file,Smiling\n0,0.jpg,1\n1,1.jpg,0\n", pictures)) == {"0.jpg": 1, "1.jpg": -1}
    with pytest.raises(InputError, match="put the column 'file', which names pictures, first"):
        listed(tmp_path, "id,file,Smiling\n7,0.jpg,1\n8,1.jpg,0\n", pictures)


def test_people_as_floats_of_parquet_are_the_whole_numbers(tmp_path):
    table = TABLE.assign(identity=[1234567890.0, np.nan, 7.0])
    listing = listed(tmp_path, parquet(table), name="labels.parquet")
    (tmp_path / "labels.parquet").unlink()
    text = listed(tmp_path, "file,Smiling,identity\na.jpg,1,1234567890\nb.jpg,0,\nc.jpg,1,7\n")
    assert listing.table["identity"].equals(text.table["identity"])


def column(root: Path, cells: list[str]) -> Listing:
    names = [f"{chr(97 + index)}.jpg" for index in range(len(cells))]
    rows = "".join(f"{name};{i % 2};{cell}\n" for i, (name, cell) in enumerate(zip(names, cells, strict=True)))
    return listed(root, f"file;Smiling;x\n{rows}", names)


@pytest.mark.parametrize(
    "words", ["yes no", "y n", "Y N", "t f", "T F", "on off", "ON OFF", "True false", "1 0", "+1 -1"]
)
def test_words_for_present_and_absent_are_understood(tmp_path, words):
    present, absent = words.split()
    listing = column(tmp_path, [present, absent, "", present])
    assert listing.table["x"].tolist() == [1, -1, 0, 1]
    assert "warnings" not in listing.notes


LEFT_OUT = {
    "ja nein": "'ja' in line 2",
    "✓ ✗": "'✓' in line 2",
    "x x": "'x' in line 2",
    "m f": "'m' in line 2",
    "f f": "'f' in line 2",
    "y maybe": "'maybe' in line 3",
    "20,5 21,5": r"'20,5' in line 2 \(write a point, not a comma",
}


@pytest.mark.parametrize("words", LEFT_OUT)
def test_a_column_of_other_words_is_left_out_with_an_example(tmp_path, words):
    listing = column(tmp_path, words.split())
    assert listing.attributes == ("Smiling",)
    assert listing.notes["columns_of_words_left_out"] == ["x"]
    with pytest.raises(InputError, match=rf"labels\.csv has no attribute: x holds words \({LEFT_OUT[words]}"):
        present, other = words.split()
        listed(tmp_path, f"file;x\na.jpg;{present}\nb.jpg;{other}\n", ["a.jpg", "b.jpg"])
    assert f"column x holds words ({LEFT_OUT[words]}".replace("\\", "") in warnings(listing)


def test_a_comma_within_a_number_is_named(tmp_path):
    with pytest.raises(InputError, match=r"line 3 has '20,5' in the column x: .* \(write a point"):
        column(tmp_path, ["20", "20,5"])


def test_a_table_of_people_alone_has_no_attribute(tmp_path):
    with pytest.raises(InputError, match="has no attribute: it has no column but identity"):
        listed(tmp_path, "file,identity\na.jpg,ann\nb.jpg,bob\nc.jpg,ann\n")


def test_one_nought_and_minus_one_are_told_with_their_counts(tmp_path):
    listing = column(tmp_path, ["1", "0", "-1", "0", "1.0"])
    assert listing.table["x"].tolist() == [1, 0, -1, 0, 1]
    assert "column x has 2 times 1, 2 times 0, 1 times -1: 0 is read as unknown and -1 as absent" in warnings(listing)


@pytest.mark.parametrize("odd", ["2", "-9", "99"])
def test_a_number_among_signs_is_told_with_its_line(tmp_path, odd):
    listing = column(tmp_path, ["1", "0", odd, "0"])
    assert listing.real == ("x",)
    assert f"column x is read as numbers because of 1 times {odd}, first in line 4; if that" in warnings(listing)


FOOTERS = {
    "a sum": ("Total,2,", "line 5, 'Total': '2' in the column Smiling"),
    "a share": ("Mean:,66.7 %,", "line 5, 'Mean:': '66.7 %' in the column Smiling"),
    "a formula": ("Σ,=SUM(B2:B4),", "line 5, 'Σ': '=SUM(B2:B4)' in the column Smiling"),
    "German": ("Summe aller Zeilen,2,", "line 5, 'Summe aller Zeilen': '2' in the column Smiling"),
    "several rows": ("N,3,\nAverage,0.67,", "line 5, 'N': '3' in the column Smiling, line 6, 'Average': '0.67'"),
    "a note": ("labelled by ann,see the manual,", "line 5, 'labelled by ann': 'see the manual' in the column"),
    "a number": ("3,2,", "line 5, '3': '2' in the column Smiling"),
    "of the last column": ("Total,,7", "line 5, 'Total': '7' in the column Male"),
    "below blank lines": ("\n,,\nTotal,2,", "line 7, 'Total': '2' in the column Smiling"),
}


@pytest.mark.parametrize("kind", FOOTERS)
@pytest.mark.parametrize("words", ["1 0", "1 -1", "yes no", "y n"])
def test_a_footer_makes_no_numbers_of_signs_and_is_told_with_its_line(tmp_path, kind, words):
    present, absent = words.split()
    footer, message = FOOTERS[kind]
    rows = "".join(f"{name},{sign},{present}\n" for name, sign in zip(NAMES, (present, absent, present), strict=True))
    listing = listed(tmp_path, f"file,Smiling,Male\n{rows}{footer}\n")
    assert listing.attributes == ("Smiling", "Male")
    assert signs(listing) == EXPECTED
    assert f"taken for totals or notes and left out ({message}" in warnings(listing)
    is_total = kind not in ("a note", "a number")  # a picture of this name may still come
    assert listing.notes["label_rows_without_picture"] == (0 if is_total else 1)


def test_a_subtotal_in_a_table_of_names_without_endings_is_left_out_in_parquet_too(tmp_path):
    table = pd.DataFrame({"file": ["a", "b", "Subtotal", "c"], "Smiling": [1, 0, 12, 1]})
    listing = listed(tmp_path, parquet(table), name="labels.parquet")
    assert signs(listing) == EXPECTED
    assert "row 3, 'Subtotal': '12'" in warnings(listing)
    assert listing.notes["label_rows_without_picture"] == 1  # among such names it may be a picture to come


def test_a_second_header_is_passed_over_and_stops_where_its_columns_are_others(tmp_path):
    table = "file,Smiling,Male\na.jpg,1,0\nb.jpg,0,0\n{}\nc.jpg,1,1\n"
    assert signs(listed(tmp_path, table.format("file,Smiling,Male"))) == EXPECTED
    for other in ("file,Male,Smiling", "image,male,smiling", "File,male,", "file,Hat,Glasses"):
        with pytest.raises(InputError, match=r"line 4 \(.*\) looks like the header of another table"):
            listed(tmp_path, table.format(other))


@pytest.mark.parametrize("name", ["z.jpg", "total.jpg", "sum.heic", "z"])
def test_the_row_of_a_picture_to_come_is_no_footer(tmp_path, name):
    names = NAMES if "." in name else [one.removesuffix(".jpg") for one in NAMES]
    rows = "".join(f"{one},{i % 2}\n" for i, one in enumerate(names))
    listing = listed(tmp_path, f"file,Smiling\n{rows}{name},2\n")
    assert listing.real == ("Smiling",)
    assert "column Smiling is read as numbers because of 1 times 2, first in line 5" in warnings(listing)
    assert listing.notes["label_rows_without_picture"] == 1


def test_empty_columns_are_told_and_nothing_else_is_an_error(tmp_path):
    assert "column x is empty" in warnings(column(tmp_path, ["", "NA", ""]))
    with pytest.raises(InputError, match="has no label: every cell of Smiling is empty"):
        listed(tmp_path, "file,Smiling\na.jpg,\nb.jpg,\nc.jpg,\n")


def test_people_whose_numbers_a_spreadsheet_cut_short_are_told(tmp_path):
    assert "'1.23457E+11' is a number that a spreadsheet cut short" in warnings(
        people(tmp_path, ["1.23457E+11", "7"])[1]
    )


def test_words_read_as_unknown_are_counted(tmp_path):
    listing = column(tmp_path, ["1", "NA", "?", "na", "0", ""])
    assert listing.table["x"].tolist() == [1, 0, 0, 0, -1, 0]
    assert "column x: 2 times 'na', 1 times '?' is read as unknown" in warnings(listing)


def test_a_wrong_split_is_named_with_its_line(tmp_path):
    with pytest.raises(InputError, match="line 3 has the split 'holdout': expected train, valid or test"):
        listed(tmp_path, "file,Smiling,split\na.jpg,1,train\nb.jpg,0,holdout\nc.jpg,1,test\n")


def test_the_index_of_parquet_may_name_the_pictures(tmp_path):
    for index in ("file", None):
        table = TABLE.set_index("file").rename_axis(index)
        assert signs(listed(tmp_path, parquet(table), name="labels.parquet")) == EXPECTED
    counted = TABLE.set_axis([7, 3, 5])
    listing = listed(tmp_path, parquet(counted), [*NAMES, "3.jpg", "5.jpg", "7.jpg"], name="labels.parquet")
    assert signs(listing) == EXPECTED
    assert listing.attributes == ("Smiling",)


NO_TEXT = {
    "a spreadsheet": (excel(), "is a spreadsheet.* save it as CSV in UTF-8"),
    "an old spreadsheet": (b"\xd0\xcf\x11\xe0" + bytes(200), r"spreadsheet \(Excel 97\).* save it as CSV"),
    "Parquet": (parquet(TABLE), r"is a Parquet file.* let its name end in \.parquet"),
    "gzip": (b"\x1f\x8b" + bytes(20), "packed by gzip.* unpack it"),
    "a picture": (jpeg(1), "is a picture"),
    "UTF-16": (PLAIN.encode("utf-16-le"), "line 1: its encoding is UTF-16 without a byte-order mark"),
    "UTF-16, the other way round": (PLAIN.encode("utf-16-be"), "its encoding is UTF-16 without"),
    "UTF-32": (PLAIN.encode("utf-32-le"), "its encoding is UTF-32 without"),
    "XML": (b'<?xml version="1.0"?><Workbook/>', "is XML, perhaps a spreadsheet.* save it as CSV"),
    "a web page": (b"\xef\xbb\xbf<html><table>", r"is a web page \(HTML\), not the table it should be; save it as CSV"),
    "zeros": (PLAIN.encode().replace(b"c", b"\0"), "line 4 has a zero byte"),
    "Latin-1": (
        "file,note,Smiling\na.jpg,x,1\nb.jpg,René,0\n".encode("latin-1"),
        r"not text in UTF-8: line 3, byte 10 is 0xE9 .*as Latin-1 \(Windows-1252\) it reads 'René': save it as CSV",
    ),
    "a character cut in two": (PLAIN.encode() + "é".encode()[:1], "line 5 ends within a character"),
    "half a UTF-16": (PLAIN.encode("utf-16")[:-1], "is not text in UTF-16-LE"),
}
NO_HEADER = {
    "names of pictures": ("a.jpg,1\nb.jpg,0\nc.jpg,1\n", "line 1 names the picture 'a.jpg' where"),
    "names without endings": ("a,1\nb,0\nc,1\n", "names the picture 'a'"),
    "pictures elsewhere": ("z.jpg,x\na.jpg,1\nb.jpg,0\n", "names the picture 'z.jpg'"),
    "comments": ("# file,Smiling\n\na.jpg,1\nb.jpg,0\n", "line 3 names the picture 'a.jpg'"),
    "no name looks like one": ("z17,1,0\na,1,0\nb,0,1\n", "has 'z17', '1', '0', which look like a row of data"),
    "words": ("z17,yes,no\na,yes,no\nb,no,yes\n", "which look like a row of data"),
    "a name like those below": ("z17,ann\nz18,bob\nz19,ann\n", "has 'z17', which looks like the names below it"),
}
OPEN_QUOTES = {
    "to the end": ('file,Smiling\na.jpg,1\n"b.jpg,0\nc.jpg,1\n', "line 3 is not CSV .*not closed"),
    "to the next quote": (
        'file,note,Smiling\na.jpg,"x,1\nb.jpg,y,0\nc.jpg,"z",1\n',
        "line 2: a quotation mark opens there and closes lines later, and the cell between holds the picture 'b.jpg'",
    ),
    "names without endings": ('file,note,Smiling\na,"x,1\nb,y,0\nc,"z",1\n', "line 2: .* holds the picture 'b'"),
    "of a picture elsewhere": ('file,note,Smiling\na.jpg,"x,1\nz.jpg,y,0\nc.jpg,z",1\n', "holds the picture 'z.jpg'"),
    "in the name": ('file,Smiling\n"a.jpg,1\nb.jpg,0\nc.jpg",1\n', "line 2: .* holds the picture 'a.jpg'"),
}
NOTES = {
    "one cell": (f"{PLAIN}Total\n", "line 5 has 1 cells; expected 2 .*; remove it if 'Total' is a note"),
    "a sentence": (f"{PLAIN}3 pictures\n", "line 5 has 1 cells; .* remove it if '3 pictures' is a note"),
    "no name": (f"{PLAIN},2\n", "line 5 names no picture .* remove the row if it is a total or a note"),
}
REFUSED = {"no header": NO_HEADER, "an open quote": OPEN_QUOTES, "a note below": NOTES, "no text": NO_TEXT}


@pytest.mark.parametrize(("kind", "case"), [(kind, case) for kind, cases in REFUSED.items() for case in cases])
def test_a_table_that_loses_rows_or_is_no_text_is_refused_with_the_place_and_the_cause(tmp_path, kind, case):
    table, message = REFUSED[kind][case]
    with pytest.raises(InputError, match=message) as caught:
        listed(tmp_path, table)
    assert "labels.csv" in str(caught.value)
    assert ("names of the columns are expected" in str(caught.value)) == (kind == "no header")
    assert "fetch it again" not in str(caught.value)  # nobody publishes it


def test_a_picture_named_twice_is_named_with_both_lines(tmp_path):
    with pytest.raises(InputError, match=r"line 4 names 'a' a second time \(after line 2\)"):
        listed(tmp_path, "file,Smiling\na.jpg,1\nb.jpg,0\na,0\n")


def test_a_column_of_1_and_2_is_told_to_be_numbers(tmp_path):
    listing = listed(tmp_path, "file,Smiling,Male\n1.jpg,1,1\n2.jpg,2,0\n", ["1.jpg", "2.jpg"])
    assert listing.real == ("Smiling",)
    assert "column Smiling is read as the numbers 1 and 2" in warnings(listing)
    assert "column Male" not in warnings(listing)


def test_a_pointer_of_git_lfs_is_called_so(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"
    with pytest.raises(InputError, match=r"labels\.csv is a pointer of Git LFS.*`git lfs pull`"):
        listed(tmp_path, pointer)
