"""Exact on energies as training makes them: digits, a trained network's gradients, pixels at several scales."""

import os
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracles import binary_energy, cut
from sklearn.datasets import load_digits
from torch import nn

from multimix.grid import cut as grid_of
from multimix.puzzle.energy import block_saliency, pair_energy, thresholds
from multimix.puzzle.saliency import input_saliency
from multimix.puzzle.solve import solve_levels

PAIRS = int(os.environ.get("MULTIMIX_PUZZLE_PAIRS", "4")) * 5
SCALES = {"raw": (16.0, 0.0), "normalized": (3.2, -1.3), "decibels": (80.0, -80.0)}


@cache
def digits():
    """Images in [0, 1], and the gradients of a network after a short training."""
    data = load_digits()
    x = torch.from_numpy(data.images).float()[:, None] / 16
    y = torch.from_numpy(data.target)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1024, 10),
    )
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(60):
        rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(step))[:128]
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    return x, input_saliency(model, x, y)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("grid", [2, 3, 4, 8])
def test_energy_equals_a_max_flow_on_real_saliency(grid, scale, gamma):
    x, saliency = digits()
    x, saliency = (scale[0] * x + scale[1])[:PAIRS], saliency[:PAIRS]
    rows, columns = grid_of((8, 8), grid)
    partner = torch.arange(PAIRS).roll(1)
    energy = pair_energy(x, block_saliency(saliency, rows, columns), None, partner, rows, columns, 1.2, gamma, 4)
    lam = torch.tensor([0.999, 0.8, 0.6, 0.4, 0.2, 0.001], dtype=torch.float64)[:, None].expand(-1, PAIRS)
    limits = thresholds(lam, 0.2, grid**2)
    masks = solve_levels(energy.gain, energy.right, energy.down, limits).numpy()
    assert (masks[:-1] >= masks[1:]).all()
    gain, right, down = (a.double().numpy() for a in (energy.gain, energy.right, energy.down))
    for k, p in np.ndindex(*limits.shape):
        terms = gain[p], right[p], down[p], float(limits[k, p])
        assert binary_energy(masks[k, p], *terms) <= binary_energy(cut(*terms), *terms) + 1e-12
