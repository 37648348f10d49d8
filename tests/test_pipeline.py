"""The whole graph as a user runs it: dvc repro in a clone with the smoke profile, and again with nothing to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from facet.systems import SYSTEMS
from flows import profiles
from flows.profiles import apply
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The files of this working tree that git tracks or would add, as a separate repository with the smoke profile."""
    root = tmp_path_factory.mktemp("clone") / "facet"
    for name in listed():
        if (ROOT / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    shutil.rmtree(root / "reports", ignore_errors=True)
    (root / "dvc.lock").unlink(missing_ok=True)
    apply(root, "smoke", force=True)
    return root


@pytest.mark.parametrize("profile", profiles.names(ROOT))
def test_what_a_profile_s_stages_read_is_written_by_another_or_lies_in_git(tmp_path, profile):
    """Otherwise `dvc repro` would stop. The place of a data set is given by the user."""
    from dvc.repo import Repo

    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    (tmp_path / ".dvc").mkdir()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    apply(tmp_path, profile)
    root = Path(YAML(typ="safe").load(tmp_path / "params.yaml")["source"]["root"])
    known = {Path(name) for name in listed()}
    with Repo(str(tmp_path)) as repo:
        stages = repo.index.stages
        known |= {Path(out.def_path) for stage in stages for out in stage.outs}
        deps = {Path(dep.def_path) for stage in stages for dep in stage.deps} - {root}
    folders = {folder for path in known for folder in path.parents}
    missing = {dep for dep in deps if not known & {dep, *dep.parents} and dep not in folders}
    assert len(deps) > 20
    assert not missing


def listed() -> list[str]:
    """The files that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return list(filter(None, found.split("\0")))


def repro(root: Path) -> str:
    """Run `dvc repro` in this interpreter's environment and return its output."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "dvc", "repro"]
    done = subprocess.run(command, cwd=root, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_every_stage_runs_and_a_second_time_none(clone):
    first = repro(clone)
    each = ("train_gan", "encode", "attributes", "edit", "evaluate")
    stages = [
        "source",
        "prepare",
        "train_judge",
        "train_encoder@in_domain",
        "train_encoder@icgan_zy",
        "train_refiner@vigan",
        "report",
    ]
    stages += [f"{stage}@{system}" for stage in each for system in SYSTEMS]
    for stage in stages:
        assert f"Running stage '{stage}'" in first, stage
    page = (clone / "reports" / "index.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert "Smiling" in page
    for system in SYSTEMS:
        assert "<b>this run</b>" in (clone / "reports" / "papers" / f"{system}.html").read_text(), system
    faces = pq.read_table(clone / "data" / "prepared" / "faces.parquet").num_rows
    assert faces == 400
    for system in SYSTEMS:
        assert pq.read_table(clone / "data" / "latents" / system).num_rows == faces, system

    assert "Running stage" not in repro(clone)
