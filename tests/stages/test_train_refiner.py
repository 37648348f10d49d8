"""Stage `train_refiner` of a tiny vigan."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from facet import systems
from facet.base import images
from facet.base.errors import InputError
from facet.refining.refiner import Refiner, enlarge, paste, refiner_of
from stages import train_gan, train_refiner
from tests.support import small, tiny
from tests.support.dying import Killed
from tests.support.trainings import kill_at, outs

FILES = ("refiner", "refiner.csv", "refiner.png")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny vigan and its refiner."""
    folder = tmp_path_factory.mktemp("refiner")
    train_gan.run(small.gan_params(folder, "vigan"))
    train_refiner.run(small.refiner_params(folder, "vigan"))
    return folder


def test_a_refiner_fits_its_system_and_changes_only_what_the_mask_covers(trained):
    cpu = torch.device("cpu")
    system, refiner = systems.load(trained / "model", cpu), Refiner.load(trained / "refiner", cpu)
    refiner.check(trained / "refiner", system, trained / "model")
    assert (refiner.system, refiner.size, refiner.large) == ("vigan", 64, 128)
    photo = images.gather(images.open_large(trained / "prepared"), np.arange(3))
    decoded = system.decode(system.encode(images.gather(images.open_images(trained / "prepared"), np.arange(3))))
    mask = torch.zeros(3, 1, 128, 128)
    mask[:, :, 30:90, 20:100] = 1
    composite = paste(photo, enlarge(decoded.float(), refiner.large), mask)
    refined = refiner.refine(composite, mask)
    outside = (mask == 0).expand_as(photo)
    assert torch.equal(refined[outside], photo[outside])
    assert not torch.equal(refined, composite)


def test_the_history_and_the_samples_show_the_training(trained):
    table = pd.read_csv(trained / "refiner.csv")
    assert table["step"].tolist() == [2, 4]
    assert table["images_seen"].tolist() == [8, 16]
    assert {"pixel", "feature", "adversarial", "critic", "r1"} <= set(table.columns)
    assert table["feature"].isna().tolist() == [True, False]
    with Image.open(trained / "refiner.png") as picture:
        assert picture.size == (8 * 130 + 2, 3 * 130 + 2)  # composites, refined, photos


def test_it_is_trained_to_the_same_bytes_again(trained, tmp_path):
    params = small.refiner_params(trained, "vigan")
    paths = {"refiner": tmp_path / "refiner", "history": tmp_path / "refiner.csv", "samples": tmp_path / "refiner.png"}
    train_refiner.run(dataclasses.replace(params, **paths))
    assert outs(tmp_path, *FILES) == outs(trained, *FILES)


@pytest.mark.parametrize("at", [2, 4])
def test_one_killed_while_training_ends_with_the_bytes_of_an_undisturbed_one(trained, monkeypatch, at):
    whole, params = outs(trained, *FILES), small.refiner_params(trained, "vigan")
    with monkeypatch.context() as patched:
        kill_at(patched, at)
        with pytest.raises(Killed):
            train_refiner.run(params)
    assert list(params.resume.glob("*.pt"))
    train_refiner.run(params)
    assert outs(trained, *FILES) == whole
    assert not list(params.resume.glob("*.pt"))


def test_it_needs_the_larger_pictures_and_the_system_it_is_named_after(trained, tmp_path):
    params = small.refiner_params(trained, "vigan")
    with pytest.raises(InputError, match=r"large\.npy is missing.*prepare\.large"):
        train_refiner.run(dataclasses.replace(params, prepared=tiny.prepared(tmp_path / "prepared")))
    with pytest.raises(InputError, match="is of system vigan; expected ian"):
        train_refiner.run(dataclasses.replace(params, system="ian"))
    with pytest.raises(InputError, match=r"size 64, but .* size 32"):
        other = tiny.prepared(tmp_path / "other", size=32, large=64)
        train_refiner.run(dataclasses.replace(params, prepared=other))


def test_the_pipeline_s_folders_belong_together():
    for values in (small.PARAMS["train_refiner"],):
        for system, item in values.items():
            assert item["model"] == small.PARAMS["systems"][system]["model"]
    assert refiner_of.__module__ == "facet.refining.refiner"
