"""Nights of the flow: each ends in the right state with the right message, and the champion never gets worse."""

import dataclasses
import json
import logging
import re
import signal
from pathlib import Path

import pytest

from facet.base.errors import InputError
from facet.base.files import write_json
from facet.nights.champions import Champions
from facet.nights.record import NightRecord
from facet.sources import shards
from tests.support import nights
from tests.support.nights import HEAD, PATIENCE, deliver, nights_of, start, step
from tests.support.processes import within

pytestmark = pytest.mark.slow


def quality(root: Path) -> float:
    folder = Champions(root / "champions").folder("vigan")
    return float(json.loads((folder / "model.json").read_text())["quality"])


def test_a_record_is_never_overwritten(tmp_path):
    """A night that has ended well keeps its name; one that has not continues, and its record stays beside the new."""
    from flows import nightly

    def record(state):
        path = tmp_path / "nights" / "a.json"
        write_json(path, dataclasses.asdict(dataclasses.replace(NightRecord("a", "2026-11-27T02:00:00"), state=state)))
        return path

    assert nightly._taken(tmp_path, "a") == "a"
    for state in ("Promoted", "Kept", "Nothing new", "Waiting"):
        before = record(state).read_bytes()
        with pytest.raises(InputError, match=r"the night a has been, and .*nights/a.json is its record"):
            nightly._taken(tmp_path, "a")
        assert record(state).read_bytes() == before
    contents = []
    for state in ("Failed", "Unfinished", "Failed"):
        contents.append(record(state).read_bytes())
        assert nightly._taken(tmp_path, "a") == "a"
    (tmp_path / "nights/a.json").write_text("torn")
    assert nightly._taken(tmp_path, "a") == "a"
    kept = [(tmp_path / f"nights/a.before-{number}.json").read_bytes() for number in (1, 2, 3, 4)]
    assert kept == [*contents, b"torn"]


def test_a_record_that_cannot_be_written_does_not_hide_the_outcome(tmp_path, monkeypatch):
    from flows import nightly
    from flows.night import Night
    from flows.supervise import Children

    def full(*words):
        raise OSError(28, "No space left on device")

    sent = []
    monkeypatch.setattr(nightly, "write_json", full)
    monkeypatch.setattr(nightly.messages, "send", lambda title, text: sent.append((title, text)))
    monkeypatch.setattr(nightly, "create_markdown_artifact", full)
    monkeypatch.setattr(nightly.artifacts, "show_link", lambda *words, **named: None)
    night = Night(tmp_path, "a", drop=None, children=Children())
    night.record.state = "Kept"
    nightly._finish(night, logging.getLogger("test"))
    ((title, text),) = sent
    assert "please look" in title
    assert "the record could not be written: [Errno 28] No space left on device" in text


def test_a_week(tmp_path, server, received):
    root = nights.make(tmp_path / "project")
    deliver(root / "arrivals/drop/first", range(6))
    step(root, "3-corrupt", "(root / 'arrivals/drop/x').mkdir(); (root / 'arrivals/drop/x/9.jpg').write_bytes(b'none');"
         "(root / 'arrivals/drop/x/labels.csv').write_text('file,Smiling\\n9.jpg,1')")  # fmt: skip
    step(root, "4-odd", HEAD + "deliver(root / 'arrivals/drop/y', range(10, 14))")
    step(root, "5-labels", HEAD + "deliver(root / 'arrivals/drop/z', range(20, 24), 'file,Smil\\n\"20.jpg,')")
    step(root, "6-worse", HEAD + "shutil.rmtree(root / 'arrivals/drop/z')\n"
         "deliver(root / 'arrivals/drop/w', range(30, 33)); (root / 'quality.txt').write_text('0.5')")  # fmt: skip
    step(root, "7-better", "(root / 'quality.txt').write_text('2.0')")
    names = ("1-first", "2-nothing", "3-corrupt", "4-odd", "5-labels", "6-worse", "7-better", "8-nothing")
    ended = nights_of(root, *names, server=server)
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
        "Night 1-first: Promoted", "Night 3-corrupt: Nothing new - please look", "Night 4-odd: Promoted - please look",
        "Night 5-labels: Nothing new - please look", "Night 6-worse: Kept", "Night 7-better: Promoted",
    ]  # fmt: skip


def test_a_failed_night_says_why_and_the_next_goes_on(tmp_path, server, received):
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
    ended = nights_of(root, "1", "2", "3", "4", server=server)
    assert [state for state, _ in ended.values()] == ["Failed", "Promoted", "Failed", "Promoted"]
    assert "the disk is full" in ended["1"][1]
    assert "stage train_gan@vigan failed" in ended["1"][1]
    assert "`nightly` lacks hours and does not know h" in ended["3"][1]
    assert "please look" in ended["4"][1]  # but drift blocks nothing
    assert "drift: error: no drift today" in ended["4"][1]
    assert len(received) == 4
    assert quality(root) == 1.0
    assert (root / "data/judges/judges.json").read_text() == "judges.json"


def test_a_night_killed_in_the_middle_leaves_no_process_and_the_next_ends_as_an_undisturbed_one(tmp_path, server):
    whole, killed = (nights.make(tmp_path / name) for name in ("whole", "killed"))
    for root in (whole, killed):
        deliver(root / "arrivals/drop/first", range(6))
    (killed / "slow").touch()
    process = start(killed, "1", server=server)
    assert within(PATIENCE, lambda: (killed / "training").exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()[0][-3000:]
    second = nights_of(killed, "1b", server=server)  # two overlapping runs
    assert second["1b"][0] == "Busy"
    assert f"(process {process.pid})" in second["1b"][1]
    assert re.search(r"another night is running here since 20\d\d-\d\d-\d\dT", second["1b"][1])
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert within(PATIENCE, lambda: not any(_works_in(pid, killed) for pid in Path("/proc").glob("[0-9]*")))
    (killed / "slow").unlink()
    states = [nights_of(root, "1", server=server)["1"][0] for root in (whole, killed)]
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
    """Without a server of the user's: on a temporary one."""
    root = nights.make(tmp_path / "project", hours=0.002)
    deliver(root / "arrivals/drop/first", range(6))
    (root / "slow").touch()
    step(
        root,
        "2",
        "(root / 'slow').unlink(); p = root / 'params.yaml'; p.write_text(p.read_text().replace('0.002', '1.0'))",
    )
    ended = nights_of(root, "1", "2", server="")
    assert [state for state, _ in ended.values()] == ["Unfinished", "Promoted"]
    assert "continues from its checkpoint" in ended["1"][1]
