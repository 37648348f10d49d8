"""Stage `evaluate` on a system whose every answer is known (linear_system.py)."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from facet.base.errors import InputError
from facet.evaluation import reconstructions, samples
from stages import evaluate
from tests.support import evaluated
from tests.support.linear_system import BRIGHTNESS, SIZE


def estimates(value):
    """Every {value, low, high, n} in a nest of lists and dicts."""
    if isinstance(value, dict):
        if set(value) == {"value", "low", "high", "n"}:
            yield value
        else:
            for inner in value.values():
                yield from estimates(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from estimates(inner)


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    with evaluated.linear(tmp_path_factory.mktemp("evaluate")) as found:
        yield found


@pytest.fixture(scope="module")
def report(params):
    evaluate.run(params)
    return json.loads(params.metrics.read_text())


def rows(report, section, **wanted):
    return [row for row in report[section] if all(row[key] == value for key, value in wanted.items())]


def test_edits_succeed_nearly_always_at_the_target_and_about_as_often_as_calibrated_below(report):
    for row in rows(report, "edits", setting="target"):
        assert row["success"]["value"] >= 0.85, row["attribute"]
    assert 0.6 <= report["success_s80"] <= 0.95
    assert report["success_mean"] > report["success_s80"]


def test_every_number_lies_in_its_interval_and_says_how_many_it_is_of(report):
    found = list(estimates({k: v for k, v in report.items() if k != "samples"}))  # kernel distances are symmetric
    assert len(found) > 300
    for number in found:
        if number["value"] is not None and number["low"] is not None:
            assert number["low"] - 1e-9 <= number["value"] <= number["high"] + 1e-9
            assert number["n"] > 0


def test_dvc_sees_only_scalars_and_lists_it_ignores(report):
    for name, value in report.items():
        assert isinstance(value, int | float | list), name


def test_a_system_without_real_valued_attributes_has_nothing_graded(report, params):
    assert report["graded"] == report["graded_summary"] == []
    assert not [path for path in params.exhibits.iterdir() if path.stem.startswith("graded")]
    assert not (params.plots / "graded.csv").exists()


def test_directions_that_know_nothing_do_next_to_nothing(report):
    edit = {(r["attribute"], r["direction"]): r["success"]["value"] for r in rows(report, "edits", setting="s80")}
    for row in report["controls"]:
        real = edit[row["attribute"], row["direction"]]
        assert row["random"]["value"] < 0.5 * real
        assert row["shuffled"]["value"] < real
        assert row["ceiling"]["value"] > 0.9
        assert row["zero"]["value"] == 0


def test_pixels_outside_the_mask_do_not_change(report):
    assert all(row["outside_max"]["value"] == 0 for row in report["edits"])


def test_more_strength_flips_no_fewer_faces(report):
    table = pd.DataFrame([{**row, "success": row["success"]["value"]} for row in report["curves"]])
    for _, curve in table.groupby(["attribute", "direction"]):
        assert list(curve["strength"]) == [0.5, 1.0, 1.5]
        assert curve["success"].is_monotonic_increasing


def test_an_attribute_moves_itself_and_the_cells_of_others_stay_small(report):
    for cell in report["entanglement"]:
        if cell["attribute"] == cell["other"]:
            assert cell["shift"]["value"] > 0.5
        elif cell["off_target"]:
            assert abs(cell["shift"]["value"]) < 0.3
    rivals = rows(report, "entanglement", attribute="Black_Hair", other="Blond_Hair")
    assert not rivals[0]["off_target"]


def test_the_reconstruction_table_has_the_encoder_the_floors_and_the_papers_six_rows(report):
    kinds = [row["kind"] for row in report["reconstruction"]]
    assert kinds == ["encoder", *["floor"] * 3, *["paper"] * 6]
    by_name = {row["name"]: row for row in report["reconstruction"]}
    ours = by_name["linear"]["l2"]["value"]
    for floor in ("mean training face", "nearest training face", "random z"):
        assert ours < by_name[floor]["l2"]["value"]
    assert by_name["Deep Conv (L2)"]["l2"] == 580.059
    # sums over 16 x 16 x 3 values against means of [0, 1]
    row = by_name["linear"]
    assert row["l2"]["value"] == pytest.approx(row["mse"]["value"] * 4 * 16 * 16 * 3, rel=1e-4)


def test_the_nearest_training_face_is_a_training_photo_of_the_same_regions(params):
    pixels = np.load(params.prepared / "images.npy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconstructions, "CHUNK", 7)
        exam = dataclasses.make_dataclass("Exam", ["pixels", "rows"])(pixels, np.array([3, 7]))
        found = reconstructions.floors(exam, np.array([0, 1]), np.arange(100, 140))
    blocks = pixels.reshape(len(pixels), 4, 4, 4, 4, 3).mean((2, 4)).reshape(len(pixels), -1)
    for face, nearest in zip((3, 7), found.nearest, strict=True):
        distances = np.linalg.norm(blocks[100:140] - blocks[face], axis=1)
        assert nearest == 100 + distances.argmin()
    expected = pixels[100:140].mean(0).transpose(2, 0, 1) * 2 / 255 - 1
    np.testing.assert_allclose(found.mean.numpy(), expected, atol=1e-5)


def test_samples_of_the_prior_are_further_from_photos_than_photos_are(report):
    by_name = {row["name"]: row["judge_kid"] for row in report["samples"]}
    assert by_name["real photos"]["low"] <= 0.02
    assert by_name["prior"]["value"] > by_name["real photos"]["high"]


def test_strokes_are_measured_by_steps_and_until_they_show_and_leave_the_photo_outside_the_mask(report):
    """A dark stroke takes brightness from the region that is Black_Hair here, so its score never rises."""
    names = ["dark stroke on the forehead", "dark stroke on the forehead, until it shows"]
    assert [(row["deed"], row["attribute"]) for row in report["strokes"]] == [(name, "Black_Hair") for name in names]
    for row in report["strokes"]:
        assert (row["seen"]["value"], row["seen"]["n"], row["outside"]) == (0, 20, 0)


def test_the_latents_tell_the_attributes_they_hold(report):
    assert all(row["auroc"]["value"] > 0.95 for row in report["latents"])


def test_matched_success_lies_between_the_strengths_that_bracket_it(report):
    for row in report["matched"]:
        if row["strength"]["value"] is not None:
            assert 0 < row["strength"]["value"] <= 1.5
            assert 0.8 <= row["preservation"]["value"] <= 1


def test_two_runs_write_the_same_bytes(params, report, tmp_path):
    again = dataclasses.replace(params, metrics=tmp_path / "m.json", plots=tmp_path / "p", exhibits=tmp_path / "e")
    evaluate.run(again)
    assert again.metrics.read_bytes() == params.metrics.read_bytes()
    for mine, theirs in ((again.plots, params.plots), (again.exhibits, params.exhibits)):
        for path in sorted(theirs.iterdir()):
            assert (mine / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_mode_that_does_not_exist_is_named(params):
    with pytest.raises(InputError, match="'overlay'"):
        evaluate.run(dataclasses.replace(params, mode="overlay"))


def test_missing_judges_say_which_stage_writes_them(params, tmp_path):
    with pytest.raises(InputError, match="attributes"):
        evaluate.run(dataclasses.replace(params, attributes=tmp_path / "none.parquet"))


def test_a_brighter_region_is_a_bigger_change_in_levels(report):
    own = {r["setting"]: r["change"]["value"] for r in rows(report, "edits", attribute="Smiling", direction="add")}
    assert own["s95"] > own["s80"] > 0
    # at most one region of sixteen moves: 255 levels there would be 16 on average
    assert own["s95"] < 2 * BRIGHTNESS * 127.5 / 16 * 3


def test_what_means_hide_is_shown(params, report):
    cases = {(row["attribute"], row["direction"]) for row in report["edits"]}
    with Image.open(params.exhibits / "least_convincing.png") as sheet:
        assert sheet.height > len(cases) * SIZE
    with Image.open(params.exhibits / "closest.png") as sheet:
        assert sheet.width > samples.PAIRS * SIZE
