"""Are the Triton kernels' masks the CPU solver's, and what do the kernels compile to?

    python -m benchmarks.cut_exactness [--pairs N] [--grids 2,4]

With a GPU the kernels run on it: `--pairs 1000 --grids 2,4,8,16` takes seconds. Without one they run in Triton's
interpreter, where a pair takes about a second on the smallest grid and a minute on the largest. "Real": digits of
scikit-learn and gradients of a small network; "flat", "smooth", "peaky": random images and saliency; "ties": small
integers, with many minimisers per pair; "zero": no saliency at all. `gamma` is 0, 0.5 and 1 by turns. Then every
variant is compiled ahead of time (`benchmarks.cut_compiled`).
"""

import argparse
import math
import os
import subprocess
import sys

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

from benchmarks.puzzle import images
from benchmarks.puzzle import saliency as random_saliency
from benchmarks.timing import table
from multimix.grid import cut as grid_of
from multimix.puzzle.energy import Energy, block_saliency, pair_energy, thresholds
from multimix.puzzle.saliency import input_saliency
from multimix.puzzle.solve import solve_levels

K = 5
ETA = 0.2
SIDE = 32
TIE = 2.0**-10  # the unit of ties: no product is rounded
INPUTS = ("real", "flat", "smooth", "peaky", "ties", "zero")
Row = dict[str, object]


def digits(pairs: int) -> tuple[Tensor, Tensor]:
    """Images of 32 pixels, and the gradients of a network after a short training."""
    data = load_digits()
    rows = torch.arange(pairs) % len(data.images)
    x = F.interpolate(torch.from_numpy(data.images).float()[:, None] / 16, size=(SIDE, SIDE), mode="bilinear")
    y = torch.from_numpy(data.target)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 16, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 14 * 14, 10))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for batch in torch.randperm(len(x)).split(128):
        optimizer.zero_grad()
        F.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    return x[rows], input_saliency(model, x[rows], y[rows])


def energy(inputs: str, pairs: int, grid: int, gamma: float) -> Energy:
    """The energy of each pair."""
    generator = torch.Generator().manual_seed(grid)
    if inputs == "ties":
        gain = torch.randint(-3, 4, (pairs, grid, grid), generator=generator)
        right = torch.randint(0, 4, (pairs, grid, grid - 1), generator=generator)
        down = torch.randint(0, 4, (pairs, grid - 1, grid), generator=generator)
        return Energy(gain * TIE, right * TIE, down * TIE)
    if inputs == "real":
        x, saliency = digits(pairs)
    else:
        x = images(pairs, SIDE)[0]
        saliency = torch.zeros(pairs, SIDE, SIDE) if inputs == "zero" else random_saliency(pairs, SIDE, inputs)
    rows, columns = grid_of((SIDE, SIDE), grid)
    partner = torch.arange(pairs).roll(1)
    return pair_energy(x, block_saliency(saliency, rows, columns), None, partner, rows, columns, 1.2, gamma, 4)


def compare(inputs: str, pairs: int, grid: int, levels: int, device: str) -> Row:
    """Solver against solver."""
    from multimix.kernels.triton.cut import cut_with_effort  # after TRITON_INTERPRET is set

    different, steps, sweeps = 0, [], []
    for gamma in (0.0, 0.5, 1.0):
        terms = energy(inputs, pairs, grid, gamma)
        gain, right, down = terms.gain, terms.right, terms.down
        lam = torch.rand(K, pairs, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        lam[0, 0], lam[-1, 0] = 1, 0
        limits = thresholds(lam.sort(0, descending=True).values, ETA, grid**2)
        offset = torch.full((pairs,), ETA * math.log(2) / grid**2, dtype=torch.float64) if levels == 3 else None
        if inputs == "ties":
            limits, offset = torch.round(limits * grid**2 / ETA) * TIE, None if offset is None else offset.fill_(TIE)
        moved = [None if t is None else t.to(device) for t in (gain, right, down, limits, offset)]
        kept, effort = cut_with_effort(*moved)  # type: ignore[arg-type]
        wrong = kept.cpu() != solve_levels(gain, right, down, limits, offset)
        different += int(wrong.flatten(2).any(2).sum())
        steps.append(effort.steps.cpu())
        sweeps.append(effort.sweeps.cpu())
    taken, swept = torch.cat(steps), torch.cat(sweeps)
    proved = taken[taken >= 0].double()
    return {
        "grid": f"{grid} × {grid}",
        "levels": levels,
        "inputs": inputs,
        "masks": 3 * K * pairs,
        "different": different,
        "steps, median": int(proved.median()) if len(proved) else "",
        "99 %": int(proved.quantile(0.99)) if len(proved) else "",
        "pairs for phase 2": f"{int((taken < 0).sum())} of {len(taken)}",
        "its sweeps, most": int(swept.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3, help="of each kind, grid, number of levels and gamma")
    parser.add_argument("--grids", default="2,4")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"
        from benchmarks.interpreter import patch_once

        patch_once()
    rows = []
    for grid in map(int, given.grids.split(",")):
        for levels in (2, 3):
            for inputs in INPUTS:
                rows.append(compare(inputs, given.pairs, grid, levels, device))
                print("\t".join(map(str, rows[-1].values())), file=sys.stderr)
    print(f"{device}\n\n{table(rows)}\n", flush=True)
    compiler = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    subprocess.run([sys.executable, "-m", "benchmarks.cut_compiled"], env=compiler, check=True)


if __name__ == "__main__":
    main()
