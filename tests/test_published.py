"""K = 1 under the same plan equals the published methods."""

from dataclasses import replace

import numpy as np
import pytest
import references
import torch
import torch.nn.functional as F
from torch import nn

from multimix import CutMix, FMix, ManifoldMixup, MixUp, MultiMix, ResizeMix, SaliencyMix
from multimix.masks import Boxes, Bump, Resized


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
        mask = Boxes(low, high, (12, 12))
        plan = replace(plan, mask=mask, weight=mask.weight())
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


def test_at_32_pixels_boxes_keep_068_of_the_sample_and_the_authors_070():
    plan = MultiMix(CutMix(), num_mixes=1, sampling="iid").plan(torch.empty(60_000, 1, 32, 32))
    assert float(plan.weight.mean()) == pytest.approx(0.6795, abs=0.004)  # four deviations
    rng = np.random.default_rng(0)
    half = (32 * np.sqrt(1 - rng.random(60_000))).astype(int) // 2
    centre = rng.integers(32, size=(2, 60_000))
    sides = np.minimum(centre + half, 32) - np.maximum(centre - half, 0)
    assert 1 - sides.prod(0).mean() / 32**2 == pytest.approx(0.7008, abs=0.004)


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


def test_fmix_keeps_the_published_positions():
    from multimix.methods.fmix import highest

    field = torch.randn(1, 12, 12)
    for num_kept in (0, 1, 50, 100, 144):
        level = highest(field, torch.tensor([[num_kept]])).level[0]
        assert torch.equal(level.float(), references.fmix_published(field[0], num_kept))


def test_fmix_keeps_lam_as_published_up_to_the_toss(batch):
    x, _ = batch
    mix = MultiMix(FMix(), num_mixes=1, sampling="iid", share="batch")
    for seed in range(20):
        plan = mix.plan(x, generator=torch.Generator().manual_seed(seed))
        share = float(plan.lam[0, 0]) * 144
        assert int(plan.mask.kept[0, 0]) in (int(share), int(share) + 1)  # floor or ceil


@pytest.mark.parametrize("side", [1, 2, 3, 4, 6, 8, 12])
def test_resizemix_pastes_what_interpolate_makes(batch, side):
    x, y = batch
    mix = MultiMix(ResizeMix(), num_mixes=1, num_classes=5, share="batch")
    plan = mix.plan(x)
    low = torch.tensor([12 - side, (12 - side) // 2]).expand(1, 8, 2)
    mask = Resized(Boxes(low, low + side, (12, 12)))
    plan = replace(plan, mask=mask, weight=mask.weight())
    x_mix, y_mix = mix.apply(plan, x, y)
    top, left = low[0, 0].tolist()
    expected = x.clone()
    expected[:, :, top : top + side, left : left + side] = F.interpolate(x[plan.partner], side, mode="nearest-exact")
    assert torch.equal(x_mix, expected)
    kept = 1 - side**2 / 144
    torch.testing.assert_close(y_mix, kept * F.one_hot(y, 5) + (1 - kept) * F.one_hot(y[plan.partner], 5).float())


def test_resizemix_draws_the_published_law(batch):
    from scipy import stats

    x, _ = batch
    mix = MultiMix(ResizeMix(), num_mixes=1, sampling="iid", share="batch")
    scale = [(1 - float(mix.plan(x).lam[0, 0])) ** 0.5 for _ in range(2000)]
    assert stats.kstest(scale, stats.uniform(0.1, 0.7).cdf).pvalue > 1e-3


@pytest.mark.parametrize("sigma", [0.25, 0.4, 0.5])
def test_smoothmix_given_the_same_bump(batch, sigma):
    from multimix.methods.smoothmix import bump

    x, y = batch
    mix = MultiMix("smoothmix", num_mixes=1, num_classes=5, share="batch")
    plan = mix.plan(x)
    centre = torch.rand(2, dtype=torch.float64)
    factors = (bump(12, c[None], torch.full((1, 1), sigma).double().numpy()) for c in centre.numpy())
    mask = Bump(tuple(torch.from_numpy(factor).float().expand(1, 8, 12) for factor in factors))
    plan = replace(plan, mask=mask, weight=mask.weight())
    x_mix, _ = mix.apply(plan, x, y)
    expected = references.smoothmix_openmixup(x, plan.partner, (12 * centre - 0.5).tolist(), 12 * sigma)
    tolerance = 2 * float(x.abs().max()) / (24 * (12 * sigma) ** 2) * 2  # a mean over a pixel, not its middle: two axes
    torch.testing.assert_close(x_mix, expected.float(), atol=tolerance, rtol=0)
    # Its labels give the sample the mean of the bump; ours the mean of the rest, which is what is seen of it.
    planes = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 12, 12)
    shown = references.smoothmix_openmixup(planes, torch.tensor([1, 0]), (12 * centre - 0.5).tolist(), 12 * sigma)[0]
    assert float(plan.weight[0, 0]) == pytest.approx(1 - float(shown.mean()), abs=0.005)


def test_saliencymix_cuts_the_published_box(batch):
    x, _ = batch
    mix = MultiMix(SaliencyMix(), num_mixes=1, num_classes=5, sampling="iid", share="batch")
    even = 0
    for seed in range(60):
        saliency = torch.rand(8, 12, 12, generator=torch.Generator().manual_seed(seed))
        plan = mix.plan(x, saliency=saliency, generator=torch.Generator().manual_seed(seed))
        side = 12 * float(1 - plan.lam[0, 0]) ** 0.5
        published = references.saliencymix_published(saliency[plan.partner[0]], float(plan.lam[0, 0]))
        ours = list(zip(plan.mask.low[0, 0].tolist(), plan.mask.high[0, 0].tolist(), strict=True))
        assert (torch.tensor(ours) - torch.tensor(published)).abs().max() <= 1
        if round(side) == int(side) and round(side) % 2 == 0:
            assert ours == published
            even += 1
    assert even > 5
