"""Boxes of ResizeMix: their scales, their places, what they show."""

import numpy as np
import pytest
import references
import torch
from scipy import stats

from multimix import MultiMix, ResizeMix
from multimix.methods.resizemix import first_positions


def plan_of(spatial, num_pairs=64, **settings):
    method = ResizeMix(**settings.pop("method", {}))
    return MultiMix(method, **settings).plan(torch.empty(num_pairs, 1, *spatial))


@pytest.mark.parametrize("spatial", [(40,), (40, 60), (16, 20, 24)])
@pytest.mark.parametrize("sampling", ["stratified", "iid"])
def test_scales_are_uniform(spatial, sampling):
    plan = plan_of(spatial, 3000, num_mixes=1, sampling=sampling)
    scale = (1 - plan.lam.flatten()) ** (1 / len(spatial))
    assert stats.kstest(scale.numpy(), stats.uniform(0.1, 0.7).cdf).pvalue > 1e-3


def test_scales_of_a_pair_lie_in_strata():
    plan = plan_of((8, 8), num_mixes=5, method={"smallest": 0.2, "largest": 0.7})
    scale = (1 - plan.lam) ** 0.5
    edges = torch.linspace(0.2, 0.7, 6, dtype=torch.float64)
    assert (scale >= edges[:5, None] - 1e-12).all()
    assert (scale <= edges[1:, None] + 1e-12).all()


@pytest.mark.parametrize("spatial", [(41,), (40, 61), (16, 20, 24)])
def test_labels_weigh_what_is_kept_which_is_about_lam(spatial):
    plan = plan_of(spatial, num_mixes=5, method={"smallest": 0, "largest": 1})
    boxes = plan.mask.boxes
    torch.testing.assert_close(plan.weight.double(), references.kept_share(plan, boxes, spatial), atol=1e-7, rtol=0)
    wanted = (1 - plan.lam[..., None]) ** (1 / len(spatial)) * torch.tensor(spatial)
    assert ((boxes.high - boxes.low) - wanted).abs().max() <= 0.5
    assert (boxes.low >= 0).all()
    assert (boxes.high <= torch.tensor(spatial)).all()


def test_every_place_is_as_likely():
    rng = np.random.default_rng(0)
    sides, sizes = np.full((1, 7000, 1), 6), np.array([12])
    places = first_positions(sides, rng.random((7000, 1)), sizes).ravel()
    counts = np.bincount(places, minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-3


def test_boxes_one_longer_begin_there_or_one_earlier():
    sides = np.arange(13)[:, None, None].repeat(500, axis=1)
    low = first_positions(sides, np.random.default_rng(0).random((500, 1)), np.array([12]))
    assert set(np.unique(np.diff(low, axis=0))) == {-1, 0}
    assert (low[-1] == 0).all()


def test_the_whole_partner_is_shown():
    # Every column has a value of its own, so what a box shows is known: its ends are near the partner's ends.
    x = torch.arange(24.0).expand(8, 1, 6, 24).clone() + 100 * torch.arange(8.0)[:, None, None, None]
    mix = MultiMix(ResizeMix(smallest=0.3, largest=0.9), num_mixes=4)
    plan = mix.plan(x)
    x_mix, _ = mix.apply(plan, x)
    for row, k, i, _, partner in references.rows(plan):
        (top, left), (bottom, right) = plan.mask.boxes.low[k, i].tolist(), plan.mask.boxes.high[k, i].tolist()
        shown = x_mix[row, 0, top:bottom, left:right] - 100 * partner
        step = 24 / (right - left)
        assert (shown == shown[:1]).all()
        assert (shown[0].diff() >= int(step)).all()
        assert shown[0, 0] <= step / 2
        assert shown[0, -1] >= 23 - step / 2


def test_a_scale_of_one_is_the_partner():
    x = torch.randn(5, 3, 6, 7)
    mix = MultiMix(ResizeMix(smallest=0.999, largest=1), num_mixes=2)
    plan = mix.plan(x)
    assert torch.equal(mix.apply(plan, x)[0], x[plan.partner].repeat(2, 1, 1, 1))
    assert (plan.weight == 0).all()
