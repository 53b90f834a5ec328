"""What was asked of finished runs, on a terminal: a line per run, the main numbers."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from multimix.lab.report.metrics import metric_of

# The main numbers of each evaluator, in words that fit a terminal; evaluation.json has all of them.
COLUMNS: dict[str, dict[str, str]] = {
    "error": {"error": "error, %", "error_top5": "top-5\nerror, %"},
    "calibration": {
        "nll": "NLL",
        "brier": "Brier",
        "ece": "ECE, %",
        "overconfidence": "over-\nconf., %",
        "temperature": "T",
        "nll_scaled": "NLL,\nscaled",
        "ece_scaled": "ECE,\nscaled, %",
    },
    "adversarial": {
        "error_unattacked": "error, not\nattacked, %",
        "error_fgsm_4": "FGSM\n4/255, %",
        "error_fgsm_8": "FGSM\n8/255, %",
        "error_pgd_4": "PGD\n4/255, %",
    },
    "corruption": {
        "error_corruption": "error, 15\ncorruptions, %",
        "error_corruption_extra": "4 more,\n%",
    },
    "ood": {"ood_auroc": "AUROC, %"},
    "localization": {
        "localization_error": "not\nfound, %",
        "localization_error_known_class": "class\nknown, %",
    },
    "transfer": {
        "transfer_error": "fine-\ntuned, %",
        "transfer_error_from_scratch": "from\nscratch, %",
    },
    "linearity": {"linearity_gap": "gap,\nmixup, %", "linearity_gap_cutmix": "gap,\nCutMix, %"},
}


def print_evaluated(results: Mapping[str, Mapping[str, float]], evaluators: Sequence[str], console: Console) -> None:
    """Prints one table, or one for each evaluator where that is too wide.

    Args:
        results: What was measured of each run, by its name.
        evaluators: What was asked.
        console: Where to print it.
    """
    groups = [group for name, group in COLUMNS.items() if name in evaluators]
    whole = _table(results, {name: title for group in groups for name, title in group.items()})
    fits = Measurement.get(console, console.options.update(width=10_000), whole).maximum <= console.width
    for table in [whole] if fits else [_table(results, group) for group in groups]:
        console.print(table)


def _table(results: Mapping[str, Mapping[str, float]], columns: Mapping[str, str]) -> Table:
    """Returns the columns of which any run has a value."""
    shown = {name: title for name, title in columns.items() if any(name in values for values in results.values())}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("run", no_wrap=True)
    for title in shown.values():
        table.add_column(title, justify="right", vertical="bottom", no_wrap=True)
    for run, values in results.items():
        table.add_row(run, *(_cell(name, values[name]) if name in values else "" for name in shown))
    return table


def _cell(name: str, value: float) -> str:
    metric = metric_of(name)
    return f"{value * metric.scale:.{metric.digits}f}"
