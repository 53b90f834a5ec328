"""The masks of Puzzle Mix's kernels and of the CPU's exact solver, from the same energies."""

import torch

from benchmarks.gpu.setting import NO_TIME, Rows, Setting
from benchmarks.gpu.swaps import reference_on_cpu
from multimix.puzzle.solve import solve_levels

K = 5
TIE = 2.0**-10  # the unit of ties: no product is rounded


def masks(setting: Setting) -> Rows:
    """One row per grid, number of levels and kind of energy."""
    grids, pairs = ((2, 3), 2) if setting.tiny else ((2, 4, 8, 16), 256)
    rows: Rows = []
    for grid in grids:
        for levels in (2, 3):
            for kind in ("random", "ties"):
                what = {"grid": grid, "levels": levels, "energies": kind, "masks": K * pairs}
                if not setting.left():
                    rows.append(what | {"different": NO_TIME, "holds": NO_TIME})
                    continue
                terms = energies(kind, pairs, grid)
                *energy, spread = terms
                spread = spread if levels == 3 else None
                found = solve_levels(*(t.to(setting.device) for t in energy), _to(spread, setting.device))
                with reference_on_cpu(setting.device):
                    wanted = solve_levels(*energy, spread)
                wrong = int((found.cpu() != wanted).flatten(2).any(2).sum())
                rows.append(what | {"different": wrong, "holds": "NO" if wrong else "yes"})
    return rows


def energies(kind: str, pairs: int, grid: int) -> list[torch.Tensor]:
    """Gain, weights, thresholds and spread; of ties small integers, with many minimisers per pair."""
    generator = torch.Generator().manual_seed(grid)
    shapes = ((pairs, grid, grid), (pairs, grid, grid - 1), (pairs, grid - 1, grid))
    if kind == "ties":
        least = (-3, 0, 0)
        drawn = [torch.randint(low, 4, s, generator=generator) * TIE for low, s in zip(least, shapes, strict=True)]
        limits = torch.linspace(-2, 2, K).round().double()[:, None].expand(K, pairs) * TIE
    else:
        drawn = [torch.randn(shape, generator=generator) / grid**2 for shape in shapes]
        drawn[1:] = [weight.abs() for weight in drawn[1:]]
        limits = torch.randn(K, pairs, dtype=torch.float64, generator=generator).sort(0).values / grid**2
    return [*drawn, limits.contiguous(), torch.full((pairs,), 0.1 / grid**2, dtype=torch.float64)]


def _to(tensor: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    return None if tensor is None else tensor.to(device)
