"""What does each method cost: the plan of a step, and K mixes of it into a buffer, beside a copy of their size.

    python -m benchmarks.methods

Medians of interleaved calls in one thread. "x copy" is the time of mixing divided by that of
`out.copy_(source)`, where both hold all K mixes. Puzzle Mix is measured by benchmarks.puzzle.
"""

import argparse
import itertools
from pathlib import Path

import torch

from benchmarks.timing import interleave, machine, table, write_atomic, write_json
from multimix import MultiMix

K = 5
METHODS = ("mixup", "cutmix", "fmix", "gridmix", "smoothmix", "resizemix", "saliencymix")
BATCHES = ((128, 32), (64, 224))  # pairs, side
LAYOUTS = {"": torch.contiguous_format, ", channels last": torch.channels_last}

Row = dict[str, object]


def measured(size: int, side: int, layout: torch.memory_format, budget_s: float) -> list[Row]:
    """One row per method."""
    x = torch.randn(size, 3, side, side, generator=torch.Generator().manual_seed(0)).to(memory_format=layout)
    source = x.repeat(K, 1, 1, 1).to(memory_format=layout)
    out = torch.empty_like(source)
    mixers = {name: MultiMix(name, num_mixes=K) for name in METHODS}
    plans = {name: mix.plan(x) for name, mix in mixers.items()}
    contenders = {
        "copy": lambda: out.copy_(source),
        **{f"plan {name}": lambda mix=mix: mix.plan(x) for name, mix in mixers.items()},
        **{f"mix {name}": lambda n=name, mix=mix: mix.apply(plans[n], x, out=out) for name, mix in mixers.items()},
    }
    seconds = interleave(contenders, budget_s)
    return [
        {
            "method": name,
            "plan, ms": f"{1e3 * seconds[f'plan {name}']:.2f}",
            "mixes, ms": f"{1e3 * seconds[f'mix {name}']:.2f}",
            "x copy": f"{seconds[f'mix {name}'] / seconds['copy']:.2f}",
        }
        for name in METHODS
    ]


def main() -> None:
    """Measure, print, write `methods.json` and `methods.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="time for each group of contenders")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder to write to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tables = {
        f"K = {K}, {size} × 3 × {side}²{name}": measured(size, side, layout, options.seconds)
        for (size, side), (name, layout) in itertools.product(BATCHES, LAYOUTS.items())
    }
    results = {"machine": machine(), "tables": tables}
    conditions = "\n".join(f"- {key}: {value}" for key, value in results["machine"].items())
    sections = "\n\n".join(f"## {title}\n\n{table(rows)}" for title, rows in tables.items())
    page = f"# What each method costs\n\n`python -m benchmarks.methods`\n\n{conditions}\n\n{sections}\n"
    print(page)
    write_json(options.out / "methods.json", results)
    write_atomic(options.out / "methods.md", page)


if __name__ == "__main__":
    main()
