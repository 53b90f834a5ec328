"""Fields of FMix: how their power falls, which positions they keep."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from multimix import FMix, MultiMix
from multimix.methods.fmix import _limits, _limits_cpu, as_fields, highest, low_spectra, spread_spectra


def fields(num: int, spatial: tuple[int, ...], decay: float = 3.0, seed: int = 0) -> torch.Tensor:
    return drawn_fields(*low_spectra(num, spatial, decay, np.random.default_rng(seed)), spatial)


def drawn_fields(spectra, places, spatial):
    return as_fields(*map(torch.from_numpy, spread_spectra(spectra, places, spatial)), spatial)


@pytest.mark.parametrize("spatial", [(64,), (15,), (32, 48), (12, 16, 10), (9, 8, 7)], ids=str)
@pytest.mark.parametrize("decay", [1.0, 3.0])
def test_power_falls_with_frequency_as_stated_whatever_the_direction(spatial, decay):
    power = np.abs(np.fft.fftn(fields(2000, spatial, decay).double(), axes=range(1, len(spatial) + 1))) ** 2
    frequency = np.sqrt(sum(f**2 for f in np.meshgrid(*map(np.fft.fftfreq, spatial), indexing="ij")))
    expected = np.maximum(frequency, 1 / max(spatial)) ** (-2 * decay)
    strong = (frequency <= 32 / max(spatial)) & (expected > 1e-9 * expected.max())
    ratio = power.mean(0)[strong] / expected[strong]
    assert strong.sum() > 10
    # 2000 draws; 5 deviations are 0.11, and 0.16 at the few frequencies that are their own mirror images, thus real.
    assert np.abs(ratio / np.median(ratio) - 1).max() < 0.2


def borders_per_axis(spatial: tuple[int, ...], num: int = 1000) -> np.ndarray:
    """Of each field, along each axis: the share of neighbours that half of the positions part."""
    half = torch.full((1, num), math.prod(spatial) // 2)
    level = highest(fields(num, spatial, seed=len(spatial)), half).level.numpy().astype(bool)
    axes = range(1, level.ndim)
    return np.stack([(level != np.roll(level, 1, axis)).mean(tuple(axes)) for axis in axes])


@pytest.mark.parametrize("spatial", [(32, 32), (31, 31), (12, 12, 12)], ids=str)
def test_borders_run_along_all_axes_alike(spatial):
    borders = borders_per_axis(spatial)
    for axis in range(1, len(spatial)):
        difference = borders[axis] - borders[0]
        assert abs(difference.mean()) < 4 * difference.std() / len(difference) ** 0.5


def test_transposing_the_size_transposes_the_law():
    wide, tall = borders_per_axis((16, 40)), borders_per_axis((40, 16))[::-1]
    error = np.hypot(wide.std(1), tall.std(1)) / wide.shape[1] ** 0.5
    assert (np.abs(wide.mean(1) - tall.mean(1)) < 4 * error).all()


def test_what_is_left_out_moves_no_border():
    rng = np.random.default_rng(0)
    spectra, places = low_spectra(8, (96, 128), 3.0, rng)
    assert [len(place) for place in places] == [49, 33]  # up to 32 cycles along the longest axis
    whole = [np.arange(96), np.arange(65)]
    frequency = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(128)) * 128
    weak = 1 / np.maximum(frequency, 1) ** 3
    weak[np.ix_(*places)] = 0
    noise = (rng.standard_normal((8, 96, 65, 2)) * weak[..., None]).astype(np.float32).view(np.complex64)[..., 0]
    full = noise.copy()
    full[(slice(None), *np.ix_(*places))] = spectra
    half = torch.full((1, 8), 96 * 128 // 2)
    kept = [highest(drawn_fields(*drawn, (96, 128)), half).level for drawn in ((spectra, places), (full, whole))]
    border = (kept[0].diff(dim=1) != 0).sum() + (kept[0].diff(dim=2) != 0).sum()
    assert (kept[0] != kept[1]).sum() < 0.05 * border


@pytest.mark.parametrize("spatial", [(50,), (7, 9), (5, 6, 4), (1, 1), (1, 5)])
def test_as_many_positions_are_kept_as_lam_says(spatial):
    mix = MultiMix("fmix", num_mixes=4)
    size = math.prod(spatial)
    for seed in range(5):
        plan = mix.plan(torch.empty(20, 1, *spatial), generator=torch.Generator().manual_seed(seed))
        assert torch.equal(plan.mask.kept, (plan.lam * size).round().long())
        assert torch.equal(plan.mask.keeps().flatten(2).sum(2), plan.mask.kept)
        assert torch.equal(plan.weight, (plan.mask.kept.double() / size).float())


@pytest.mark.parametrize("limits", [_limits, _limits_cpu])
def test_the_highest_are_kept(limits, monkeypatch):
    monkeypatch.setattr("multimix.methods.fmix._limits_cpu", limits)
    field = torch.randn(6, 5, 7)
    num_kept = torch.tensor([[35, 20, 1, 0, 34, 9], [30, 20, 0, 0, 3, 8]])
    mask = highest(field, num_kept)
    assert torch.equal(mask.kept, num_kept)
    for k in range(2):
        for i in range(6):
            inside = mask.keeps()[k, i]
            assert int(inside.sum()) == num_kept[k, i]
            if 0 < num_kept[k, i] < 35:
                assert field[i][inside].min() > field[i][~inside].max()


def test_ties_keep_labels_and_pixels_together():
    mask = highest(torch.tensor([[1.0, 1.0, 0.0, 1.0]]), torch.tensor([[3], [2], [1]]))
    assert mask.kept.tolist() == [[3], [3], [3]]
    assert torch.equal(mask.keeps().sum(2), mask.kept)


def test_every_position_is_kept_as_often():
    mix = MultiMix(FMix(), num_mixes=1)
    generator = torch.Generator().manual_seed(0)
    keeps = torch.cat([mix.plan(torch.empty(250, 1, 6, 8), generator=generator).mask.keeps()[0] for _ in range(20)])
    share = keeps.double().mean(0)
    assert (share - 0.5).abs().max() < 4.5 * 0.5 / len(keeps) ** 0.5


def test_fields_have_no_centre_of_symmetry():
    field = fields(20, (16, 20)).double()
    turned = field.flip(1, 2).roll((1, 1), (1, 2))
    both = torch.stack([field.flatten(1), turned.flatten(1)])
    both = (both - both.mean(2, keepdim=True)) / both.std(2, keepdim=True)
    assert both.prod(0).mean(1).abs().mean() < 0.6  # 1 if all were symmetric


def test_shapes_are_larger_where_power_falls_faster():
    def borders(decay):
        mask = highest(fields(50, (32, 32), decay), torch.full((1, 50), 512))
        return int((mask.level.diff(dim=2) != 0).sum())

    assert borders(0) > 1.5 * borders(1.0) > 3 * borders(3.0)


def test_lam_follows_its_law():
    mix = MultiMix(FMix(alpha=0.5), num_mixes=1, sampling="iid")
    lam = mix.plan(torch.empty(3000, 1, 2, 2)).lam.flatten().numpy()
    assert stats.kstest(lam, stats.beta(0.5, 0.5).cdf).pvalue > 1e-3


def test_more_mixes_than_a_byte_counts():
    plan = MultiMix("fmix", num_mixes=300).plan(torch.empty(3, 1, 20, 20))
    assert plan.mask.level.dtype == torch.int16
    assert int(plan.mask.level.max()) > 255
    assert torch.equal(plan.mask.keeps().flatten(2).sum(2), plan.mask.kept)
