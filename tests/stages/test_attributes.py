import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from facet import systems
from facet.base.errors import InputError
from facet.editing import table
from facet.judges.judge import Judge
from stages import attributes, encode
from tests.support.linear_system import ATTRIBUTES, DIMS, LinearJudge, LinearSystem, faces


@pytest.fixture(scope="module")
def linear():
    """The linear system and its judge in the place of trained ones; its pictures show no face to search for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(systems, "load", lambda folder, device: LinearSystem())
        patch.setattr(Judge, "load", lambda *args, **kwargs: LinearJudge())
        patch.setattr(attributes, "landmarks_of", lambda crops: None)
        yield


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory, linear):
    """The stage's parameters after it ran; what it wrote is read only."""
    root = tmp_path_factory.mktemp("calibrated")
    prepared, latents = root / "prepared", root / "latents"
    faces(prepared, count=1200)
    encode.run(
        encode.Params(
            model=root,
            prepared=prepared,
            latents=latents,
            batch_size=256,
            threads=1,
            device="cpu",
            precision="fp32",
        )
    )
    params = attributes.Params(
        latents=latents,
        prepared=prepared,
        model=root,
        judges=root,
        attributes=root / "attributes" / "linear.parquet",
        report=root / "reports" / "linear.json",
        estimators=("mean_difference", "least_squares"),
        min_count=20,
        ridge=1e-6,
        validation_faces=1000,
        calibration_faces=40,
        max_strength=3.0,
        strengths=12,
        margin=1.1,
        mode="add",
        seed=0,
        batch_size=64,
        threads=1,
        device="cpu",
        precision="fp32",
    )
    attributes.run(params)
    return params


@pytest.fixture
def params(calibrated, tmp_path):
    """The same with a place for results of its own."""
    return dataclasses.replace(
        calibrated, attributes=tmp_path / "attributes" / "linear.parquet", report=tmp_path / "reports" / "linear.json"
    )


@pytest.mark.slow
def test_the_stage_finds_the_planted_effects_and_prefers_the_clean_estimator(calibrated):
    written = table.read(calibrated.attributes)
    assert written.attributes == ATTRIBUTES
    direction = written.chosen("Smiling")
    assert direction.estimator == "least_squares"
    np.testing.assert_allclose(direction.vector, 2 * np.eye(DIMS)[0], atol=0.15)
    assert direction.n_positive + direction.n_negative == 600
    assert direction.judged
    # from -1 to the judge's threshold at 0 is half the gap of 2
    assert direction.add[50] == pytest.approx(0.5, abs=0.15)
    assert direction.remove[50] == pytest.approx(0.5, abs=0.15)
    assert direction.add[50] < direction.add[80] < direction.add[95]
    report = json.loads(calibrated.report.read_text())
    each = report["estimators"]["each"]
    assert each["least_squares"]["off_target"]["value"] < each["mean_difference"]["off_target"]["value"]
    assert report["estimators"]["differences"][0]["off_target"]["value"] > 0
    assert report["attributes"]["Smiling"]["set"]["on"]["success"]["value"] > 0.85


@pytest.mark.slow
def test_the_stage_writes_the_same_bytes_again(calibrated, params):
    attributes.run(params)
    assert params.attributes.read_bytes() == calibrated.attributes.read_bytes()
    assert params.report.read_bytes() == calibrated.report.read_bytes()


@pytest.mark.slow
def test_a_table_reads_as_it_was_written(calibrated, tmp_path):
    again = tmp_path / "again.parquet"
    table.write(again, table.read(calibrated.attributes))
    assert again.read_bytes() == calibrated.attributes.read_bytes()


@pytest.mark.slow
def test_a_rare_attribute_gets_no_direction_and_a_spec_that_asks_for_it_is_told_why(params, tmp_path):
    labels = faces(tmp_path / "prepared", count=1200)  # as in `calibrated`
    rare = int((labels[::4] > 0).sum(0).min() * 2)
    attributes.run(dataclasses.replace(params, min_count=rare + 60))
    written = table.read(params.attributes)
    assert written.meta.refused
    name = next(iter(written.meta.refused))
    with pytest.raises(InputError, match=f"{name} has no direction: .* are needed"):
        written.parse(f"{name}=on")


@pytest.mark.slow
def test_what_the_judge_cannot_see_is_marked_and_moves_by_the_class_gap(params, monkeypatch):
    class Blind(LinearJudge):
        judged = (True, False, True, True)

    monkeypatch.setattr(Judge, "load", lambda *args, **kwargs: Blind())
    attributes.run(params)
    direction = table.read(params.attributes).chosen("Eyeglasses")
    assert not direction.judged
    assert direction.add[80] is None
    assert direction.unit(True, 95, 3.0) == direction.target(True, 3.0, 1.1) == 1.0
    assert "Eyeglasses" in json.loads(params.report.read_text())["not_judged"]


@pytest.mark.slow
def test_a_strength_out_of_reach_is_null_and_the_best_there_is_takes_its_place(params):
    attributes.run(dataclasses.replace(params, max_strength=0.5, strengths=4))
    direction = table.read(params.attributes).chosen("Smiling")
    assert direction.add[95] is None
    assert direction.unit(True, 95, 9.0) == direction.target(True, 9.0, 1.1) == direction.best[0] == 0.5


@pytest.mark.slow
def test_every_compositing_mode_can_be_calibrated(params):
    for mode in ("ian", "replace", "decode"):
        attributes.run(dataclasses.replace(params, mode=mode, calibration_faces=20))
        assert table.read(params.attributes).chosen("Smiling").add[50] is not None


@pytest.mark.slow
def test_latents_of_other_images_are_refused(params, tmp_path):
    faces(tmp_path / "prepared", count=1196)
    with pytest.raises(InputError, match="does not follow"):
        attributes.run(dataclasses.replace(params, prepared=tmp_path / "prepared"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimators": ("mean",)}, "choose among mean_difference"),
        ({"mode": "blend"}, "choose one of ian"),
        ({"estimators": ("svm", "svm")}, "each once"),
        ({"min_count": 100_000}, "no attribute has 100000"),
        ({"model": Path("other")}, None),
    ],
)
def test_flags_that_cannot_work_are_refused(params, change, message, monkeypatch):
    if message is None:
        other = type("Other", (LinearSystem,), {"crop": "dcgan108"})
        monkeypatch.setattr(systems, "load", lambda folder, device: other())
        message = "crop dcgan108"
    with pytest.raises(InputError, match=message):
        attributes.run(dataclasses.replace(params, **change))


@pytest.mark.slow
def test_on_and_off_go_a_little_beyond_95_percent(params):
    attributes.run(params)
    direction = table.read(params.attributes).chosen("Smiling")
    assert direction.target(True, 3.0, 1.1) == pytest.approx(1.1 * direction.add[95])
