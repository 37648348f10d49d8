"""The networks' files: pinned, fetched, checked."""

import re
import shutil
import sys

import numpy as np
import pytest

from facet.base.errors import InputError
from facet.photos.faces import networks
from facet.photos.faces.networks import FULL_RANGE, NETWORKS, Runner, checked


@pytest.fixture(autouse=True)
def _nothing_remembered():
    checked.cache_clear()
    yield
    checked.cache_clear()


def test_the_lock_pins_one_wheel_for_each_package():
    pinned = re.findall(r"^(\S+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}$", networks.LOCK.read_text(), re.MULTILINE)
    assert sorted(pinned) == sorted({(network.package, network.version) for network in NETWORKS})


def test_the_environment_has_the_networks():
    assert networks.installed(), f"run `{networks.COMMAND}`"


@pytest.mark.parametrize(
    ("data", "words"), [(None, "is missing; run `facet networks`"), (b"TFL3", "is not the file of")]
)
def test_a_missing_or_other_file_is_an_error_that_says_what_to_run(tmp_path, monkeypatch, data, words):
    monkeypatch.setattr(networks, "FOLDER", tmp_path)
    if data is not None:
        (tmp_path / FULL_RANGE.file).write_bytes(data)
    assert not networks.installed(tmp_path)
    with pytest.raises(InputError, match=re.escape(words)):
        Runner(FULL_RANGE)(np.zeros((192, 192, 3), np.float32), ())


def installer(tmp_path, code):
    """The command of an installer that runs `code` with the folder after --target as `target`."""
    script = tmp_path / "installer.py"
    script.write_text(
        "import pathlib, shutil, sys\ntarget = pathlib.Path(sys.argv[sys.argv.index('--target') + 1])\n" + code
    )
    return lambda: [sys.executable, str(script)]


def test_networks_are_taken_from_the_wheels_and_their_code_is_left(tmp_path, monkeypatch):
    wheels = tmp_path / "wheels"
    for network in NETWORKS:
        (wheels / network.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(networks.FOLDER / network.file, wheels / network.path)
    (wheels / "mediapipe" / "__init__.py").write_text("raise SystemExit")
    monkeypatch.setattr(networks, "_installer", installer(tmp_path, f"shutil.copytree({str(wheels)!r}, target)"))
    networks.install(tmp_path / "share")
    assert networks.installed(tmp_path / "share")
    assert {path.name for path in (tmp_path / "share").iterdir()} == {network.file for network in NETWORKS}


def test_a_failing_installer_is_an_error_and_leaves_what_was_there(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "_installer", installer(tmp_path, "sys.exit('no route')"))
    (tmp_path / "share").mkdir()
    with pytest.raises(InputError, match=r"cannot be fetched: no route; run `facet networks` again"):
        networks.install(tmp_path / "share")
    assert (tmp_path / "share").is_dir()


def test_pip_is_used_where_there_is_no_uv(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert networks._installer()[:4] == [sys.executable, "-m", "pip", "install"]
