"""Nights of the flow: each ends in the right state with the right message, and what is live never gets worse."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from facet.base.errors import InputError
from facet.nights.champions import Champions
from facet.sources import shards
from flows import tracked_data
from tests.support import nights
from tests.support.paths import ROOT
from tests.support.photographs import jpeg

pytestmark = pytest.mark.slow
PATIENCE = 240.0
HEAD = (  # of the code before a night that lets pictures arrive
    f"import shutil, sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\n"
    "from tests.flows.test_nightly import arrive, publish\n"
)


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What the webhook was told; its address in FACET_WEBHOOK."""
    heard: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["FACET_WEBHOOK"] = f"http://127.0.0.1:{server.server_port}/hook"
    yield heard
    del os.environ["FACET_WEBHOOK"]
    server.shutdown()
    server.server_close()


def arrive(folder: Path, seeds: range, labels: str | None = None) -> None:
    folder.mkdir(parents=True)
    for seed in seeds:
        (folder / f"{seed}.jpg").write_bytes(jpeg(seed=seed))
    rows = [f"{seed}.jpg,p{seed},{seed % 2}" for seed in seeds]
    (folder / "labels.csv").write_text(labels or "\n".join(["file,identity,Smiling", *rows]))


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
    """Name -> (state's name, message) of nights run in one process."""
    process = start(root, *names)
    said, _ = process.communicate(timeout=PATIENCE)
    found = [json.loads(line.removeprefix("NIGHT ")) for line in said.splitlines() if line.startswith("NIGHT ")]
    assert len(found) == len(names), said[-5000:]
    return {name: (state, message) for name, state, _, message in found}


def step(root: Path, night: str, code: str) -> None:
    """Python that runs before a night."""
    (root / "steps").mkdir(exist_ok=True)
    (root / "steps" / f"{night}.py").write_text(code)


def quality(root: Path) -> float:
    folder = Champions(root / "champions").folder("vigan")
    return float(json.loads((folder / "model.json").read_text())["quality"])


def test_a_week(tmp_path, told):
    root = nights.make(tmp_path / "project")
    arrive(root / "arrivals/drop/first", range(6))
    step(root, "3-corrupt", "(root / 'arrivals/drop/x').mkdir(); (root / 'arrivals/drop/x/9.jpg').write_bytes(b'none');"
         "(root / 'arrivals/drop/x/labels.csv').write_text('file,Smiling\\n9.jpg,1')")  # fmt: skip
    step(root, "4-odd", HEAD + "arrive(root / 'arrivals/drop/y', range(10, 14))")
    step(root, "5-labels", HEAD + "arrive(root / 'arrivals/drop/z', range(20, 24), 'file,Smil\\n\"20.jpg,')")
    step(root, "6-worse", HEAD + "shutil.rmtree(root / 'arrivals/drop/z')\n"
         "arrive(root / 'arrivals/drop/w', range(30, 33)); (root / 'quality.txt').write_text('0.5')")  # fmt: skip
    step(root, "7-better", "(root / 'quality.txt').write_text('2.0')")
    found = nights_of(
        root, "1-first", "2-nothing", "3-corrupt", "4-odd", "5-labels", "6-worse", "7-better", "8-nothing"
    )
    states = [state for state, _ in found.values()]
    assert states == [
        "Promoted", "Nothing new", "Nothing new", "Promoted", "Nothing new", "Kept", "Promoted", "Nothing new",
    ]  # fmt: skip
    assert "6 pictures taken in" in found["1-first"][1]
    assert "1 quarantined (not_an_image)" in found["3-corrupt"][1].replace("1 not_an_image", "not_an_image")
    assert "please look" in found["4-odd"][1]
    assert "DRIFT" in found["4-odd"][1]
    assert "refused z" in found["5-labels"][1]
    assert "the candidate stays out: quality 0.5 against 1.0" in found["6-worse"][1]
    assert quality(root) == 2.0
    page = (root / "reports/nights.html").read_text()
    assert page.count("the candidate goes live") == 3
    assert page.count("the candidate stays out") == 1
    assert "quality 0.5 against 1.0" in page
    assert len(shards.read(root / "arrivals/faces").table) == 13
    assert len(Champions(root / "champions").versions("vigan")) == 3
    heads = [text.splitlines()[0].strip("*") for text in told]
    assert heads == [
        "Night 1-first: Promoted", "Night 3-corrupt: Nothing new", "Night 4-odd: Promoted - please look",
        "Night 5-labels: Nothing new - please look", "Night 6-worse: Kept", "Night 7-better: Promoted",
    ]  # fmt: skip


def test_a_failed_night_says_why_and_the_next_goes_on(tmp_path, told):
    root = nights.make(tmp_path / "project")
    arrive(root / "arrivals/drop/first", range(6))
    (root / "crash").touch()
    (root / "data/judges").mkdir(parents=True)
    (root / "data/judges/judges.json").write_text("of another profile")
    step(root, "2", "(root / 'crash').unlink()")
    step(
        root, "3", "(root / 'params.yaml').write_text((root / 'params.yaml').read_text().replace('\"hours\"', '\"h\"'))"
    )
    step(root, "4", HEAD + "p = root / 'params.yaml'; p.write_text(p.read_text().replace('\"h\"', '\"hours\"'))\n"
         "(root / 'facet/nights/drift.py').write_text('raise SystemExit(\"error: no drift today\")')\n"
         "arrive(root / 'arrivals/drop/more', range(10, 13))")  # fmt: skip
    found = nights_of(root, "1", "2", "3", "4")
    assert [state for state, _ in found.values()] == ["Failed", "Promoted", "Failed", "Promoted"]
    assert "the disk is full" in found["1"][1]
    assert "stage train_gan@vigan failed" in found["1"][1]
    assert "`nightly` lacks hours and does not know h" in found["3"][1]
    assert "please look" in found["4"][1]  # but drift blocks nothing
    assert "drift: error: no drift today" in found["4"][1]
    assert len(told) == 4
    assert quality(root) == 1.0
    assert (root / "data/judges/judges.json").read_text() == "judges.json"


def test_a_night_killed_in_the_middle_leaves_no_process_and_the_next_ends_as_an_undisturbed_one(tmp_path):
    whole, killed = (nights.make(tmp_path / name) for name in ("whole", "killed"))
    for root in (whole, killed):
        arrive(root / "arrivals/drop/first", range(6))
    (killed / "slow").touch()
    process = start(killed, "1")
    deadline = time.monotonic() + PATIENCE
    while not (killed / "training").exists():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = nights_of(killed, "1b")  # two overlapping runs
    assert second["1b"][0] == "Busy"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while left := [pid for pid in Path("/proc").glob("[0-9]*") if _works_in(pid, killed)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    (killed / "slow").unlink()
    states = [nights_of(root, "1")["1"][0] for root in (whole, killed)]
    assert states == ["Promoted", "Promoted"]
    kept = ("arrivals/faces/*", "champions/vigan/*/weights.safetensors", "champions/vigan/*/attributes.parquet")
    found = [
        {path.relative_to(root).as_posix(): path.read_bytes() for glob in kept for path in root.glob(glob)}
        for root in (whole, killed)
    ]
    assert len(found[0]) == 4  # dataset.json, one shard, one version
    assert found[0] == found[1]


def _works_in(pid: Path, root: Path) -> bool:
    try:
        return (pid / "cwd").resolve() == root
    except OSError:
        return False


def test_the_hours_end_training_and_the_next_night_goes_on(tmp_path, told):
    root = nights.make(tmp_path / "project", hours=0.002)
    arrive(root / "arrivals/drop/first", range(6))
    (root / "slow").touch()
    step(
        root,
        "2",
        "(root / 'slow').unlink(); p = root / 'params.yaml'; p.write_text(p.read_text().replace('0.002', '1.0'))",
    )
    found = nights_of(root, "1", "2")
    assert [state for state, _ in found.values()] == ["Unfinished", "Promoted"]
    assert "goes on from its checkpoint" in found["1"][1]


def test_a_push_that_fails_is_said_and_tried_again(tmp_path, told, monkeypatch):
    root = nights.make(tmp_path / "project", remote="store")
    config = root / ".dvc/config"
    config.write_text(config.read_text() + f"['remote \"store\"']\n    url = {root / 'store'}\n")
    arrive(root / "arrivals/drop/first", range(6))
    (root / "store").write_text("a file where the folder should be")
    step(root, "2", "(root / 'store').unlink()")
    monkeypatch.setenv("FACET_PUSH_PAUSE", "0")
    found = nights_of(root, "1", "2", "3")
    assert "NOT pushed" in found["1"][1]
    assert "pushed to the remote" in found["2"][1]
    assert "pushed" not in found["3"][1]
    assert any((root / "store").rglob("*"))


def test_a_promotion_is_committed_and_tagged_where_git_is_asked_for(tmp_path, told):
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
    arrive(root / "arrivals/drop/first", range(6))
    step(root, "2", "(root / 'quality.txt').write_text('0.5')")
    found = nights_of(root, "1", "2")
    assert [state for state, _ in found.values()] == ["Promoted", "Kept"]
    assert git("tag").split() == ["vigan@v0.0.1"]
    assert git("log", "--format=%s").splitlines()[0].startswith("Night 1: vigan 000001-")
    assert git("show", "--name-only", "--format=", "HEAD").split() == ["dvc.lock"]
    assert "A  note.txt" in git("status", "--porcelain")


def test_a_data_set_that_dvc_tracks_is_fetched_and_what_is_new_in_it_is_taken_in(tmp_path, told):
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
    found = nights_of(root, "1", "2", "3", "4")
    assert [state for state, _ in found.values()] == ["Promoted", "Promoted", "Nothing new", "Nothing new"]
    assert "6 pictures taken in" in found["1"][1]
    assert "3 pictures taken in as 2.zip; 6 there already" in found["2"][1]
    assert "faces.dvc is as it was" in found["3"][1]
    assert "pull: " in found["4"][1]
    assert "please look" in found["4"][1]
    assert len(shards.read(root / "arrivals/faces").table) == 9


def publish(owner: Path, root: Path, seeds: range) -> None:
    """A data set of pictures as its owner has it now, pushed, and its .dvc file in the project."""
    shutil.rmtree(owner / "faces", ignore_errors=True)
    arrive(owner / "faces", seeds)
    for words in (("add", "faces"), ("push", "--remote", "store")):
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=owner, check=True, capture_output=True)
    shutil.copy(owner / "faces.dvc", root)


def test_an_imported_data_set_is_brought_up_to_date(tmp_path, told):
    root = nights.make(tmp_path / "project", pull="raw/faces.dvc")
    arrive(tmp_path / "elsewhere", range(6))
    (root / "raw").mkdir()
    command = [sys.executable, "-m", "dvc", "import-url", str(tmp_path / "elsewhere"), "raw/faces"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    elsewhere = str(tmp_path / "elsewhere")
    step(root, "2", HEAD + f"shutil.rmtree({elsewhere!r}); arrive(Path({elsewhere!r}), range(4, 8))")  # fmt: skip
    found = nights_of(root, "1", "2", "3")
    assert "6 pictures taken in" in found["1"][1]
    assert "2 pictures taken in as 2.zip; 2 there already" in found["2"][1]
    assert "raw/faces.dvc is as it was" in found["3"][1]
    assert found["3"][0] == "Nothing new"


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
