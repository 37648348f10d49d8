"""A wheel of the project in an environment of its own: it edits photos, and names the commands that need a clone."""

import functools
import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from facet.base.version import VERSION
from facet.photos import scenes
from facet.photos.faces import networks
from tests.support import small
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

UV = shutil.which("uv") or str(Path(sys.executable).parent / "uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that nothing is left in the clone."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for folder in ("facet", "flows", "stages"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    build = [UV, "build", "--quiet", "--offline", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--out-dir", str(copy / "dist"), str(copy)], check=True)
    (path,) = (copy / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def facet(wheel, tmp_path_factory):
    """Runs the installed command in an empty folder; the dependencies are those of this environment, the clone is not
    on the path."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv = folder / "venv"
    subprocess.run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, str(venv)], check=True)
    install = [UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(venv / "bin" / "python")]
    subprocess.run([*install, str(wheel)], check=True)
    site = subprocess.run(
        [venv / "bin" / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # a folder named in a .pth file is searched, but its own .pth files, such as the clone's, are not read
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    shutil.copytree(networks.FOLDER, venv / "share" / "facet" / "networks")
    work = folder / "work"
    work.mkdir()
    return functools.partial(run, venv / "bin" / "facet", work)


def run(command, folder, *words):
    return subprocess.run([command, *words], cwd=folder, env={"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)


def test_the_wheel_holds_facet_alone_with_its_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"facet", f"facet_editor-{VERSION}.dist-info"}
    data = {str(path.relative_to(ROOT)) for path in (ROOT / "facet").rglob("*.*") if path.suffix != ".pyc"}
    assert data <= set(names)
    assert "facet/py.typed" in names


def test_help_and_version_work_and_the_projects_commands_say_that_they_need_a_clone(facet):
    assert facet("--version").stdout == f"facet {VERSION}\n"
    listed = facet("--help").stdout
    assert "doctor" in listed
    assert "(needs a clone)" in listed
    for words in (["reproduce"], ["profile", "smoke"], ["nightly", "--serve", "--cron", "0 2 * * *"]):
        result = facet(*words)
        assert result.returncode == 2
        assert result.stderr.startswith(f"error: `facet {words[0]}` needs a clone of Facet: clone the project's")
        assert result.stderr.count("\n") == 1
    assert "works on a clone of Facet" in facet("gc", "--help").stdout
    assert facet("--print-completion", "bash").stdout


def test_a_model_folder_edits_photos(facet, tmp_path):
    model = small.with_table(small.train(tmp_path / "trained", "vigan"))
    scenes.write(tmp_path / "photos", count=2, seed=1)
    edit = ["edit", str(tmp_path / "photos")]
    how = ["--set", "Smiling=on", "--model", str(model), "--mode", "decode"]  # shows what a hardly trained system draws
    result = facet(*edit, "out", *how)
    assert result.returncode == 0, result.stderr
    manifest = pd.read_parquet(Path(facet.args[1]) / "out" / "manifest.parquet")
    assert list(manifest["status"]) == ["edited", "edited"]
    assert (Path(facet.args[1]) / "out" / "contact.html").exists()
    dry = facet(*edit, "none", *how, "--dry-run", "--json")
    assert json.loads(dry.stdout)["photos"] == 2
    engine = facet(*edit, "none", *how, "--engine", "threads")
    assert (engine.returncode, engine.stderr.count("\n")) == (2, 1)
    assert "only in a clone of Facet" in engine.stderr
