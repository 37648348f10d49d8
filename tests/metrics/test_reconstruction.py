"""Reconstruction errors by hand, SSIM against its definition at one position."""

import math

import pytest
import torch

from facet.metrics import reconstruction


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(2, 3, 16, 16, generator=generator) * 2 - 1
    return x, (x + 0.3 * torch.randn(2, 3, 16, 16, generator=generator)).clamp(-1, 1)


def test_sums_are_over_all_values_in_minus_one_to_one():
    x, y = torch.zeros(1, 3, 64, 64), torch.full((1, 3, 64, 64), 0.5)
    assert reconstruction.l2_sum(x, y).item() == pytest.approx(0.25 * 12_288)
    assert reconstruction.l1_sum(x, y).item() == pytest.approx(0.5 * 12_288)


def test_mse_mae_and_psnr_are_on_zero_to_one():
    x, y = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.2)  # 0.1 apart on [0, 1]
    assert reconstruction.mse(x, y).item() == pytest.approx(0.01)
    assert reconstruction.mae(x, y).item() == pytest.approx(0.1)
    assert reconstruction.psnr(x, y).item() == pytest.approx(20, abs=1e-4)


def test_psnr_of_identical_images_is_finite():
    x = torch.zeros(1, 3, 8, 8)
    assert reconstruction.psnr(x, x).item() == pytest.approx(100)


def test_ssim_of_an_image_with_itself_is_one():
    x, _ = pair()
    torch.testing.assert_close(reconstruction.ssim((x + 1) / 2, (x + 1) / 2), torch.ones(2))


def test_ssim_of_flat_grey_levels_is_its_luminance_term():
    x, y = torch.full((1, 3, 16, 16), 0.2), torch.full((1, 3, 16, 16), 0.8)
    expected = (2 * 0.2 * 0.8 + 1e-4) / (0.04 + 0.64 + 1e-4)
    assert reconstruction.ssim(x, y).item() == pytest.approx(expected, rel=1e-4)


def test_ssim_at_the_only_position_of_an_11_pixel_image_follows_the_formula():
    generator = torch.Generator().manual_seed(2)
    x, y = torch.rand(2, 1, 1, 11, 11, generator=generator, dtype=torch.float64)
    axis = torch.arange(-5, 6, dtype=torch.float64)
    weights = torch.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))
    weights = weights / weights.sum()
    mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
    var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
    covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    expected = expected / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    assert reconstruction.ssim(x, y).item() == pytest.approx(expected.item(), rel=1e-9)


def test_a_smaller_k1_lowers_ssim_of_dark_images():
    x, y = torch.full((1, 1, 16, 16), 0.0), torch.full((1, 1, 16, 16), 0.02)
    assert reconstruction.ssim(x, y, k1=0.001).item() < reconstruction.ssim(x, y).item()


def test_ssim_passes_a_gradient_to_the_reconstruction():
    x, y = pair()
    y.requires_grad_()
    reconstruction.ssim((x + 1) / 2, (y + 1) / 2).sum().backward()
    assert y.grad is not None
    assert y.grad.abs().sum() > 0


def test_luma_weighs_green_most_and_leaves_grey_alone():
    grey = torch.full((1, 3, 2, 2), 0.4)
    torch.testing.assert_close(reconstruction.luma(grey), torch.full((1, 1, 2, 2), 0.4))
    green = torch.tensor([0.0, 1, 0]).view(1, 3, 1, 1)
    assert reconstruction.luma(green).item() == pytest.approx(0.587)


def test_measure_names_every_number_once_per_image():
    numbers = reconstruction.measure(*pair())
    assert set(numbers) == {"l2_sum", "l1_sum", "mse", "mae", "psnr", "ssim", "ssim_luma", "ssim_report"}
    for values in numbers.values():
        assert values.shape == (2,)
    assert (numbers["l1_sum"] ** 2 <= 3 * 16 * 16 * numbers["l2_sum"] * (1 + 1e-6)).all()  # Cauchy-Schwarz
    root = (numbers["l2_sum"][0] / (3 * 16 * 16)).sqrt().item()
    assert numbers["psnr"][0].item() == pytest.approx(20 * math.log10(2 / root), abs=1e-3)
