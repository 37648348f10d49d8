"""Two judges that never share a person, their files, their card, their answers."""

import copy
import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from facet.base import images
from facet.base.errors import InputError
from facet.base.tables import Faces, FacesMeta, read_faces
from facet.judges import judge as judges
from facet.judges.judge import Judge
from facet.metrics.classification import balanced_accuracy
from facet.training.loop import Batch
from stages import train_judge
from tests.support import tiny


def params(folder: Path, **changes: object) -> train_judge.Params:
    values: dict[str, object] = {
        "prepared": folder / "prepared", "judges": folder / "judges", "card": folder / "judges.json",
        "history": folder / "judges.csv", "resume": folder / "resume", "log_every": 5, "steps": 25, "batch_size": 8,
        "width_a": 4, "width_b": 4, "flip": True, "learning_rate": 0.01, "weight_decay": 0.01, "dropout": 0.1,
        "label_smoothing": 0.02, "min_balanced_accuracy": 0.8, "min_auroc": 0.9, "seed": 1, "threads": 1,
        "device": "cpu", "precision": "fp32",
    }  # fmt: skip
    return train_judge.Params(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judges")
    tiny.prepared(folder / "prepared", count=160, size=32)
    train_judge.run(params(folder))
    return folder


def faces_of(identities: list[int | None], splits: list[str]) -> Faces:
    count = len(identities)
    table = pd.DataFrame({"row": np.arange(count), "split": splits, "identity": identities, "Smiling": 1})
    meta = FacesMeta(source="t", crop="face120", size=8, channels=3, attributes=("Smiling",), split_hash="h")
    return Faces(table, meta)


def test_no_person_teaches_both_judges():
    identities: list[int | None] = [n // 3 for n in range(60)]
    a, b = train_judge.halves(faces_of(identities, ["train"] * 60), seed=1)
    people = np.array(identities)
    assert not set(people[a]) & set(people[b])
    assert sorted([*a, *b]) == list(range(60))
    assert abs(len(a) - len(b)) <= 3


def test_judges_learn_from_training_images_only_and_strangers_stand_for_themselves():
    splits = ["train", "valid", "test", "train"] * 10
    a, b = train_judge.halves(faces_of([None] * 40, splits), seed=1)
    assert sorted([*a, *b]) == [n for n in range(40) if splits[n] == "train"]
    assert len(a) == len(b) == 10


def test_both_judges_see_what_is_plain_to_see(trained: Path):
    faces, pixels = read_faces(trained / "prepared"), images.open_images(trained / "prepared")
    rows = faces.rows("test")
    for which in train_judge.WHICH:
        judge = Judge.load(trained / "judges", which, "cpu")
        answers = judge.predict(images.gather(pixels, rows)).numpy()
        for k in range(2):
            assert balanced_accuracy(answers[:, k], faces.labels()[rows][:, k]).value > 0.9


def test_a_second_run_writes_the_same_bytes(trained: Path, tmp_path: Path):
    again = dataclasses.replace(
        params(trained), judges=tmp_path / "judges", card=tmp_path / "card.json", history=tmp_path / "h.csv"
    )
    train_judge.run(again)
    for first, second in (
        *(
            (trained / "judges" / name, again.judges / name)
            for name in ("a.safetensors", "b.safetensors", "judges.json")
        ),
        (trained / "judges.json", again.card),
        (trained / "judges.csv", again.history),
    ):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_the_judges_are_of_different_architectures(trained: Path):
    a, b = (Judge.load(trained / "judges", which, "cpu").network for which in train_judge.WHICH)
    assert a.state_dict().keys() != b.state_dict().keys()


def test_card_names_every_attribute_with_intervals_and_a_verdict(trained: Path):
    card = json.loads((trained / "judges.json").read_text())
    assert set(card["attributes"]) == set(tiny.ATTRIBUTES)
    entry = card["attributes"]["Bright"]
    assert entry["judged"]
    assert entry["reason"] == ""
    for which in train_judge.WHICH:
        for name in ("auroc", "balanced_accuracy", "calibration_error"):
            assert entry[which][name]["low"] <= entry[which][name]["value"] <= entry[which][name]["high"]
    assert entry["agreement"]["n"] == 40


def test_history_holds_both_losses_below_that_of_a_coin(trained: Path):
    history = pd.read_csv(trained / "judges.csv")
    assert list(history.columns) == ["step", "images_seen", "loss_a", "loss_b"]
    assert history["loss_a"].iloc[-1] < np.log(2)
    assert history["loss_b"].iloc[-1] < np.log(2)


def test_another_crop_or_size_is_refused_by_name(trained: Path):
    with pytest.raises(InputError, match="trained with crop face120, not dcgan108"):
        Judge.load(trained / "judges", "a", "cpu", crop="dcgan108")
    with pytest.raises(InputError, match="trained with size 32, not 64"):
        Judge.load(trained / "judges", "a", "cpu", size=64)
    judge = Judge.load(trained / "judges", "a", "cpu", crop="face120", size=32)
    with pytest.raises(InputError, match=r"\(N, 3, 32, 32\), not \(2, 3, 16, 16\)"):
        judge.logits(torch.zeros(2, 3, 16, 16))


def test_a_damaged_folder_is_refused_with_advice(trained: Path, tmp_path: Path):
    with pytest.raises(InputError, match="train_judge"):
        Judge.load(tmp_path, "a", "cpu")
    (tmp_path / "judges.json").write_bytes((trained / "judges" / "judges.json").read_bytes())
    (tmp_path / "a.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="dvc repro -f train_judge"):
        Judge.load(tmp_path, "a", "cpu")


def test_answers_do_not_depend_on_the_batch_they_come_in(trained: Path):
    judge = Judge.load(trained / "judges", "b", "cpu")
    x = torch.rand(7, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(judge.logits(x, batch_size=3), judge.logits(x, batch_size=7))
    assert judge.features(x).shape == (7, judges.FEATURES)
    assert judge.predict(x).dtype == torch.bool


def test_nothing_can_be_trained_through_a_judge(trained: Path):
    x = torch.zeros(1, 3, 32, 32, requires_grad=True)
    assert not Judge.load(trained / "judges", "a", "cpu").logits(x).requires_grad


@pytest.mark.parametrize("which", train_judge.WHICH)
@pytest.mark.parametrize("size", [28, 32, 64, 128])
def test_networks_take_every_size_and_channel_count(which: judges.Which, size: int):
    network = judges.build(which, size=size, channels=1, width=2, attributes=3, dropout=0.0)
    assert network(torch.zeros(2, 1, size, size)).shape == (2, 3)


def test_unknown_labels_teach_nothing():
    folder_faces = faces_of([0] * 4, ["train"] * 4)
    folder_faces.table["Smiling"] = 0
    weights = train_judge.state_weights(folder_faces.labels())
    assert torch.isfinite(weights).all()


def test_a_rare_state_weighs_more_but_within_its_cap():
    labels = np.array([[1, 1]] + [[-1, -1]] * 3 + [[-1, -1]] * 96)
    labels[1:50, 1] = 1
    weights = train_judge.state_weights(labels)
    torch.testing.assert_close(weights[:, 0], torch.tensor([0.5 / 0.99, 10.0]))
    torch.testing.assert_close(weights[:, 1], torch.tensor([1.0, 1.0]))


def test_schedule_warms_up_peaks_and_ends_at_zero():
    rates = [train_judge.schedule(step, 100) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[4] == 1
    assert rates[-1] == pytest.approx(0)


def test_augmentation_keeps_range_and_shape_and_depends_on_its_generator_alone():
    x = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    one, two, other = (train_judge.augment(x.clone(), torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert one.shape == x.shape
    assert one.abs().max() <= 1


def test_platt_recovers_temperature_and_bias_whatever_the_prevalence():
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(40_000) < 0.1, 1, -1)
    scores = rng.normal(size=40_000) + labels  # balanced log odds: 2 score
    temperature, bias = train_judge.platt(3 * scores + 6, labels)
    assert temperature == pytest.approx(1.5, rel=0.05)
    assert bias == pytest.approx(-4, abs=0.2)


def test_an_attribute_with_one_state_only_keeps_neutral_calibration():
    calibration = train_judge.calibrate(np.zeros((5, 1)), np.ones((5, 1)), np.zeros(1, bool), width=4)
    assert (calibration.temperatures, calibration.biases, calibration.thresholds) == ((1.0,), (0.0,), (0.5,))


def test_platt_of_values_makes_the_answer_the_value_to_be_expected():
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, 20_000).astype(np.float32)
    logit = np.log((1 + values) / (1 - values))
    values[:100] = 0  # unknown
    temperature, bias = train_judge.soft_platt(3 * logit + 6, values)
    assert temperature == pytest.approx(3, rel=0.01)
    assert bias == pytest.approx(-2, abs=0.02)
    assert train_judge.soft_platt(logit[:5], np.zeros(5)) == (1.0, 0.0)


def graded(folder: Path) -> Path:
    """A prepared folder whose Bright is real-valued: a quarter (10) to three (30) of the picture are white, unknown for
    some; Red stays an attribute of two states."""
    prepared = tiny.prepared(folder, count=240, size=16)
    pixels = np.load(prepared / "images.npy")
    bright = np.random.default_rng(3).uniform(10, 30, len(pixels)).astype(np.float32)
    height = np.clip(bright[:, None] / 40 * 16 - np.arange(16), 0, 1)[:, :, None, None]  # share of each row
    np.save(prepared / "images.npy", np.maximum(pixels, 255 * height).astype(np.uint8))
    bright[::9] = np.nan
    tiny.make_real(prepared, "Bright", bright, (10.0, 30.0))
    return prepared


def test_a_judge_tells_the_value_of_a_real_valued_attribute(tmp_path: Path):
    graded(tmp_path / "prepared")
    train_judge.run(params(tmp_path, steps=150, flip=False))
    faces, pixels = read_faces(tmp_path / "prepared"), images.open_images(tmp_path / "prepared")
    rows = faces.rows("test")
    values = faces.descriptions()[rows]
    known = values[:, 0] != 0
    card = json.loads((tmp_path / "judges.json").read_text())["attributes"]
    for which in train_judge.WHICH:
        judge = Judge.load(tmp_path / "judges", which, "cpu")
        judged = 2 * judge.probabilities(images.gather(pixels, rows)).numpy()[:, 0] - 1
        error = np.abs(judged - values[:, 0])[known].mean()
        assert error < 0.15  # of a range of 2
        told = card["Bright"][which]
        assert told["absolute_error"]["value"] == pytest.approx(error, rel=1e-4)
        assert told["absolute_error"]["n"] == known.sum()
        assert told["spearman"]["value"] > 0.9
        assert told["constant_error"]["low"] > told["absolute_error"]["high"]
        assert told["auroc"]["value"] > 0.9
        assert told["calibration_error"] is None
        assert "spearman" not in card["Red"][which]
        assert card["Red"][which]["calibration_error"]["value"] is not None


def test_every_known_value_of_a_real_valued_attribute_weighs_alike(tmp_path: Path):
    faces = read_faces(graded(tmp_path / "prepared"))
    rows = faces.rows("train")
    trainer = train_judge.JudgeTrainer("a", params(tmp_path), faces, rows, channels=3, device=torch.device("cpu"))
    assert trainer.weights[:, 0].tolist() == [1, 1]
    torch.testing.assert_close(trainer.weights[:, 1], train_judge.state_weights(faces.labels()[rows])[:, 1])


def test_threshold_stays_near_a_half_unless_validation_says_otherwise():
    rng = np.random.default_rng(0)
    labels = np.repeat([1, -1], 500)
    p = 1 / (1 + np.exp(-(rng.normal(size=1000) + 1.5 * labels)))
    assert abs(train_judge.threshold(p, labels) - 0.5) < 0.08
    shifted = np.where(labels > 0, 0.66, 0.61)
    assert 0.61 < train_judge.threshold(shifted, labels) <= 0.66


def test_an_attribute_neither_judge_can_see_is_marked_with_the_reason(tmp_path: Path):
    tiny.prepared(tmp_path / "prepared", count=160, size=16)
    faces = read_faces(tmp_path / "prepared")
    settings = params(tmp_path)
    truth = np.stack([np.repeat([1, -1], 50), np.repeat([1, -1], 50), np.array([1] * 3 + [-1] * 97)], 1)
    noise = np.random.default_rng(0).normal(size=100)
    scores = np.stack([truth[:, 0] * 5.0, noise, truth[:, 2] * 5.0], 1)
    calibration = train_judge.calibrate(scores, truth, np.zeros(3, bool), width=4)
    reasons = train_judge.not_judged(
        settings,
        (*faces.meta.attributes, "Rare"),
        {"a": scores, "b": scores},
        {"a": calibration, "b": calibration},
        truth,
    )
    assert reasons[0] == ""
    assert reasons[1].startswith("judge a: balanced accuracy 0.")
    assert reasons[2] == "only 3 validation faces of the rarer state, 10 needed"


@pytest.mark.parametrize("which", train_judge.WHICH)
def test_a_judge_restored_after_two_steps_ends_like_one_never_stopped(which: judges.Which, tmp_path: Path):
    tiny.prepared(tmp_path / "prepared", count=48, size=16)
    faces, pixels = read_faces(tmp_path / "prepared"), images.open_images(tmp_path / "prepared")
    rows, labels = faces.rows("train"), torch.from_numpy(faces.labels().copy())
    trainers = [
        train_judge.JudgeTrainer(which, params(tmp_path), faces, rows, channels=3, device=torch.device("cpu"))
        for _ in range(2)
    ]
    batch = Batch(images.gather(pixels, rows[:8]), labels[rows[:8]])
    for step in (1, 2, 3, 4):
        trainers[0].step(step, batch)
        if step == 2:
            for name, module in trainers[1].modules.items():
                module.load_state_dict(trainers[0].modules[name].state_dict())
            trainers[1].optimiser.load_state_dict(copy.deepcopy(trainers[0].optimiser.state_dict()))
    torch.rand(5)  # whatever else draws numbers between
    for step in (3, 4):
        trainers[1].step(step, batch)
    for name, value in trainers[0].average.state_dict().items():
        assert torch.equal(value, trainers[1].average.state_dict()[name]), name


LEFT_AND_RIGHT = tuple(f"{place}_{digit}" for place in ("Left", "Right") for digit in range(10))


def test_the_card_tells_how_often_each_judge_names_the_digit_of_each_place():
    truth = np.full((10, 20), -1)
    truth[np.arange(10), np.arange(10)] = truth[np.arange(10), 10 + np.arange(10)] = 1
    blind = truth.astype(float)
    blind[:5, 10:] = np.eye(10)[9]  # takes the first five digits on the right for nines
    card = train_judge.digits_card({"a": blind, "b": truth.astype(float)}, truth, LEFT_AND_RIGHT)["digits"]
    assert {(place, which): card[place][which]["value"] for place in card for which in ("a", "b")} == {
        ("Left", "a"): 1, ("Left", "b"): 1, ("Right", "a"): 0.5, ("Right", "b"): 1
    }  # fmt: skip
    assert card["Left"]["b"]["low"] < 1


def test_the_card_of_faces_or_of_nine_digits_has_no_line_of_digits(trained: Path):
    assert "digits" not in json.loads((trained / "judges.json").read_text())
    assert train_judge.digits_card({}, np.zeros((1, 9)), LEFT_AND_RIGHT[:9]) == {}
