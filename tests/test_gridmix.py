"""Cells: how many are kept, and which."""

import numpy as np
import pytest
import torch
from scipy import stats

from multimix import GridMix, MultiMix
from multimix.methods.gridmix import first_cells


@pytest.mark.parametrize(("spatial", "grid"), [((24,), 4), ((10, 14), 4), ((6, 5, 7), 3), ((3, 9), 5)])
def test_each_cell_is_of_one_image(spatial, grid):
    mask = MultiMix(GridMix(grid=grid), num_mixes=3).plan(torch.empty(20, 1, *spatial)).mask
    level = mask.level
    for axis, size in enumerate(spatial):
        cells = min(grid, size)
        edges = {i * size // cells for i in range(1, cells)}
        changes = (level.diff(dim=axis + 1) != 0).movedim(axis + 1, 0).flatten(1).any(1)
        assert {int(at) + 1 for at in changes.nonzero()} == edges  # all edges are seen in twenty pairs, and no others
    assert torch.equal(mask.keeps().flatten(2).sum(2), mask.kept)


@pytest.mark.parametrize("spatial", [(24, 24), (25, 30)])
def test_the_share_is_the_nearest_to_lam(spatial):
    plan = MultiMix(GridMix(grid=5), num_mixes=5).plan(torch.empty(64, 1, *spatial))
    largest = np.prod([-(-size // 5) for size in spatial]) / np.prod(spatial)
    assert ((plan.weight.double() - plan.lam).abs() <= largest / 2 + 1e-7).all()


def test_first_cells_by_hand():
    sizes = np.array([[4, 1, 5]])
    lam = np.array([[0.0], [0.19], [0.21], [0.44], [0.46], [0.74], [0.76], [1.0]])
    assert first_cells(lam, sizes).ravel().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_each_cell_is_kept_as_often_as_lam_says():
    mix = MultiMix(GridMix(grid=3), num_mixes=1)
    generator = torch.Generator().manual_seed(0)
    kept, lam = [], []
    for _ in range(30):
        plan = mix.plan(torch.empty(200, 1, 3, 3), generator=generator)
        kept.append(plan.mask.keeps()[0].flatten(1).double())
        lam.append(plan.lam[0])
    kept, lam = torch.cat(kept), torch.cat(lam)
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
        chosen = (lam > low) & (lam < high)
        share = kept[chosen].mean(0)
        deviation = (share.mean() * (1 - share.mean()) / chosen.sum()).sqrt()
        assert (share - lam[chosen].mean()).abs().max() < 4 * deviation + 0.01


def test_cells_are_chosen_without_neighbours():
    mix = MultiMix(GridMix(grid=4), num_mixes=1)
    keeps = torch.cat([mix.plan(torch.empty(500, 1, 4, 4)).mask.keeps()[0].flatten(1) for _ in range(10)])
    half = keeps[keeps.sum(1) == 8].double()
    correlation = np.corrcoef(half.T.numpy())
    off = correlation[~np.eye(16, dtype=bool)]
    assert np.abs(off + 1 / 15).max() < 5 / len(half) ** 0.5  # drawn without replacement: -1 / (cells - 1)


def test_lam_follows_its_law():
    lam = MultiMix(GridMix(alpha=2.0), num_mixes=1, sampling="iid").plan(torch.empty(3000, 1, 4, 4)).lam.flatten()
    assert stats.kstest(lam.numpy(), stats.beta(2.0, 2.0).cdf).pvalue > 1e-3
