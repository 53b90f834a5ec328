"""The most salient cells, one by one, and what their masks cost."""

import itertools

import pytest
import torch
from scipy import stats
from torch.utils._python_dispatch import TorchDispatchMode

from multimix import MultiMix, TopMix
from multimix.puzzle.saliency import input_saliency

FREE = ("empty", "view", "slice", "select.int", "expand", "unsqueeze", "detach", "alias", "t.default", "unbind")
FREE += ("lift_fresh", "random_", "_local_scalar")  # on the CPU, for the seed


def reference(saliency: torch.Tensor, lam: torch.Tensor, grid: int | None) -> torch.Tensor:
    """What each mix keeps, (K, *spatial): cells taken out of a list, the most salient first, as long as they fit."""
    numbers = [min(grid or size, size) for size in saliency.shape]
    edges = [[i * size // n for i in range(n + 1)] for size, n in zip(saliency.shape, numbers, strict=True)]
    cells = list(itertools.product(*(list(itertools.pairwise(edge)) for edge in edges)))
    kept = torch.zeros(len(lam), *saliency.shape, dtype=torch.bool)
    for k, share in enumerate(lam.tolist()):
        left = list(cells)
        for _ in range(int(share * len(cells))):
            best = max(left, key=lambda cell: float(saliency[tuple(slice(*ends) for ends in cell)].double().mean()))
            kept[(k, *(slice(*ends) for ends in best))] = True
            left.remove(best)
    return kept


@pytest.mark.parametrize("partners", ["same", "fresh"])
@pytest.mark.parametrize(
    ("spatial", "grid"),
    [((12,), 4), ((5,), None), ((8, 12), 4), ((8, 6), 9), ((6, 4), None), ((4, 6, 2), 2)],
    ids=str,
)
def test_the_most_salient_cells_are_kept(spatial, grid, partners):
    x, saliency = torch.rand(5, 2, *spatial), torch.rand(5, *spatial)
    saliency[1] = 0.5  # all alike: in reading order
    saliency[2] = (saliency[2] > 0.5).float()
    plan = MultiMix(TopMix(grid=grid), num_mixes=4, partners=partners).plan(x, saliency=saliency)
    for i in range(5):
        expected = reference(saliency[i], plan.lam[:, i], grid)
        assert torch.equal(plan.mask.keeps()[:, i], expected)
        torch.testing.assert_close(plan.weight[:, i], expected.flatten(1).float().mean(1))


@pytest.mark.parametrize(("spatial", "grid"), [((13,), 4), ((7, 10), 3), ((5, 4, 7), 3)], ids=str)
def test_uneven_cells_are_weighed_by_their_positions(spatial, grid):
    x, saliency = torch.rand(6, 1, *spatial), torch.rand(6, *spatial)
    plan = MultiMix(TopMix(grid=grid), num_mixes=5).plan(x, saliency=saliency)
    keeps = plan.mask.keeps()
    torch.testing.assert_close(plan.weight, keeps.flatten(2).float().mean(2))
    cells = torch.tensor(grid ** len(spatial))
    for k, i in itertools.product(range(5), range(6)):
        edges = [[j * size // grid for j in range(grid + 1)] for size in spatial]
        parts = [
            keeps[(k, i, *(slice(*ends) for ends in cell))].unique().tolist()
            for cell in itertools.product(*(list(itertools.pairwise(edge)) for edge in edges))
        ]
        assert all(len(part) == 1 for part in parts)  # a cell is kept whole or not at all
        assert sum(part[0] for part in parts) == int(plan.lam[k, i] * cells)


def test_saliency_of_the_model_is_puzzle_mixs():
    x, y = torch.randn(4, 2, 8, 8), torch.arange(4) % 3
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(128, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
    mix = MultiMix(TopMix(grid=4), num_mixes=3, num_classes=3)
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    asked = mix.plan(x, y, model=model, generator=seeds[0])
    given = mix.plan(x, saliency=input_saliency(model, x, y), generator=seeds[1])
    assert torch.equal(asked.mask.level, given.mask.level)
    assert len(asked.mask.level.flatten(1).unique(dim=0)) == 4


def test_token_numbers_are_mixed_as_they_are():
    tokens, attention = torch.randint(1000, (6, 11)), torch.rand(6, 11).half()
    mix = MultiMix(TopMix(grid=None), num_mixes=3, num_classes=2)
    plan = mix.plan(tokens, saliency=attention)
    x_mix, y_mix = mix.apply(plan, tokens, torch.arange(6) % 2)
    kept = plan.mask.keeps()
    assert torch.equal(x_mix.view(3, 6, 11), torch.where(kept, tokens, tokens[plan.partner]))
    own = y_mix.view(3, 6, 2)[:, torch.arange(6), torch.arange(6) % 2]
    assert (own >= kept.float().mean(2) - 1e-6).all()


def test_a_shared_step_has_the_order_of_the_first_sample():
    x, saliency = torch.rand(6, 1, 4, 4), torch.rand(6, 4, 4)
    plan = MultiMix(TopMix(grid=2), num_mixes=2, share="batch").plan(x, saliency=saliency)
    expected = reference(saliency[0], plan.lam[:, 0], 2)
    assert torch.equal(plan.mask.keeps(), expected[:, None].expand(-1, 6, -1, -1))


def test_lam_follows_its_law_and_many_mixes_have_room():
    mix = MultiMix(TopMix(alpha=0.5), num_mixes=1, sampling="iid")
    lam = mix.plan(torch.empty(3000, 1, 2), saliency=torch.ones(3000, 2)).lam.flatten()
    assert stats.kstest(lam.numpy(), stats.beta(0.5, 0.5).cdf).pvalue > 1e-3
    plan = MultiMix(TopMix(grid=None), num_mixes=300).plan(torch.empty(2, 1, 400), saliency=torch.rand(2, 400))
    assert torch.equal(plan.mask.keeps().sum(2), (plan.lam * 400).floor().long())


@pytest.mark.parametrize(("spatial", "most"), [((8, 8), 4), ((16, 16), 6), ((9, 11), 9)], ids=str)
def test_a_plan_takes_few_operations_on_a_device(spatial, most, monkeypatch):
    # With the copy of the draws, the mix and its labels, one launch each, ten at most if cells are of one size.
    names = []

    class Counted(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            name = str(function)
            if not name.split(".", 1)[1].startswith(FREE):
                names.append(name)
            return function(*args, **(kwargs or {}))

    monkeypatch.setattr("multimix.checks.is_readable", lambda x: False)
    x, saliency, generator = torch.rand(5, 3, *spatial), torch.rand(5, *spatial), torch.Generator()
    mix = MultiMix("topmix", num_mixes=3)
    with Counted():
        mix.plan(x, saliency=saliency, generator=generator)
    assert 1 < len(names) <= most, names
