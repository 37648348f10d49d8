"""Loaded judges: their files, their networks, their answers."""

from pathlib import Path

import pytest
import torch

from facet.base.errors import InputError
from facet.judges.judge import FEATURES, WHICH, Judge, Which, build


def test_the_judges_are_of_different_architectures(trained: Path):
    a, b = (Judge.load(trained / "judges", which, "cpu").network for which in WHICH)
    assert a.state_dict().keys() != b.state_dict().keys()


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
    assert judge.features(x).shape == (7, FEATURES)
    assert judge.predict(x).dtype == torch.bool


def test_nothing_can_be_trained_through_a_judge(trained: Path):
    x = torch.zeros(1, 3, 32, 32, requires_grad=True)
    assert not Judge.load(trained / "judges", "a", "cpu").logits(x).requires_grad


@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("size", [28, 32, 64, 128])
def test_networks_take_every_size_and_channel_count(which: Which, size: int):
    network = build(which, size=size, channels=1, width=2, attributes=3, dropout=0.0)
    assert network(torch.zeros(2, 1, size, size)).shape == (2, 3)
