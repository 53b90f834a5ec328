"""One seed in, two streams out; ranks agree on the batch's draws and differ in the pairs'."""

import numpy as np
import pytest
import torch
from torch import nn

from multimix import Choice, CutMix, ManifoldMixup, MixUp, MultiMix
from multimix import streams as streams_module


@pytest.fixture
def as_rank(monkeypatch):
    return lambda rank: monkeypatch.setattr(streams_module, "_rank", lambda: rank)


def plan_of(mix, seed=0, model=None):
    return mix.plan(torch.rand(16, 3, 20, 20), model=model, generator=torch.Generator().manual_seed(seed))


def test_ranks_differ_in_their_pairs(as_rank):
    mix = MultiMix(CutMix())
    as_rank(0)
    first = plan_of(mix)
    as_rank(1)
    second = plan_of(mix)
    assert not torch.equal(first.lam, second.lam)
    assert not torch.equal(first.partner, second.partner)
    assert not torch.equal(first.mask.low, second.mask.low)


def test_ranks_agree_on_layer_choice_and_shared_draws(as_rank):
    model = nn.Sequential(*[nn.Identity() for _ in range(9)])
    manifold = MultiMix(ManifoldMixup(layers=[str(i) for i in range(9)]))
    choice = MultiMix(Choice([MixUp(), CutMix(), "none"]))
    shared = MultiMix(CutMix(), share="batch")
    drawn = []
    for rank in (0, 1):
        as_rank(rank)
        drawn.append(
            (
                [plan_of(manifold, seed, model).layer for seed in range(20)],
                [type(plan_of(choice, seed).mask) for seed in range(20)],
                [plan_of(shared, seed).lam.tolist() for seed in range(3)],
                [plan_of(shared, seed).mask.low.tolist() for seed in range(3)],
            )
        )
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0][0])) > 4


def test_neighbouring_seeds_ranks_and_high_bits_do_not_share_streams():
    # torch's CPU generator keeps 32 bits of a seed: 0 and 2**32 would be one stream.
    first = {
        float(streams_module._stream(seed, number).random())
        for seed in (0, 1, 2**32, 2**62)
        for number in (0, 1, 2, 2**20)
    }
    assert len(first) == 16


def test_successive_calls_differ():
    mix = MultiMix("mixup")
    x = torch.rand(8, 3)
    generator = torch.Generator().manual_seed(0)
    assert not torch.equal(mix.plan(x, generator=generator).lam, mix.plan(x, generator=generator).lam)
    assert not torch.equal(mix.plan(x).lam, mix.plan(x).lam)


def test_draws_are_those_of_today():
    # A step drawn from a seed is a promise: exact resume and committed results rest on it.
    plan = MultiMix("cutmix", num_mixes=2).plan(torch.empty(3, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    assert plan.partner.tolist() == PINNED["partner"]
    np.testing.assert_allclose(plan.lam.numpy(), PINNED["lam"], rtol=1e-12)
    assert plan.mask.low.tolist() == PINNED["low"]


PINNED = {
    "partner": [2, 0, 1],
    "lam": [
        [0.773631346580258, 0.8958164594742188, 0.5046552436686406],
        [0.30860180732164205, 0.4281637338999404, 0.037457734992471826],
    ],
    "low": [[[0, 8], [0, 16], [7, 2]], [[0, 2], [0, 9], [3, 0]]],
}


@pytest.mark.parametrize("weights", [None, [1, 2, 1], [0, 1, 3]])
def test_choice_rates(weights):
    mix = MultiMix(Choice([MixUp(), CutMix(), "none"], weights=weights), num_mixes=2)
    x = torch.rand(2, 3, 4, 4)
    generator = torch.Generator().manual_seed(0)
    names = [type(mix.plan(x, generator=generator).mask).__name__ for _ in range(800)]
    counts = np.array([names.count(name) for name in ("Constant", "Boxes", "Everything")])
    expected = np.array(weights or [1, 1, 1]) / sum(weights or [1, 1, 1])
    spread = np.sqrt(expected * (1 - expected) / 800)
    assert (np.abs(counts / 800 - expected) <= 4 * spread).all()


def test_layers_are_drawn_equally_often():
    model = nn.Sequential(*[nn.Identity() for _ in range(3)])
    mix = MultiMix(ManifoldMixup(layers=["", "1", "2"]))
    x = torch.rand(2, 3)
    generator = torch.Generator().manual_seed(0)
    layers = [mix.plan(x, model=model, generator=generator).layer for _ in range(1500)]
    for name in ("", "1", "2"):
        assert abs(layers.count(name) / 1500 - 1 / 3) < 4 * (2 / 9 / 1500) ** 0.5
