"""The page of nights: every verdict with its intervals, whatever the nights were."""

import json
from pathlib import Path

import pytest

from facet.nights import page as nights_page
from facet.nights.champions import Champions
from tests.support.pages import REFERENCES, nesting


def measure(name: str, candidate: float, champion: float, low: float, high: float, tolerance: float) -> dict:
    difference = {"value": (low + high) / 2, "low": low, "high": high, "n": 90}
    return {
        "name": name, "candidate": candidate, "champion": champion, "difference": difference, "tolerance": tolerance,
        "holds": low >= -tolerance,
    }  # fmt: skip


def record(name: str, state: str, when: str, **changes) -> dict:
    plain = {
        "name": name, "when": when, "seconds": 61.0, "state": state, "intake": None, "drift": None, "stages": [],
        "verdicts": {}, "live": {}, "pushed": None, "problems": [],
    }  # fmt: skip
    return plain | changes


def verdict(success: float, *measures: dict, reasons: list[str]) -> dict:
    return {
        "promote": all(one["holds"] for one in measures), "reasons": reasons, "measures": list(measures),
        "scores": {"success": success, "l2": 300.0}, "attributes": ["Smiling"], "test_faces": 90, "test_people": 40,
        "judges": "0123456789abcdef",
    }  # fmt: skip


@pytest.fixture
def project(tmp_path) -> Path:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.safetensors").write_bytes(b"w")
    (model / "model.json").write_text("{}")
    (tmp_path / "table.parquet").write_bytes(b"t")
    store = Champions(tmp_path / "champions")
    store.promote("vigan", model, tmp_path / "table.parquet", {"scores": {"success": 0.91, "l2": 300.0}}, why="night 1")
    version = str(store.live("vigan"))
    worse = measure("success", 0.90, 0.95, -0.08, -0.02, 0.02)
    steady = measure("reconstruction", 310.0, 300.0, -0.02, 0.01, 0.03)
    odd = {"name": "Bangs", "before": 0.1, "now": 0.6, "p": 1e-9, "shifted": True}
    still = {"name": "z3", "psi": 0.01, "ks": 0.1, "p": 0.7, "shifted": False}
    kept = [
        record("a <night>", "Promoted", "2026-11-01T02:00:00+00:00", live={"vigan": version},
               intake={"summary": "9 photos taken in"},
               verdicts={"vigan": verdict(0.91, reasons=["91.0 % of 90 edits succeed"])}),
        record("b", "Kept", "2026-11-03T02:00:00+00:00", live={"vigan": version}, pushed=False,
               problems=["report: it failed"],
               verdicts={"vigan": verdict(0.90, worse, steady, reasons=["success is worse"])},
               drift={"summary": "DRIFT", "alert": True, "dimensions": [still], "attributes": [odd]}),
        record("A later one", "Nothing new", "2026-11-02T02:00:00+00:00", live={"vigan": version}),
    ]  # fmt: skip
    (tmp_path / "nights").mkdir()
    for number, one in enumerate(kept):
        (tmp_path / "nights" / f"{number}.json").write_text(json.dumps(one))
    return tmp_path


def page_of(project: Path) -> str:
    out = project / "reports/nights.html"
    nights_page.run(nights_page.Params(nights=project / "nights", champions=project / "champions", out=out))
    return out.read_text()


def test_the_page_shows_nights_latest_first_with_verdicts_and_what_is_live(project):
    page = page_of(project)
    nesting(page)
    assert not REFERENCES.search(page)
    assert page.index(">b</td>") < page.index(">A later one</td>") < page.index(">a &lt;night&gt;</td>")
    assert "<b>000001-" in page
    assert "success 91.0 %, L2 300" in page
    assert "<b>-5.0 points</b>" in page
    assert "-8.0 to -2.0 points" in page
    assert page.count("does not hold</b>") == 1
    assert page.count(">holds</b>") == 1
    assert "not pushed" in page
    assert "report: it failed" in page
    assert "10.0 %</td><td>60.0 %" in page
    assert "z3" not in page
    assert "90 test faces of 40 people" in page


def test_the_page_shows_comparisons_with_earlier_champions_and_the_floor(project):
    steady = measure("success", 0.95, 0.95, -0.01, 0.01, 0.02)
    distance = measure("kernel_distance", 4.0, 2.0, -3.0, -1.0, 2.5)
    distance["floor"] = {"value": 0.1, "low": -5.1, "high": 5.3, "n": 40}
    found = verdict(0.95, steady, reasons=["worse than the first"]) | {"promote": False}
    found["standards"] = [
        {"against": "the first champion", "version": "000001-a", "measures": [distance], "faces": 80, "people": 35}
    ]
    path = project / "nights" / "4.json"
    path.write_text(json.dumps(record("d", "Kept", "2026-11-04T02:00:00+00:00", verdicts={"vigan": found})))
    page = page_of(project)
    nesting(page)
    assert "<th>the first champion</th>" in page
    assert "floor, photos of other people: -5.1 to +5.3" in page
    assert "80 test faces of 35 people, kept for candidates that pass" in page
    assert page.count("does not hold</b>") == 2


def test_the_chart_has_a_point_for_each_candidate_and_its_champion(project):
    chart = nights_page.success_chart(nights_page.read(project / "nights")[0], "vigan")
    assert chart is not None
    assert "candidate at 1: 91 %" in chart["chart"]
    assert "candidate at 2: 90 %" in chart["chart"]
    assert "champion at 2: 95 %" in chart["chart"]
    assert "champion at 1" not in chart["chart"]


def test_a_project_without_nights_has_a_page_that_says_so(tmp_path):
    page = page_of(tmp_path)
    nesting(page)
    assert "None has run yet" in page
    assert "No champion yet" in page


@pytest.mark.parametrize("text", ['{"name": "b"', "[]", '{"name": "b", "when": 5}', "\\udcff"])
def test_a_damaged_record_is_named_and_the_others_are_shown(project, text):
    (project / "nights/1.json").write_text(text)
    page = page_of(project)
    assert "no records of nights: 1.json" in page
    assert ">A later one</td>" in page


def test_the_summaries_of_records_before_0_1_are_shown(project):
    old = record(
        "old", "Nothing new", "2026-10-01T02:00:00+00:00", intake={"told": "7 pictures taken in"},
        drift={"told": "no drift in 40 people", "alert": False, "dimensions": [], "attributes": []},
    )  # fmt: skip
    (project / "nights/old.json").write_text(json.dumps(old))
    page = page_of(project)
    assert "7 pictures taken in" in page
    assert "no drift in 40 people" in page
