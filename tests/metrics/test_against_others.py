"""Metrics beside those of other libraries, on the same numbers."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import nn

from facet.metrics import intervals, reconstruction
from facet.metrics.classification import auroc
from facet.metrics.frechet import frechet_distance
from facet.metrics.kid import kid

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(120, 6)), RNG.normal(0.3, 1.2, size=(90, 6))


class Given(nn.Module):
    """In the place of Inception: the images are the features."""

    num_features = 6

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """Two batches of images (4, 3, 32, 32) in [-1, 1], the second like the first."""
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    return x, (x + 0.2 * noise).clamp(-1, 1)


@pytest.mark.slow  # the import takes seconds
@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save:UserWarning")
def test_kernel_distance_of_one_picture_a_person_is_torchmetrics_kid():
    kid_module = pytest.importorskip("torchmetrics.image.kid")
    x, y = (torch.from_numpy(features) for features in FEATURES)
    theirs = kid_module.KernelInceptionDistance(feature=Given(), subsets=1, subset_size=90)
    theirs.set_dtype(torch.float64)
    theirs.update(x[:90], real=True)
    theirs.update(y, real=False)
    assert kid(FEATURES[0][:90], FEATURES[1]).value == pytest.approx(float(theirs.compute()[0]), rel=1e-5)


@pytest.mark.slow
def test_frechet_distance_is_torchmetrics_fid():
    fid_module = pytest.importorskip("torchmetrics.image.fid")
    theirs = fid_module.FrechetInceptionDistance(feature=Given())
    theirs.set_dtype(torch.float64)
    for features, real in zip(FEATURES, (True, False), strict=True):
        theirs.update(torch.from_numpy(features), real=real)
    assert frechet_distance(*FEATURES) == pytest.approx(float(theirs.compute()), rel=1e-5)


@pytest.mark.slow
def test_ssim_and_psnr_are_torchmetrics():
    image = pytest.importorskip("torchmetrics.functional.image")
    x, y = pictures()
    ours = reconstruction.measure(x, y)
    unit = ((y + 1) / 2, (x + 1) / 2)
    similarity = image.structural_similarity_index_measure
    _, everywhere = similarity(*unit, data_range=1.0, reduction="none", return_full_image=True)
    ssim = everywhere[:, :, 5:-5, 5:-5].mean((1, 2, 3))  # theirs mirrors the border, ours stays where the window fits
    psnr = image.peak_signal_noise_ratio(*unit, data_range=1.0, reduction="none", dim=(1, 2, 3))
    torch.testing.assert_close(ours["ssim"], ssim, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours["psnr"], psnr, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (3, 10), (97, 100), (40, 40)])
def test_wilson_s_interval_is_scipy_s(successes, n):
    ours, theirs = intervals.wilson(successes, n), stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert (ours.low == 0, ours.high == 1) == (successes == 0, successes == n)


def test_the_bootstrap_interval_of_a_mean_is_scipy_s_but_for_chance():
    values = RNG.exponential(size=80)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1))
    ours = intervals.bootstrap_mean(values, seed=1, count=20_000)
    width = ours.high - ours.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.03 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.03 * width)


def test_auroc_is_scikit_learn_s():
    labels = RNG.choice([-1, 1], 70)
    scores = np.round(labels + RNG.normal(0, 2, 70), 1)  # with ties
    assert auroc(scores, labels).value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
