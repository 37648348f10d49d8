"""Junk makes no stage stale."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from flows.profiles import apply
from tests.support import junk
from tests.support.paths import ROOT
from tests.support.pictures import jpeg


def test_dvc_ignores_junk_and_nothing_else(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\nno_scm = true\nanalytics = false\n")
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    inside = tmp_path / "data/photos"
    inside.mkdir(parents=True)
    for name in (*junk.CACHES, *junk.OTHERS, *junk.DATA, ".gitignore"):
        (inside / name).touch()
    with Repo(str(tmp_path)) as repo:
        seen = {name for _, _, names in repo.dvcignore.walk(repo.fs, str(inside)) for name in names}
    assert seen == {*junk.DATA, ".gitignore"}


def write_pictures(folder):
    """40 pictures with a table of labels, and junk."""
    folder.mkdir()
    for i in range(40):
        (folder / f"{i}.jpg").write_bytes(jpeg(i, 32, 32))
    (folder / "labels.csv").write_text("file,Smiling\n" + "".join(f"{i}.jpg,{i % 2}\n" for i in range(40)))
    (folder / ".DS_Store").write_bytes(b"1")
    return folder


def ran(root):
    """The stages that `dvc repro prepare` runs, and all it says."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "dvc", "repro", "prepare"]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return [stage for stage in ("source", "prepare") if f"Running stage '{stage}'" in done.stdout], done.stderr


@pytest.mark.slow
def test_junk_outside_the_project_runs_source_alone_again_and_behind_a_link_nothing(tmp_path):
    pictures, root = write_pictures(tmp_path / "pictures"), tmp_path / "clone"
    for name in ("facet", "stages", "profiles"):
        shutil.copytree(ROOT / name, root / name)
    for name in (".dvcignore", "dvc.yaml"):
        shutil.copy(ROOT / name, root)
    for folder in (".dvc", "data"):
        (root / folder).mkdir()
    (root / ".dvc/config").write_text((ROOT / ".dvc/config").read_text().replace("[core]", "[core]\n  no_scm = true"))
    settings = ["source.kind=folder", "source.count=0", "prepare.crop=whole", "prepare.split=random"]
    (root / "data/linked").symlink_to(pictures)
    for place, after_junk, hinted in ((pictures, ["source"], True), ("data/linked", [], False)):
        apply(root, "smoke", [*settings, "prepare.large=0", "prepare.size=16", f"source.root={place}"], force=True)
        stages, text = ran(root)
        assert stages == ["source", "prepare"]
        assert ("(.DS_Store)" in text and f"ln -s {pictures} data/pictures" in text) == hinted, text
        (pictures / ".DS_Store").write_bytes(str(place).encode())
        assert ran(root)[0] == after_junk
        (pictures / "7.jpg").write_bytes(jpeg(100 + len(after_junk), 32, 32))
        assert ran(root)[0] == ["source", "prepare"]
