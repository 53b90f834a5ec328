"""Run the kernels in Triton's interpreter and print, as JSON, how their masks differ from the CPU solver's.

TRITON_INTERPRET=1 PYTHONPATH=.:src:tests/puzzle python tests/kernels/interpreted.py
"""

import json

import numpy as np
import torch
from problems import problem
from torch import Tensor

from benchmarks.interpreter import patch_once
from multimix.kernels.triton import cut
from multimix.puzzle.solve import solve_levels

GRIDS = ((2, 2), (3, 4), (4, 4), (1, 7), (5, 1))
# Real numbers, ties, one block with all saliency, none that differs; borders that never pay, and that may cost nothing.
PAIRS = (("peaky", 0.0), ("ties", 0.0), ("point", 1.0), ("zero", 0.0), ("flat", 1.0))
LAMS = (1, 3, 5)  # of problems.LAMS
Problem = tuple[Tensor, ...]


def mixed_pairs(height: int, width: int) -> Problem:
    """One pair of each kind; thresholds that keep everything, something and nothing."""
    rng = np.random.default_rng([height, width])
    kinds = [problem(rng, kind, 1, height, width, gamma=gamma) for kind, gamma in PAIRS]
    gain, right, down, limits, spread = (
        torch.from_numpy(np.concatenate(terms, 1 if i == 3 else 0)) for i, terms in enumerate(zip(*kinds, strict=True))
    )
    ends = torch.full((1, len(PAIRS)), torch.inf, dtype=torch.float64)
    limits = torch.cat([-ends, limits[list(LAMS)], ends])
    if height % 2:  # as in training
        gain, right, down = gain.float(), right.float(), down.float()
    return gain, right, down, limits, spread


def small_integers(pairs: int, height: int, width: int) -> Problem:
    """Many minimisers per pair. From the second pair on gains outweigh borders, so that levels jump by a whole."""
    rng = np.random.default_rng(2)
    gain = rng.integers(-3, 4, (pairs, height, width)) * (1 + 3 * (np.arange(pairs) > 0))[:, None, None]
    right, down = rng.integers(0, 4, (pairs, height, width - 1)), rng.integers(0, 4, (pairs, height - 1, width))
    limits = np.arange(-1, 2)[:, None].repeat(pairs, 1)
    return tuple(4 * torch.from_numpy(a).double() for a in (gain, right, down, limits, np.ones(pairs)))


def below_a_unit() -> Problem:
    """Gains and thresholds that are told apart, or not, by how they are rounded to integers."""
    generator = torch.Generator().manual_seed(0)
    gain = torch.rand(1, 4, 4, dtype=torch.float64, generator=generator) * 2.0**-54
    gain[0, 0, 0] = 0.9
    limits = torch.linspace(0, 2.0**-54, 9, dtype=torch.float64)[:, None]
    return gain, torch.zeros(1, 4, 3), torch.zeros(1, 3, 4), limits, torch.zeros(1)


def lowest_alone() -> Problem:
    """The block of the lowest gain has no neighbour: a threshold below keeps it, one at its gain does not."""
    gain = torch.tensor([[[-3.0, 1.0, 2.0]]], dtype=torch.float64)
    limits = torch.tensor([[-18.0], [-3.0], [0.0]], dtype=torch.float64)
    return gain, torch.tensor([[[0.0, 1.0]]]), torch.zeros(1, 0, 3), limits, torch.zeros(1)


def compare(terms: Problem, levels: int) -> dict[str, int]:
    """Masks that differ, pairs of phase 2."""
    gain, right, down, limits, spread = terms
    offset = spread if levels == 3 else None
    kept, effort = cut.cut_with_effort(gain, right, down, limits, offset)
    wrong = (kept != solve_levels(gain, right, down, limits, offset)).flatten(2).any(2)
    return {"different": int(wrong.sum()), "unproved": int((effort.steps < 0).sum())}


def broken_numbers() -> dict[str, object]:
    """A pair that is no number beside one with borders that may never be cut."""
    gain, right, down, limits, _ = small_integers(2, 3, 3)
    right[0, :, 1] = torch.inf
    want = solve_levels(gain[:1], right[:1], down[:1], limits[:, :1])
    gain[1, 1], right[1, 0], down[1, 0], limits[1, 1] = torch.nan, torch.nan, -1.0, torch.nan
    kept = cut.cut_pairs(gain, right, down, limits)
    return {"same": torch.equal(kept[:, :1], want)}


def main() -> None:
    patch_once()
    found: dict[str, object] = {}
    for levels in (2, 3):
        for height, width in GRIDS:
            found[f"{levels} levels, {height} x {width}"] = compare(mixed_pairs(height, width), levels)
        found[f"{levels} levels, small integers"] = compare(small_integers(5, 2, 4), levels)
    found["below a unit"] = compare(below_a_unit(), 2)
    found["lowest alone"] = compare(lowest_alone(), 2)
    found["broken numbers"] = broken_numbers()
    cut.most_steps = lambda height, width: 0
    for levels in (2, 3):
        found[f"{levels} levels, phase 2 alone"] = compare(small_integers(2, 2, 4), levels)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
