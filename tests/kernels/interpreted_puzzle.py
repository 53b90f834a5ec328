"""Run Puzzle Mix through the kernels in Triton's interpreter and print, as JSON, how it differs from the CPU's.

TRITON_INTERPRET=1 MULTIMIX_KERNELS=triton PYTHONPATH=.:src:tests/puzzle python tests/kernels/interpreted_puzzle.py
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import numpy as np
import torch
from problems import saliency
from torch import Tensor

from benchmarks.interpreter import patch_once
from benchmarks.launches import Launches
from multimix import MultiMix, Plan, PuzzleMix
from multimix.grid import Axis, cut
from multimix.kernels import family
from multimix.kernels.triton import auction, borders, pooling
from multimix.kernels.triton import cut as cuts
from multimix.kernels.triton.launch import counted_launches
from multimix.puzzle import energy, solve_masks, where
from multimix.puzzle.cells import cell_means
from multimix.puzzle.transport import transport

SHAPES = ((3, 3, 9, 7), (3, 2, 16, 16), (2, 3, 12), (4, 20))
SCALES = ((1, 0), (1e-30, 0), (3e38, 0), (1e37, 1.2e38))


@contextmanager
def on_the_cpu() -> Iterator[None]:
    """The CPU's own kernels inside the block."""
    chosen = family.chosen
    family.chosen = lambda: "cpu"
    try:
        yield
    finally:
        family.chosen = chosen


def batch(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Images, those with two channels in channels_last; and some saliency."""
    x = torch.randn(shape)
    if len(shape) == 4 and shape[1] == 2:
        x = x.contiguous(memory_format=torch.channels_last)
    return x, torch.rand(shape[0], *(shape[2:] if len(shape) > 2 else shape[1:])) ** 3


def errors(found: energy.Energy, expected: energy.Energy, term: float) -> float:
    """The largest difference, in units of rounding of a term."""
    pairs = zip((found.gain, found.right, found.down), (expected.gain, expected.right, expected.down), strict=True)
    return max(float((a - b).abs().max() / np.spacing(np.float32(term))) for a, b in pairs if a.numel())


def energies() -> dict[str, object]:
    """Rounding errors of saliency and energy, and launches, over shapes, grids and contents."""
    worst, launches = {"share": 0.0, "energy": 0.0}, 0
    for shape, grid, gamma in product(SHAPES, (2, 3), (0.0, 0.7)):
        x, s = batch(shape)
        rows, columns = cut(tuple(s.shape[1:]), grid)
        sample, partner = torch.tensor([1, 0, 1]), torch.tensor([0, 1, 1])
        with counted_launches() as counts:
            share = energy.block_saliency(s, rows, columns)
            found = energy.pair_energy(x, share, sample, partner, rows, columns, 1.2, gamma, 2)
        launches = max(launches, counts.total())
        with on_the_cpu():
            expected = energy.block_saliency(s, rows, columns)
            wanted = energy.pair_energy(x, expected, sample, partner, rows, columns, 1.2, gamma, 2)
        term = max(float(expected.max()), float(wanted.right.max()))
        worst["share"] = max(worst["share"], float((share - expected).abs().max() / np.spacing(np.float32(term))))
        worst["energy"] = max(worst["energy"], errors(found, wanted, term))
    return {**worst, "launches": launches}


def long_series() -> float:
    """The largest difference of the cells of series whose places, times the cells of a block, are above 2**31."""
    worst = 0.0
    for size, blocks, side in ((200_000, 2, 4), (1_500_000, 2_048, 512)):
        rows, columns = Axis(1, 1).divided(side), Axis(size, blocks).divided(side)
        x = torch.rand(1, 1, 1, size) + torch.linspace(0, 1, size)
        found = pooling.cell_means_and_ranges(x, rows, columns, torch.float32)[0]
        with on_the_cpu():
            worst = max(worst, float((found - cell_means(x, rows, columns)).abs().max()))
    return worst


def double_precision() -> float:
    """The largest relative error in float64."""
    x, s = (t.double() for t in batch((3, 2, 9, 8)))
    rows, columns = cut((9, 8), 3)
    both = []
    for there in (True, False):
        with on_the_cpu() if there else counted_launches():
            share = energy.block_saliency(s, rows, columns)
            both.append(energy.pair_energy(x, share, None, torch.tensor([1, 2, 0]), rows, columns, 1.2, 1.0, 2))
    return errors(both[1], both[0], 1.0) * float(np.spacing(np.float32(1)))


def broken_pixels() -> dict[str, float]:
    """Energies of pixels at the ends of the numbers, one of them no number: the largest difference."""
    worst, finite = 0.0, True
    for (scale, offset), pixel in product(SCALES, (0.0, torch.nan, torch.inf)):
        x = scale * (2 * torch.rand(3, 2, 8, 8) - 1) + offset
        x[1, 0, 3, 3] = pixel
        rows, columns = cut((8, 8), 2)
        share = torch.full((3, 2, 2), 0.25)
        terms = x, share, None, torch.tensor([1, 2, 0]), rows, columns, 1.2, 1.0, 4
        found = energy.pair_energy(*terms)
        finite &= all(bool(t.isfinite().all()) for t in (found.gain, found.right, found.down))
        with on_the_cpu():
            worst = max(worst, errors(found, energy.pair_energy(*terms), 1.0))
    return {"error": worst, "finite": finite}


def broken_saliency() -> bool:
    """Whether images whose saliency is zero or no number count as uniform, and harm no other."""
    fine = True
    for size in ((8, 8), (9, 7)):
        rows, columns = cut(size, 2)
        s = torch.rand(4, *size)
        whole = energy.block_saliency(s, rows, columns)
        s[1], s[2, 3, 3], s[3, 0, 1] = 0.0, torch.nan, torch.inf
        found = energy.block_saliency(s, rows, columns)
        with on_the_cpu():
            none = energy.block_saliency(torch.zeros(4, *size), rows, columns)
        fine &= torch.equal(found[0], whole[0]) and torch.equal(found[1:], none[1:])
    return fine


def auctions() -> int:
    """Places that show another block than on the CPU."""
    wrong, rng = 0, np.random.default_rng(0)
    problems = [("peaky", 4, 4, 4, 1, 0.8), ("ties", 3, 5, 3, 2, 0.05), ("flat", 4, 6, 2, 2, 0.0)]
    problems += [("point", 1, 9, 1, 1, 3.0), ("zero", 6, 2, 3, 2, 0.3)]
    for kind, height, width, tall, whole, cost in problems:
        s = torch.from_numpy(saliency(rng, kind, 3, height, width)).float()
        columns = width if height == tall else width // 2
        kept = torch.from_numpy(rng.integers(0, whole + 1, (2, 2, tall, columns)).astype(np.uint8))
        terms = kept, whole, s, torch.tensor([2, 0]), torch.tensor([1, 0]), cost
        found = transport(*terms)
        with on_the_cpu():
            wrong += int((found != transport(*terms)).sum())
    return wrong


def differing(first: Plan, second: Plan) -> int:
    """Blocks of masks and moves that differ."""
    wrong = int((first.mask.kept != second.mask.kept).sum())
    return wrong + (0 if first.mask.source is None else int((first.mask.source != second.mask.source).sum()))


def plans() -> int:
    """Blocks and moves of whole plans that differ from the CPU's."""
    wrong = 0
    settings = [
        ((3, 3, 9, 8), {"grid": (2, 3), "transport_size": 2}, "same"),
        ((5, 2, 16, 16), {"grid": 4, "levels": 2, "gamma": 1.0}, "fresh"),
        ((3, 2, 12), {"grid": 4, "transport": "exact"}, "same"),
        ((3, 12), {"grid": 5, "transport": False}, "same"),
    ]
    for shape, options, partners in settings:
        mix = MultiMix(PuzzleMix(**options), num_mixes=3, partners=partners)
        x, s = batch(shape)
        generator = torch.Generator().manual_seed(3)
        with torch.device("meta"):  # the default device is of no matter
            found = mix.plan(x, saliency=s, generator=generator)
        with on_the_cpu():
            wrong += differing(found, mix.plan(x, saliency=s, generator=torch.Generator().manual_seed(3)))
    return wrong


def scales() -> int:
    """Masks of `solve_masks` that differ from the CPU's, at the ends of the numbers."""
    rng, wrong = np.random.default_rng(5), 0
    terms = [rng.integers(low, 9, (3, *size)).astype(float) for low, *size in ((-8, 3, 3), (0, 3, 2), (0, 2, 3))]
    limits = np.sort(rng.integers(-9, 10, (3, 3)), axis=0).astype(float)
    for exponent in (-1073, 0, 1019):
        scaled = [torch.from_numpy(np.ldexp(a, exponent)) for a in (*terms, limits)]
        found = solve_masks(*scaled)
        with on_the_cpu():
            wrong += int((found != solve_masks(*scaled)).sum())
    return wrong


def without_values(grid: int, levels: int) -> dict[str, dict[str, int]]:
    """What a plan starts on a device; tensors have no values there, so whoever reads one fails."""
    mix = MultiMix(PuzzleMix(grid=grid, levels=levels), num_mixes=5, num_classes=10)
    x, s = torch.empty(8, 3, 32, 32, device="meta"), torch.empty(8, 32, 32, device="meta")
    started: Counter[str] = Counter()
    homes = (cuts, pooling, borders, auction)
    real = [home.launch for home in homes]
    ask = family.family_of
    for home in homes:
        home.launch = lambda kernel, *_, **__: started.update([kernel.fn.__name__])
    for home in (energy, where):
        home.family_of = lambda device: "triton"
    try:
        mix.plan(x, saliency=s)  # what stays on a device is brought there once
        started.clear()
        with Launches() as operations:
            mix.plan(x, saliency=s)
    finally:
        for home, launch in zip(homes, real, strict=True):
            home.launch = launch
        for home in (energy, where):
            home.family_of = ask
    return {"kernels": dict(started), "operations": dict(operations.counts)}


def unaligned() -> list[str]:
    """Kernels for which the alignment of a tensor depends on P: each would be compiled once more for it."""
    found = []

    def ask(kernel, grid, *arguments, **constants):
        named = zip(kernel.arg_names, arguments, strict=False)
        if any(name != "spread" and isinstance(each, Tensor) and each.data_ptr() % 16 for name, each in named):
            found.append(kernel.fn.__name__)
        real(kernel, grid, *arguments, **constants)

    real, cuts.launch = cuts.launch, ask
    try:
        for pairs in (2, 3, 13):
            gain = torch.rand(pairs, 2, 2, dtype=torch.float64)
            border = torch.rand(pairs, 2, 1, dtype=torch.float64)
            limits = torch.rand(3, pairs, dtype=torch.float64)
            cuts.cut_pairs(gain, border, border.mT.contiguous(), limits[:2].contiguous(), limits[2])
    finally:
        cuts.launch = real
    return found


def main() -> None:
    torch.manual_seed(0)
    patch_once()
    found = {
        "energies": energies(),
        "double precision": double_precision(),
        "long series": long_series(),
        "broken pixels": broken_pixels(),
        "broken saliency": broken_saliency(),
        "auctions": auctions(),
        "plans": plans(),
        "scales": scales(),
        "unaligned": unaligned(),
        "launches": [without_values(grid, levels) for grid in (2, 16) for levels in (2, 3)],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
