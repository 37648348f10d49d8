"""Junk makes no stage stale."""

import shutil

from dvc.repo import Repo

from tests.support import junk
from tests.support.paths import ROOT


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
