"""Training of the refiner, on a system whose reconstructions are known."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from facet.base import compute
from facet.base.errors import InputError
from facet.refining.refiner import enlarge, reduce
from facet.refining.trainer import RefinerTrainer, Settings
from facet.systems import Data
from facet.training.loop import Batch

SETTINGS = Settings(
    width=4, width_d=4, mirrored=0.25, noise=0.2, warmup=0, feature=1.0, adversarial=0.1, r1_gamma=1.0, r1_every=2,
    learning_rate=0.003, learning_rate_d=0.001, final_rate=0.1, beta1=0.5, ema=0.0, batch_size=4, steps=60, flip=True,
)  # fmt: skip
DATA = Data(crop="face120", size=32, channels=3, attributes=(), split_hash="h")


class Blur:
    """Decodes a quarter of its pixels, smoothly enlarged."""

    name, crop, size, channels, attributes, split_hash = "blur", "face120", 32, 3, (), "h"
    z_dim, y_dim = 3 * 8 * 8, 0

    def encode(self, x: Tensor) -> Tensor:
        return reduce(x, 8).flatten(1)

    def decode(self, latent: Tensor) -> Tensor:
        return enlarge(latent.view(-1, 3, 8, 8), 32)


def trainer(**changes: Any) -> RefinerTrainer:
    settings, large = dataclasses.replace(SETTINGS, **changes), 64
    return RefinerTrainer(settings, Blur(), DATA, large=large, seed=1, device=torch.device("cpu"), precision="fp32")


def photos(count: int = 4) -> Tensor:
    """Stripes of different widths in smooth colours."""
    colours = interpolate(torch.rand(count, 3, 3, 3, generator=compute.generator(7)), size=(64, 64), mode="bilinear")
    stripes = (torch.arange(64) % 8 < 4).float()
    return colours * 0.8 + 0.6 * stripes - 0.7


def test_a_repeated_batch_is_restored_better_with_every_round():
    one, batch = trainer(adversarial=0.0, feature=0.0), Batch(photos(), torch.zeros(4, 0))
    losses = [float(one.step(step, batch)["pixel"].detach()) for step in range(1, 61)]
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])


def test_every_term_is_finite_and_the_critic_comes_after_the_warm_up():
    one, batch = trainer(warmup=2), Batch(photos(), torch.zeros(4, 0))
    before = [parameter.clone() for parameter in one.critic.parameters()]
    terms = [one.step(step, batch) for step in range(1, 5)]
    assert [set(each) for each in terms[:2]] == [{"pixel"}, {"pixel"}]
    assert set(terms[2]) == {"pixel", "feature", "adversarial", "critic"}
    assert set(terms[3]) == {*terms[2], "r1"}
    assert all(torch.isfinite(value) for each in terms for value in each.values())
    assert any(not torch.equal(a, b) for a, b in zip(before, one.critic.parameters(), strict=True))


def test_without_its_terms_the_critic_is_left_alone():
    one = trainer(adversarial=0.0, feature=0.0)
    assert set(one.step(1, Batch(photos(), torch.zeros(4, 0)))) == {"pixel"}


def test_composites_are_the_photo_outside_the_mask_and_near_the_reconstruction_inside():
    one, x = trainer(noise=0.0, mirrored=0.0), photos(16)
    composite, mask = one.composites(x, compute.generator(3))
    outside = (mask == 0).expand_as(x)
    assert torch.equal(composite[outside], x[outside])
    inside = (mask == 1).expand_as(x)
    plain = enlarge(Blur().decode(Blur().encode(reduce(x, 32))), 64)
    assert (composite - plain)[inside].abs().mean() < 0.15 < (x - plain)[inside].abs().mean()
    again, _ = one.composites(x, compute.generator(3))
    assert torch.equal(composite, again)


def test_a_mirrored_reconstruction_is_mirrored_back():
    x = photos()
    plain, mirrored = (trainer(noise=0.0, mirrored=share).composites(x, compute.generator(3))[0] for share in (0, 1))
    torch.testing.assert_close(plain, mirrored, atol=1e-5, rtol=1e-5)  # the blur is symmetric


def test_the_first_output_is_the_composite():
    one = trainer()
    composite, mask = one.composites(photos(), compute.generator(3))
    assert torch.equal(one.network(composite, mask), composite)


def test_a_side_that_the_network_cannot_halve_is_refused():
    with pytest.raises(InputError, match=r"prepare\.large 72.*multiple of 16"):
        RefinerTrainer(SETTINGS, Blur(), DATA, large=72, seed=1, device=torch.device("cpu"), precision="fp32")
