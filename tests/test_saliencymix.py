"""What stands out, and the boxes around it."""

import itertools

import pytest
import references
import torch
from scipy import stats

from multimix import MultiMix, SaliencyMix
from multimix.contrast import contrast
from multimix.methods.saliencymix import peaks


def with_spot(shape, place, width=2):
    """A quiet image with a bright spot."""
    x = torch.zeros(shape)
    x[(..., *(slice(p - width // 2, p - width // 2 + width) for p in place))] = 1.0
    return x


@pytest.mark.parametrize("shape", [(1, 40), (1, 3, 40), (1, 1, 32, 48), (1, 5, 16, 12, 20)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.bfloat16, torch.float32, torch.float64])
def test_a_spot_stands_out(shape, dtype):
    spatial = shape[2:] or shape[1:]
    place = [size * 2 // 3 for size in spatial]
    x = with_spot(shape, place) * 3 + 5
    found = peaks(contrast(x.to(dtype)))[0]
    assert (found - torch.tensor(place)).abs().max() <= 1


def test_a_spot_in_one_channel_of_many_stands_out():
    x = torch.rand(1, 1, 30, 30).expand(1, 8, 30, 30) * 0.1
    x = x.clone()
    x[0, 5, 20:23, 7:10] += 1
    x[0, 6, 20:23, 7:10] -= 1  # so that the mean over channels shows nothing
    assert (peaks(contrast(x))[0] - torch.tensor([21, 8])).abs().max() <= 1


@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 1e4 / 3])
@pytest.mark.parametrize("shape", [(2, 33), (2, 3, 17, 20), (2, 3, 100, 131), (2, 1, 5, 6, 7), (2, 4, 1, 1)])
def test_a_constant_image_has_its_peak_in_the_middle(shape, value):
    saliency = contrast(torch.full(shape, value))
    assert (saliency == 0).all()
    assert peaks(saliency).tolist() == [[size // 2 for size in saliency.shape[1:]]] * 2


def test_contrast_is_that_of_the_formula():
    x = torch.randn(2, 3, 20, 32, dtype=torch.float64)

    def local_mean(reach):
        out = torch.empty_like(x)
        for i, j in itertools.product(range(20), range(32)):
            window = x[..., max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1]
            out[..., i, j] = window.mean((-2, -1))
        return out

    expected = sum((x - local_mean(reach)).norm(dim=1) for reach in (2, 4, 8)) / 3
    torch.testing.assert_close(contrast(x), expected)
    # A larger image whose cells are these pixels: the middle position of each cell has its value.
    larger = contrast(x.repeat_interleave(5, 2).repeat_interleave(5, 3))
    torch.testing.assert_close(larger[:, 2::5, 2::5], expected)


def test_contrast_knows_neither_brightness_nor_scale():
    x = torch.randn(2, 3, 24, 24, dtype=torch.float64)
    torch.testing.assert_close(contrast(7 * x + 3), 7 * contrast(x))


@pytest.mark.parametrize("boxes", ["nested", "inside"])
@pytest.mark.parametrize("spatial", [(17,), (12, 9), (5, 6, 7)])
def test_boxes_hold_the_partners_peak(boxes, spatial):
    x = torch.rand(16, 2, *spatial)
    saliency = torch.rand(16, *spatial)
    peak = peaks(saliency)
    for index in range(16):
        assert saliency[(index, *peak[index])] == saliency[index].max()
    for partners in ("same", "fresh"):
        mix = MultiMix(SaliencyMix(boxes=boxes), num_mixes=5, partners=partners)
        plan = mix.plan(x, saliency=saliency)
        low, high = plan.mask.low, plan.mask.high
        of_partner = peak[plan.partner.expand(5, 16)]
        cut = (high > low).all(-1)
        assert ((low <= of_partner) & (of_partner < high)).all(-1)[cut].all()
        torch.testing.assert_close(
            plan.weight.double(), references.kept_share(plan, plan.mask, spatial), atol=1e-7, rtol=0
        )
        side = ((1 - plan.lam[..., None]) ** (1 / len(spatial)) * torch.tensor(spatial)).round().long()
        if boxes == "inside":
            assert torch.equal(high - low, side)
        else:
            free = (of_partner - side // 2 >= 0) & (of_partner - side // 2 + side <= torch.tensor(spatial))
            assert torch.equal((high - low)[free], side[free])
            assert torch.equal(low[free], (of_partner - side // 2)[free])


def test_saliency_is_found_where_none_is_given():
    x = torch.cat([with_spot((1, 3, 32, 32), place) for place in ((5, 6), (20, 9), (12, 28), (27, 27))])
    mix = MultiMix(SaliencyMix(alpha=5.0), num_mixes=2, num_classes=4)
    given, found = (
        mix.plan(x, saliency=saliency, generator=torch.Generator().manual_seed(0)) for saliency in (contrast(x), None)
    )
    assert torch.equal(given.mask.low, found.mask.low)
    assert not torch.equal(
        given.mask.low,
        mix.plan(x, saliency=contrast(x.flip(2)), generator=torch.Generator().manual_seed(0)).mask.low,
    )


def test_a_shared_step_has_the_box_of_the_first_pair():
    x = torch.randn(6, 3, 20, 20)
    saliency = torch.rand(6, 20, 20)
    plan = MultiMix(SaliencyMix(boxes="inside"), num_mixes=1, share="batch").plan(x, saliency=saliency)
    peak = peaks(saliency)[plan.partner[0]]
    assert (plan.mask.low == plan.mask.low[:, :1]).all()
    assert ((plan.mask.low[0, 0] <= peak) & (peak <= plan.mask.high[0, 0])).all()


def test_lam_follows_its_law():
    mix = MultiMix(SaliencyMix(alpha=0.5), num_mixes=1, sampling="iid")
    lam = mix.plan(torch.empty(3000, 1, 2), saliency=torch.ones(3000, 2)).lam.flatten()
    assert stats.kstest(lam.numpy(), stats.beta(0.5, 0.5).cdf).pvalue > 1e-3


def test_contrast_is_the_same_under_autocast():
    x = torch.rand(2, 3, 40, 30)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = contrast(x)
    assert torch.equal(found, contrast(x))
