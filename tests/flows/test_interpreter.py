"""Stages run with the interpreter that dvc runs in, and with the project's own packages."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from flows import doctor, reproduce
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


def test_dvc_of_an_environment_that_is_not_activated_finds_its_own_python(tmp_path):
    """dvc here is a script of that name; other programs of the environment keep the PATH they have."""
    venv.create(tmp_path / "env", symlinks=True)
    bin_folder = tmp_path / "env" / "bin"
    (purelib,) = (tmp_path / "env/lib").glob("python*/site-packages")
    shutil.copy(ROOT / "flows/dvc_python.pth", purelib)
    for name in ("dvc", "other"):
        (bin_folder / name).write_text(
            f"#!{bin_folder / 'python'}\nimport subprocess\nprint(subprocess.run('command -v python', shell=True, "
            "capture_output=True, text=True).stdout.strip() or 'no python')\n"
        )
        (bin_folder / name).chmod(0o755)
    (tmp_path / "bin").mkdir()
    env = {"PATH": str(tmp_path / "bin")}
    found = {
        name: subprocess.run([bin_folder / name], env=env, capture_output=True, text=True) for name in ("dvc", "other")
    }
    assert found["dvc"].stdout.strip() == str(bin_folder / "python"), found["dvc"].stderr
    assert found["other"].stdout.strip() == "no python"
    named = subprocess.run([bin_folder / "python", "-c", "import os; print(os.environ['PATH'])"], env=env,
                           capture_output=True, text=True)  # fmt: skip
    assert named.stdout.strip() == str(tmp_path / "bin")


def test_a_stranger_s_stages_on_the_path_do_not_hide_those_of_the_project(tmp_path, monkeypatch):
    for place in ("project", "stranger"):
        (tmp_path / place / "stages").mkdir(parents=True)
        (tmp_path / place / "stages" / "__init__.py").write_text("")
        (tmp_path / place / "stages" / "source.py").write_text(f"print({place!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stranger"))
    for safe in ("", "1"):
        monkeypatch.setenv("PYTHONSAFEPATH", safe)  # not even the current folder comes before PYTHONPATH
        command = [sys.executable, "-m", "stages.source"]
        env = reproduce._environment(tmp_path / "project")
        done = subprocess.run(command, cwd=tmp_path / "project", env=env, capture_output=True, text=True)
        assert done.stdout == "project\n"


@pytest.mark.parametrize("installed", [True, False])
def test_the_doctor_says_with_which_python_stages_would_run(tmp_path, monkeypatch, installed):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "purelib"))
    (tmp_path / "purelib").mkdir()
    if installed:
        (tmp_path / "purelib" / doctor.PATH_FILE).touch()
    notes = [str(one) for one in doctor._python(tmp_path) if one.level == "note"]
    assert ["would run stages with no python" in text for text in notes] == ([] if installed else [True])
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), str(tmp_path)]))
    assert not [one for one in doctor._python(tmp_path) if one.level == "note"]
