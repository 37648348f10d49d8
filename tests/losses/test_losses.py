import math

import pytest
import torch

from facet.losses import adversarial, latent, reconstruction


def test_generator_loss_still_has_a_gradient_when_the_critic_is_certain():
    fake = torch.full((4,), -50.0, requires_grad=True)
    adversarial.nonsaturating_generator(fake).backward()
    torch.testing.assert_close(fake.grad, torch.full((4,), -0.25))


def test_discriminator_loss_of_an_undecided_critic_is_twice_log_two():
    logits = torch.zeros(3)
    assert adversarial.nonsaturating_discriminator(logits, logits).item() == pytest.approx(2 * math.log(2))


def test_hinge_loss_stops_at_the_margin():
    assert adversarial.hinge_discriminator(torch.tensor([1.5]), torch.tensor([-1.5])).item() == 0
    assert adversarial.hinge_discriminator(torch.tensor([0.5]), torch.tensor([0.5])).item() == pytest.approx(2.0)


def test_r1_penalty_of_a_linear_critic_is_half_its_squared_weight():
    x = torch.randn(5, 1, 2, 2, requires_grad=True)
    weight = torch.tensor([1.0, 2.0, 0.0, -2.0])
    assert adversarial.r1_penalty(x.flatten(1) @ weight, x).item() == pytest.approx(0.5 * 9)


def test_kl_is_zero_at_the_prior_and_known_elsewhere():
    zero = torch.zeros(2, 3)
    assert latent.kl_to_normal(zero, zero).item() == 0
    assert latent.kl_to_normal(zero + 1, zero).item() == pytest.approx(1.5)
    assert latent.kl_to_normal(zero, zero + math.log(4)).item() == pytest.approx(3 * 0.5 * (4 - 1 - math.log(4)))


def test_unknown_labels_give_no_gradient_and_both_classes_weigh_the_same():
    logits = torch.zeros(8, 1, requires_grad=True)
    labels = torch.tensor([[1], [-1], [-1], [-1], [-1], [-1], [-1], [0]])
    latent.attribute_loss(logits, labels).backward()
    gradient = logits.grad[:, 0]
    assert gradient[7] == 0
    assert gradient[0] < 0
    assert 0.5 < -gradient[0] / gradient[1:7].sum() < 1


def test_reconstruction_losses_are_sums_over_an_image_and_means_over_the_batch():
    x, y = torch.zeros(2, 3, 16, 16), torch.full((2, 3, 16, 16), 0.5)
    assert reconstruction.l1(x, y).item() == pytest.approx(0.5 * 768)
    assert reconstruction.l2(x, y).item() == pytest.approx(0.25 * 768)
    assert reconstruction.ssim_l2(x, x).item() == pytest.approx(0, abs=1e-6)


def test_centre_weights_have_mean_one_and_their_peak_in_the_middle():
    weights = reconstruction.centre_weights(8, peak=3)
    assert weights.mean().item() == pytest.approx(1)
    assert weights[0, 0, 3, 3] > 1.5 * weights[0, 0, 0, 0]
    x = torch.zeros(1, 1, 8, 8)
    assert reconstruction.weighted_l1(x, x + 2, weights).item() == pytest.approx(2)
    assert reconstruction.weighted_l2(x, x + 2, weights).item() == pytest.approx(4)


def test_a_black_pixel_that_should_be_white_costs_nine_nats_and_still_has_a_gradient():
    weights = torch.ones(1, 1, 1, 1)
    white, black = torch.ones(1, 1, 1, 1), -torch.ones(1, 1, 1, 1)
    assert reconstruction.weighted_bce(white, white, weights).item() == pytest.approx(0, abs=1e-3)
    assert reconstruction.weighted_bce(black, white, weights).item() == pytest.approx(9.21, abs=0.01)
    assert reconstruction.weighted_bce(0 * white, white, weights).item() == pytest.approx(0.693, abs=1e-3)
    before = torch.full((1, 1, 1, 1), -4.0, requires_grad=True)  # of the tanh
    reconstruction.weighted_bce(before.tanh(), white, weights).backward()
    assert before.grad.item() < -1
