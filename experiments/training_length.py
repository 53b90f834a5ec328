"""When does K pay with the same rows? Training length × K on digits, and a K that grows during training.

    python experiments/training_length.py OUT [--lengths 100,500,2500] [--seeds 5] [--jobs 2]

K = 1 takes 120 pairs a step, K = 5 24 pairs × 5, the growing one 1 mix of 120 pairs in the first half of the steps, 2
of 60 until 80 %, then 5 of 24: as many rows in every step for all three. Lengths are in steps; with K = 1 an epoch has
7.5. Each length is a comparison in OUT/<steps>; the same command does what is missing.

Writes results/training_length.json (all runs) and .md beside this file: error and NLL by length, the paired difference
to K = 1 with its 95 % t-interval over seeds, and at which lengths K > 1 is not worse. Nothing is chosen by the test
split: all lengths and all rows are printed.
"""

import argparse
from pathlib import Path

from rich.console import Console

from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.run import compare
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.report.gather import gather
from multimix.lab.report.metrics import metric_of
from multimix.lab.report.results import Results
from multimix.lab.report.results_file import write_results
from multimix.lab.report.table import TableRow, table
from multimix.lab.report.words import with_interval, with_limits

HERE = Path(__file__).parent / "results"
COMMAND = "python experiments/training_length.py"
GROWING = "1@0,2@0.5,5@0.8"
EPOCH = 898 / 120  # steps with K = 1


def main() -> None:
    """Do what is missing, then write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--lengths", type=lambda text: [int(part) for part in text.split(",")], default=[100, 500, 2500]
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    found = []
    for steps in asked.lengths:
        settings = CompareSettings(
            data=("digits",),
            model="small-cnn",
            methods=("none", "mixup", "cutmix"),
            num_mixes=(1, 5),
            controls=("same-rows",),
            variants={"growing": {"num_mixes": GROWING}},
            steps=steps,
            evaluations=10,
            seeds=asked.seeds,
            jobs=asked.jobs,
            out=str(asked.out / str(steps)),
        )
        compare(settings, f"{COMMAND} OUT", Console(width=140))
        found.append(gather(Comparison.read(asked.out / str(steps))))
    write_results(HERE / "training_length.json", found)
    write_atomic(HERE / "training_length.md", as_page(found))


def as_page(found: list[Results]) -> str:
    """Returns the page."""
    rows = {int(results.name): {row.row.label: row for row in table(results)} for results in found}
    seeds = max(len(row.results) for those in rows.values() for row in those.values())
    hours = sum(results.core_hours for results in found)
    parts = [
        "# Training length × K with the same rows, digits",
        f"Printed by `{COMMAND} OUT`: small-cnn, 120 rows in every step, {seeds} seeds, {hours:.2f} core-hours. Mean ± "
        "half-width of the 95 % t-interval over seeds; differences to K = 1 are paired by seed; ▲ worse, ▼ better, ≈ "
        "not significant at 95 %, without correction for the number of comparisons.",
    ]
    for name in ("error", "nll"):
        for method in ("mixup", "cutmix"):
            parts.append(f"## {metric_of(name).title}, {method}")
            parts.append(_grid(rows, method, name))
    parts.append(_crossings(rows))
    return "\n\n".join(parts) + "\n"


def _grid(rows: dict[int, dict[str, TableRow]], method: str, name: str) -> str:
    lines = [
        "| steps | epochs (K = 1) | none | K = 1 | K = 5 | against K = 1 | growing | against K = 1 |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for steps, those in rows.items():
        one, five, growing = (those[label] for label in _labels(method))
        cells = [
            f"{steps:,}",
            f"{steps / EPOCH:,.0f}",
            *(_value(row, name) for row in (those["none"], one)),
            *(
                cell
                for row in (five, growing)
                for cell in (_value(row, name), with_limits(row.changes[name].difference, name))
            ),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _labels(method: str) -> tuple[str, str, str]:
    return f"{method}-k1", f"{method}-k5-same-rows", f"{method}-k1-growing"


def _value(row: TableRow, name: str) -> str:
    shown = metric_of(name)
    return with_interval(row.metrics[name], shown.scale, shown.digits)


def _crossings(rows: dict[int, dict[str, TableRow]]) -> str:
    """A sentence per method: where K = 5 stops to be worse than K = 1 in the mean, and where that can be told."""
    lines = ["## Where the curves cross"]
    for method in ("mixup", "cutmix"):
        for what, label in zip(("K = 5", "growing K"), _labels(method)[1:], strict=True):
            for name, title in (("error", "error"), ("nll", "NLL")):
                changes = {steps: those[label].changes[name] for steps, those in rows.items()}
                told = ", ".join(f"{steps:,}: {change.verdict}" for steps, change in changes.items())
                means = [steps for steps, change in changes.items() if change.difference.mean <= 0]
                first = (
                    f"the mean is not above that of K = 1 at {', '.join(f'{s:,}' for s in means)} steps"
                    if means
                    else ("the mean is above that of K = 1 at every length tried")
                )
                lines.append(f"- **{method}, {what}, {title}**: {first} ({told}).")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
