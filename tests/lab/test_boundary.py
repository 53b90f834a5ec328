"""The picture of a decision boundary."""

import pytest
import torch
from torch import nn

from multimix.lab.data import open_data
from multimix.lab.report.boundary import GRID, boundary, probabilities_on_grid


def test_the_grid_is_where_it_says():
    model = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[10.0, 0.0], [0.0, 10.0]]))  # class 0 where x is larger than y
    probabilities = probabilities_on_grid(model, torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 1.0]))
    assert probabilities.shape == (GRID, GRID, 2)
    assert probabilities[0, -1, 0] > 0.99  # lower right
    assert probabilities[-1, 0, 1] > 0.99  # upper left
    assert abs(probabilities[50, 50, 0] - 0.5) < 1e-4


def test_a_picture_is_drawn_and_the_model_left_as_it_was():
    data = open_data("synthetic", {"shape": "rings", "num_classes": 3})
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    svg = boundary(model, data.train, "K = 5")
    assert svg.startswith("<svg")
    assert "K = 5" in svg
    assert svg == boundary(model, data.train, "K = 5")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_other_samples_are_refused():
    with pytest.raises(ValueError, match=r"samples must be points in the plane, got shape \(1, 8, 8\); try synthetic"):
        boundary(nn.Flatten(), open_data("digits").train)
