"""Sources in, files out."""

from collections.abc import Callable
from pathlib import Path

from multimix.lab.config.checks import check
from multimix.lab.report.csv_file import csv_of
from multimix.lab.report.latex import latex
from multimix.lab.report.markdown import markdown
from multimix.lab.report.page import write_page
from multimix.lab.report.results import Results
from multimix.lab.report.results_file import write_results
from multimix.lab.report.settings import ReportSettings
from multimix.lab.report.sources import Sources
from multimix.lab.whole import write_whole

TEXTS: dict[str, Callable[[list[Results]], str]] = {".csv": csv_of, ".tex": latex, ".md": markdown}


def make(settings: ReportSettings) -> list[Path]:
    """Writes what is asked for and returns the files.

    Raises:
        UsageError: if a source is none, or holds nothing that a file could show.
    """
    sources, files = Sources.read(settings.sources), settings.files
    for file in files:
        fits = bool(sources.comparisons) or file.suffix == ".html"
        check(fits, "results and tables are of comparisons", "add one, or make a page", output=str(file))
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".html":
            write_page(file, sources.comparisons, sources.variances)
        elif file.suffix == ".json":
            write_results(file, sources.comparisons)
        else:
            write_whole(file, TEXTS[file.suffix](sources.comparisons))
    return files
