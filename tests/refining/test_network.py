"""The networks of the refiner."""

import pytest
import torch

from facet.base import compute
from facet.nets.blocks import init_he
from facet.refining.network import Critic, UNet


def started(channels: int = 3) -> UNet:
    network = UNet(channels=channels, width=4)
    init_he(network, compute.generator(1))
    return network


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 80)])
def test_what_the_mask_does_not_cover_stays_bit_for_bit(channels, height, width):
    x = torch.rand(2, channels, height, width, generator=compute.generator(2)) * 2 - 1
    x[0, 0, 0, 0] = -0.0  # whose sign bit a sum would lose
    mask = torch.zeros(2, 1, height, width)
    mask[:, :, 8:20, 10:22] = torch.rand(2, 1, 12, 12, generator=compute.generator(3)) + 0.01
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = started(channels)(x, mask)
    outside = (mask == 0).expand_as(x)
    assert y.dtype == torch.float32
    assert torch.equal(y[outside].view(torch.int32), x[outside].view(torch.int32))
    assert (y[~outside] != x[~outside]).float().mean() > 0.9


def test_half_a_mask_takes_half_the_correction():
    x = torch.zeros(1, 3, 32, 32)
    network = started()
    torch.nn.init.zeros_(network.enter.weight[:, -4:])  # blind to the mask
    whole, half = (network(x, torch.full((1, 1, 32, 32), level)) for level in (1.0, 0.5))
    inside = whole.abs() < 1
    torch.testing.assert_close(half[inside], whole[inside] / 2)


def test_a_picture_s_result_does_not_depend_on_its_neighbours():
    x = torch.rand(3, 3, 32, 32, generator=compute.generator(4)) * 2 - 1
    mask = torch.rand(3, 1, 32, 32, generator=compute.generator(5))
    network = started()
    torch.testing.assert_close(network(x, mask)[1:2], network(x[1:2], mask[1:2]), atol=1e-3, rtol=1e-3)


def test_the_critic_has_features_at_four_sides_and_a_logit_per_eight_pixels():
    features, logits = Critic(channels=3, width=4)(torch.zeros(2, 3, 64, 64), torch.ones(2, 1, 64, 64))
    assert [tuple(one.shape[1:]) for one in features] == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (16, 4, 4)]
    assert logits.shape == (2, 1, 8, 8)
