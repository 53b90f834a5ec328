"""Do many mixes pay where a mix is cheap? Late manifold layers, K from 1 to 64, at equal time.

    python experiments/late_layers.py OUT [--data fashion-mnist] [--data-root /usr/share/datasets] [--steps 1000]
        [--seeds 3] [--jobs 2]

small-cnn, 120 pairs in every step, mixed before the last stage (stage3) or at the pooled embedding (head.2): what lies
below runs once per pair. First every (layer, K) does ROUNDS short runs of TRIAL_STEPS steps, taking turns; its time of
a step is their median. Then K mixes get round(steps · t(1) / t(K)) steps, t(1) being the same layer's, so that all take
as long; and, as in same-pairs, as many steps as K = 1, unless a step costs more than MOST times that of K = 1.
References: no mixing, and K = 1 at the model's own layers.

Time is the processor's: seconds on the clock depend on who else is at work. Both are printed. The same command does
what is missing; the times of steps are those measured first (OUT/step_times). On digits
(--data digits) a quarter of a core-hour; on Fashion-MNIST several core-hours, not run so far.

Writes results/late_layers.json (the short runs and the others), .md and .png beside this file; for other data
results/late_layers_DATA. Nothing is chosen by the test split: all rows are printed.
"""

import argparse
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console

from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.run import compare
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.report.gather import gather
from multimix.lab.report.metrics import metric_of
from multimix.lab.report.results import Result, Results
from multimix.lab.report.results_file import write_results
from multimix.lab.report.table import TableRow, table
from multimix.lab.report.words import conditions, with_interval, with_limits
from multimix.lab.statistics import Interval, paired, t_interval

HERE = Path(__file__).parent / "results"
DATA = "fashion-mnist"
LAYERS = {"stage3": "before the last stage", "head.2": "at the pooled embedding"}
MIXES = (1, 4, 16, 64)
PAIRS = 120
TRIAL_STEPS, ROUNDS = 15, 5
MOST = 20
TIME, PAIRED = "equal-time", "same-pairs"
METRICS = ("error", "nll")


@dataclass(frozen=True)
class StepTime:
    """Seconds of processor time that a step takes: median, lowest and highest of n short runs."""

    median: float
    low: float
    high: float
    n: int


def main() -> None:
    """Do what is missing, then write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", default=DATA)
    parser.add_argument("--data-root", default="/usr/share/datasets")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    typed = ("OUT" if word == str(asked.out) else word for word in sys.argv[1:])
    command = shlex.join(["python", "experiments/late_layers.py", *typed])
    try:
        trials, results = _compared(asked, command)
    except (UsageError, RunFailed) as error:
        parser.exit(2 if isinstance(error, UsageError) else 1, f"{error}\n")
    name = "late_layers" if asked.data == DATA else f"late_layers_{asked.data}"
    HERE.mkdir(exist_ok=True)
    write_results(HERE / f"{name}.json", [trials, results])
    _figure(results).savefig(HERE / f"{name}.png", dpi=80)
    write_atomic(HERE / f"{name}.md", as_page(trials, results, name, command))


def _compared(asked: argparse.Namespace, command: str) -> tuple[Results, Results]:
    common: dict[str, Any] = {
        "data": (asked.data,),
        "data_root": asked.data_root,
        "model": "small-cnn",
        "num_mixes": (1,),
        "batch_size": PAIRS,
        "jobs": asked.jobs,
    }
    short = {_variant(layer, k): _changes(layer, k, TRIAL_STEPS) for layer in LAYERS for k in MIXES}
    trials = _done(
        CompareSettings(
            **common,
            methods=("manifold",),
            variants=short,
            steps=TRIAL_STEPS,
            evaluations=1,
            seeds=ROUNDS,
            out=str(asked.out / "step_times"),
        ),
        command,
    )
    results = _done(
        CompareSettings(
            **common,
            methods=("none", "manifold"),
            variants=variants(asked.steps, step_times(trials)),
            steps=asked.steps,
            evaluations=10,
            seeds=asked.seeds,
            out=str(asked.out / "runs"),
        ),
        command,
    )
    return trials, results


def _done(settings: CompareSettings, command: str) -> Results:
    if compare(settings, command, Console(width=140)):
        raise RunFailed("all runs must come to a good end, got failures, see above; the same command tries them again")
    return gather(Comparison.read(Path(settings.out)))


def _variant(layer: str, k: int, control: str = "") -> str:
    return "-".join(part for part in (layer, f"k{k}", control) if part)


def _changes(layer: str, k: int, steps: int) -> dict[str, Any]:
    return {"method_options": {"layers": [layer]}, "num_mixes": k, "batch_size": PAIRS * k, "steps": steps}


def step_times(trials: Results) -> dict[str, StepTime]:
    """Returns what a step costs, by variant."""
    found = {}
    for row in trials.rows:
        each = [run.cost["cpu_time_s"] / run.cost["step"] for run in row.runs]
        found[row.row.variant] = StepTime(statistics.median(each), min(each), max(each), len(each))
    return found


def variants(steps: int, times: Mapping[str, StepTime]) -> dict[str, dict[str, Any]]:
    """Returns the rows of each layer: K = 1 of `steps` steps, and K mixes for as long and of as many pairs."""
    found = {}
    for layer in LAYERS:
        found[_variant(layer, 1)] = _changes(layer, 1, steps)
        one = times[_variant(layer, 1)].median
        for k in MIXES[1:]:
            ratio = times[_variant(layer, k)].median / one
            found[_variant(layer, k, TIME)] = _changes(layer, k, max(1, round(steps / ratio)))
            if ratio <= MOST:
                found[_variant(layer, k, PAIRED)] = _changes(layer, k, steps)
    return found


def difference(row: Sequence[Result], one: Sequence[Result], name: str) -> Interval:
    """Returns a metric less that of K = 1, paired by seed."""
    there = {run.seed: run.evaluation[name] for run in one}
    both = [run for run in row if run.seed in there]
    return paired([run.evaluation[name] for run in both], [there[run.seed] for run in both]).difference


def as_page(trials: Results, results: Results, name: str, command: str) -> str:
    """Returns the page."""
    rows = {row.row.variant or row.row.label: row for row in table(results)}
    seeds = max(len(row.results) for row in rows.values())
    parts = [
        f"# Late manifold layers at equal time, {results.settings['data'][0]}",
        f"Printed by `{command}`: small-cnn, {PAIRS} pairs in every step, {seeds} seeds, "
        f"{trials.core_hours + results.core_hours:.2f} core-hours. Mean ± half-width of the 95 % t-interval over "
        "seeds; differences to K = 1 of the same layer are paired by seed, with 95 % t-intervals; ▲ worse, ▼ better, ≈ "
        "not significant at 95 %, without correction for the number of comparisons.",
        conditions(list(rows.values())),
        f"![Error and NLL by K]({name}.png)",
        "## What a step costs",
        _costs(step_times(trials)),
    ]
    for layer, where in LAYERS.items():
        parts += [f"## {layer}: mixed {where}", _grid(rows, layer)]
        left_out = [k for k in MIXES[1:] if _variant(layer, k, PAIRED) not in rows]
        if left_out:
            named = ", ".join(f"K = {k}" for k in left_out)
            parts.append(f"Same pairs not done for {named}: a step costs more than {MOST} times that of K = 1.")
    parts += ["## References", _references(rows)]
    return "\n\n".join(parts) + "\n"


def _costs(times: Mapping[str, StepTime]) -> str:
    lines = [
        "Milliseconds of processor time, median of n short runs that take turns (lowest to highest).",
        "",
        "| layer | K | a step, ms | n | in units of K = 1 |\n|---|---:|---:|---:|---:|",
    ]
    for layer in LAYERS:
        one = times[_variant(layer, 1)].median
        for k in MIXES:
            own = times[_variant(layer, k)]
            spread = f"{own.median * 1e3:,.1f} ({own.low * 1e3:,.1f} to {own.high * 1e3:,.1f})"
            lines.append(f"| {layer} | {k} | {spread} | {own.n} | {own.median / one:.2f} |")
    return "\n".join(lines)


def _grid(rows: Mapping[str, TableRow], layer: str) -> str:
    lines = [
        "| K | held equal | steps | core-seconds | seconds | core-seconds of K = 1's | error, % | against K = 1 | "
        "NLL | against K = 1 |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    one = rows[_variant(layer, 1)]
    for k in MIXES:
        for control in ("",) if k == 1 else (TIME, PAIRED):
            row = rows.get(_variant(layer, k, control))
            if row is None:
                continue
            ratio = statistics.mean(_costs_of(row, "cpu_time_s")) / statistics.mean(_costs_of(one, "cpu_time_s"))
            cells = [str(k), control.replace("-", " "), *_cost_cells(row), f"{ratio:.2f}"]
            for name in METRICS:
                change = "" if k == 1 else with_limits(difference(row.results, one.results, name), name)
                cells += [_value(row, name), change]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _references(rows: Mapping[str, TableRow]) -> str:
    lines = ["| | steps | core-seconds | seconds | error, % | NLL |", "|---|---:|---:|---:|---:|---:|"]
    for label, title in (("none", "no mixing"), ("manifold-k1", "manifold, K = 1, the model's own layers")):
        row = rows[label]
        lines.append(f"| {' | '.join([title, *_cost_cells(row), *(_value(row, name) for name in METRICS)])} |")
    return "\n".join(lines)


def _cost_cells(row: TableRow) -> list[str]:
    times = [with_interval(t_interval(_costs_of(row, name)), digits=1) for name in ("cpu_time_s", "time_s")]
    return [f"{row.results[0].cost['step']:,}", *times]


def _costs_of(row: TableRow, name: str) -> list[float]:
    return [run.cost[name] for run in row.results]


def _value(row: TableRow, name: str) -> str:
    shown = metric_of(name)
    return with_interval(row.metrics[name], shown.scale, shown.digits)


def _figure(results: Results) -> Figure:
    """Error and NLL by K for each layer, with 95 % t-intervals; the references are lines across."""
    rows = {row.row.variant or row.row.label: row for row in table(results)}
    figure = Figure(figsize=(11, 4), layout="constrained")
    for column, name in enumerate(METRICS):
        shown = metric_of(name)
        axes = figure.add_subplot(1, 2, column + 1)
        for label, style in (("none", ":"), ("manifold-k1", "--")):
            axes.axhline(
                rows[label].metrics[name].mean * shown.scale, linestyle=style, color="#6b7280", label=f"{label}: mean"
            )
        for layer, colour in zip(LAYERS, ("#1f6fb4", "#c2570c"), strict=True):
            for control, style in ((TIME, "-o"), (PAIRED, "--s")):
                there = {k: rows.get(_variant(layer, k, control if k > 1 else "")) for k in MIXES}
                values = {k: row.metrics[name] for k, row in there.items() if row is not None}
                axes.errorbar(
                    list(values),
                    [value.mean * shown.scale for value in values.values()],
                    [value.half_width * shown.scale for value in values.values()],
                    fmt=style, color=colour, capsize=3, label=f"{layer}, {control.replace('-', ' ')}",
                )  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_xticks(MIXES, [str(k) for k in MIXES])
        axes.set(xlabel="K", title=shown.title)
        axes.grid(True, linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    sys.exit(main())
