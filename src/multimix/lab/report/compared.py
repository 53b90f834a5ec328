"""The tables of a comparison on a terminal, and its page."""

from pathlib import Path

from rich.console import Console

from multimix.lab.compare.board import print_subject
from multimix.lab.compare.folder import Comparison
from multimix.lab.core.lock import locked
from multimix.lab.core.printable import printable
from multimix.lab.core.warnings import warn
from multimix.lab.report.gather import gather
from multimix.lab.report.page import write_page
from multimix.lab.report.previews import Samples
from multimix.lab.report.table import table
from multimix.lab.report.terminal import print_tables


def show_comparison(folder: Path, samples: Samples, console: Console) -> None:
    """Print the tables of a comparison and write `report.html` into its folder.

    Args:
        folder: Of the comparison.
        samples: Of which data samples may be shown.
        console: Where to print.

    Raises:
        RunFailed: if another process is at work in the folder.
    """
    with locked(folder, warn):
        comparison = Comparison.read(folder)
        results = gather(comparison)
        print_subject(comparison.settings, console)
        print_tables(table(results), console)
        for note in results.notes:
            console.print(note, soft_wrap=True)
        page = folder / "report.html"
        write_page(page, [results], samples=samples)
    console.print(f"\nReport: {printable(str(page))}", soft_wrap=True)
