"""`facet gc` keeps what tags, champions and other worktrees need, wherever in the clone it is run."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from facet.base import project
from facet.base.errors import InputError
from facet.cli import main
from flows import garbage

pytestmark = pytest.mark.slow


def run(place: Path, *words: str) -> None:
    done = subprocess.run(words, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def git(place: Path, *words: str) -> None:
    run(place, "git", "-c", "user.name=a", "-c", "user.email=a@x", *words)


def dvc(place: Path, *words: str) -> None:
    run(place, sys.executable, "-m", "dvc", *words)


def version(root: Path, text: str) -> None:
    """Make a version of the data and commit it."""
    (root / "number").write_text(text)
    dvc(root, "repro")
    git(root, "add", "-A")
    git(root, "commit", "-qm", text)


def cached(root: Path, text: str) -> bool:
    digest = hashlib.md5(text.encode()).hexdigest()
    return (root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).exists()


@pytest.fixture
def clone(tmp_path):
    """A project in a folder of a repository, with a tagged version, one on a worktree, one of neither, and the last."""
    root = tmp_path / "repository" / "faces"
    (root / "notes/deep").mkdir(parents=True)
    git(root.parent, "init", "-q", "-b", "main")
    dvc(root, "init", "-q", "--subdir")
    (root / "dvc.yaml").write_text("stages:\n  a:\n    cmd: cp number out\n    deps: [number]\n    outs: [out]\n")
    (root / "notes/deep/dvc.yaml").write_text("stages: {}\n")  # dvc finds pipelines in sub-folders, too
    for text in ("tagged", "other", "neither", "last"):
        version(root, text)
        if text == "tagged":
            git(root, "tag", "v1")
        if text == "other":
            git(root, "worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    return root


def test_from_a_sub_folder_everything_is_kept_that_is_kept_from_the_root(clone, monkeypatch, capfd):
    monkeypatch.chdir(clone / "notes" / "deep")
    assert main(["gc", "--yes"]) == 0
    assert [cached(clone, text) for text in ("tagged", "other", "neither", "last")] == [True, True, False, True]
    assert main(["gc", "--yes", "--root", "."]) == 2
    assert f"name the clone itself: --root {clone}" in capfd.readouterr().err


def test_what_others_or_unknown_tags_may_need_is_not_removed(clone, tmp_path):
    for words, reason in (
        (["git", "clone", "-q", "--depth", "1", f"file://{clone.parent}", "shallow"], "shallow clone.*unshallow"),
        (["git", "clone", "-q", str(clone.parent), "shared"], "outside this clone, and other projects may use it"),
        (["git", "clone", "-q", str(clone.parent), "lost"], r"dvc.lock is missing or damaged"),
    ):
        run(tmp_path, *words)
        root = tmp_path / words[-1] / "faces"
        if root.parent.name == "shared":
            dvc(root, "config", "cache.dir", str(clone / ".dvc/cache"))
        elif root.parent.name == "lost":
            (root / "dvc.lock").unlink()
        with pytest.raises(InputError, match=reason):
            garbage.check(root)


def test_the_folder_of_a_champion_is_not_taken_for_the_project(tmp_path, monkeypatch):
    for folder in (tmp_path, tmp_path / "champions/ian/000001-ab/pipeline"):
        (folder / ".dvc").mkdir(parents=True)
        (folder / "dvc.yaml").write_text("stages: {}")
    (folder.parent / "card.json").write_text("{}")
    monkeypatch.chdir(folder)
    assert project.find_root(None) == tmp_path
    monkeypatch.chdir(tmp_path)
    assert project.find_root(None) == Path()


def test_a_root_that_is_not_there_is_one_line(tmp_path, capsys):
    for words in (["gc"], ["doctor"], ["champion", "list"], ["edit", "a", "b", "--set", "Smiling=on"]):
        assert main([*words, "--root", str(tmp_path / "nowhere")]) == 2
        error = capsys.readouterr().err
        assert (error.count("\n"), "there is no such folder" in error) == (1, True)
