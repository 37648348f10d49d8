import pytest
import torch
from torch import nn

from facet.base.compute import generator
from facet.nets.augment import cutout, diff_augment, translate
from facet.nets.blocks import binomial, down, init_dcgan, up
from facet.nets.decoder import Decoder
from facet.nets.ema import Ema
from facet.nets.prior import GaussianPrior
from facet.nets.variational import Variational


@pytest.mark.parametrize("kernel", [4, 5])
def test_down_halves_and_up_doubles_exactly(kernel):
    x = torch.randn(2, 3, 16, 16)
    assert down(3, 5, kernel=kernel, norm="batch")(x).shape == (2, 5, 8, 8)
    assert up(3, 5, kernel=kernel)(x).shape == (2, 5, 32, 32)


def test_an_unknown_norm_is_named():
    with pytest.raises(ValueError, match="layer"):
        down(3, 4, kernel=4, norm="layer")


def test_dcgan_weights_start_with_deviation_two_hundredths():
    conv = nn.Conv2d(32, 64, 4)
    init_dcgan(conv, generator(1))
    assert conv.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert conv.bias.abs().max() == 0


def test_an_average_follows_its_network_and_copies_running_statistics():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema = Ema(network, decay=0.5)
    before = ema.network[0].weight.clone()
    with torch.no_grad():
        network[0].weight.add_(1.0)
        network[1].running_mean.fill_(3.0)
    ema.update(network, step=100)
    torch.testing.assert_close(ema.network[0].weight, before + 0.5)
    assert ema.network[1].running_mean.tolist() == [3.0, 3.0]


def test_augmentation_is_fixed_by_its_generator_and_keeps_shape_and_gradient():
    x = torch.rand(4, 3, 16, 16, requires_grad=True)
    a, b = diff_augment(x, generator(1)), diff_augment(x, generator(1))
    torch.testing.assert_close(a, b)
    assert not torch.equal(a, diff_augment(x, generator(2)))
    a.sum().backward()
    assert x.grad.abs().sum() > 0


def test_cutout_removes_a_half_sided_square_and_translation_moves_at_most_an_eighth():
    x = torch.ones(64, 1, 16, 16)
    holes = (cutout(x, generator(3)) == 0).sum(dim=(1, 2, 3))
    assert holes.max() <= 49
    assert holes.min() >= 9
    moved = (translate(x, generator(3)) == 0).sum(dim=(1, 2, 3))
    assert moved.max() <= 256 - 14 * 14
    assert moved.max() > 0


def test_the_variational_encoder_starts_with_small_codes_and_bounded_variances():
    encoder = Variational(z_dim=5, width=4, size=64, channels=3, attributes=2)
    encoder.init(generator(1))
    mu, logvar = encoder(torch.randn(16, 3, 64, 64))
    assert mu.shape == logvar.shape == (16, 5)
    assert mu.std() < 2
    assert encoder.attributes(mu).shape == (16, 2)


def test_the_binomial_filter_removes_a_checkerboard_and_keeps_what_is_even():
    board = torch.ones(1, 2, 8, 8)
    board[..., ::2, 1::2] = board[..., 1::2, ::2] = -1
    assert binomial(board)[..., 1:-1, 1:-1].abs().max() == 0
    assert torch.equal(binomial(torch.full((1, 2, 8, 8), 0.5)), torch.full((1, 2, 8, 8), 0.5))


def test_a_prior_is_standard_normal_until_it_follows_codes_and_then_has_their_mean_and_covariance():
    generator = torch.Generator().manual_seed(1)
    prior, eps = GaussianPrior(2), torch.randn(20_000, 2, generator=generator)
    torch.testing.assert_close(prior(eps), eps, rtol=0, atol=0)
    mean, mix = torch.tensor([3.0, -1.0]), torch.tensor([[2.0, 0.0], [1.5, 0.5]])
    for _ in range(3000):
        codes = mean + torch.randn(32, 2, generator=generator) @ mix.T
        with torch.autocast("cpu", torch.bfloat16):
            prior.follow(codes)
    drawn = prior(eps)
    torch.testing.assert_close(drawn.mean(0), mean, rtol=0, atol=0.1)
    torch.testing.assert_close(drawn.T.cov(), mix @ mix.T, rtol=0, atol=0.15)


def test_a_prior_forgets_the_codes_of_early_steps():
    prior = GaussianPrior(1)
    for value in (*[50.0] * 20, *[1.0] * 8000):
        prior.follow(torch.full((4, 1), value))
    assert prior(torch.zeros(1, 1)).item() == pytest.approx(1.0, abs=0.1)


def test_a_decoder_s_black_pixels_go_on_learning_in_bf16():
    """A bf16 tanh of -4 is exactly -1, and has no gradient."""
    decoder = Decoder(inputs=2, width=4, kernel=4, size=64, channels=1)
    torch.nn.init.constant_(decoder.to_rgb.bias, -4.0)
    with torch.autocast("cpu", torch.bfloat16):
        x = decoder(torch.randn(8, 2, generator=generator(1)))
    x.sum().backward()
    assert x.dtype == torch.float32
    assert decoder.to_rgb.bias.grad.abs().item() > 0


def test_a_prior_of_fewer_codes_than_dimensions_can_be_drawn_from():
    prior = GaussianPrior(100)
    codes = 1e3 * torch.randn(16, 100, generator=generator(1))
    for _ in range(3):
        prior.follow(codes)
    drawn = prior(torch.randn(50, 100, generator=generator(2)))
    assert drawn.isfinite().all()
    assert 0.3 < drawn.std() / codes.std() < 3
