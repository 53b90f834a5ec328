"""Attacks against models whose worst case is known."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from multimix.lab.data import Data, HeldSplit
from multimix.lab.data.prepare import Standardise
from multimix.lab.evaluate.adversarial import Adversarial, fgsm, pgd
from multimix.lab.evaluate.samples import spread

EPS, STEP = 4 / 255, 2 / 255
WEIGHT = torch.tensor([[2.0, -1.0, 0.5, -3.0]])


def linear(pixels, scale=1.0):
    """Two classes whose margin is linear in the pixels."""
    return torch.cat([scale * (pixels.flatten(1) - 0.2) @ WEIGHT.T, torch.zeros(len(pixels), 1)], dim=1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


ATTACKS = {
    "fgsm": lambda model, pixels, labels: fgsm(model, pixels, labels, EPS),
    "pgd": lambda model, pixels, labels: pgd(model, pixels, labels, EPS, STEP, generator()),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("scale", [1.0, 1e4])  # with margins of thousands the cross-entropy is flat in any float
def test_the_worst_case_of_a_linear_model_is_reached(attack, scale):
    pixels, labels = 0.3 + 0.4 * torch.rand(6, 1, 2, 2), torch.tensor([0, 1, 0, 1, 0, 1])
    moved = ATTACKS[attack](lambda x: linear(x, scale), pixels, labels)
    towards_0 = EPS * WEIGHT.sign().view(1, 1, 2, 2)
    sides = torch.where(labels == 0, -1.0, 1.0).view(-1, 1, 1, 1)
    torch.testing.assert_close(moved, pixels + sides * towards_0)
    margin = (linear(moved) - linear(pixels))[:, 0]
    torch.testing.assert_close(margin, sides.flatten() * EPS * WEIGHT.abs().sum())


def test_a_step_follows_the_gradient_of_the_cross_entropy():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, 5)).double()
    pixels, labels = 0.3 + 0.4 * torch.rand(50, 3, 2, 2).double(), torch.randint(5, (50,))
    leaf = pixels.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(leaf), labels), leaf)
    torch.testing.assert_close(fgsm(model, pixels, labels, EPS), pixels + EPS * gradient.sign())


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_stay_within_eps_and_within_the_pixels(attack):
    pixels, labels = torch.rand(40, 1, 2, 2).round(decimals=1), torch.randint(2, (40,))
    before = pixels.clone()
    moved = ATTACKS[attack](linear, pixels, labels)
    assert moved.min() == 0
    assert moved.max() == 1
    assert (moved - pixels).abs().max() <= EPS + 1e-6
    assert torch.equal(pixels, before)


def test_a_long_step_is_put_back():
    pixels, labels = torch.full((3, 1, 2, 2), 0.5), torch.tensor([0, 1, 0])
    moved = pgd(linear, pixels, labels, EPS, step=1.0, generator=generator(), num_steps=3)
    torch.testing.assert_close((moved - pixels).abs(), torch.full_like(pixels, EPS))


def test_the_start_is_uniform_around_the_pixels_and_can_be_had_again():
    pixels, labels = torch.full((5000, 1, 2, 2), 0.5), torch.zeros(5000, dtype=torch.int64)

    def start(seed):
        return (pgd(linear, pixels, labels, EPS, STEP, generator(seed), num_steps=0) - pixels) / EPS

    first = start(0)
    assert torch.equal(first, start(0))
    assert not torch.equal(first, start(1))
    assert first.abs().max() <= 1 + 1e-5
    quarters = torch.histc(first, 4, -1, 1) / first.numel()
    torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.02, rtol=0)


class OnePixel(nn.Module):
    """Says class 0 where the only pixel is above 1/2, from what the normalization makes of it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 2, bias=False)
        self.other = nn.BatchNorm1d(1)
        self.layer.weight.data = torch.tensor([[1.0], [-1.0]])

    def forward(self, x):
        assert not self.training
        return self.layer(x.flatten(1) * 0.2 + 0.3 - 0.5)


def one_pixel_data(steps):
    """Images that are so many 255ths above the threshold, all of class 0."""
    pixels = (0.5 + torch.tensor(steps) / 255).view(-1, 1, 1, 1)
    split = HeldSplit(pixels, torch.zeros(len(pixels), dtype=torch.int64), Standardise((0.3,), (0.2,)))
    return Data(split, split, 2)


def test_the_error_counts_those_within_reach():
    model = OnePixel().train()
    model.other.eval()
    values = Adversarial()(model, one_pixel_data([-1.0, 1.0, 3.0, 6.0, 10.0]))
    assert values == {"error_unattacked": 0.2, "error_fgsm_4": 0.6, "error_fgsm_8": 0.8, "error_pgd_4": 0.6}
    assert [module.training for module in (model, model.layer, model.other)] == [True, True, False]
    assert model.layer.weight.grad is None
    assert model.layer.weight.requires_grad


def test_random_starts_depend_on_the_seed_alone(monkeypatch):
    seen = []

    def watched(model, pixels, labels, eps, step, generator):
        seen.append(torch.rand(1, generator=generator).item())
        return pixels

    monkeypatch.setattr("multimix.lab.evaluate.adversarial.pgd", watched)
    for seed in (0, 0, 1):
        torch.rand(1)
        Adversarial(seed=seed)(OnePixel(), one_pixel_data([1.0]))
    assert seen[0] == seen[1] != seen[2]


def test_few_samples_are_spread_over_the_classes():
    for labels in (torch.arange(100) // 10, torch.arange(100) % 10):  # sorted, and in turns
        split = HeldSplit(torch.arange(100.0).view(-1, 1), labels)
        few = spread(split, 20)
        assert few.labels.bincount().tolist() == [2] * 10
        assert few.x.flatten().tolist() == sorted(few.x.flatten().tolist())
        assert spread(split, None) is split
        assert spread(split, 100) is split
    assert len(evaluated_samples(3)) == 3


def evaluated_samples(most):
    """The samples that attacks are tried on."""
    met = []

    class Watched(OnePixel):
        def forward(self, x):
            met.append(x.detach())
            return super().forward(x)

    Adversarial(num_samples=most)(Watched(), one_pixel_data([1.0] * 10))
    return met[0]
