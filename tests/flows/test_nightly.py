"""Nights of the flow: each ends in the right state with the right message, and the champion never gets worse."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facet.base.errors import InputError
from facet.nights.champions import Champions
from facet.sources import shards
from flows import tracked_data
from tests.support import nights
from tests.support.nights import deliver, publish
from tests.support.paths import ROOT
from tests.support.processes import within
from tests.support.webhook import webhook

pytestmark = pytest.mark.slow
PATIENCE = 240.0
# Head of a step between two nights that makes a delivery.
HEAD = "import shutil\nfrom pathlib import Path\nfrom tests.support.nights import deliver, publish\n"


@pytest.fixture
def received(monkeypatch) -> Iterator[list[str]]:
    """The messages that a webhook received, whose address is in FACET_WEBHOOK."""
    with webhook() as hook:
        monkeypatch.setenv("FACET_WEBHOOK", hook.url)
        yield hook.received


def start(root: Path, *names: str) -> subprocess.Popen[str]:
    env = {
        **os.environ, "PREFECT_API_URL": "", "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_HOME": str(root / "prefect"), "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, nights.__file__, str(root), *names], env=env, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def nights_of(root: Path, *names: str) -> dict[str, tuple[str, str]]:
    """Run nights in one process; name -> (name of the state, message)."""
    process = start(root, *names)
    output, _ = process.communicate(timeout=PATIENCE)
    ended = [json.loads(line.removeprefix("NIGHT ")) for line in output.splitlines() if line.startswith("NIGHT ")]
    assert len(ended) == len(names), output[-5000:]
    return {name: (state, message) for name, state, _, message in ended}


def step(root: Path, night: str, code: str) -> None:
    """Let Python run before a night."""
    (root / "steps").mkdir(exist_ok=True)
    (root / "steps" / f"{night}.py").write_text(code)


def quality(root: Path) -> float:
    folder = Champions(root / "champions").folder("vigan")
    return float(json.loads((folder / "model.json").read_text())["quality"])


def test_a_week(tmp_path, received):
    root = nights.make(tmp_path / "project")
    deliver(root / "arrivals/drop/first", range(6))
    step(root, "3-corrupt", "(root / 'arrivals/drop/x').mkdir(); (root / 'arrivals/drop/x/9.jpg').write_bytes(b'none');"
         "(root / 'arrivals/drop/x/labels.csv').write_text('file,Smiling\\n9.jpg,1')")  # fmt: skip
    step(root, "4-odd", HEAD + "deliver(root / 'arrivals/drop/y', range(10, 14))")
    step(root, "5-labels", HEAD + "deliver(root / 'arrivals/drop/z', range(20, 24), 'file,Smil\\n\"20.jpg,')")
    step(root, "6-worse", HEAD + "shutil.rmtree(root / 'arrivals/drop/z')\n"
         "deliver(root / 'arrivals/drop/w', range(30, 33)); (root / 'quality.txt').write_text('0.5')")  # fmt: skip
    step(root, "7-better", "(root / 'quality.txt').write_text('2.0')")
    ended = nights_of(
        root, "1-first", "2-nothing", "3-corrupt", "4-odd", "5-labels", "6-worse", "7-better", "8-nothing"
    )
    states = [state for state, _ in ended.values()]
    assert states == [
        "Promoted", "Nothing new", "Nothing new", "Promoted", "Nothing new", "Kept", "Promoted", "Nothing new",
    ]  # fmt: skip
    assert "6 photos taken in" in ended["1-first"][1]
    assert "1 quarantined (not_an_image)" in ended["3-corrupt"][1].replace("1 not_an_image", "not_an_image")
    assert "please look" in ended["4-odd"][1]
    assert "DRIFT" in ended["4-odd"][1]
    assert "refused z" in ended["5-labels"][1]
    assert "the candidate stays out: quality 0.5 against 1.0" in ended["6-worse"][1]
    assert quality(root) == 2.0
    page = (root / "reports/nights.html").read_text()
    assert page.count("the candidate goes live") == 3
    assert page.count("the candidate stays out") == 1
    assert "quality 0.5 against 1.0" in page
    assert len(shards.read(root / "arrivals/faces").table) == 13
    assert len(Champions(root / "champions").versions("vigan")) == 3
    heads = [text.splitlines()[0].strip("*") for text in received]
    assert heads == [
        "Night 1-first: Promoted", "Night 3-corrupt: Nothing new", "Night 4-odd: Promoted - please look",
        "Night 5-labels: Nothing new - please look", "Night 6-worse: Kept", "Night 7-better: Promoted",
    ]  # fmt: skip


def test_a_failed_night_says_why_and_the_next_goes_on(tmp_path, received):
    root = nights.make(tmp_path / "project")
    deliver(root / "arrivals/drop/first", range(6))
    (root / "crash").touch()
    (root / "data/judges").mkdir(parents=True)
    (root / "data/judges/judges.json").write_text("of another profile")
    step(root, "2", "(root / 'crash').unlink()")
    step(
        root, "3", "(root / 'params.yaml').write_text((root / 'params.yaml').read_text().replace('\"hours\"', '\"h\"'))"
    )
    step(root, "4", HEAD + "p = root / 'params.yaml'; p.write_text(p.read_text().replace('\"h\"', '\"hours\"'))\n"
         "(root / 'facet/nights/drift.py').write_text('raise SystemExit(\"error: no drift today\")')\n"
         "deliver(root / 'arrivals/drop/more', range(10, 13))")  # fmt: skip
    ended = nights_of(root, "1", "2", "3", "4")
    assert [state for state, _ in ended.values()] == ["Failed", "Promoted", "Failed", "Promoted"]
    assert "the disk is full" in ended["1"][1]
    assert "stage train_gan@vigan failed" in ended["1"][1]
    assert "`nightly` lacks hours and does not know h" in ended["3"][1]
    assert "please look" in ended["4"][1]  # but drift blocks nothing
    assert "drift: error: no drift today" in ended["4"][1]
    assert len(received) == 4
    assert quality(root) == 1.0
    assert (root / "data/judges/judges.json").read_text() == "judges.json"


def test_a_night_killed_in_the_middle_leaves_no_process_and_the_next_ends_as_an_undisturbed_one(tmp_path):
    whole, killed = (nights.make(tmp_path / name) for name in ("whole", "killed"))
    for root in (whole, killed):
        deliver(root / "arrivals/drop/first", range(6))
    (killed / "slow").touch()
    process = start(killed, "1")
    assert within(PATIENCE, lambda: (killed / "training").exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()[0][-3000:]
    second = nights_of(killed, "1b")  # two overlapping runs
    assert second["1b"][0] == "Busy"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert within(PATIENCE, lambda: not any(_works_in(pid, killed) for pid in Path("/proc").glob("[0-9]*")))
    (killed / "slow").unlink()
    states = [nights_of(root, "1")["1"][0] for root in (whole, killed)]
    assert states == ["Promoted", "Promoted"]
    kept = ("arrivals/faces/*", "champions/vigan/*/weights.safetensors", "champions/vigan/*/attributes.parquet")
    undisturbed, resumed = (
        {path.relative_to(root).as_posix(): path.read_bytes() for glob in kept for path in root.glob(glob)}
        for root in (whole, killed)
    )
    assert len(undisturbed) == 4  # dataset.json, one shard, one version
    assert resumed == undisturbed


def _works_in(pid: Path, root: Path) -> bool:
    try:
        return (pid / "cwd").resolve() == root
    except OSError:
        return False


def test_the_hours_end_training_and_the_next_night_goes_on(tmp_path, received):
    root = nights.make(tmp_path / "project", hours=0.002)
    deliver(root / "arrivals/drop/first", range(6))
    (root / "slow").touch()
    step(
        root,
        "2",
        "(root / 'slow').unlink(); p = root / 'params.yaml'; p.write_text(p.read_text().replace('0.002', '1.0'))",
    )
    ended = nights_of(root, "1", "2")
    assert [state for state, _ in ended.values()] == ["Unfinished", "Promoted"]
    assert "continues from its checkpoint" in ended["1"][1]


def test_a_push_that_fails_is_said_and_tried_again(tmp_path, received, monkeypatch):
    root = nights.make(tmp_path / "project", remote="store")
    config = root / ".dvc/config"
    config.write_text(config.read_text() + f"['remote \"store\"']\n    url = {root / 'store'}\n")
    deliver(root / "arrivals/drop/first", range(6))
    (root / "store").write_text("a file where the folder should be")
    step(root, "2", "(root / 'store').unlink()")
    monkeypatch.setenv("FACET_PUSH_PAUSE", "0")
    ended = nights_of(root, "1", "2", "3")
    assert "NOT pushed" in ended["1"][1]
    assert "pushed to the remote" in ended["2"][1]
    assert "pushed" not in ended["3"][1]
    assert any((root / "store").rglob("*"))


def test_a_promotion_is_committed_and_tagged_where_git_is_asked_for(tmp_path, received):
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
    ended = nights_of(root, "1", "2")
    assert [state for state, _ in ended.values()] == ["Promoted", "Kept"]
    assert git("tag").split() == ["vigan@v0.0.1"]
    assert git("log", "--format=%s").splitlines()[0].startswith("Night 1: vigan 000001-")
    assert git("show", "--name-only", "--format=", "HEAD").split() == ["dvc.lock"]
    assert "A  note.txt" in git("status", "--porcelain")


def test_a_data_set_that_dvc_tracks_is_fetched_and_what_is_new_in_it_is_taken_in(tmp_path, received):
    """Its owner adds to it and pushes; the project has its .dvc file, which somebody keeps up to date (git)."""
    owner, root = tmp_path / "owner", nights.make(tmp_path / "project", pull="faces.dvc", remote="store")
    (owner / ".dvc").mkdir(parents=True)
    for one in (owner, root):
        remote = f"[core]\nno_scm = true\nanalytics = false\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n"
        (one / ".dvc/config").write_text(remote)
    publish(owner, root, range(6))
    step(root, "2", HEAD + f"publish(Path({str(owner)!r}), root, range(9))")
    step(root, "4", HEAD + f"shutil.move({str(tmp_path / 'store')!r}, {str(tmp_path / 'away')!r})\n"
         "shutil.rmtree(root / '.dvc/cache'); shutil.rmtree(root / 'faces')")  # fmt: skip
    ended = nights_of(root, "1", "2", "3", "4")
    assert [state for state, _ in ended.values()] == ["Promoted", "Promoted", "Nothing new", "Nothing new"]
    assert "6 photos taken in" in ended["1"][1]
    assert "3 photos taken in as 2.zip; 6 in the data set already" in ended["2"][1]
    assert "faces.dvc is unchanged" in ended["3"][1]
    assert "pull: " in ended["4"][1]
    assert "please look" in ended["4"][1]
    assert len(shards.read(root / "arrivals/faces").table) == 9


def test_an_imported_data_set_is_brought_up_to_date(tmp_path, received):
    root = nights.make(tmp_path / "project", pull="raw/faces.dvc")
    deliver(tmp_path / "elsewhere", range(6))
    (root / "raw").mkdir()
    command = [sys.executable, "-m", "dvc", "import-url", str(tmp_path / "elsewhere"), "raw/faces"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    elsewhere = str(tmp_path / "elsewhere")
    step(root, "2", HEAD + f"shutil.rmtree({elsewhere!r}); deliver(Path({elsewhere!r}), range(4, 8))")  # fmt: skip
    ended = nights_of(root, "1", "2", "3")
    assert "6 photos taken in" in ended["1"][1]
    assert "2 photos taken in as 2.zip; 2 in the data set already" in ended["2"][1]
    assert "raw/faces.dvc is unchanged" in ended["3"][1]
    assert ended["3"][0] == "Nothing new"


@pytest.mark.parametrize("name", ["../x.dvc", "/x.dvc", "--cloud.dvc"])
def test_a_data_set_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="is not below"):
        tracked_data.read(tmp_path, name)


def test_what_was_taken_last_may_be_torn(tmp_path):
    data = tracked_data.DataSet(Path("x.dvc"), tmp_path / "x", "1.dir", imported=False)
    assert not tracked_data.is_taken(tmp_path, data)
    tracked_data.note_taken(tmp_path, data)
    assert tracked_data.is_taken(tmp_path, data)
    (tmp_path / tracked_data.TAKEN).write_text("")
    assert not tracked_data.is_taken(tmp_path, data)


@pytest.mark.parametrize("text", [None, "outs: 3", "outs:\n- path: a\n- path: b"])
def test_a_file_that_is_no_data_set_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "x.dvc").write_text(text)
    with pytest.raises(InputError, match=r"nightly.pull: .*x\.dvc"):
        tracked_data.read(tmp_path, "x.dvc")
