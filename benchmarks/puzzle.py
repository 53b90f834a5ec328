"""How fast is Puzzle Mix: the pipeline, its masks, a training step, its memory; beside the authors' code, if given.

    python -m benchmarks.puzzle [--reference PATH]

Times are medians of interleaved calls in one thread, saliency given but for the training step. PATH is a folder with
the authors' `mixup.py` (github.com/snu-mllab/PuzzleMix); it needs gco-wrapper, and is run from there, on the CPU, once
per coefficient, with masks of 2 levels and transport at the mask's grid. "Same images": equal bit for bit, given the
same pairs and coefficients. Where they differ, the reference's solver had rounded its energies to 32-bit integers.
"""

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.timing import interleave, machine, table, write_atomic, write_json
from multimix import MultiMix, PuzzleMix
from multimix.grid import cut
from multimix.lab.models.preact_resnet18 import PreActResNet18
from multimix.masks import Blocks
from multimix.puzzle.energy import Energy, block_saliency, pair_energy, thresholds
from multimix.puzzle.solve import solve_levels
from multimix.puzzle.transport import transport

K = 5
GRIDS = (2, 4, 8, 16)
LAMS = (0.9, 0.7, 0.5, 0.3, 0.1)  # the reference takes one for the whole batch
SALIENCIES = ("flat", "smooth", "peaky")
Row = dict[str, object]


def images(pairs: int, side: int) -> tuple[Tensor, Tensor]:
    """Images in [0, 1] and labels."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(pairs, 3, 8, 8, generator=generator)
    x = 0.7 * F.interpolate(coarse, size=(side, side), mode="bilinear") + 0.3 * torch.rand(
        pairs, 3, side, side, generator=generator
    )
    x.view(-1)[:2] = torch.tensor([0.0, 1.0])
    return x, torch.randint(100, (pairs,), generator=generator)


def saliency(pairs: int, side: int, kind: str = "smooth") -> Tensor:
    """Flat: noise of even strength. Smooth: some regions matter more. Peaky: a few pixels around one place matter."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(pairs, side, side, generator=generator) + 0.05
    if kind == "flat":
        return noise
    if kind == "smooth":
        coarse = torch.rand(pairs, 1, 8, 8, generator=generator) ** 4
        return noise * (F.interpolate(coarse, size=(side, side), mode="bilinear")[:, 0] + 0.01)
    at = torch.rand(pairs, 2, generator=generator) * side
    row = torch.arange(side)
    far = (row[:, None] - at[:, 0, None, None]) ** 2 + (row - at[:, 1, None, None]) ** 2
    return noise**6 * torch.exp(-far / (0.08 * side**2)) + 1e-6


def mixer(grid: int, num_mixes: int = K, **settings: object) -> MultiMix:
    """Puzzle Mix at one grid."""
    return MultiMix(PuzzleMix(grid=grid, **settings), num_mixes=num_mixes, num_classes=100)  # type: ignore[arg-type]


def whole(pairs: int, side: int, grid: int, num_mixes: int = K, **settings: object) -> Callable[[], object]:
    """Plan and apply, labels included, into a buffer."""
    (x, y), s = images(pairs, side), saliency(pairs, side)
    mix, out = mixer(grid, num_mixes, **settings), torch.empty(num_mixes * pairs, 3, side, side)
    return lambda: mix(x, y, saliency=s, out=out)


def load_reference(folder: Path) -> ModuleType:
    """The authors' module, told to stay on the CPU."""
    source = (folder / "mixup.py").read_text()
    module = ModuleType("reference")
    exec(compile(source.replace("device='cuda'", "device='cpu'"), str(folder / "mixup.py"), "exec"), module.__dict__)
    return module


def reference_mix(
    reference: ModuleType, x: Tensor, s: Tensor, partner: np.ndarray, lam: float, grid: int
) -> tuple[Tensor, Tensor]:
    """One coefficient for the whole batch, as the authors' code does it."""
    mixed: tuple[Tensor, Tensor] = reference.mixup_graph(
        x, s, partner, block_num=grid, alpha=lam, beta=1.2, gamma=0.5, eta=0.2, neigh_size=4, n_labels=2,
        mean=0.0, std=1.0, transport=True, t_eps=0.8, t_size=-1, device="cpu",
    )  # fmt: skip
    return mixed


def pipeline(reference: ModuleType | None, budget_s: float) -> list[Row]:
    """K = 5, 128 pairs, 32 px, against five calls of the reference."""
    rows: list[Row] = []
    for grid in GRIDS:
        contenders = {
            "2 levels": whole(128, 32, grid, levels=2),
            "3 levels": whole(128, 32, grid, levels=3),
            "2 levels, K = 1": whole(128, 32, grid, num_mixes=1, levels=2),
        }
        if reference is not None:
            x, s = images(128, 32)[0], saliency(128, 32)
            partner = np.random.default_rng(0).permutation(128)
            contenders["5 x reference"] = lambda a=(x, s, partner), g=grid: [
                reference_mix(reference, *a, lam, g) for lam in LAMS
            ]
        seconds = interleave(contenders, budget_s, min_rounds=3 if grid == 16 else 15)
        row: Row = {"grid": f"{grid} x {grid}", **{f"{name}, ms": f"{1e3 * t:.2f}" for name, t in seconds.items()}}
        if reference is not None:
            row["times faster"] = f"{seconds['5 x reference'] / seconds['2 levels']:.0f}"
            row["same images"] = agreement(reference, x, s, partner, grid)
        rows.append(row)
    return rows


def agreement(reference: ModuleType, x: Tensor, s: Tensor, partner: np.ndarray, grid: int) -> str:
    """Share of mixed images that are equal bit for bit, given the reference's pairs and coefficients."""
    rows, columns = cut((32, 32), grid)
    blocks, other = block_saliency(s, rows, columns), torch.from_numpy(partner)
    energy = pair_energy(x, blocks, None, other, rows, columns, 1.2, 0.5, 4)
    lam = torch.tensor(LAMS, dtype=torch.float64)[:, None].expand(-1, len(x))
    kept = solve_levels(energy.gain, energy.right, energy.down, thresholds(lam, 0.2, grid**2))
    source = transport(kept, 1, blocks, torch.arange(len(x)), other, 0.8)
    mix = mixer(grid, levels=2)
    plan = mix.plan(x, images(128, 32)[1], saliency=s)
    mask = Blocks(kept, 1, plan.mask.rows, plan.mask.columns, source, (32, 32))  # type: ignore[union-attr]
    plan = replace(plan, mask=mask, partner=other, weight=mask.weight())
    mine = mix.apply(plan, x)[0].unflatten(0, (len(LAMS), -1))
    theirs = torch.stack([reference_mix(reference, x, s, partner, lam, grid)[0] for lam in LAMS])
    return f"{(mine == theirs).flatten(2).all(2).float().mean():.1%}"


def energies(pairs: int, grid: int, kind: str) -> tuple[Energy, Tensor]:
    """Energies of a batch, and thresholds of a path over lam."""
    x, s = images(pairs, 32)[0], saliency(pairs, 32, kind)
    rows, columns = cut((32, 32), grid)
    partner = torch.randperm(pairs, generator=torch.Generator().manual_seed(2))
    energy = pair_energy(x, block_saliency(s, rows, columns), None, partner, rows, columns, 1.2, 0.5, 4)
    strata = torch.rand(K, pairs, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    lam = ((torch.arange(K)[:, None] + strata) / K).flip(0)
    return energy, thresholds(lam, 0.2, grid**2)


def masks(budget_s: float) -> list[Row]:
    """Masks alone, 128 pairs: K = 5 against K = 1, and three levels."""
    rows: list[Row] = []
    for grid in GRIDS:
        for kind in SALIENCIES:
            energy, limits = energies(128, grid, kind)
            problem = energy.gain, energy.right, energy.down
            spread = torch.full((128,), 0.2 / grid**2 * np.log(2), dtype=torch.float64)
            seconds = interleave(
                {
                    "K = 1": lambda p=problem, t=limits: solve_levels(*p, t[2:3]),
                    "K = 5": lambda p=problem, t=limits: solve_levels(*p, t),
                    "3 levels, K = 5": lambda p=problem, t=limits, s=spread: solve_levels(*p, t, s),
                },
                budget_s,
            )
            rows.append(
                {
                    "grid": f"{grid} x {grid}",
                    "saliency": kind,
                    **{f"{name}, ms": f"{1e3 * t:.2f}" for name, t in seconds.items()},
                    "K = 5 / K = 1": f"{seconds['K = 5'] / seconds['K = 1']:.2f}",
                }
            )
    return rows


def large(budget_s: float) -> list[Row]:
    """224 px, 64 pairs, K = 5: the whole call, and a copy of its output."""
    out, source = torch.empty(K * 64, 3, 224, 224), torch.rand(K * 64, 3, 224, 224)
    contenders = {f"{grid} x {grid}": whole(64, 224, grid) for grid in GRIDS}
    seconds = interleave({"copy_": lambda: out.copy_(source), **contenders}, budget_s)
    unit = seconds.pop("copy_")
    return [{"grid": grid, "ms": f"{1e3 * t:.1f}", "x copy": f"{t / unit:.2f}"} for grid, t in seconds.items()]


def growth(budget_s: float, picture: Path) -> list[Row]:
    """Time against pairs, K and grid, at 32 px; a table and a picture."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    base = {"pairs": 128, "K": K, "grid": 8}
    sweeps = {"pairs": (16, 32, 64, 128, 256, 512), "K": (1, 2, 5, 10, 20), "grid": (2, 4, 8, 16, 32)}
    figure, grid = pyplot.subplots(1, 3, figsize=(12, 3.4), layout="constrained", sharey=True)
    rows: list[Row] = []
    for axes, (name, values) in zip(grid, sweeps.items(), strict=True):
        settings = [{**base, name: value} for value in values]
        contenders = {str(c[name]): whole(c["pairs"], 32, c["grid"], c["K"]) for c in settings}
        times = list(interleave(contenders, budget_s).values())
        rows += [{"varied": name, "value": v, "ms": f"{1e3 * t:.2f}"} for v, t in zip(values, times, strict=True)]
        axes.plot(values, [1e3 * t for t in times], "o-")
        axes.set(xscale="log", yscale="log", xlabel=name, xticks=values, xticklabels=values)
        axes.minorticks_off()
        axes.set_title(", ".join(f"{k} = {v}" for k, v in base.items() if k != name), size=10)
        axes.grid(alpha=0.3)
    grid[0].set_ylabel("ms per call, one thread, 32 px")
    figure.savefig(picture, dpi=110)
    return rows


def training_step(reference: ModuleType | None, rounds: int) -> list[Row]:
    """PreActResNet18, 100 rows per step: none mixed, 20 pairs x 5 with saliency, and the reference at 100 x 1."""
    torch.manual_seed(0)
    model = PreActResNet18((3, 32, 32), 100)
    optimiser = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9, nesterov=True)
    x, y = images(100, 32)

    def learn(loss: Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def mixed(num_mixes: int, **settings: object) -> Callable[[], None]:
        mix = MultiMix(PuzzleMix(**settings), num_mixes=num_mixes, num_classes=100)  # type: ignore[arg-type]
        part = 100 // num_mixes

        def step() -> None:
            logits, y_mix = mix.run(model, x[:part], y[:part])
            learn(F.cross_entropy(logits, y_mix))

        return step

    contenders = {
        "vanilla, 100": lambda: learn(F.cross_entropy(model(x), y)),
        "multimix, 20 pairs x 5": mixed(5),
        "multimix, 20 pairs x 5, half resolution": mixed(5, saliency_resolution=0.5),
        "multimix, 100 pairs x 1": mixed(1),
    }
    if reference is not None:
        contenders["reference, 100 pairs x 1"] = lambda: learn(reference_loss(reference, model, x, y))
    seconds = interleave(contenders, 0, min_rounds=rounds)
    unit = seconds["vanilla, 100"]
    return [{"step": name, "s": f"{t:.2f}", "x vanilla": f"{t / unit:.2f}"} for name, t in seconds.items()]


def reference_loss(reference: ModuleType, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The authors' step: a full backward pass for the saliency, then one mix at a random grid."""
    seen = x.clone().requires_grad_()
    model.eval()
    F.cross_entropy(model(seen), y).backward()
    model.train()
    assert seen.grad is not None
    s = torch.sqrt((seen.grad**2).mean(1))
    model.zero_grad()
    rng = np.random.default_rng()
    partner, lam, grid = rng.permutation(len(x)), rng.random(), int(rng.choice(GRIDS))
    mixed, share = reference_mix(reference, x, s, partner, lam, grid)
    hot = F.one_hot(y, 100).float()
    share = share[:, None].float()
    return F.cross_entropy(model(mixed), share * hot + (1 - share) * hot[torch.from_numpy(partner)])


def memory() -> list[Row]:
    """Peak resident memory of one call at 64 x 3 x 224 x 224, K = 5, in a process of its own, above what was there."""
    rows: list[Row] = []
    for grid in GRIDS:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.puzzle", "--peak", str(grid)], capture_output=True, text=True, check=True
        )
        above = int(done.stdout)
        unit = 64 * 3 * 224 * 224 * 4
        rows.append(
            {
                "grid": f"{grid} x {grid}",
                "peak, MB": f"{above / 1e6:.0f}",
                "output + inputs": f"output + {(above - K * unit) / unit:.2f} x input",
            }
        )
    return rows


def peak(grid: int) -> int:
    """Bytes that a call with a fresh output takes at its highest. Kernels are loaded before, on a few images."""
    torch.set_num_threads(1)
    mix = mixer(grid)
    small, labels = images(4, 32)
    mix(small, labels, saliency=saliency(4, 32))
    (x, y), s = images(64, 224), saliency(64, 224)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts from here
    before = _resident("VmRSS")
    mix(x, y, saliency=s)
    return _resident("VmHWM") - before


def _resident(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def page(results: dict[str, object]) -> str:
    """The results as Markdown."""
    described = "\n".join(f"- {name}: {value}" for name, value in results["machine"].items())  # type: ignore[attr-defined]
    tables = results["tables"].items()  # type: ignore[attr-defined]
    parts = [f"## {title}\n\n{table(rows)}" for title, rows in tables]
    parts.append("![Growth with pairs, K and grid](puzzle-growth.png)")
    return "\n\n".join(["# Speed of Puzzle Mix", (__doc__ or "").strip(), described, *parts]) + "\n"


def main() -> None:
    """Measure, print, write `puzzle.json`, `puzzle.md` and `puzzle-growth.png`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="folder with the authors' mixup.py")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each group of contenders")
    parser.add_argument("--step-rounds", type=int, default=5, help="training steps of each kind; 0: none")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder to write to")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(peak(options.peak))
        return
    torch.set_num_threads(1)
    os.makedirs(options.out, exist_ok=True)
    reference = load_reference(options.reference) if options.reference else None
    tables: dict[str, list[Row]] = {
        "Whole pipeline without saliency: 128 pairs, 32 px, K = 5": pipeline(reference, options.seconds),
        "Masks alone: 128 pairs": masks(options.seconds),
        "Whole pipeline without saliency: 64 pairs, 224 px, K = 5": large(options.seconds),
        "Growth, 32 px": growth(options.seconds, options.out / "puzzle-growth.png"),
        "Peak memory of a call: 64 x 3 x 224 x 224, K = 5": memory(),
    }
    if options.step_rounds:
        tables["A training step with saliency: PreActResNet18, 100 rows of 3 x 32 x 32"] = training_step(
            reference, options.step_rounds
        )
    results = {"machine": machine("gco-wrapper"), "tables": tables}
    print(page(results))
    write_json(options.out / "puzzle.json", results)
    write_atomic(options.out / "puzzle.md", page(results))


if __name__ == "__main__":
    main()
