"""The batched solver, on whatever device there is: exact on small grids, nearly so on large ones."""

import numpy as np
import pytest
import torch
from oracles import binary_energy, smallest_minimiser
from problems import KINDS, problem

from multimix.puzzle.solver_cpu import solve_three_levels, solve_two_levels
from multimix.puzzle.solver_torch import (
    solve_three_levels_batched,
    solve_two_levels_batched,
    tv_prox,
)

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grid", [(2, 2), (4, 4), (8, 8), (5, 7), (3, 40), (1, 16), (9, 1), (1, 1)], ids=str)
def test_small_grids_are_exact(grid, kind, device):
    rng = np.random.default_rng([*grid, KINDS.index(kind)])
    arrays = problem(rng, kind, 6, *grid)[:4]
    tensors = [torch.from_numpy(a) for a in arrays]
    exact = solve_two_levels(*tensors).numpy()
    masks = solve_two_levels_batched(*(t.to(device) for t in tensors)).cpu().numpy()
    assert (masks[:-1] >= masks[1:]).all()
    for k, p in np.ndindex(arrays[3].shape):
        terms = arrays[0][p], arrays[1][p], arrays[2][p], arrays[3][k, p]
        assert binary_energy(masks[k, p], *terms) == pytest.approx(binary_energy(exact[k, p], *terms), abs=1e-10)


def test_small_grids_keep_fewest_blocks_among_ties():
    rng = np.random.default_rng(0)
    for _ in range(40):
        gain, right, down = (rng.integers(-2, 3, s).astype(float) for s in ((1, 3, 3), (1, 3, 2), (1, 2, 3)))
        terms = gain, abs(right), abs(down), np.arange(-1.0, 2.0)[:, None]
        masks = solve_two_levels_batched(*map(torch.from_numpy, terms)).numpy()
        for k in range(3):
            expected = smallest_minimiser(
                lambda z, t=terms, k=k: binary_energy(z, t[0][0], t[1][0], t[2][0], t[3][k, 0]), (3, 3)
            )
            assert (masks[k, 0] == expected).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["flat", "peaky"])
@pytest.mark.parametrize("grid", [(16, 16), (12, 20)], ids=str)
def test_of_large_grids_one_block_in_a_thousand_may_be_wrong(grid, kind, device):
    rng = np.random.default_rng(KINDS.index(kind))
    tensors = [torch.from_numpy(a).float() for a in problem(rng, kind, 64, *grid)]
    masks = solve_two_levels_batched(*(t.to(device) for t in tensors[:4])).cpu()
    assert (masks[:-1] >= masks[1:]).all()
    assert (masks != solve_two_levels(*tensors[:4])).float().mean() <= 1e-3


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["flat", "peaky"])
@pytest.mark.parametrize("grid", [(4, 4), (8, 8), (16, 16), (12, 20)], ids=str)
def test_with_three_levels_one_block_in_a_thousand_may_be_wrong_on_any_grid(grid, kind, device):
    rng = np.random.default_rng(KINDS.index(kind))
    tensors = [torch.from_numpy(a).float() for a in problem(rng, kind, 16, *grid)]
    levels = solve_three_levels_batched(*(t.to(device) for t in tensors)).cpu()
    assert (levels[:-1] >= levels[1:]).all()
    assert (levels != solve_three_levels(*tensors)).float().mean() <= 1e-3


def test_the_prox_closes_its_duality_gap():
    gain, right, down = (torch.from_numpy(a) for a in problem(np.random.default_rng(0), "peaky", 4, 8, 8)[:3])
    u = tv_prox(gain, right, down, 2000)
    jumps = (right * u.diff(dim=2).abs()).sum((1, 2)) + (down * u.diff(dim=1).abs()).sum((1, 2))
    primal = ((u - gain) ** 2).sum((1, 2)) / 2 + jumps
    dual = (gain**2 - u**2).sum((1, 2)) / 2
    assert (primal - dual < 1e-9).all()


def whole_numbers(pairs=4, height=4, width=3):
    """gain, right, down, thresholds, spread: small integers, so that they can be scaled without rounding."""
    rng = np.random.default_rng(5)
    sizes = {"gain": (-8, height, width), "right": (0, height, width - 1), "down": (0, height - 1, width)}
    gain, right, down = (rng.integers(low, 9, (pairs, *size)).astype(float) for low, *size in sizes.values())
    thresholds = np.sort(rng.integers(-9, 10, (7, pairs)), axis=0).astype(float)
    thresholds[0], thresholds[-1] = -np.inf, np.inf
    right[0, 0, 0] = np.inf
    return [torch.from_numpy(a) for a in (gain, right, down, thresholds, np.full(pairs, 2.0))]


@pytest.mark.parametrize("exponent", [-1073, -1000, -300, 300, 1019])
@pytest.mark.parametrize("on_cpu", [True, False])
@pytest.mark.parametrize("levels", [2, 3])
def test_masks_are_the_same_at_any_scale_that_float64_holds(levels, on_cpu, exponent):
    two, three = (
        (solve_two_levels, solve_three_levels) if on_cpu else (solve_two_levels_batched, solve_three_levels_batched)
    )
    terms = whole_numbers()
    scaled = [torch.from_numpy(np.ldexp(t.numpy(), exponent)) for t in terms]
    masks = three(*scaled) if levels == 3 else two(*scaled[:4])
    assert torch.equal(masks, three(*terms) if levels == 3 else two(*terms[:4]))
    assert len(masks.unique()) == levels


@pytest.mark.parametrize("solve", [solve_two_levels, solve_two_levels_batched])
def test_weights_and_thresholds_far_above_the_gains(solve):
    gain = 1e-310 * torch.tensor([[[3.0, -1.0, 1.0]]], dtype=torch.float64)
    down = gain.new_zeros(1, 0, 3)
    limits = torch.tensor([[-1e300], [0.5e-310], [2e-310], [1e300]], dtype=torch.float64)
    glued = solve(gain, gain.new_full((1, 1, 2), 1e300), down, limits)
    assert glued[:, 0, 0].tolist() == [[True] * 3, [True] * 3, [False] * 3, [False] * 3]
    free = solve(gain, gain.new_zeros(1, 1, 2), down, limits)
    assert free[:, 0, 0].tolist() == [[True] * 3, [True, False, True], [True, False, False], [False] * 3]
    flat = solve(
        0 * gain, gain.new_ones(1, 1, 2), down, torch.tensor([[-1e-310], [0.0], [1e-310]], dtype=torch.float64)
    )
    assert flat[:, 0, 0].tolist() == [[True] * 3, [False] * 3, [False] * 3]
