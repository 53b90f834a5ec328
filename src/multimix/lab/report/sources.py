"""From what a user names to what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from multimix.lab.comparison import Comparison
from multimix.lab.errors import UsageError
from multimix.lab.report.gather import gather
from multimix.lab.report.results import Results
from multimix.lab.report.results_file import read_results

VARIANCE = "variance.json"


@dataclass(frozen=True)
class Sources:
    """What is reported.

    Args:
        comparisons: Comparisons, in the order given.
        variances: Folders that multimix variance wrote.
    """

    comparisons: list[Results] = field(default_factory=list)
    variances: list[Path] = field(default_factory=list)

    @classmethod
    def read(cls, names: Sequence[str]) -> "Sources":
        """Reads them.

        Raises:
            UsageError: if one is none of what can be reported.
        """
        sources = cls()
        for name in names:
            sources._add(name)
        return sources

    def _add(self, name: str) -> None:
        path = Path(name)
        is_comparison, is_variance = (path / "compare.json").is_file(), (path / VARIANCE).is_file()
        if path.is_file() and path.name == VARIANCE:
            self.variances.append(path.parent)
        elif path.is_file() and path.suffix == ".json":
            self.comparisons.extend(read_results(path))
        elif is_comparison or is_variance:
            self.comparisons.extend([gather(Comparison.read(path))] if is_comparison else [])
            self.variances.extend([path] if is_variance else [])
        else:
            raise UsageError(
                f"a source must be a folder of multimix compare (it holds compare.json) or multimix variance "
                f"({VARIANCE}), or a results .json, got {name!r}; give the --out of a multimix compare"
            )
