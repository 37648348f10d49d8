"""A dvc.lock that a kill left empty or cut short is put back."""

import subprocess

import pytest

from flows import doctor, lockfile
from tests.support.paths import ROOT

SOUND = "schema: '2.0'\nstages:\n  a:\n    cmd: python a.py\n    outs:\n    - path: a\n      md5: 0123\n"
DAMAGED = ("", SOUND[:32], SOUND[:22], "\0" * 50, "schema: '2.0'\nstages:\n  a:\n", "- a")


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_lock_is_put_back_from_the_copy(tmp_path, damaged):
    lock = tmp_path / "dvc.lock"
    assert lockfile.mend(tmp_path) == ""
    lock.write_text(SOUND)
    lockfile.keep(tmp_path)
    assert lockfile.mend(tmp_path) == ""
    lock.write_text(damaged)
    lockfile.keep(tmp_path)  # never keeps what is damaged
    assert "copy after the last stage" in lockfile.mend(tmp_path)
    assert lock.read_text() == SOUND


def test_without_a_copy_git_has_one_and_without_git_stages_are_looked_at_anew(tmp_path):
    lock = tmp_path / "dvc.lock"
    lock.write_text("")
    assert "there is no copy" in lockfile.mend(tmp_path)
    assert not lock.exists()
    lock.write_text(SOUND)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@x"]
    for words in (["init", "-q"], ["add", "dvc.lock"], ["commit", "-qm", "lock"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    lock.write_text(SOUND[:30])
    assert "from git" in lockfile.mend(tmp_path)
    assert lock.read_text() == SOUND


def test_the_doctor_sees_it(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "dvc.lock").write_text("")
    assert any("dvc.lock is damaged" in str(one) for one in doctor.examine(tmp_path) if one.level == "FAIL")


def test_the_project_s_own_lock_is_sound_and_cut_within_a_line_it_is_not():
    """Cut at the end of a line it may be whole to dvc, which then looks at the stages that are missing anew."""
    text = (ROOT / "dvc.lock").read_text()
    assert lockfile.is_sound(text)
    cuts = range(1, len(text) - 1, len(text) // 40)
    sound = [cut for cut in cuts if text[cut - 1] != "\n" and lockfile.is_sound(text[:cut])]
    assert not sound


@pytest.mark.parametrize("damaged", ["", '{"read": {', "[]"])
def test_a_damaged_list_of_locks_is_removed_and_a_sound_one_stays(tmp_path, monkeypatch, damaged):
    monkeypatch.setattr(lockfile, "PAUSE", 0.0)
    locks = tmp_path / ".dvc/tmp/rwlock"
    locks.parent.mkdir(parents=True)
    locks.write_text('{"read": {}}')
    assert lockfile.mend(tmp_path) == ""
    assert locks.exists()
    locks.write_text(damaged)
    assert "the processes that held its locks have ended" in lockfile.mend(tmp_path)
    assert not locks.exists()
