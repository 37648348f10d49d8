"""Stage `report` on what the other stages write about the linear system."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from facet.base.errors import InputError
from facet.base.tables import read_faces
from facet.preparation.card import data_card
from facet.reporting import charts, values
from stages import edit, evaluate, report
from tests.support import evaluated
from tests.support.pages import REFERENCES, nesting

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    reports, data = folder / "reports", folder / "data"
    with evaluated.linear(folder) as found:
        evaluate.run(dataclasses.replace(found, bootstrap=20))
        edit.run(
            edit.Params(
                prepared=found.prepared,
                model=found.model,
                attributes=found.attributes,
                edits=data / "edits" / "linear",
                sheets=data / "sheets" / "linear",
                specs=("Smiling=on", "Eyeglasses=off, Blond_Hair=+1"),
                mode="add",
                clip=False,
                count=10,
                sheet_faces=3,
                seed=0,
                batch_size=8,
                threads=1,
                device="cpu",
                precision="fp32",
            )
        )
    faces = read_faces(found.prepared)
    card = data_card(faces.table, faces.meta)
    card |= {"reasons": {"not an image": 2}, "examples": {"not an image": ["<b>.jpg: not an image: HTML"]}}
    (reports / "data_card.json").write_text(json.dumps(card))
    (reports / "judges.json").write_text(json.dumps(judges(faces.meta.attributes)))
    (reports / "train").mkdir()
    history = pd.DataFrame({"step": [10, 20, 30], "images_seen": [80, 160, 240], "pixel": [0.9, np.nan, 0.3]})
    history.to_csv(reports / "train" / "in_domain.csv", index=False)
    (reports / "train" / "unfinished.csv").write_text("")
    (data / "samples").mkdir()
    Image.new("RGB", (40, 30), (200, 30, 90)).save(data / "samples" / "linear.png")
    (folder / "params.yaml").write_text("prepare:\n  crop: face120  # <not a tag>\n")
    return report.Params(
        reports=reports,
        data=data,
        docs=folder / "docs",
        params_file=folder / "params.yaml",
        out=reports / "index.html",
        papers=reports / "papers",
        success_goal=0.9,
        side_effects_goal=0.1,
        megabytes=5.0,
    )


def judges(names):
    number = {"value": 0.95, "low": 0.9, "high": 0.98, "n": 100}
    judge = {"auroc": number, "balanced_accuracy": number, "calibration_error": number, "threshold": 0.5}
    card = {"judged": True, "reason": "", "prevalence": number, "agreement": number, "a": judge, "b": judge}
    return {"attributes": dict.fromkeys(names, card)}


@pytest.fixture(scope="module")
def page(params):
    report.run(params)
    return params.out.read_text()


def test_the_page_asks_the_network_for_nothing(page):
    assert not REFERENCES.search(page)
    assert "<script" not in page
    assert all(picture["src"].startswith("data:image/webp;base64,") for picture in nesting(page).pictures)


def test_every_link_of_the_page_leads_to_a_section_of_it_or_to_a_paper_s_page(page, params):
    parser = nesting(page)
    sections = {link for link in parser.links if link.startswith("#")}
    assert len(sections) > 10
    assert {link.removeprefix("#") for link in sections} <= parser.ids
    files = parser.links - sections
    assert len(files) == 4
    assert all((params.out.parent / link).exists() for link in files)


def test_the_page_leads_to_that_of_nights_once_there_is_one(page, params):
    assert "nights.html" not in page
    (params.out.parent / report.NIGHTS).write_text("nights")
    report.run(params)
    assert report.NIGHTS in nesting(params.out.read_text()).links
    (params.out.parent / report.NIGHTS).unlink()
    report.run(params)
    assert params.out.read_text() == page


def test_before_and_after_pictures_come_first(page):
    assert page.index("<img") < page.index('class="tile')
    parser = nesting(page)
    hero = [picture for picture in parser.pictures if picture["alt"].endswith(".jpg: Smiling on")]
    assert len(hero) == 6  # one test face a row
    assert all(picture["alt"] for picture in parser.pictures)


def test_numbers_stand_with_their_interval(page, params):
    metrics = json.loads((params.reports / "metrics" / "linear.json").read_text())
    success = next(row["value"] for row in metrics["summary"] if row["name"] == "success")
    assert str(values.formatted(success, "percent")) in page


def test_the_papers_table_and_the_floors_stand_beside_ours(page):
    for text in ("Deep Conv (L2)", "<b>580</b>", "mean training face", "nearest training face", "random z"):
        assert text in page


def test_text_from_files_is_escaped(page):
    assert "&lt;not a tag&gt;" in page
    assert "&lt;b&gt;.jpg" in page


def test_the_same_reports_give_the_same_bytes(params, page):
    again = dataclasses.replace(params, out=params.out.with_name("again.html"), papers=params.papers.with_name("again"))
    report.run(again)
    assert again.out.read_text() == page
    names = {path.name for path in params.papers.iterdir()}
    assert names == {"dcgan.html", "ian.html", "icgan.html", "vigan.html"}
    for name in names:
        first = (params.papers / name).read_text()
        assert (again.papers / name).read_text().replace("again.html", "index.html") == first


def test_faces_that_are_not_drawn_must_not_be_published(params, page, tmp_path):
    assert "Not for publication" not in page
    path = params.reports / "data_card.json"
    before = path.read_text()
    try:
        path.write_text(before.replace('"source": "drawn"', '"source": "celeba"'))
        report.run(dataclasses.replace(params, out=tmp_path / "page.html", papers=tmp_path / "papers"))
    finally:
        path.write_text(before)
    assert "Not for publication" in (tmp_path / "page.html").read_text()


def test_the_report_of_a_nightly_project_names_its_data(params, tmp_path):
    path = params.reports / "data_card.json"
    before = path.read_text()
    own = tmp_path / "params.yaml"
    own.write_text("source: {kind: shards, root: arrivals/faces}\n")
    try:
        path.write_text(before.replace('"source": "drawn"', '"source": "shards"'))
        report.run(dataclasses.replace(params, params_file=own, out=tmp_path / "page.html", papers=tmp_path / "papers"))
    finally:
        path.write_text(before)
    page = (tmp_path / "page.html").read_text()
    assert "<title>Facet: linear on faces of arrivals/faces</title>" in page
    assert re.search(r"trained on [\d,]+ faces of arrivals/faces, crop", page)
    assert "photographs from the data set “arrivals/faces”" in page


def test_several_systems_stand_side_by_side(params, tmp_path):
    reports = tmp_path / "reports"
    (reports / "metrics").mkdir(parents=True)
    for name in ("judges.json", "data_card.json"):
        (reports / name).write_text((params.reports / name).read_text())
    for name in ("first", "second"):
        (reports / "metrics" / f"{name}.json").write_text((params.reports / "metrics" / "linear.json").read_text())
    report.run(dataclasses.replace(params, reports=reports, out=tmp_path / "page.html", papers=tmp_path / "papers"))
    page = (tmp_path / "page.html").read_text()
    nesting(page)
    assert "first, second on drawn faces" in page
    assert page.count("<h3>second</h3>") > 5


def test_pictures_beyond_the_budget_are_named_instead_of_shown(params, page, tmp_path):
    report.run(dataclasses.replace(params, out=tmp_path / "page.html", papers=tmp_path / "papers", megabytes=0.0001))
    small = (tmp_path / "page.html").read_text()
    assert "Left out to keep the page small" in small
    assert len(small) < len(page)


def test_what_is_optional_may_be_missing(params, tmp_path):
    reports = tmp_path / "reports"
    (reports / "metrics").mkdir(parents=True)
    for name in ("metrics/linear.json", "judges.json", "data_card.json"):
        (reports / name).write_text((params.reports / name).read_text())
    bare = dataclasses.replace(
        params,
        reports=reports,
        data=tmp_path / "none",
        params_file=tmp_path / "none.yaml",
        out=tmp_path / "page.html",
        papers=tmp_path / "papers",
    )
    report.run(bare)
    nesting(bare.out.read_text())


def test_the_section_on_latents_shows_sheets_and_tables_where_there_are_any(params, page, tmp_path):
    parser = nesting(page)
    assert [p["alt"] for p in parser.pictures if p["alt"].startswith("linear: ")] == [
        "linear: Interpolation between test photos"
    ]
    assert "latents" in parser.ids
    assert "Few labels" not in page
    number = {"value": 0.0765, "low": 0.0712, "high": 0.0834, "n": 10000}
    path = params.reports / "metrics" / "linear.json"
    before = path.read_text()
    metrics = json.loads(before) | {
        "swaps": [{"attribute": "all", "swapped": number, "swapped_reconstruction": number, "kept": number,
                   "kept_reconstruction": number}],
        "descriptions": [{"attribute": "Smiling", "accuracy": number, "majority": number, "above": number,
                          "balanced_accuracy": number}],
        "semi_supervised": [{"features": "trained network", "draw": "random", "dimensions": 384, "labels": 1000,
                             "repeats": 100, "error": number, "deviation": 0.0041}],
    }  # fmt: skip
    try:
        path.write_text(json.dumps(metrics))
        report.run(dataclasses.replace(params, out=tmp_path / "page.html"))
    finally:
        path.write_text(before)
    shown = (tmp_path / "page.html").read_text()
    nesting(shown)
    assert "<b>7.65 %</b> <small>7.12 – 8.34</small>" in shown
    assert "± 0.41 %" in shown
    assert "Two photos exchange descriptions: what judge B sees" in shown
    assert "What the encoder reads off photos" in shown


@pytest.mark.parametrize(("missing", "stage"), [("judges.json", "train_judge"), ("data_card.json", "prepare")])
def test_a_required_file_that_is_missing_is_named_with_its_stage(params, tmp_path, missing, stage):
    (tmp_path / "metrics").mkdir()
    for name in {"metrics/linear.json", "judges.json", "data_card.json"} - {missing}:
        (tmp_path / name).write_text((params.reports / name).read_text())
    with pytest.raises(InputError, match=f"{missing}.*`{stage}`"):
        report.run(dataclasses.replace(params, reports=tmp_path))


def test_reports_of_other_data_left_by_another_profile_are_left_out_and_named(params, tmp_path):
    reports = tmp_path / "reports"
    (reports / "metrics").mkdir(parents=True)
    for name in ("metrics/linear.json", "judges.json", "data_card.json"):
        (reports / name).write_text((params.reports / name).read_text())
    metrics = json.loads((params.reports / "metrics" / "linear.json").read_text())
    metrics["setting"][0]["split_hash"] = "other"
    (reports / "metrics" / "stale.json").write_text(json.dumps(metrics))
    (reports / "train").mkdir()
    for run in ("stale", "stale_zy", "other"):
        (reports / "train" / f"{run}.csv").write_text("step,images_seen,pixel\n10,80,0.5\n")
    report.run(dataclasses.replace(params, reports=reports, out=tmp_path / "page.html", papers=tmp_path / "papers"))
    page = (tmp_path / "page.html").read_text()
    assert "Left out: stale." in page
    assert "<h1>linear on drawn faces</h1>" in page
    assert "<h3>other <small>10 steps" in page
    assert "<h3>stale" not in page
    (reports / "metrics" / "linear.json").unlink()
    with pytest.raises(InputError, match=r"describes other data than .*dvc repro evaluate"):
        report.run(dataclasses.replace(params, reports=reports))


def test_judges_of_digits_say_how_often_they_name_the_digit(params, tmp_path):
    card = json.loads((params.reports / "judges.json").read_text())
    number = {"value": 0.9931, "low": 0.9913, "high": 0.9945, "n": 10_000}
    (tmp_path / "metrics").mkdir()
    (tmp_path / "judges.json").write_text(json.dumps(card | {"digits": {"Digit": {"a": number, "b": number}}}))
    for name in ("metrics/linear.json", "data_card.json"):
        (tmp_path / name).write_text((params.reports / name).read_text())
    report.run(dataclasses.replace(params, reports=tmp_path, out=tmp_path / "page.html", papers=tmp_path / "papers"))
    assert str(values.formatted(number, "points")) in (tmp_path / "page.html").read_text()


def test_without_metrics_the_page_says_which_stage_to_run(params, tmp_path):
    with pytest.raises(InputError, match="evaluate"):
        report.run(dataclasses.replace(params, reports=tmp_path))


def test_a_goal_inside_the_interval_is_neither_met_nor_missed():
    number = {"value": 0.85, "low": 0.8, "high": 0.92, "n": 50}
    assert values.grade(number, 0.9) == "near"
    assert values.grade(number, 0.85) == "good"
    assert values.grade(number, 0.95) == "bad"
    assert values.grade(number, 0.82, up=False) == "near"
    assert values.grade({"value": None, "low": None, "high": None, "n": 0}, 0.9) == "none"


def test_shares_under_a_tenth_keep_a_decimal():
    assert values.plain(0.043, "percent") == "4.3 %"
    assert values.plain(0.96, "percent") == "96 %"
    assert values.plain(580.059, "sum") == "580"


def test_a_curve_with_a_gap_is_drawn_in_two_pieces():
    line = charts.Line("loss", "one", [0, 1, 2, 3, 4], [1.0, 2.0, None, 3.0, 4.0])
    svg = charts.line_chart("loss", [line], low=0, high=4)
    assert svg.count("<polyline") == 2
    assert svg.count("<circle") == 4


def test_ticks_are_round_numbers_inside_the_range():
    assert charts.nice_ticks(0.13, 0.87, 3) == [0.5]
    assert charts.nice_ticks(0, 10, 2) == [0, 5, 10]


@pytest.mark.slow
def test_a_system_of_which_nothing_can_be_judged_still_has_its_page(params, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluated.FullJudge, "judged", (False,) * 4)
    with evaluated.linear(tmp_path) as found:
        evaluate.run(dataclasses.replace(found, bootstrap=20))
    for name in ("judges.json", "data_card.json"):
        (found.metrics.parents[1] / name).write_bytes((params.reports / name).read_bytes())
    report.run(
        dataclasses.replace(
            params, reports=found.metrics.parents[1], out=tmp_path / "index.html", papers=tmp_path / "papers"
        )
    )
    assert "the judges cannot see it reliably" in (tmp_path / "index.html").read_text()


@pytest.mark.slow
def test_a_real_valued_attribute_has_its_curve_its_table_and_its_sheet(params, page, tmp_path):
    assert 'id="graded"' not in page
    with evaluated.linear(tmp_path, system=evaluated.DescribedSystem, real="Smiling") as found:
        evaluate.run(dataclasses.replace(found, bootstrap=20))
    reports = found.metrics.parents[1]
    (reports / "data_card.json").write_bytes((params.reports / "data_card.json").read_bytes())
    card = judges(evaluated.ATTRIBUTES)
    card["attributes"]["Smiling"] = card["attributes"]["Smiling"] | {
        "b": card["attributes"]["Smiling"]["b"]
        | {"absolute_error": {"value": 0.123, "low": 0.1, "high": 0.2, "n": 9}, "calibration_error": None}
    }
    (reports / "judges.json").write_text(json.dumps(card))
    report.run(dataclasses.replace(params, reports=reports, data=tmp_path / "data", out=tmp_path / "index.html"))
    text = (tmp_path / "index.html").read_text()
    parser = nesting(text)
    assert "graded" in parser.ids
    assert "#graded" in parser.links
    assert [picture["alt"] for picture in parser.pictures if "from −1 to +1" in picture["alt"]] == [
        "Smiling from −1 to +1"
    ]
    section = text[text.index('id="graded"') :].partition("</section>")[0]
    (row,) = json.loads(found.metrics.read_text())["graded_summary"]
    for name, kind in (("spearman", "share"), ("floor_monotone", "percent"), ("range", "number")):
        assert str(values.formatted(row[name], kind)) in section
    assert "<b>0.123</b>" in section
    assert section.count("<circle") == 7 + 7  # judged, and the floor
    assert section.count("judged at -1: ") == 1
