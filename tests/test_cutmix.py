"""Boxes: where they lie, how large they are, and what labels they give."""

import numpy as np
import pytest
import references
import torch
from scipy import stats

from multimix import CutMix, MultiMix
from multimix.methods.cutmix import box_edges


def plans(boxes: str = "nested", shape=(64, 1, 40, 50), steps: int = 40, num_mixes: int = 5, **settings):
    mix = MultiMix(CutMix(boxes=boxes), num_mixes=num_mixes, **settings)
    generator = torch.Generator().manual_seed(0)
    x = torch.empty(shape, dtype=torch.uint8)
    return [mix.plan(x, generator=generator) for _ in range(steps)]


@pytest.mark.parametrize("boxes", ["nested", "inside", "independent"])
@pytest.mark.parametrize("spatial", [(17,), (12, 9), (5, 6, 7)])
def test_weight_is_the_kept_share_counted_pixel_by_pixel(boxes, spatial):
    for plan in plans(boxes, (6, 2, *spatial), steps=3):
        expected = references.kept_share(plan, plan.mask, spatial)
        torch.testing.assert_close(plan.weight.double(), expected, atol=1e-7, rtol=0)
        assert torch.equal(plan.weight, plan.mask.weight())  # found on the device: the same bits


@pytest.mark.parametrize("spatial", [(100,), (60, 90), (24, 30, 40)])
def test_boxes_that_fit_keep_lam(spatial):
    for plan in plans("inside", (32, 1, *spatial), steps=5):
        assert (plan.mask.low >= 0).all()
        assert (plan.mask.high <= torch.tensor(spatial)).all()
        side = (plan.mask.high - plan.mask.low).double()
        wanted = torch.tensor(spatial) * (1 - plan.lam[..., None]) ** (1 / len(spatial))
        assert (side - wanted).abs().max() <= 1.0
        assert (plan.weight - plan.lam).abs().mean() < 0.02


def test_rounding_of_boxes_that_fit_is_unbiased():
    drawn = plans("inside", (256, 1, 9, 11), steps=100)
    difference = torch.stack([(plan.weight.double() - plan.lam).mean() for plan in drawn])
    assert difference.mean().abs() < 0.006  # rounding both sides of one box is correlated: -0.003


def test_paths_of_boxes_that_fit_reach_the_partner():
    low, high = box_edges(
        np.zeros((1, 50)), np.random.default_rng(0).random((1, 50, 2)) * [30, 20], np.array([30.0, 20]), True
    )
    assert (low == 0).all()
    assert (high == [30, 20]).all()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_clipping_keeps_as_much_more_than_lam_as_geometry_says(axes):
    # A side of r = (1 - lam)^(1/d) of the axis around a uniform centre loses r^2 / 4 on average, on each axis.
    drawn = plans("nested", (256, 1, *[48] * axes), steps=40)
    weight = torch.stack([plan.weight for plan in drawn]).mean((0, 2)).double()
    r = (1 - torch.stack([plan.lam for plan in drawn])) ** (1 / axes)
    expected = 1 - ((r * (1 - r / 4)) ** axes).mean((0, 2))
    torch.testing.assert_close(weight, expected, atol=0.012, rtol=0)


def test_sides_before_clipping():
    low, high = box_edges(np.array([[0.75]]), np.array([[[50.0, 50.0]]]), np.array([100.0, 100.0]), fit=False)
    assert (high - low == 50).all()
    low, high = box_edges(np.array([[0.75]]), np.array([[[50.0]]]), np.array([100.0]), fit=False)
    assert (high - low == 25).all()


@pytest.mark.parametrize("boxes", ["nested", "independent"])
def test_centres_are_uniform(boxes):
    # A box that touches no border has its centre at the mean of its edges; small boxes (large lam) rarely touch.
    size = 1000
    centres = []
    for plan in plans(boxes, (64, 1, size, size), steps=20, num_mixes=1):
        middle = (plan.mask.low + plan.mask.high).double()[0] / 2
        inside = ((plan.mask.low > 0) & (plan.mask.high < size)).all(-1)[0] & (plan.lam[0] > 0.98)
        centres.append(middle[inside])
    centre = torch.cat(centres).numpy()
    assert len(centre) > 15
    half = size * 0.02**0.5 / 2
    for axis in range(2):
        assert stats.kstest(centre[:, axis], stats.uniform(half, size - 2 * half).cdf).pvalue > 1e-3


def test_centres_are_uniform_as_drawn():
    rng_centres = []
    for plan in plans("nested", (256, 1, 997, 499), steps=8, num_mixes=1):
        low, high = plan.mask.low[0].double(), plan.mask.high[0].double()
        free = ((low > 0) & (high < torch.tensor([997.0, 499.0]))).all(-1) & (plan.lam[0] > 0.9)
        rng_centres.append(((low + high) / 2)[free] / torch.tensor([997.0, 499.0]))
    centre = torch.cat(rng_centres).numpy()
    middle = centre[(np.abs(centre - 0.5) < 0.3).all(1)]  # where no box of this size is clipped
    for axis in range(2):
        assert stats.kstest(middle[:, axis], stats.uniform(0.2, 0.6).cdf).pvalue > 1e-3


def test_every_row_has_a_box_of_its_own():
    plan = plans("nested", (64, 1, 224, 224), steps=1, num_mixes=1)[0]
    assert len({tuple(box) for box in plan.mask.low[0].tolist()}) > 40


def test_independent_boxes_have_centres_of_their_own():
    plan = plans("independent", (64, 1, 224, 224), steps=1)[0]
    not_nested = (plan.mask.low.diff(dim=0) > 0) | (plan.mask.high.diff(dim=0) < 0)
    assert not_nested.any(-1).float().mean() > 0.3


def test_video_is_cut_on_time_and_space_not_on_channels():
    x = torch.arange(2.0).reshape(2, 1, 1, 1, 1).expand(2, 3, 8, 8, 8).contiguous()
    mix = MultiMix("cutmix", num_classes=2)
    x_mix, _ = mix(x, torch.tensor([0, 1]))
    assert (x_mix == x_mix[:, :1]).all()
