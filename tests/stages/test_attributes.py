import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from facet import systems
from facet.base.errors import InputError
from facet.calibration.bench import monotone, strengths_at
from facet.editing import table
from facet.editing.directions import ESTIMATORS, How, Sample, Sums, readouts
from facet.judges.judge import Judge
from stages import attributes, encode
from tests.support.linear_system import ATTRIBUTES, DIMS, LinearJudge, LinearSystem, faces


@pytest.fixture
def params(tmp_path, monkeypatch):
    prepared, latents = tmp_path / "prepared", tmp_path / "latents"
    monkeypatch.setattr(systems, "load", lambda folder, device: LinearSystem())
    monkeypatch.setattr(Judge, "load", lambda *args, **kwargs: LinearJudge())
    faces(prepared, count=1200)
    encode.run(
        encode.Params(
            model=tmp_path,
            prepared=prepared,
            latents=latents,
            batch_size=256,
            threads=1,
            device="cpu",
            precision="fp32",
        )
    )
    return attributes.Params(
        latents=latents,
        prepared=prepared,
        model=tmp_path,
        judges=tmp_path,
        attributes=tmp_path / "attributes" / "linear.parquet",
        report=tmp_path / "reports" / "linear.json",
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


def correlated(n=4000, seed=0):
    """Latents z = A u + noise with two correlated attributes, each moving its own dimension by 2."""
    rng = np.random.default_rng(seed)
    first = rng.random(n) < 0.5
    second = np.where(first, rng.random(n) < 0.8, rng.random(n) < 0.2)
    labels = np.where(np.stack([first, second], axis=1), 1, -1).astype(np.int8)
    latents = rng.standard_normal((n, 5)) * 0.5
    latents[:, :2] += labels
    sums = Sums.empty(2, 5)
    sums.add(latents, labels)
    return latents, labels, sums, Sample(latents, labels)


def test_sums_of_shards_are_the_sums_of_the_whole():
    latents, labels, whole, _ = correlated()
    parts = [Sums.empty(2, 5) for _ in range(3)]
    for part, rows in zip(parts, np.array_split(np.arange(len(latents)), 3), strict=True):
        part.add(latents[rows], labels[rows])
    merged = parts[0] + parts[1] + parts[2]
    for one, other in zip(dataclasses.astuple(merged), dataclasses.astuple(whole), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_mean_difference_is_the_difference_of_the_class_means():
    latents, labels, sums, sample = correlated()
    vectors, errors = ESTIMATORS["mean_difference"](sums, sample, How(0.0))
    has, lacks = latents[labels[:, 0] > 0], latents[labels[:, 0] < 0]
    np.testing.assert_allclose(vectors[0], has.mean(0) - lacks.mean(0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(errors[0], np.sqrt(has.var(0) / len(has) + lacks.var(0) / len(lacks)), rtol=1e-6)


def test_least_squares_takes_a_correlated_attribute_out_of_the_effect():
    _, _, sums, sample = correlated()
    mean, _ = ESTIMATORS["mean_difference"](sums, sample, How(0.0))
    joint, errors = ESTIMATORS["least_squares"](sums, sample, How(0.0))
    assert mean[0, 1] > 1  # a smile brings glasses along
    np.testing.assert_allclose(joint, 2 * np.eye(2, 5), atol=5 * errors.max())
    assert errors.max() < 0.03


def test_least_squares_agrees_with_a_regression_and_its_textbook_errors():
    latents, labels, sums, sample = correlated(n=300)
    joint, errors = ESTIMATORS["least_squares"](sums, sample, How(0.0))
    design = np.column_stack([np.ones(300), labels > 0])
    effects, _, _, _ = np.linalg.lstsq(design, latents, rcond=None)
    residual = ((latents - design @ effects) ** 2).sum(0) / (300 - 3)
    np.testing.assert_allclose(joint, effects[1:], atol=1e-9)
    np.testing.assert_allclose(
        errors, np.sqrt(np.outer(np.diag(np.linalg.inv(design.T @ design))[1:], residual)), rtol=1e-6
    )


def test_faces_with_an_unknown_label_are_left_out_of_a_mean_difference():
    latents, labels, _, _ = correlated(n=500)
    labels[::3, 0] = 0
    sums = Sums.empty(2, 5)
    sums.add(latents, labels)
    vectors, _ = ESTIMATORS["mean_difference"](sums, Sample(latents, labels), How(0.0))
    known = labels[:, 0] != 0
    expected = latents[labels[:, 0] > 0].mean(0) - latents[labels[:, 0] < 0].mean(0)
    np.testing.assert_allclose(vectors[0], expected, atol=1e-9)
    assert sums.positives[0] + sums.negatives[0] == known.sum()


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"conditional"}))
def test_strength_one_of_every_estimator_is_the_class_gap_along_its_direction(name):
    _, _, sums, sample = correlated()
    vectors, errors = ESTIMATORS[name](sums, sample, How(1e-6))
    assert np.isfinite(errors).all()
    assert errors.max() < 0.5
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    gap = (sums.gaps()[0] * units).sum(1)
    if name == "least_squares":  # the attribute's own share of the gap
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 2, rtol=0.05)
    else:
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), gap, rtol=1e-6)


def test_a_conditional_direction_goes_from_absent_to_present_in_its_own_entry_alone():
    _, _, sums, sample = correlated()
    vectors, errors = ESTIMATORS["conditional"](sums, sample, How(0.0, np.array([3, 4])))
    assert vectors.tolist() == [[0, 0, 0, 2, 0], [0, 0, 0, 0, 2]]
    assert not errors.any()


@pytest.mark.parametrize("name", ["svm", "logistic"])
def test_standard_errors_of_normals_match_their_spread_over_fresh_samples(name):
    found = [ESTIMATORS[name](*correlated(n=400, seed=seed)[2:], How(0.0)) for seed in range(25)]
    spread = np.std([vectors for vectors, _ in found], axis=0)[:, 2:]  # across the direction, where nothing is scaled
    told = np.mean([errors for _, errors in found], axis=0)[:, 2:]
    np.testing.assert_allclose(told, spread, rtol=0.6)


def test_a_read_out_tells_the_state_from_the_latent_alone():
    latents, labels, sums, sample = correlated()
    readout = readouts(sums, sample)[1]
    logits = latents @ readout.weights + readout.bias
    assert ((logits > 0) == (labels[:, 1] > 0)).mean() > 0.95
    assert readout.absent < 0 < readout.present


def test_a_curve_is_made_monotone_and_strengths_are_read_off_between_its_points():
    np.testing.assert_allclose(monotone(np.array([0, 0.6, 0.4, 1.0])), [0, 0.5, 0.5, 1.0])
    found = strengths_at(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5, 0.9]))
    assert found[50] == pytest.approx(1.0)
    assert found[80] == pytest.approx(1.75)
    assert found[90] == pytest.approx(2.0)
    assert found[95] is None


def test_the_stage_finds_the_planted_effects_and_prefers_the_clean_estimator(params):
    attributes.run(params)
    found = table.read(params.attributes)
    assert found.attributes == ATTRIBUTES
    direction = found.chosen("Smiling")
    assert direction.estimator == "least_squares"
    np.testing.assert_allclose(direction.vector, 2 * np.eye(DIMS)[0], atol=0.15)
    assert direction.n_positive + direction.n_negative == 600
    assert direction.judged
    # from -1 to the judge's threshold at 0 is half the gap of 2
    assert direction.add[50] == pytest.approx(0.5, abs=0.15)
    assert direction.remove[50] == pytest.approx(0.5, abs=0.15)
    assert direction.add[50] < direction.add[80] < direction.add[95]
    report = json.loads(params.report.read_text())
    each = report["estimators"]["each"]
    assert each["least_squares"]["off_target"]["value"] < each["mean_difference"]["off_target"]["value"]
    assert report["estimators"]["differences"][0]["off_target"]["value"] > 0
    assert report["attributes"]["Smiling"]["set"]["on"]["success"]["value"] > 0.85


@pytest.mark.slow
def test_the_stage_writes_the_same_bytes_again(params):
    attributes.run(params)
    first = params.attributes.read_bytes(), params.report.read_bytes()
    attributes.run(params)
    assert (params.attributes.read_bytes(), params.report.read_bytes()) == first


def test_a_table_reads_as_it_was_written(params):
    attributes.run(params)
    found = table.read(params.attributes)
    again = params.attributes.with_name("again.parquet")
    table.write(again, found)
    assert again.read_bytes() == params.attributes.read_bytes()


def test_a_rare_attribute_gets_no_direction_and_a_spec_that_asks_for_it_is_told_why(params):
    labels = faces(params.prepared, count=1200)
    rare = int((labels[::4] > 0).sum(0).min() * 2)
    attributes.run(dataclasses.replace(params, min_count=rare + 60))
    found = table.read(params.attributes)
    assert found.meta.refused
    name = next(iter(found.meta.refused))
    with pytest.raises(InputError, match=f"{name} has no direction: .* are needed"):
        found.parse(f"{name}=on")


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


def test_a_strength_out_of_reach_is_null_and_the_best_there_is_takes_its_place(params):
    attributes.run(dataclasses.replace(params, max_strength=0.5, strengths=4))
    direction = table.read(params.attributes).chosen("Smiling")
    assert direction.add[95] is None
    assert direction.unit(True, 95, 9.0) == direction.target(True, 9.0, 1.1) == direction.best[0] == 0.5


def test_nothing_is_read_beyond_the_peak_of_a_curve():
    found = strengths_at(np.arange(5.0), np.array([0.0, 0.4, 0.9, 0.5, 0.1]))
    assert found[80] == pytest.approx(1.8)
    assert found[95] is None


@pytest.mark.slow
def test_every_compositing_mode_can_be_calibrated(params):
    for mode in ("ian", "replace", "decode"):
        attributes.run(dataclasses.replace(params, mode=mode, calibration_faces=20))
        assert table.read(params.attributes).chosen("Smiling").add[50] is not None


def test_latents_of_other_images_are_refused(params):
    faces(params.prepared, count=1196)
    with pytest.raises(InputError, match="does not follow"):
        attributes.run(params)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimators": ("mean",)}, "choose among mean_difference"),
        ({"mode": "blend"}, "choose one of ian"),
        ({"margin": 0.0}, "margin 0.0 must be positive"),
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


def test_on_and_off_go_a_little_beyond_95_percent(params):
    attributes.run(params)
    direction = table.read(params.attributes).chosen("Smiling")
    assert direction.target(True, 3.0, 1.1) == pytest.approx(1.1 * direction.add[95])
