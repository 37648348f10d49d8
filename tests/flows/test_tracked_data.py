"""Data sets that dvc tracks: each night fetches them and takes in what is new."""

import subprocess
import sys
from pathlib import Path

import pytest

from facet.base.errors import InputError
from facet.sources import shards
from flows import tracked_data
from tests.support import nights
from tests.support.nights import HEAD, deliver, nights_of, publish, step

pytestmark = pytest.mark.slow


def test_a_data_set_that_dvc_tracks_is_fetched_and_what_is_new_in_it_is_taken_in(tmp_path, server, received):
    """Its owner adds to it and pushes; the project has its .dvc file, which somebody keeps up to date (git)."""
    owner, root = tmp_path / "owner", nights.make(tmp_path / "project", pull="faces.dvc", remote="store")
    (owner / ".dvc").mkdir(parents=True)
    for one in (owner, root):
        remote = f"[core]\nno_scm = true\nanalytics = false\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n"
        (one / ".dvc/config").write_text(remote)
    publish(owner, root, range(6))
    step(root, "2", HEAD + f"publish(Path({str(owner)!r}), root, range(9))")
    step(root, "4", HEAD + f"shutil.move({str(tmp_path / 'store')!r}, {str(tmp_path / 'away')!r})\n"
         "shutil.rmtree(root / '.dvc/cache'); shutil.rmtree(root / 'faces')")  # fmt: skip
    ended = nights_of(root, "1", "2", "3", "4", server=server)
    assert [state for state, _ in ended.values()] == ["Promoted", "Promoted", "Nothing new", "Nothing new"]
    assert "6 photos taken in" in ended["1"][1]
    assert "3 photos taken in as 2.zip; 6 in the data set already" in ended["2"][1]
    assert "faces.dvc is unchanged" in ended["3"][1]
    assert "pull: " in ended["4"][1]
    assert "please look" in ended["4"][1]
    assert len(shards.read(root / "arrivals/faces").table) == 9


def test_an_imported_data_set_is_brought_up_to_date(tmp_path, server, received):
    root = nights.make(tmp_path / "project", pull="raw/faces.dvc")
    deliver(tmp_path / "elsewhere", range(6))
    (root / "raw").mkdir()
    command = [sys.executable, "-m", "dvc", "import-url", str(tmp_path / "elsewhere"), "raw/faces"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    elsewhere = str(tmp_path / "elsewhere")
    step(root, "2", HEAD + f"shutil.rmtree({elsewhere!r}); deliver(Path({elsewhere!r}), range(4, 8))")  # fmt: skip
    ended = nights_of(root, "1", "2", "3", server=server)
    assert "6 photos taken in" in ended["1"][1]
    assert "2 photos taken in as 2.zip; 2 in the data set already" in ended["2"][1]
    assert "raw/faces.dvc is unchanged" in ended["3"][1]
    assert ended["3"][0] == "Nothing new"


@pytest.mark.parametrize("name", ["../x.dvc", "/x.dvc", "--cloud.dvc"])
def test_a_data_set_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="is not below"):
        tracked_data.read(tmp_path, name)


def test_what_was_taken_last_may_be_torn(tmp_path):
    data = tracked_data.DataSet(Path("x.dvc"), tmp_path / "x", "1.dir", imported=False)
    assert not tracked_data.is_taken(tmp_path, data)
    tracked_data.note_taken(tmp_path, data)
    assert tracked_data.is_taken(tmp_path, data)
    (tmp_path / tracked_data.TAKEN).write_text("")
    assert not tracked_data.is_taken(tmp_path, data)


@pytest.mark.parametrize("text", [None, "outs: 3", "outs:\n- path: a\n- path: b"])
def test_a_file_that_is_no_data_set_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "x.dvc").write_text(text)
    with pytest.raises(InputError, match=r"nightly.pull: .*x\.dvc"):
        tracked_data.read(tmp_path, "x.dvc")
