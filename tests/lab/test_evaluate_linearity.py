"""Gaps of models whose path is known."""

import pytest
import torch
from torch import nn

from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data, HeldSplit
from multimix.lab.evaluate.linearity import (
    CUTMIX,
    GRID,
    Linearity,
    cutmix_gaps,
    distance,
    straight_gaps,
)

LINEARITY = Linearity()


class ColourIsLabel(nn.Module):
    """The probability of a class is the mean of its channel, to a power of which 1 makes it linear."""

    def __init__(self, power=1):
        super().__init__()
        self.power = power

    def forward(self, x):
        assert not self.training
        share = x.flatten(2).mean(dim=2)[:, :1] ** self.power
        return torch.cat([share, 1 - share], dim=1).log()


def colours(num):
    """Images of one colour each, which is their class."""
    labels = torch.arange(num) % 2
    x = nn.functional.one_hot(labels, 2).float().view(num, 2, 1, 1).expand(num, 2, 6, 6)
    split = HeldSplit(x.contiguous(), labels)
    return Data(split, split, 2)


def test_distance_is_the_share_that_must_be_moved():
    p = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    q = torch.tensor([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0], [0.2, 0.3, 0.5]])
    torch.testing.assert_close(distance(p, q), torch.tensor([0.3, 1.0, 0.0]))


def test_a_linear_model_has_no_gap():
    model = ColourIsLabel().train()
    values = LINEARITY(model, colours(40))
    assert set(values) == {"linearity_gap", "linearity_gap_cutmix", *(f"linearity/{lam}" for lam in GRID)}
    assert values == pytest.approx(dict.fromkeys(values, 0.0), abs=1e-6)
    assert model.training


def test_two_points_by_hand():
    # p = x ** 2 between x = 0 and x = 1: at the place s it is s ** 2 where the blend of the ends is s.
    gaps = dict(
        straight_gaps(
            lambda x: torch.cat([x**2, 1 - x**2], dim=1).double(), torch.tensor([[0.0], [1.0]]), torch.tensor([1, 0])
        )
    )
    assert list(gaps) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    for lam, gap in gaps.items():
        assert gap.tolist() == pytest.approx([lam * (1 - lam)] * 2)


def test_a_curved_model_has_the_gap_of_its_curve():
    # A pair of two colours goes from 0 to 1; one of a colour with itself stays.
    values = LINEARITY(ColourIsLabel(power=2), colours(2))  # two samples are each other's partner
    assert values["linearity/0.3"] == pytest.approx(0.21, abs=1e-6)
    assert values["linearity_gap"] == pytest.approx(sum(lam * (1 - lam) for lam in GRID) / 9, abs=1e-6)


def test_the_blend_along_cutmix_has_the_weights_of_the_boxes():
    x = colours(20).test.x
    plan = CUTMIX.plan(x, generator=torch.Generator().manual_seed(0))
    gaps = torch.stack(list(cutmix_gaps(lambda rows: ColourIsLabel(2).eval()(rows).exp().double(), x, plan)))
    own = x[:, 0, 0, 0].double()
    weight = plan.weight.double()
    blend = weight * own + (1 - weight) * own[plan.partner]
    assert gaps.shape == (9, 20)
    torch.testing.assert_close(gaps, blend - blend**2, atol=1e-6, rtol=0)
    assert gaps.max() > 0.2


def test_points_have_no_boxes():
    split = HeldSplit(torch.randn(31, 2), torch.arange(31) % 2)
    values = LINEARITY(nn.Linear(2, 2), Data(split, split, 2))
    assert "linearity_gap_cutmix" not in values
    assert 0 < values["linearity_gap"] < 1


def test_pairs_depend_on_the_seed_alone():
    images, model = torch.randn(31, 1, 4, 4), nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    split, values = HeldSplit(images, torch.arange(31) % 3), []
    for seed in (0, 0, 1):
        torch.rand(1)
        values.append(Linearity(seed=seed)(model, Data(split, split, 3)))
    assert values[0] == values[1]
    assert values[0]["linearity_gap"] != values[2]["linearity_gap"]
    assert values[0]["linearity_gap_cutmix"] != values[2]["linearity_gap_cutmix"]


def test_partners_come_from_other_classes_though_the_split_is_sorted(monkeypatch):
    monkeypatch.setattr("multimix.lab.evaluate.linearity.ROWS", 9)  # 73 = 8 * 9 + 1: the last has no partner
    labels = torch.arange(73) // 37
    split = HeldSplit(labels.float().view(73, 1, 1, 1).expand(73, 1, 2, 2).contiguous(), labels)
    met = []

    class Watched(nn.Module):
        def forward(self, x):
            met.append(x)
            return torch.zeros(len(x), 2)

    LINEARITY(Watched(), Data(split, split, 2))
    assert {len(x) for x in met} == {9}
    halves = [x for x in met if ((x - 0.5).abs() < 1e-6).all(dim=(1, 2, 3)).any()]
    assert len(halves) >= 7  # in nearly every batch some pair of two classes was met half way


def test_one_sample_is_refused():
    LINEARITY.check(colours(2))
    with pytest.raises(UsageError, match="linearity needs at least two test samples, got 1"):
        Linearity(num_samples=1).check(colours(2))
