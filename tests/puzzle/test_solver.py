"""Masks are exact, smallest among ties, nested, and turn with their problem."""

import os
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import binary_energy, cut, level_cut, level_energy, smallest_minimiser
from problems import KINDS, problem

from multimix.puzzle import solve_masks
from multimix.puzzle.solver_cpu import solve_three_levels, solve_two_levels

# Pairs per kind and grid: a sample by default; MULTIMIX_PUZZLE_PAIRS=250 makes it more than ten thousand pairs.
PAIRS = int(os.environ.get("MULTIMIX_PUZZLE_PAIRS", "4"))
GRIDS = ((2, 2), (4, 4), (8, 8), (16, 16), (5, 7), (1, 16), (9, 1), (3, 2))


def solve(gain, right, down, thresholds):
    return solve_masks(*map(torch.from_numpy, (gain, right, down, thresholds))).numpy()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_energy_equals_a_max_flow_per_pair_and_threshold(grid, kind, gamma):
    rng = np.random.default_rng([*grid, KINDS.index(kind), int(2 * gamma)])
    gain, right, down, thresholds, _ = problem(rng, kind, PAIRS, *grid, gamma=gamma)
    masks = solve(gain, right, down, thresholds)
    assert (masks[:-1] >= masks[1:]).all()
    for k, p in np.ndindex(thresholds.shape):
        terms = gain[p], right[p], down[p], thresholds[k, p]
        assert binary_energy(masks[k, p], *terms) <= binary_energy(cut(*terms), *terms) + 1e-12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_three_levels_equal_a_max_flow_on_the_doubled_graph(grid, kind):
    rng = np.random.default_rng([*grid, KINDS.index(kind)])
    gain, right, down, thresholds, spread = problem(rng, kind, max(PAIRS // 4, 2), *grid)
    tensors = map(torch.from_numpy, (gain, right, down, thresholds, spread))
    masks = solve_three_levels(*tensors).numpy() / 2
    assert (masks[:-1] >= masks[1:]).all()
    for k, p in np.ndindex(thresholds.shape):
        terms = gain[p], right[p], down[p], thresholds[k, p], spread[p]
        assert level_energy(masks[k, p], *terms) <= level_energy(level_cut(*terms), *terms) + 1e-12


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (1, 6), (2, 4)], ids=str)
def test_smallest_of_all_minimisers_by_trying_every_mask(shape):
    rng = np.random.default_rng(sum(shape))
    height, width = shape
    for _ in range(10):  # small integers: many ties, and sums without rounding
        gain = rng.integers(-3, 4, (1, height, width)).astype(np.float64)
        right = rng.integers(0, 4, (1, height, width - 1)).astype(np.float64)
        down = rng.integers(0, 4, (1, height - 1, width)).astype(np.float64)
        thresholds = np.arange(-2.0, 3.0)[:, None]
        masks = solve(gain, right, down, thresholds)
        for k, t in enumerate(thresholds[:, 0]):
            expected = smallest_minimiser(
                partial(binary_energy, gain=gain[0], right=right[0], down=down[0], threshold=t), shape
            )
            assert (masks[k, 0] == expected).all()


def test_smallest_of_all_three_level_minimisers_by_trying_every_mask():
    rng = np.random.default_rng(0)
    for _ in range(6):
        gain = 4.0 * rng.integers(-2, 3, (1, 2, 3))
        right, down = 4.0 * rng.integers(0, 3, (1, 2, 2)), 4.0 * rng.integers(0, 3, (1, 1, 3))
        thresholds, spread = np.array([[-2.0], [0.0], [1.0]]), np.ones(1)
        masks = solve_three_levels(*map(torch.from_numpy, (gain, right, down, thresholds, spread))).numpy() / 2
        for k, t in enumerate(thresholds[:, 0]):
            expected = smallest_minimiser(
                partial(level_energy, gain=gain[0], right=right[0], down=down[0], threshold=t, spread=1.0),
                (2, 3),
                levels=3,
            )
            assert (masks[k, 0] == expected).all()


@st.composite
def grids(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    gain, right, down, thresholds, _ = problem(rng, draw(st.sampled_from(KINDS[:3])), 2, *shape, gamma=1.0)
    scale = 10.0 ** draw(st.integers(-30, 30))
    return tuple(scale * a for a in (gain, right, down, thresholds))


@settings(deadline=None, max_examples=60)
@given(grids())
def test_masks_turn_with_their_problem(terms):
    gain, right, down, thresholds = terms
    masks = solve(*terms)
    flipped = solve(gain[..., ::-1].copy(), right[..., ::-1].copy(), down[..., ::-1].copy(), thresholds)
    turned = solve(*(np.ascontiguousarray(a.swapaxes(1, 2)) for a in (gain, down, right)), thresholds)
    assert (flipped[..., ::-1] == masks).all()
    assert (turned.swapaxes(2, 3) == masks).all()


@settings(deadline=None, max_examples=60)
@given(grids())
def test_swapping_the_pair_and_lam_swaps_the_mask(terms):
    gain, right, down, thresholds = terms
    masks = solve(*terms)
    swapped = solve(-gain, right, down, -thresholds[::-1])[::-1]
    same = (swapped == ~masks).reshape(*thresholds.shape, -1).all(-1)
    for k, p in zip(*np.nonzero(~same), strict=True):  # only ties may differ
        terms = gain[p], right[p], down[p], thresholds[k, p]
        a, b = binary_energy(masks[k, p], *terms), binary_energy(~swapped[k, p], *terms)
        assert a == pytest.approx(b, rel=1e-12, abs=1e-12 * np.abs(gain).max())


def test_extremes_infinite_weights_and_thresholds():
    gain = torch.tensor([[[1.0, -2.0, 0.5]]], dtype=torch.float64)
    limits = torch.tensor([[-torch.inf], [-1.0], [-1e-9], [torch.inf]], dtype=torch.float64)
    glued = solve_masks(gain, torch.full((1, 1, 2), torch.inf), torch.zeros(1, 0, 3), limits)
    assert glued.flatten(1).tolist() == [[True] * 3, [True] * 3, [False] * 3, [False] * 3]
    alone = solve_masks(torch.full((1, 1, 1), 5.0), torch.zeros(1, 1, 0), torch.zeros(1, 0, 1), limits)
    assert alone.flatten().tolist() == [True, True, True, False]


def test_any_dtype_any_threads_same_masks():
    rng = np.random.default_rng(3)
    gain, right, down, thresholds, _ = problem(rng, "peaky", 64, 8, 8)
    single = [torch.from_numpy(a).float() for a in (gain, right, down, thresholds)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = solve_masks(*single)
        torch.set_num_threads(3)
        three = solve_masks(*single)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one, three)
    assert torch.equal(one, solve_masks(*(a.double() for a in single)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gain": torch.zeros(2, 3)}, r"gain must have shape \(P, H, W\)"),
        ({"right": torch.zeros(2, 3, 3)}, r"right must have shape \(2, 3, 2\)"),
        ({"down": torch.zeros(2, 3, 3)}, r"down must have shape \(2, 2, 3\)"),
        ({"thresholds": torch.zeros(2)}, r"thresholds must have shape"),
        ({"thresholds": torch.zeros(1, 3)}, r"thresholds must have shape"),
        ({"gain": torch.full((2, 3, 3), torch.nan)}, "gain must be finite"),
        ({"right": -torch.ones(2, 3, 2)}, "right must be >= 0, got a lowest value of -1"),
        ({"down": torch.full((2, 2, 3), torch.nan)}, "down must be >= 0"),
        ({"thresholds": torch.tensor([[1.0, 1.0], [0.0, 2.0]])}, "thresholds must be numbers that do not fall"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {
        "gain": torch.zeros(2, 3, 3),
        "right": torch.zeros(2, 3, 2),
        "down": torch.zeros(2, 2, 3),
        "thresholds": torch.zeros(1, 2),
    }
    with pytest.raises(ValueError, match=message):
        solve_masks(**{**good, **change})


def _solve_in_child(problem, queue):
    torch.set_num_threads(2)
    queue.put(solve_masks(*problem).sum().item())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_starts_threads_of_its_own():
    import multiprocessing

    problem = [torch.from_numpy(a) for a in problem_of("flat", 64)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        expected = solve_masks(*problem).sum().item()  # the parent's threads exist now
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        child = context.Process(target=_solve_in_child, args=(problem, queue))
        child.start()
        child.join(60)
        assert child.exitcode == 0
        assert queue.get() == expected
    finally:
        torch.set_num_threads(before)


def problem_of(kind, pairs):
    return problem(np.random.default_rng(0), kind, pairs, 8, 8)[:4]


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
@pytest.mark.parametrize("levels", [2, 3])
def test_masks_are_the_same_at_any_scale_that_float64_holds(levels, exponent):
    terms = whole_numbers()
    scaled = [torch.from_numpy(np.ldexp(t.numpy(), exponent)) for t in terms]
    masks = solve_three_levels(*scaled) if levels == 3 else solve_two_levels(*scaled[:4])
    assert torch.equal(masks, solve_three_levels(*terms) if levels == 3 else solve_two_levels(*terms[:4]))
    assert len(masks.unique()) == levels


def test_weights_and_thresholds_far_above_the_gains():
    gain = 1e-310 * torch.tensor([[[3.0, -1.0, 1.0]]], dtype=torch.float64)
    down = gain.new_zeros(1, 0, 3)
    limits = torch.tensor([[-1e300], [0.5e-310], [2e-310], [1e300]], dtype=torch.float64)
    glued = solve_two_levels(gain, gain.new_full((1, 1, 2), 1e300), down, limits)
    assert glued[:, 0, 0].tolist() == [[True] * 3, [True] * 3, [False] * 3, [False] * 3]
    free = solve_two_levels(gain, gain.new_zeros(1, 1, 2), down, limits)
    assert free[:, 0, 0].tolist() == [[True] * 3, [True, False, True], [True, False, False], [False] * 3]
    flat = solve_two_levels(
        0 * gain, gain.new_ones(1, 1, 2), down, torch.tensor([[-1e-310], [0.0], [1e-310]], dtype=torch.float64)
    )
    assert flat[:, 0, 0].tolist() == [[True] * 3, [False] * 3, [False] * 3]
