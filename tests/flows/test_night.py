"""What a night trains; and what it does after a promotion: it pushes, and commits where git is asked for."""

import subprocess

import pytest

from flows.night import training
from tests.support import nights
from tests.support.nights import deliver, nights_of, step

NEEDS = {
    "prepare": [],
    "train_gan@vigan": ["prepare"],
    "train_gan@ian": ["prepare"],
    "train_refiner@vigan": ["prepare", "train_gan@vigan"],
    "attributes@vigan": ["train_gan@vigan"],
    "attributes@ian": ["train_gan@ian"],
    "report": ["attributes@vigan", "attributes@ian", "train_refiner@vigan"],
}


def test_a_night_trains_the_refiners_of_its_systems_where_the_profile_has_any():
    assert list(training(NEEDS, ["vigan"])) == ["prepare", "train_gan@vigan", "train_refiner@vigan", "attributes@vigan"]
    assert list(training(NEEDS, ["ian"])) == ["prepare", "train_gan@ian", "attributes@ian"]


@pytest.mark.slow
def test_a_push_that_fails_is_said_and_tried_again(tmp_path, server, received, monkeypatch):
    root = nights.make(tmp_path / "project", remote="store")
    config = root / ".dvc/config"
    config.write_text(config.read_text() + f"['remote \"store\"']\n    url = {root / 'store'}\n")
    deliver(root / "arrivals/drop/first", range(6))
    (root / "store").write_text("a file where the folder should be")
    step(root, "2", "(root / 'store').unlink()")
    monkeypatch.setenv("FACET_PUSH_PAUSE", "0")
    ended = nights_of(root, "1", "2", "3", server=server)
    assert "NOT pushed" in ended["1"][1]
    assert "pushed to the remote" in ended["2"][1]
    assert "pushed" not in ended["3"][1]
    assert any((root / "store").rglob("*"))


@pytest.mark.slow
def test_a_promotion_is_committed_and_tagged_where_git_is_asked_for(tmp_path, server, received):
    root = nights.make(tmp_path / "project", git=True)

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("config", "user.name", "a")
    git("config", "user.email", "a@x")
    git("add", "params.yaml")
    git("commit", "-qm", "start")
    (root / "note.txt").write_text("somebody's own work")
    git("add", "note.txt")
    deliver(root / "arrivals/drop/first", range(6))
    step(root, "2", "(root / 'quality.txt').write_text('0.5')")
    ended = nights_of(root, "1", "2", server=server)
    assert [state for state, _ in ended.values()] == ["Promoted", "Kept"]
    assert git("tag").split() == ["vigan@v0.0.1"]
    assert git("log", "--format=%s").splitlines()[0].startswith("Night 1: vigan 000001-")
    assert git("show", "--name-only", "--format=", "HEAD").split() == ["dvc.lock"]
    assert "A  note.txt" in git("status", "--porcelain")
