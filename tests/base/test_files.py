import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import SafetensorError

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


def by_torch(path: Path) -> None:
    torch.save({"weights": torch.zeros(1000)}, path)


def by_numpy(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        np.zeros(1_000_000).tofile(file)


def by_python(path: Path) -> None:
    path.write_text("weights")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, the disk without space")
@pytest.mark.parametrize("write", [by_torch, by_numpy, by_python])
def test_a_full_disk_is_an_error_that_names_the_file_whatever_writes(tmp_path, write):
    with pytest.raises(OSError, match="No space left on device") as raised, replacing(tmp_path / "a.pt") as aside:
        aside.symlink_to("/dev/full")
        write(aside)
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path / "a.pt"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_an_error_that_names_the_folder_of_weights(tmp_path, code):
    said = f"Error while serializing: I/O error: {os.strerror(code)} (os error {code})"
    with pytest.raises(OSError, match=os.strerror(code)) as raised, replacing_folder(tmp_path / "model") as aside:
        (aside / "weights.safetensors").write_text("half")
        raise SafetensorError(said)
    assert (raised.value.errno, raised.value.filename) == (code, str(tmp_path / "model"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a bug"),
        SafetensorError("no file (os error 2)"),
        PermissionError(13, "denied", "other"),
        OSError("?"),
    ],
)
def test_other_errors_of_a_writer_stay_what_they_are(tmp_path, error):
    for writer in (replacing(tmp_path / "a.pt"), replacing_folder(tmp_path / "model")):
        with pytest.raises(type(error)) as raised, writer:
            raise error
        assert raised.value is error
    assert list(tmp_path.iterdir()) == []


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
