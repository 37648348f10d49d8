"""The refiner's folder."""

import dataclasses
import json

import cv2
import pytest
import torch

from facet.base import checkpoints
from facet.base.errors import InputError
from facet.refining.network import UNet
from facet.refining.refiner import Card, Refiner, enlarge, paste, reduce, refiner_of
from facet.systems import Data
from tests.support.linear_system import LinearSystem

DATA = Data(crop="face120", size=16, channels=3, attributes=(), split_hash=LinearSystem.split_hash)
CPU = torch.device("cpu")


def saved(folder, **changes):
    card = Card(data=DATA, system="linear", large=32, settings={"width": 4}).to_json() | changes
    checkpoints.save(folder, {"refiner": UNet(channels=3, width=4)}, card)
    return folder


def test_a_refiner_is_loaded_as_it_was_saved(tmp_path):
    refiner = Refiner.load(saved(tmp_path / "refiner"), CPU)
    assert (refiner.system, refiner.crop, refiner.size, refiner.large, refiner.channels) == (
        "linear",
        "face120",
        16,
        32,
        3,
    )
    refiner.check(tmp_path / "refiner", LinearSystem(), tmp_path)
    mask = torch.zeros(2, 1, 32, 32)
    mask[:, :, 8:24, 8:24] = 1
    composite = torch.zeros(2, 3, 32, 32)
    refined = refiner.refine(composite, mask)
    assert refined.shape == composite.shape
    assert not refined.requires_grad
    assert torch.equal(refined[:, :, :8], composite[:, :, :8])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"crop": "dcgan108"}, "crop dcgan108, but .* face120"), ({"size": 64}, "size 64"), ({"channels": 1}, "channels"),
     ({"split_hash": "x"}, "split x")],
)  # fmt: skip
def test_a_refiner_of_other_data_is_refused(tmp_path, changes, message):
    refiner = Refiner.load(saved(tmp_path / "refiner"), CPU)
    for name, value in changes.items():
        setattr(refiner, name, value)
    with pytest.raises(InputError, match=message):
        refiner.check(tmp_path / "refiner", LinearSystem(), tmp_path)


def test_a_folder_that_is_no_refiner_is_refused(tmp_path):
    with pytest.raises(InputError, match="describes no refiner"):
        Refiner.load(saved(tmp_path / "one", kind="joint"), CPU)
    with pytest.raises(InputError, match="refiner of this version"):
        Refiner.load(saved(tmp_path / "two", settings={}), CPU)
    with pytest.raises(InputError, match="do not fit"):
        Refiner.load(saved(tmp_path / "three", settings={"width": 8}), CPU)
    with pytest.raises(InputError, match="not a model folder"):
        Refiner.load(tmp_path / "none", CPU)


@pytest.mark.parametrize(
    ("composite", "mask"),
    [((1, 1, 32, 32), (1, 1, 32, 32)), ((1, 3, 32, 32), (1, 1, 16, 16)), ((1, 3, 24, 32), (1, 1, 24, 32))],
)
def test_tensors_of_other_shapes_are_refused(tmp_path, composite, mask):
    refiner = Refiner.load(saved(tmp_path / "refiner"), CPU)
    with pytest.raises(ValueError, match="expected"):
        refiner.refine(torch.zeros(composite), torch.zeros(mask))


def test_the_refiner_of_a_model_is_in_its_folder_or_beside_the_pipeline_s_models(tmp_path):
    model = tmp_path / "data" / "models" / "linear"
    model.mkdir(parents=True)
    (model / "model.json").write_text(json.dumps({"system": "linear"}))
    assert refiner_of(model) is None
    beside = saved(tmp_path / "data" / "refiners" / "linear")
    assert refiner_of(model) == beside
    inside = saved(model / "refiner")
    assert refiner_of(model) == inside


def test_enlarging_and_reducing_keep_smooth_pictures_and_the_range():
    ramp = torch.linspace(-1, 1, 16).expand(1, 1, 16, 16)
    torch.testing.assert_close(reduce(enlarge(ramp, 32), 16), ramp, atol=0.02, rtol=0)
    noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)).sign()
    assert enlarge(noise, 32).abs().max() <= 1


def test_pictures_are_enlarged_as_edits_of_photos_are():
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3)) - 0.5
    as_edits = cv2.resize(picture[0].permute(1, 2, 0).contiguous().numpy(), (32, 32), interpolation=cv2.INTER_CUBIC)
    torch.testing.assert_close(enlarge(picture, 32)[0].permute(1, 2, 0), torch.from_numpy(as_edits))


def test_a_paste_keeps_the_photo_where_the_mask_is_empty():
    photo, picture = torch.full((1, 1, 4, 4), -0.0), torch.ones(1, 1, 4, 4)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 2], mask[..., 3] = 0.5, 1
    pasted = paste(photo, picture, mask)
    assert pasted[0, 0, 0].tolist() == [0, 0, 0.5, 1]
    assert torch.signbit(pasted[0, 0, :, :2]).all()


def test_a_card_names_all_that_decides_what_a_refiner_is_for():
    card = Card(data=DATA, system="linear", large=32, settings={"width": 4}).to_json()
    assert card["kind"] == "refiner"
    assert Data.from_json(card["data"]) == dataclasses.replace(DATA)
