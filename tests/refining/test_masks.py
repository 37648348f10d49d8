"""Random masks."""

import pytest
import torch

from facet.base import compute
from facet.pictures.crops import CROPS, crop
from facet.refining import masks


@pytest.mark.parametrize("name", CROPS)
def test_masks_are_full_inside_empty_outside_and_soft_between(name):
    drawn = masks.draw(64, 128, crop(name), compute.generator(1))
    assert drawn.shape == (64, 1, 128, 128)
    assert 0 <= drawn.min() <= drawn.max() <= 1
    assert (drawn.amax((1, 2, 3)) > 0.5).all()  # none is empty
    assert (drawn.amin((1, 2, 3)) == 0).float().mean() > 0.7
    soft = ((drawn > 0) & (drawn < 1)).float().mean((1, 2, 3))
    assert (soft > 0).float().mean() > 0.9  # a mask of everything has no edge
    assert 0.1 < drawn.mean() < 0.5


def test_masks_depend_on_the_generator_alone():
    first, again, other = (masks.draw(4, 64, crop("face120"), compute.generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_masks_know_where_edits_act(monkeypatch):
    monkeypatch.setattr(masks, "FREE", 0.0)
    monkeypatch.setattr(masks, "CLOUD", 0.0)
    monkeypatch.setattr(masks, "SECOND", 0.0)
    monkeypatch.setattr(masks, "REGIONS", ((89, 152, 26, 16),))
    mean = masks.draw(200, 120, crop("face120"), compute.generator(1)).mean((0, 1))
    row, column = divmod(int(mean.argmax()), 120)
    assert abs(row - (152 - 49)) < 10  # the mouth, from the crop's top
    assert abs(column - (89 - 29)) < 10
