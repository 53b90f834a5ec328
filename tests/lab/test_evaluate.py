"""Evaluators against values worked out by hand."""

import math

import pytest
import torch
from torch import nn

from multimix.lab.data import HeldSplit
from multimix.lab.metrics import ece, error, evaluate, logits_of, nll

# Probability of the top class, whether it is right: two samples at 0.9 of which one is right, two at 0.6, both right.
PROBABILITIES = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
LABELS = torch.tensor([0, 1, 1, 1])


def test_error_is_the_share_of_wrong_top_classes():
    assert error(PROBABILITIES.log(), LABELS) == 0.25


def test_nll_is_the_mean_surprise():
    expected = -(math.log(0.9) + math.log(0.1) + 2 * math.log(0.6)) / 4
    assert nll(PROBABILITIES.log(), LABELS) == pytest.approx(expected, abs=1e-6)


def test_ece_is_the_weighted_gap_of_confidence_and_accuracy():
    # bin of 0.9: |0.9 - 1/2| on half of the samples; bin of 0.6: |0.6 - 1| on the other half
    assert ece(PROBABILITIES.log(), LABELS) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4, abs=1e-6)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        # one bin of width 1/15, from 0.600 to 0.667 (two of 1/30): |0.63 - 1/2|, the two gaps cancel
        ((0.61, 0.65), 0.13),
        # two bins (one of 1/10): the gaps |0.61 - 0| and |0.69 - 1|, each on half of the samples, do not cancel
        ((0.61, 0.69), (0.61 + 0.31) / 2),
    ],
)
def test_ece_has_fifteen_bins(top, expected):
    probabilities = torch.tensor([[value, 1 - value] for value in top])
    assert ece(probabilities.log(), torch.tensor([1, 0])) == pytest.approx(expected, abs=1e-6)


def test_evaluation_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    values = evaluate(model, HeldSplit(torch.randn(6, 1, 2, 2), torch.tensor([0, 1, 0, 1, 0, 1])))
    assert set(values) == {"error", "nll", "ece"}
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_logits_do_not_depend_on_how_many_rows_pass_at_once(monkeypatch):
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    split = HeldSplit(torch.randn(10, 3), torch.arange(10))
    whole = logits_of(model, split)
    monkeypatch.setattr("multimix.lab.metrics.MOST_ROWS", 4)
    torch.testing.assert_close(logits_of(model, split), whole)
    assert whole[1].tolist() == list(range(10))


def test_large_samples_pass_fewer_at_once(monkeypatch):
    seen = []
    model = nn.Linear(3, 2)
    model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    monkeypatch.setattr("multimix.lab.metrics.MOST_NUMBERS", 13)
    logits_of(model, HeldSplit(torch.randn(10, 3), torch.arange(10)))
    assert seen == [4, 4, 2]
