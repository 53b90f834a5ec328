"""K = 1 under the same plan equals the published methods."""

from dataclasses import replace

import pytest
import references
import torch
import torch.nn.functional as F
from torch import nn

from multimix import CutMix, ManifoldMixup, MixUp, MultiMix
from multimix.masks import Boxes


@pytest.fixture
def batch():
    return torch.randn(8, 3, 12, 12), torch.randint(5, (8,))


def test_mixup_cifar10(batch):
    x, y = batch
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 144, 5))
    mix = MultiMix(MixUp(), num_mixes=1, num_classes=5, sampling="iid", share="batch")
    plan = mix.plan(x)
    x_mix, y_mix = mix.apply(plan, x, y)
    mixed, loss = references.mixup_cifar10(x, y, float(plan.lam[0, 0]), plan.partner, F.cross_entropy, model)
    torch.testing.assert_close(x_mix, mixed)
    torch.testing.assert_close(F.cross_entropy(model(x_mix), y_mix), loss)
    torch.testing.assert_close(plan.loss(F.cross_entropy, model(x_mix), y), loss)


def test_cutmix_given_the_same_box(batch):
    x, y = batch
    mix = MultiMix(CutMix(), num_mixes=1, num_classes=5, share="batch")
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        plan = mix.plan(x, generator=generator)
        centre = torch.rand(2) * 12
        lam = float(plan.lam[0, 0])
        expected, corrected = references.cutmix_published(x, plan.partner, lam, centre.tolist())
        side = 12 * (1 - lam) ** 0.5
        low = (centre.double() - side / 2).floor().clamp(0, 12).long().expand(1, 8, 2)
        high = (centre.double() + side / 2).floor().clamp(0, 12).long().expand(1, 8, 2)
        mask = Boxes(low, high)
        plan = replace(plan, mask=mask, weight=mask.weight((12, 12)))
        x_mix, y_mix = mix.apply(plan, x, y)
        assert torch.equal(x_mix, expected)
        labels = corrected * F.one_hot(y, 5) + (1 - corrected) * F.one_hot(y[plan.partner], 5)
        torch.testing.assert_close(y_mix, labels)


def test_cutmix_draws_the_published_box():
    from multimix.methods.cutmix import box_edges

    rng = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, 20, 14)
    index = torch.tensor([1, 2, 3, 0])
    for _ in range(50):
        lam = float(torch.rand((), generator=rng, dtype=torch.float64))
        centre = torch.rand(2, generator=rng, dtype=torch.float64).numpy() * [20, 14]
        low, high = box_edges(
            torch.tensor([[lam]]).double().numpy(), centre[None, None], torch.tensor([20.0, 14]).double().numpy(), False
        )
        expected, _ = references.cutmix_published(x, index, lam, centre)
        mixed = x.clone()
        (top, left), (bottom, right) = low[0, 0].astype(int), high[0, 0].astype(int)
        mixed[:, :, top:bottom, left:right] = x[index, :, top:bottom, left:right]
        assert torch.equal(mixed, expected)


def test_manifold_mixup_weighs_the_sample_by_lam(batch):
    x, _ = batch
    model = nn.Sequential(nn.Identity(), nn.Identity())
    mix = MultiMix(ManifoldMixup(layers=["1"]), num_mixes=1, num_classes=8, share="batch", sampling="iid")
    y = torch.arange(8)
    plan = mix.plan(x, model=model)
    features, y_mix = mix.run(model, x, y, plan=plan)
    lam = float(plan.lam[0, 0])
    torch.testing.assert_close(features, lam * x + (1 - lam) * x[plan.partner])
    for row in range(8):
        assert y_mix[row, row] == pytest.approx(lam)
        assert y_mix[row, plan.partner[row]] == pytest.approx(1 - lam)


def test_the_iid_shared_draw_is_the_published_law(batch):
    from scipy import stats

    x, _ = batch
    mix = MultiMix(MixUp(alpha=0.4), num_mixes=1, sampling="iid", share="batch")
    lam = [float(mix.plan(x).lam[0, 0]) for _ in range(2000)]
    assert stats.kstest(lam, stats.beta(0.4, 0.4).cdf).pvalue > 1e-3
