"""Every visible block shows what the auction gives it; the exact rule is never worse."""

import numpy as np
import pytest
import torch
from oracles import auction
from problems import KINDS, saliency
from scipy.optimize import linear_sum_assignment

from multimix.puzzle.moves import moves
from multimix.puzzle.transport import transport


def masks(rng, mixes, pairs, height, width, whole):
    """From scattered to clumped."""
    noise = rng.random((mixes, pairs, height, width)) + saliency(rng, "peaky", pairs, height, width) * height * width
    return torch.from_numpy(np.clip(noise * (whole + 1) / 2, 0, whole).astype(np.uint8))


@pytest.mark.parametrize("whole", [1, 2])
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "point"])
@pytest.mark.parametrize("grid", [(2, 2), (4, 4), (8, 8), (3, 5), (1, 9)], ids=str)
def test_auction_equals_its_dense_form_on_every_visible_block(grid, kind, whole):
    rng = np.random.default_rng([*grid, KINDS.index(kind)])
    pairs = 12
    blocks = saliency(rng, kind, pairs, *grid).astype(np.float32)
    kept, partner = masks(rng, 2, pairs, *grid, whole), torch.from_numpy(rng.permutation(pairs))
    source = transport(kept, whole, torch.from_numpy(blocks), torch.arange(pairs), partner, 0.8)
    for k, p in np.ndindex(2, pairs):
        share = kept[k, p].numpy()
        for which, (visible, row) in enumerate(((share > 0, p), (share < whole, int(partner[p])))):
            expected = auction(visible, blocks[row], 0.8, max(grid))
            shown = source[k, p, which].numpy()
            assert (shown == expected)[visible.ravel()].all()


def test_blocks_without_saliency_stay_where_they_are():
    blocks = torch.zeros(2, 3, 3)
    blocks[:, 1, 1] = 1.0
    kept = torch.ones(1, 2, 3, 3, dtype=torch.uint8)
    kept[0, :, 1, 1] = 0
    source = transport(kept, 1, blocks, torch.arange(2), torch.tensor([1, 0]), 0.8)
    assert source[0, 0, 0, 1] == 4, "the salient block, hidden where it is, moves to the first of the nearest"
    assert [int(source[0, 0, 0, i]) for i in (0, 2, 3, 5, 6, 7, 8)] == [0, 2, 3, 5, 6, 7, 8]
    assert source[0, 0, 1, 4] == 4


@pytest.mark.parametrize("kind", ["flat", "peaky"])
def test_exact_is_the_best_assignment_of_visible_blocks(kind):
    rng = np.random.default_rng(0)
    pairs, height, width = 6, 4, 5
    blocks = saliency(rng, kind, pairs, height, width).astype(np.float32)
    kept, partner = masks(rng, 3, pairs, height, width, 1), torch.arange(pairs).roll(1)
    both = {
        rule: transport(kept, 1, torch.from_numpy(blocks), torch.arange(pairs), partner, 0.8, rule)
        for rule in ("exact", "auction")
    }
    row, column = np.divmod(np.arange(height * width), width)
    price = 0.8 * ((row[:, None] - row) ** 2 + (column[:, None] - column) ** 2) / 16
    for k, p in np.ndindex(3, pairs):
        places = np.flatnonzero(kept[k, p].numpy())
        table = price[:, places] - blocks[p].ravel()[:, None].astype(np.float64)
        best = table[linear_sum_assignment(table)].sum()
        total = {
            rule: table[source[k, p, 0].numpy()[places], np.arange(len(places))].sum() for rule, source in both.items()
        }
        assert total["exact"] == pytest.approx(best, abs=1e-6)
        assert total["exact"] <= total["auction"] + 1e-6
        assert len(set(both["exact"][k, p, 0].numpy()[places])) == len(places), "a block is shown once"


def test_finer_cells_than_the_mask_and_windows_stay_small():
    table = moves(16, 16, 0.8)
    assert (np.diff(table.down**2 + table.right**2) >= 0).all()
    assert table.price.max() < 1
    kept = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    kept[0, 0, 0, 0] = 1
    blocks = torch.full((1, 4, 4), 1 / 16)
    source = transport(kept, 1, blocks, torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.long), 0.8)
    assert source.shape == (1, 1, 2, 16)
