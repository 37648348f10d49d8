import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.dag import StatusFailed, UnknownStage, look, select, stage_needs, stale_reasons, stale_stages
from tests.support import nights

NEEDS = {"a": [], "gan@x": ["a"], "gan@y": ["a"], "report": ["gan@x", "gan@y"], "aside": []}


def test_a_target_brings_the_stages_it_needs_and_no_others():
    assert list(select(NEEDS, ["gan@y"])) == ["a", "gan@y"]
    assert list(select(NEEDS, ["report"])) == ["a", "gan@x", "gan@y", "report"]


def test_the_name_of_a_foreach_stage_means_all_of_it():
    assert list(select(NEEDS, ["gan", "aside"])) == ["a", "gan@x", "gan@y", "aside"]


def test_an_unknown_stage_is_answered_with_the_nearest():
    with pytest.raises(UnknownStage, match=r"no stage repport; did you mean report\?"):
        select(NEEDS, ["repport"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """third reads two@x and two@y, which read first; `alone` reads nothing."""
    root = tmp_path_factory.mktemp("project")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\nno_scm = true\nanalytics = false\ncheck_update = false\n")
    (root / "params.yaml").write_text("two: [x, y]\n")
    (root / "dvc.yaml").write_text(
        """\
stages:
  third:
    cmd: cat two-x two-y > third
    deps: [two-x, two-y]
    outs: [third]
  two:
    foreach: ${two}
    do:
      cmd: cp first two-${item}
      deps: [first]
      outs: ["two-${item}"]
  first:
    cmd: echo 1 > first
    deps: [seed.txt]
    outs: [first]
  alone:
    cmd: echo 1 > alone
    outs: [alone]
"""
    )
    (root / "seed.txt").write_text("1")
    return root


def test_the_graph_comes_needed_stages_first_with_foreach_expanded(project):
    needs = stage_needs(project)
    assert needs == {"third": ["two@x", "two@y"], "two@x": ["first"], "two@y": ["first"], "first": [], "alone": []}
    assert list(needs) == ["first", "two@x", "two@y", "third", "alone"]


@pytest.mark.slow
def test_what_changed_makes_all_that_reads_from_it_stale_and_nothing_else(project):
    needs = stage_needs(project)
    assert stale_stages(project, needs) == set(needs)
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=project, check=True)
    assert stale_stages(project, needs) == set()
    (project / "two-y").write_text("edited by hand")
    assert stale_stages(project, needs) == {"two@y", "third"}
    (project / "seed.txt").write_text("2")
    assert stale_stages(project, needs) == {"first", "two@x", "two@y", "third"}


@pytest.mark.slow
def test_what_lies_there_does_not_fit_where_a_stage_has_other_numbers_or_its_report_changed(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\nno_scm = true\nanalytics = false\ncheck_update = false\n")
    (tmp_path / "params.yaml").write_text("steps: 5\n")
    (tmp_path / "dvc.yaml").write_text(
        """\
stages:
  evaluate:
    cmd: echo ${steps} > numbers
    metrics: [{numbers: {cache: false}}]
  report:
    cmd: cp numbers page
    deps: [numbers]
    outs: [page]
"""
    )
    assert stale_reasons(tmp_path, "evaluate") == ["stage evaluate has not run"]
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet", "evaluate"], cwd=tmp_path, check=True)
    assert stale_reasons(tmp_path, "evaluate") == []
    assert stale_reasons(tmp_path, "report") == ["stage report has not run"]
    (tmp_path / "numbers").write_text("6")
    assert stale_reasons(tmp_path, "evaluate") == ["numbers is not as stage evaluate wrote it"]
    (tmp_path / "params.yaml").write_text("steps: 6\n")
    assert stale_reasons(tmp_path, "evaluate") == ["stage evaluate ran with other numbers than params.yaml has now"]


@pytest.mark.slow
def test_a_look_sees_what_dvc_status_sees_from_any_folder(tmp_path, monkeypatch):
    root = nights.make(tmp_path / "project")
    (root / "arrivals/faces").mkdir(parents=True)
    needs = stage_needs(root)
    for place in (root, tmp_path, root / "arrivals"):
        monkeypatch.chdir(place)
        assert look(root) == (needs, set(needs))
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=root, env=env, check=True)
    assert look(root) == (needs, set())
    (root / "quality.txt").write_text("0.5")
    assert look(root)[1] == stale_stages(root, needs) == {"train_gan@vigan", "attributes@vigan"}


@pytest.mark.slow
def test_an_internal_failure_of_dvc_status_is_one_line(tmp_path):
    root = nights.make(tmp_path / "project")
    needs = stage_needs(root)
    (root / ".dvc/config").write_text("[core\n")
    with pytest.raises(
        StatusFailed, match=r"`dvc status` failed in .*project: ERROR: .*`dvc status -v` says more"
    ) as caught:
        stale_stages(root, needs)
    assert "\n" not in str(caught.value)
