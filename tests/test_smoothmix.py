"""Bumps: their width, their mean, their place."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from multimix import MultiMix, SmoothMix
from multimix.kernels.cpu.bumps import widths
from multimix.methods.smoothmix import bump


@pytest.mark.parametrize("spatial", [(50,), (1,), (9, 12), (4, 5, 6)])
@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_labels_weigh_lam(spatial, alpha):
    plan = MultiMix(SmoothMix(alpha=alpha), num_mixes=5).plan(torch.empty(64, 1, *spatial))
    torch.testing.assert_close(plan.weight.double(), plan.lam, atol=2e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_pixels_and_labels_agree_to_rounding(dtype):
    x = torch.tensor([1.0, 0.0], dtype=dtype)[:, None, None, None].expand(2, 1, 31, 40).contiguous()
    mix = MultiMix(SmoothMix(alpha=0.3), num_mixes=5)
    for seed in range(10):
        plan = mix.plan(x, generator=torch.Generator().manual_seed(seed))
        shown = mix.apply(plan, x)[0].view(5, 2, -1).double().mean(2)[:, 0]
        torch.testing.assert_close(shown, plan.weight[:, 0].double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype):
    x = torch.randn(6, 3, 8, 9).to(dtype)
    mix = MultiMix(SmoothMix(), num_mixes=3)
    plan = mix.plan(x)
    wide, _ = mix.apply(plan, x.float())
    assert torch.equal(mix.apply(plan, x)[0], wide.to(dtype))


def test_a_position_shows_the_mean_of_the_bump_over_it():
    found = bump(7, np.array([0.3]), np.array([[0.11], [0.6]]))
    for k, width in enumerate((0.11, 0.6)):
        for at in range(7):
            area, _ = integrate.quad(lambda u, w=width: np.exp(-((u - 0.3) ** 2) / (2 * w**2)), at / 7, (at + 1) / 7)
            assert found[k, 0, at] == pytest.approx(7 * area, rel=1e-9)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_widths_have_the_means_asked_for(axes):
    rng = np.random.default_rng(0)
    centre = rng.random((axes, 200))
    share = np.sort(rng.random((4, 200)), axis=0)
    share[:, 0] = [0.0, 1e-9, 1 - 1e-12, 1.0]
    found = widths(share, centre)
    assert (np.diff(found, axis=0) >= 0).all()
    mean = np.prod([bump(1, c, found)[..., 0] for c in centre], axis=0)
    np.testing.assert_allclose(mean, share, atol=1e-7)
    np.testing.assert_allclose(mean[:, 1:], share[:, 1:], rtol=1e-12)


def test_centres_are_uniform():
    mix = MultiMix(SmoothMix(), num_mixes=1)
    factors = mix.plan(torch.empty(4000, 1, 500, 300)).mask.factors
    for factor, size in zip(factors, (500, 300), strict=True):
        centre = (factor[0].argmax(1).double() + 0.5) / size
        assert stats.kstest(centre.numpy(), "uniform").pvalue > 1e-3


def test_lam_follows_its_law():
    lam = MultiMix(SmoothMix(alpha=0.5), num_mixes=1, sampling="iid").plan(torch.empty(3000, 1, 2)).lam.flatten()
    assert stats.kstest(lam.numpy(), stats.beta(0.5, 0.5).cdf).pvalue > 1e-3


def test_bumps_fall_from_their_centre_alike_along_all_axes():
    mask = MultiMix(SmoothMix(), num_mixes=2).plan(torch.empty(50, 1, 40, 40)).mask
    for factor in mask.factors:
        place = factor.argmax(2, keepdim=True)
        position = torch.arange(40)
        assert ((factor.diff(dim=2) >= 0) | (position[1:] > place)).all()
        assert ((factor.diff(dim=2) <= 0) | (position[1:] <= place)).all()
