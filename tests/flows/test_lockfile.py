"""A dvc.lock that a kill left empty or cut short is put back; one that holds a merge conflict is left to its user."""

import os
import subprocess

import pytest

from facet.base import dvc_lock
from facet.base.errors import InputError
from flows import doctor, lockfile
from tests.support.paths import ROOT

SOUND = "schema: '2.0'\nstages:\n  a:\n    cmd: python a.py\n    outs:\n    - path: a\n      md5: 0123\n"
DAMAGED = ("", SOUND[:32], SOUND[:22], "\0" * 50, "schema: '2.0'\nstages:\n  a:\n", "- a")


CONFLICT = "schema: '2.0'\nstages:\n<<<<<<< HEAD\n  a:\n    cmd: a\n=======\n  a:\n    cmd: b\n>>>>>>> theirs\n"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(lockfile, "PAUSE", 0.0)


def git(root, *words, fails=False):
    done = subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@x", *words], cwd=root, capture_output=True)
    assert fails or done.returncode == 0, done.stderr


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
    for words in (["init", "-q"], ["add", "dvc.lock"], ["commit", "-qm", "lock"]):
        git(tmp_path, *words)
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
    assert dvc_lock.fault(text) == ""
    cuts = range(1, len(text) - 1, len(text) // 40)
    sound = [cut for cut in cuts if text[cut - 1] != "\n" and not dvc_lock.fault(text[:cut])]
    assert not sound


@pytest.mark.parametrize("damaged", ["", '{"read": {', "[]"])
def test_a_damaged_list_of_locks_is_removed_and_a_sound_one_stays(tmp_path, damaged):
    locks = tmp_path / ".dvc/tmp/rwlock"
    locks.parent.mkdir(parents=True)
    locks.write_text('{"read": {}}')
    assert lockfile.mend(tmp_path) == ""
    assert locks.exists()
    locks.write_text(damaged)
    assert "the processes that held its locks have ended" in lockfile.mend(tmp_path)
    assert not locks.exists()


def test_a_lock_with_a_merge_conflict_is_named_with_its_line_and_left_alone(tmp_path):
    lock = tmp_path / "dvc.lock"
    lock.write_text(SOUND)
    lockfile.keep(tmp_path)
    for text in (CONFLICT, CONFLICT[:-20]):
        lock.write_text(text)
        with pytest.raises(InputError, match=r"dvc\.lock line 3: .*merge conflict.*--ours.*git add"):
            lockfile.mend(tmp_path)
        assert lock.read_text() == text


def test_a_lock_that_is_unmerged_in_git_is_left_alone_even_if_it_is_whole(tmp_path):
    lock = tmp_path / "dvc.lock"
    git(tmp_path, "init", "-q", "-b", "main")
    for words, md5 in (([], "0123"), (["checkout", "-q", "-b", "other"], "4567"), (["checkout", "-q", "main"], "8901")):
        git(tmp_path, *(words or ["status"]))
        lock.write_text(SOUND.replace("0123", md5))
        git(tmp_path, "add", "dvc.lock")
        git(tmp_path, "commit", "-qm", md5)
    git(tmp_path, "merge", "-q", "other", fails=True)
    git(tmp_path, "checkout", "-q", "--ours", "dvc.lock")
    assert not dvc_lock.fault(lock.read_text())
    with pytest.raises(InputError, match="unmerged in git"):
        lockfile.mend(tmp_path)
    git(tmp_path, "add", "dvc.lock")
    assert lockfile.mend(tmp_path) == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (SOUND.replace("    cmd", "   cmd") + SOUND[22:], "line 5: mapping values"),
        (SOUND + SOUND[22:], 'duplicate key "a"'),
        (SOUND.replace("cmd:", "command:") + "  b:\n    cmd: b\n", "stage a lacks its command"),
        ("- a\n", "no mapping"),
    ],
)
def test_damage_that_no_kill_leaves_is_the_users_to_mend(text, fault, tmp_path):
    (tmp_path / "dvc.lock").write_text(SOUND)
    lockfile.keep(tmp_path)
    (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(InputError, match=fault):
        lockfile.mend(tmp_path)
    assert (tmp_path / "dvc.lock").read_text() == text


def test_the_newer_of_the_copy_and_the_commit_is_put_back_and_the_damaged_one_kept(tmp_path):
    lock, newer = tmp_path / "dvc.lock", SOUND.replace("0123", "4567")
    lock.write_text(SOUND)
    lockfile.keep(tmp_path)
    os.utime(tmp_path / dvc_lock.COPY, (1e9, 1e9))
    lock.write_text(newer)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "dvc.lock")
    git(tmp_path, "commit", "-qm", "pulled")
    lock.write_text(SOUND[:30])
    assert "from git" in lockfile.mend(tmp_path)
    assert lock.read_text() == newer
    assert (tmp_path / lockfile.DAMAGED).read_text() == SOUND[:30]


def test_the_copy_is_renewed_before_a_flow_and_by_every_stage_under_plain_dvc(tmp_path, monkeypatch):
    lock = tmp_path / "dvc.lock"
    lock.write_text(SOUND)
    assert lockfile.mend(tmp_path) == ""
    assert (tmp_path / dvc_lock.COPY).read_text() == SOUND
    lock.write_text(SOUND.replace("0123", "4567"))
    dvc_lock.keep_at_start_of_stage()  # not started by dvc
    assert (tmp_path / dvc_lock.COPY).read_text() == SOUND
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    dvc_lock.keep_at_start_of_stage()
    assert (tmp_path / dvc_lock.COPY).read_text() == lock.read_text()


def test_the_doctor_does_not_advise_what_would_overwrite_a_conflict(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "dvc.lock").write_text(CONFLICT)
    (finding,) = [one for one in doctor.examine(tmp_path) if "dvc.lock" in one.what]
    assert finding.level == "FAIL"
    assert "facet reproduce" not in str(finding)
    assert "git add dvc.lock" in finding.fix
