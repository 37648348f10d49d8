"""Training of judges that never share a person."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from facet.base import images
from facet.base.tables import Faces, FacesMeta, read_faces
from facet.judges import trainer
from facet.judges.judge import WHICH, Which
from facet.training.loop import Batch
from tests.support import tiny
from tests.support.small_judges import graded

SETTINGS = trainer.Settings(
    steps=25,
    width=4,
    learning_rate=0.01,
    weight_decay=0.01,
    dropout=0.1,
    label_smoothing=0.02,
    seed=1,
    precision="fp32",
)


def faces_of(identities: list[int | None], splits: list[str]) -> Faces:
    count = len(identities)
    table = pd.DataFrame({"row": np.arange(count), "split": splits, "identity": identities, "Smiling": 1})
    meta = FacesMeta(source="t", crop="face120", size=8, channels=3, attributes=("Smiling",), split_hash="h")
    return Faces(table, meta)


def test_no_person_teaches_both_judges():
    identities: list[int | None] = [n // 3 for n in range(60)]
    a, b = trainer.halves(faces_of(identities, ["train"] * 60), seed=1)
    people = np.array(identities)
    assert not set(people[a]) & set(people[b])
    assert sorted([*a, *b]) == list(range(60))
    assert abs(len(a) - len(b)) <= 3


def test_judges_learn_from_training_images_only_and_strangers_stand_for_themselves():
    splits = ["train", "valid", "test", "train"] * 10
    a, b = trainer.halves(faces_of([None] * 40, splits), seed=1)
    assert sorted([*a, *b]) == [n for n in range(40) if splits[n] == "train"]
    assert len(a) == len(b) == 10


def test_unknown_labels_teach_nothing():
    folder_faces = faces_of([0] * 4, ["train"] * 4)
    folder_faces.table["Smiling"] = 0
    weights = trainer.state_weights(folder_faces.labels())
    assert torch.isfinite(weights).all()


def test_a_rare_state_weighs_more_but_within_its_cap():
    labels = np.array([[1, 1]] + [[-1, -1]] * 3 + [[-1, -1]] * 96)
    labels[1:50, 1] = 1
    weights = trainer.state_weights(labels)
    torch.testing.assert_close(weights[:, 0], torch.tensor([0.5 / 0.99, 10.0]))
    torch.testing.assert_close(weights[:, 1], torch.tensor([1.0, 1.0]))


def test_schedule_warms_up_peaks_and_ends_at_zero():
    rates = [trainer.schedule(step, 100) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[4] == 1
    assert rates[-1] == pytest.approx(0)


def test_augmentation_keeps_range_and_shape_and_depends_on_its_generator_alone():
    x = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    one, two, other = (trainer.augment(x.clone(), torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert one.shape == x.shape
    assert one.abs().max() <= 1


def test_every_known_value_of_a_real_valued_attribute_weighs_alike(tmp_path: Path):
    faces = read_faces(graded(tmp_path / "prepared"))
    rows = faces.rows("train")
    judge_trainer = trainer.JudgeTrainer("a", SETTINGS, faces, rows, channels=3, device=torch.device("cpu"))
    assert judge_trainer.weights[:, 0].tolist() == [1, 1]
    torch.testing.assert_close(judge_trainer.weights[:, 1], trainer.state_weights(faces.labels()[rows])[:, 1])


@pytest.mark.parametrize("which", WHICH)
def test_a_judge_restored_after_two_steps_ends_like_one_never_stopped(which: Which, tmp_path: Path):
    tiny.prepared(tmp_path / "prepared", count=48, size=16)
    faces, pixels = read_faces(tmp_path / "prepared"), images.open_images(tmp_path / "prepared")
    rows, labels = faces.rows("train"), torch.from_numpy(faces.labels().copy())
    trainers = [
        trainer.JudgeTrainer(which, SETTINGS, faces, rows, channels=3, device=torch.device("cpu")) for _ in range(2)
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
