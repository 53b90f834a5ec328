"""What is reported, and into which files."""

from dataclasses import dataclass
from pathlib import Path

from multimix.lab.core.checks import check, check_place

SUFFIXES = {
    ".html": "a page",
    ".json": "results",
    ".csv": "one line per row and number",
    ".tex": "tables",
    ".md": "tables",
}


@dataclass(frozen=True)
class ReportSettings:
    """A page, results or tables of what was measured.

    Args:
        sources: Folders of comparisons or of multimix variance, and results files (.json).
        output: Files to write (-o), comma separated: .html is the page, .json results from which all can be made
            again, .csv one line per row and number, .tex and .md the tables (default report.html in the first folder).
        samples: Data sets of which the page may show samples, comma separated, named as in the comparison (digits and
            synthetic, which lie in no file, need not be named).
        data_root: Folder of local copies of these data sets.
    """

    sources: tuple[str, ...]
    output: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    data_root: str | None = None

    def __post_init__(self) -> None:
        check(
            len(self.sources) > 0, "sources must name at least one", "give the --out of a multimix compare", sources=()
        )
        for source in self.sources:
            check_place("sources", source)
        differ = len({Path(source).resolve() for source in self.sources}) == len(self.sources)
        check(differ, "sources must differ", "drop one", sources=self.sources)
        check_place("data_root", self.data_root)
        for name in self.output:
            known = Path(name).suffix in SUFFIXES
            check(known, f"output must end in one of {', '.join(SUFFIXES)}", "try -o report.html", output=name)
        check(len(set(self.output)) == len(self.output), "output must differ", "drop one", output=self.output)

    @property
    def files(self) -> list[Path]:
        """The files to write."""
        if self.output:
            return [Path(name) for name in self.output]
        folder = next((Path(source) for source in self.sources if Path(source).is_dir()), None)
        check(folder is not None, "output must be given where no source is a folder", "add -o report.html", output=())
        assert folder is not None
        return [folder / "report.html"]
