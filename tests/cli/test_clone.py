"""Which commands there are outside a clone, and that a stranger's package `flows` is never taken for the project's."""

import shutil
import subprocess
import sys

import pytest

from facet.cli import clone
from tests.support.paths import ROOT


@pytest.fixture
def installed(tmp_path):
    """A folder as of installed packages, with the command line alone."""
    folder = tmp_path / "site-packages"
    for part in ("cli", "base"):
        shutil.copytree(ROOT / "facet" / part, folder / "facet" / part)
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / "facet" / name, folder / "facet")
    return folder


def facet(folder, *words):
    return subprocess.run([sys.executable, "-m", "facet", *words], cwd=folder, capture_output=True, text=True)


def test_this_is_a_clone():
    assert clone.find() == ROOT


def test_outside_a_clone_a_command_of_the_project_says_that_it_needs_one(installed):
    listed = facet(installed, "--help").stdout
    assert listed.count("needs a clone") == 8 or listed.count("clone)") == 8
    done = facet(installed, "reproduce", "--jobs", "2", "train_gan")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: `facet reproduce` needs a clone of Facet: clone the project's repository")
    assert done.stderr.count("\n") == 1


def test_a_strangers_package_beside_an_installed_facet_is_not_imported(installed):
    (installed / "flows" / "commands").mkdir(parents=True)
    for path in (installed / "flows" / "__init__.py", installed / "flows" / "commands" / "__init__.py"):
        path.write_text("raise SystemExit('a stranger')")
    done = facet(installed, "doctor")
    assert done.returncode == 2
    assert "needs a clone of Facet" in done.stderr


def test_a_strangers_package_that_comes_first_on_the_path_is_not_imported(installed, tmp_path):
    shutil.copytree(ROOT / "flows", installed / "flows")
    (installed / "dvc.yaml").write_text("stages: {}\n")
    assert facet(installed, "doctor", "--help").returncode == 0
    stranger = tmp_path / "stranger" / "flows"
    stranger.mkdir(parents=True)
    (stranger / "__init__.py").write_text("raise SystemExit('a stranger')")
    code = f"import sys; sys.path.insert(0, {str(stranger.parent)!r}); import facet.cli; sys.exit(facet.cli.main())"
    done = subprocess.run([sys.executable, "-c", code, "doctor"], cwd=installed, capture_output=True, text=True)
    assert done.returncode == 2
    assert "needs a clone of Facet" in done.stderr
    assert (
        f"hidden by another package `flows` ({stranger / '__init__.py'}); take its folder out of PYTHONPATH"
        in done.stderr
    )
