import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from facet.base.files import replacing, replacing_folder, write_csv, write_json, write_rows


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_in_one_piece_or_not_at_all(tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(RuntimeError), replacing_folder(folder) as aside:
        (aside / "part").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with replacing_folder(folder) as aside:
        (aside / "part").write_text("new")
    assert [path.name for path in folder.iterdir()] == ["part"]


def test_json_does_not_depend_on_the_order_of_keys_and_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": 0.5})
    write_json(tmp_path / "b.json", {"a": 0.5, "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 0.5, "b": 1}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "c.json", {"a": float("nan")})
    assert not (tmp_path / "c.json").exists()


def test_rows_stand_on_a_line_each_in_json_that_is_read_by_people(tmp_path):
    number = {"value": 0.5, "low": None}
    value = {
        "rows": [{"name": "a", "number": number}, {"name": "ü", "number": number}],
        "flat": {"b": 1, "a": 2},
        "no": [],
    }
    write_rows(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == value
    assert text.splitlines() == [
        "{", '  "flat": {"a": 2, "b": 1},', '  "no": [],', '  "rows": [',
        '    {"name": "a", "number": {"low": null, "value": 0.5}},',
        '    {"name": "ü", "number": {"low": null, "value": 0.5}}', "  ]", "}",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="JSON"):
        write_rows(tmp_path / "b.json", {"a": float("inf")})


def test_csv_keeps_six_digits(tmp_path):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"x": [1 / 3]}))
    assert (tmp_path / "a.csv").read_text() == "x\n0.333333\n"


def test_what_a_killed_process_left_beside_an_output_is_swept_and_a_living_one_s_is_not(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f".out.{dead.pid}.part").mkdir()
    (tmp_path / f".out.{dead.pid}.part" / "half").write_text("")
    (tmp_path / f".out.txt.{dead.pid}.part").write_text("")
    living = tmp_path / f".out.{os.getppid()}.part"
    living.mkdir()
    with replacing_folder(tmp_path / "out"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"out", living.name, f".out.txt.{dead.pid}.part"}
    with replacing(tmp_path / "out.txt") as aside:
        aside.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out.txt", living.name}
