"""Results go to a remote and come back on another clone; garbage collection spares what a champion needs."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nights
import pytest

from flows.cli import main
from stages.champion import Champions

pytestmark = pytest.mark.slow


def dvc(root: Path, *words: str) -> str:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path):
    root = nights.make(tmp_path / "project")
    (root / "arrivals/faces").mkdir(parents=True)
    (root / "arrivals/faces/a.zip").write_bytes(b"pictures")
    dvc(root, "repro")
    return root


def cached(root: Path, path: Path, folder: str = ".dvc/cache/files/md5") -> bool:
    """Whether the bytes of a file are in dvc's cache or a remote."""
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    return (root / folder / digest[:2] / digest[2:]).exists()


def test_push_and_pull_on_another_clone(project, tmp_path):
    dvc(project, "remote", "add", "-d", "store", str(tmp_path / "store"))
    dvc(project, "push")
    other = tmp_path / "other"
    other.mkdir()
    for name in (".dvc/config", "dvc.yaml", "dvc.lock", "params.yaml", "toy.py", "quality.txt"):
        (other / name).parent.mkdir(exist_ok=True)
        shutil.copy(project / name, other / name)
    dvc(other, "pull", "attributes@vigan", "train_gan@vigan")
    weights = Path("data/models/vigan/weights.safetensors")
    assert (other / weights).read_bytes() == (project / weights).read_bytes()


def test_garbage_collection_shows_first_and_spares_champions(project, capfd):
    weights = project / "data/models/vigan/weights.safetensors"
    live = weights.read_bytes()
    assert main(["champion", "promote", "vigan", "--root", str(project)]) == 0
    (project / "quality.txt").write_text("0.5")
    dvc(project, "repro")
    rejected = project / "rejected"
    rejected.write_bytes(weights.read_bytes())
    (project / "quality.txt").write_text("0.7")
    dvc(project, "repro")
    champion = Champions(project / "champions").folder("vigan") / "weights.safetensors"
    assert champion.read_bytes() == live
    assert main(["gc", "--root", str(project)]) == 0
    assert "nothing was removed" in capfd.readouterr().out
    assert cached(project, rejected)
    assert main(["gc", "--root", str(project), "--yes"]) == 0
    assert not cached(project, rejected)
    assert cached(project, champion)
    assert cached(project, weights)
    assert "up to date" in dvc(project, "status")
