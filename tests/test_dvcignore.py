"""Files that operating systems and editors leave within dependencies make no stage stale; everything else does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

LEFT = [
    ".DS_Store", "._a.jpg", "Thumbs.db", "desktop.ini", "Icon\r", "a.jpg~", ".a.jpg.swp", ".#a.py", "#a.py#",
    ".nfs0000000001", ".ipynb_checkpoints/a.jpg", "@eaDir/a.jpg/thumb.jpg", "#recycle/b.jpg", "$RECYCLE.BIN/c.jpg",
    "System Volume Information/x", "__MACOSX/._a.jpg", ".Trash-1000/files/a.jpg", "lost+found/1",
]  # fmt: skip
REAL = ["b.jpg", "swp.jpg", "Thumbs.jpg", ".hidden.jpg", "a#.jpg"]


def changed(root: Path) -> bool:
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return bool(repo.status())


@pytest.mark.parametrize("inside", ["photos", "stages"])
def test_what_systems_and_editors_leave_makes_no_stage_stale(tmp_path, inside):
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], cwd=tmp_path, check=True)
    shutil.copy(ROOT / ".dvcignore", tmp_path / ".dvcignore")
    (tmp_path / inside).mkdir()
    (tmp_path / inside / "a.jpg").write_text("a")
    (tmp_path / "dvc.yaml").write_text(
        f"stages:\n  a:\n    cmd: cp {inside}/a.jpg out\n    deps: [{inside}]\n    outs: [out]\n"
    )
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=tmp_path, check=True)
    for folder in (tmp_path / inside, tmp_path / inside / "below"):
        for name in LEFT:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("left")
    assert not changed(tmp_path)
    for name in REAL:
        (tmp_path / inside / name).write_text("real")
        assert changed(tmp_path), name
        (tmp_path / inside / name).unlink()
    assert not changed(tmp_path)
