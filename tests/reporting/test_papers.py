"""The papers' pages: what papers.json asks for, where its numbers come from, what is said to be missing."""

import copy
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from facet.base.errors import InputError
from facet.reporting import papers, records, runs
from facet.reporting.inputs import Inputs, SystemInputs
from facet.reporting.runs import measured_runs
from stages import report
from tests.support.pages import REFERENCES, nesting

TEXTS = {text["system"]: text for text in papers.texts()}
DERIVED = {"encoders", "readings", "training", "speed", "zero"}
KINDS = {"number", "percent", "points", "db", "levels", "sum", "share", "words", "hash"}


def estimate(value, half=0.01, n=1000):
    return {"value": value, "low": value - half, "high": value + half, "n": n}


def digits(clearly):
    row = {"place": "Digit", "clearly": estimate(clearly), "correct": estimate(0.99), "judge_on_photo": estimate(0.99)}
    return [row | {"source": "all"}, row | {"source": "9", "clearly": estimate(0.5)}]


def encoder(name, l2, kind="encoder"):
    return {
        "name": name, "kind": kind, "note": "", "l2": estimate(l2, 5), "l1": estimate(2 * l2, 5),
        "ssim_loss": estimate(l2 / 1000, 0.001), "psnr": estimate(20, 0.1),
    }  # fmt: skip


COSTS = [{"name": "dcgan", "parameters": 7, "training_images": 8}]
METRICS = {
    "dcgan": {
        "psnr": 20.0,
        "reconstruction": [encoder("deep_conv", 600), encoder("mean training face", 2000, "floor")],
        "controls": [{"zero": estimate(0.0, 0)}, {"zero": estimate(0.25, 0)}],
        "costs": COSTS,
    }
}
CARD = {"source": "drawn", "crop": "face120", "size": 64, "splits": {"train": {"images": 8000}, "test": {"images": 9}}}


def inputs(metrics=METRICS, histories=None):
    """A workspace with these systems."""
    systems = [SystemInputs(name, values, None, None, (), {}) for name, values in metrics.items()]
    return Inputs(tuple(systems), {}, CARD, histories or {}, (), "", ())


def record(systems, source="mnist", **more):
    """A record of docs/records with these metrics."""
    data = {"source": source, "crop": "whole", "size": 28, "images": {"train": 55_000}}
    kept = {
        name: records.condensed(metrics) | {"settings": {"train_gan": {"steps": 12}, "train_encoder": {}}}
        for name, metrics in systems.items()
    }
    return {"profile": source, "changes": [], "data": data, "judges": {}, "systems": kept} | more


def written(system, found, kept, folder, **where):
    """The page of one paper as text, checked to be self-contained."""
    here = any(one.name == system for one in found.systems)
    sheets = papers.Sheets(system, folder, folder / "docs", here=here, budget=100_000_000)
    page = report.render_paper(TEXTS[system], found, measured_runs(found, kept), sheets, index="index.html")
    assert not REFERENCES.search(page)
    parser = nesting(page)
    assert all(picture["src"].startswith("data:image/webp;base64,") for picture in parser.pictures)
    assert {link[1:] for link in parser.links if link.startswith("#")} <= parser.ids
    return page


def queries():
    """Every query of papers.json, with its columns."""
    for text in TEXTS.values():
        yield from papers.queries(text)


def test_papers_json_asks_for_sections_that_are_kept_in_units_that_are_known():
    for query, columns in queries():
        assert query["section"] in records.COLUMNS or query["section"] in DERIVED, query
        kept = records.COLUMNS.get(query["section"], ())
        for column in columns:
            assert column["kind"] in KINDS, column
            assert not kept or column["name"] in kept, (query, column)


def test_a_recorded_run_s_numbers_stand_under_its_name_and_miss_or_meet_the_published_one(tmp_path):
    page = written("icgan", inputs(), {"mnist": record({"icgan": {"digits": digits(0.982)}})}, tmp_path)
    assert "<b>run mnist</b> · 55,000 mnist pictures, 28 × 28" in page
    assert re.search(r'class="good"><span class="num" title="n = 1,000"><b>98\.20 %</b> <small>97\.20 – 99\.20', page)
    assert re.search(r'class="bad"><span class="num" title="n = 1,000"><b>50\.00 %', page)
    assert "<b>74.60 %</b>" in page
    assert "facet profile mnist" not in page


def test_what_no_run_measured_is_said_with_the_command_that_measures_it(tmp_path):
    page = written("icgan", inputs(), {}, tmp_path)
    assert "Not measured yet on mnist (<code>facet profile mnist --set source.root=PATH</code>" in page
    assert 'class="good"><span' not in page
    assert "No run with icgan yet" in page
    assert page.count('<span class="chip not-measured">not measured</span>') == len(TEXTS["icgan"]["visible"])


def test_digits_of_other_data_do_not_stand_for_the_paper_s(tmp_path):
    row = {"features": "trained network", "draw": "random", "labels": 1000, "repeats": 9, "error": estimate(0.03)}
    kept = {"mnist": record({"ian": {"semi_supervised": [row | {"deviation": 0.004}]}})}
    assert "Not measured yet on svhn" in written("ian", inputs(), kept, tmp_path)
    line = papers.headline(TEXTS["ian"], measured_runs(inputs(), kept))
    assert line["other_data"]
    assert [ours["run"] for ours in line["ours"]] == ["run mnist"]
    assert "on svhn" in line["missing"][0]


def test_the_table_of_papers_takes_the_number_of_the_paper_s_own_data_first():
    kept = {"mnist": record({"icgan": {"digits": digits(0.982)}})}
    line = papers.headline(TEXTS["icgan"], measured_runs(inputs({"icgan": {"digits": digits(0.4)}}), kept))
    assert not line["other_data"]
    assert [ours["run"] for ours in line["ours"]] == ["run mnist"]


def test_a_record_of_this_very_run_is_not_shown_again_and_one_that_moved_is():
    same = {"drawn": record(METRICS, "drawn")}
    assert [run.name for run in measured_runs(inputs(), same)] == ["this run"]
    moved = copy.deepcopy(METRICS)
    moved["dcgan"]["reconstruction"][0]["l2"]["value"] = 601
    assert [run.name for run in measured_runs(inputs(moved), same)] == ["this run", "run drawn"]


def test_a_record_of_more_systems_keeps_those_that_are_not_here():
    both = {"drawn": record(METRICS | {"icgan": {"digits": digits(0.9)}}, "drawn")}
    assert [list(run.systems) for run in measured_runs(inputs(), both)] == [["dcgan"], ["icgan"]]


def test_encoders_beat_the_mean_face_where_the_intervals_lie_apart_in_all_three():
    near = encoder("transfer_l1", 700) | {"ssim_loss": estimate(1.9995, 0.001)}
    table = [encoder("in_domain", 300), encoder("fc", 650), encoder("deep_conv", 600), near]
    metrics = {"reconstruction": [*table, encoder("mean training face", 2000, "floor")]}
    assert runs.encoders(metrics) == [{"compared": 4, "beat": 3, "best": "deep_conv"}]
    assert runs.encoders({"reconstruction": table}) == []


def test_a_reading_counts_where_it_is_surely_better_than_the_commoner_label():
    rows = [
        {"attribute": name, "accuracy": estimate(accuracy), "majority": estimate(majority)}
        for name, accuracy, majority in (("Male", 0.9, 0.6), ("Eyeglasses", 0.935, 0.93), ("Smiling", 0.7, 0.5))
    ]
    assert runs.readings({"descriptions": rows}) == [{"attributes": 3, "above": 2, "below": "Eyeglasses"}]


def test_the_discriminator_s_history_answers_whether_it_was_pinned(tmp_path):
    history = pd.DataFrame({"step": [10, 20, 30], "images_seen": [1, 2, 3], "discriminator": [np.nan, 0.02, 0.9]})
    found = inputs({"icgan": {"costs": []}}, {"icgan": history})
    page = written("icgan", found, {}, tmp_path)
    assert '<span class="pair bad">lowest log row <b>0.02</b></span>' in page
    assert '<span class="chip missed">0 of 1 numbers meet the goal</span>' in page
    assert "last <b>0.9</b>" in page


def test_speed_stands_only_with_a_system_of_the_same_costs():
    speed = {"machine": "a desk", "profile": "drawn", "rows": [{"system": "dcgan", "images_per_second": estimate(7)}]}
    kept = {"drawn": record(METRICS, "drawn", speed=speed)}
    assert runs.speed_of("dcgan", METRICS["dcgan"], kept)[0]["machine"] == "a desk"
    assert runs.speed_of("dcgan", METRICS["dcgan"] | {"costs": [COSTS[0] | {"parameters": 8}]}, kept) == []
    assert runs.speed_of("ian", {}, kept) == []


def test_sheets_are_of_this_run_and_missing_ones_are_named(tmp_path):
    for name in ("exhibits/ian/interpolation.png", "samples/ian.png", "docs/papers/vigan_figure5.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10)).save(tmp_path / name)
    page = written("ian", inputs({"ian": {}}), {}, tmp_path)
    assert page.count("<img") == 3  # the interpolation answers two lines
    assert "sheet “strokes on the forehead and on the mouth” (made by a run of such data)" in page
    assert "<img" not in written("ian", inputs(), {}, tmp_path)  # left there by another run
    figure = written("vigan", inputs(), {}, tmp_path)
    assert figure.count("<img") == 1
    assert "`" not in figure


def test_a_sweep_s_table_joins_values_with_their_intervals(tmp_path):
    (tmp_path / "a.csv").write_text("run,success,success_low,success_high,success_n\nfull,0.9,0.8,0.95,40\nGAN,,,,\n")
    table = papers.csv_table(tmp_path / "a.csv")
    assert table["columns"] == ["run", "success"]
    assert table["rows"][0] == [
        "full", '<span class="num" title="n = 40"><b>0.9</b> <small>0.8 – 0.95</small></span>'
    ]  # fmt: skip
    assert "none" in table["rows"][1][1]
    assert papers.csv_table(tmp_path / "b.csv") is None


def test_pages_of_photographs_warn_and_pages_without_any_do_not(tmp_path):
    found = inputs()
    found.data_card["source"] = "celeba"
    try:
        assert "Not for publication" in written("dcgan", found, {}, tmp_path)
        assert "Not for publication" not in written("icgan", found, {}, tmp_path)
    finally:
        found.data_card["source"] = "drawn"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: kept["data"].pop("images"),
        lambda kept: kept["systems"].update(icgan=[]),
        lambda kept: kept["systems"]["icgan"].pop("settings"),
        lambda kept: kept["systems"]["icgan"]["digits"].append("row"),
        lambda kept: kept["systems"]["icgan"]["digits"][0]["clearly"].update(value="many"),
        lambda kept: kept.update(changes=3),
        lambda kept: kept.update(speed={"machine": "a desk", "rows": [{"system": "icgan", "brush_ms": "fast"}]}),
    ],
)
def test_a_damaged_record_is_told_from_a_whole_one(spoil):
    kept = record({"icgan": {"digits": digits(0.9)}})
    assert papers.damage(kept) is None
    spoil(kept := copy.deepcopy(kept))
    assert papers.damage(kept)


def test_a_file_that_is_no_record_is_named(tmp_path):
    (tmp_path / "mnist.json").write_text(json.dumps({"profile": "mnist"}))
    with pytest.raises(InputError, match=r"mnist\.json is not a record of a run.*facet record mnist"):
        records.read(tmp_path)
    (tmp_path / "mnist.json").write_text("[]")
    with pytest.raises(InputError, match=r"mnist\.json holds no JSON object"):
        records.read(tmp_path)
