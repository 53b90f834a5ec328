"""What was asked of finished runs, on a terminal: a line per run, the main numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table


@dataclass(frozen=True)
class Column:
    """A number in the table.

    Args:
        title: What it is called.
        scale: What it is multiplied by; fractions are shown in percent.
        digits: Digits after the point.
    """

    title: str
    scale: float = 100.0
    digits: int = 2


# The main numbers of each evaluator; evaluation.json has all of them.
COLUMNS: dict[str, dict[str, Column]] = {
    "error": {"error": Column("error, %"), "error_top5": Column("top-5\nerror, %")},
    "calibration": {
        "nll": Column("NLL", 1, 3),
        "brier": Column("Brier", 1, 3),
        "ece": Column("ECE, %"),
        "overconfidence": Column("over-\nconf., %"),
        "temperature": Column("T", 1),
        "nll_scaled": Column("NLL,\nscaled", 1, 3),
        "ece_scaled": Column("ECE,\nscaled, %"),
    },
    "adversarial": {
        "error_unattacked": Column("error, not\nattacked, %"),
        "error_fgsm_4": Column("FGSM\n4/255, %"),
        "error_fgsm_8": Column("FGSM\n8/255, %"),
        "error_pgd_4": Column("PGD\n4/255, %"),
    },
    "corruption": {
        "error_corruption": Column("error, 15\ncorruptions, %"),
        "error_corruption_extra": Column("4 more,\n%"),
    },
    "ood": {"ood_auroc": Column("AUROC, %")},
    "localization": {
        "localization_error": Column("not\nfound, %"),
        "localization_error_known_class": Column("class\nknown, %"),
    },
    "transfer": {
        "transfer_error": Column("fine-\ntuned, %"),
        "transfer_error_from_scratch": Column("from\nscratch, %"),
    },
    "linearity": {"linearity_gap": Column("gap,\nmixup, %"), "linearity_gap_cutmix": Column("gap,\nCutMix, %")},
}


def print_evaluated(results: Mapping[str, Mapping[str, float]], evaluators: Sequence[str], console: Console) -> None:
    """Prints one table, or one for each evaluator where that is too wide.

    Args:
        results: What was measured of each run, by its name.
        evaluators: What was asked.
        console: Where to print it.
    """
    groups = [group for name, group in COLUMNS.items() if name in evaluators]
    whole = _table(results, {name: column for group in groups for name, column in group.items()})
    fits = Measurement.get(console, console.options.update(width=10_000), whole).maximum <= console.width
    for table in [whole] if fits else [_table(results, group) for group in groups]:
        console.print(table)


def _table(results: Mapping[str, Mapping[str, float]], columns: Mapping[str, Column]) -> Table:
    """Returns the columns of which any run has a value."""
    shown = {name: column for name, column in columns.items() if any(name in values for values in results.values())}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("run", no_wrap=True)
    for column in shown.values():
        table.add_column(column.title, justify="right", vertical="bottom", no_wrap=True)
    for run, values in results.items():
        cells = (_cell(values[name], column) if name in values else "" for name, column in shown.items())
        table.add_row(escape(run), *cells)
    return table


def _cell(value: float, column: Column) -> str:
    return f"{value * column.scale:.{column.digits}f}"
