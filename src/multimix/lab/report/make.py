"""Sources in, files out."""

from collections.abc import Callable

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.checks import check
from multimix.lab.report.csv_file import csv_of
from multimix.lab.report.latex import latex
from multimix.lab.report.markdown import markdown
from multimix.lab.report.page import write_page
from multimix.lab.report.previews import Samples
from multimix.lab.report.results import Results
from multimix.lab.report.results_file import write_results
from multimix.lab.report.settings import ReportSettings
from multimix.lab.report.sources import Sources

TEXTS: dict[str, Callable[[list[Results]], str]] = {".csv": csv_of, ".tex": latex, ".md": markdown}


def make(settings: ReportSettings, log: Callable[[str], None] = lambda line: None) -> list[str]:
    """Write the files that are asked for.

    Args:
        settings: What is asked.
        log: Called with what is left out, before the files are written.

    Returns:
        What is not in the files as it is damaged, a line each.

    Raises:
        UsageError: if a source is none, or there is nothing that a file could show.
    """
    sources = Sources.read(settings.sources)
    for line in sources.left_out:
        log(line)
    for file in settings.files:
        fits = bool(sources.comparisons) or file.suffix == ".html"
        check(fits, "results and tables are of comparisons", "add one, or make a page", output=str(file))
    for file in settings.files:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".html":
            write_page(file, sources.comparisons, sources.variances, Samples(settings.samples, settings.data_root))
        elif file.suffix == ".json":
            write_results(file, sources.comparisons)
        else:
            write_atomic(file, TEXTS[file.suffix](sources.comparisons))
    return sources.left_out
