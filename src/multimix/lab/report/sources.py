"""From what a user names to what was measured."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from multimix.lab.compare.folder import FILE as COMPARISON
from multimix.lab.compare.folder import Comparison
from multimix.lab.core.errors import UsageError
from multimix.lab.core.printable import printable
from multimix.lab.report.gather import gather
from multimix.lab.report.results import Results
from multimix.lab.report.results_file import read_results
from multimix.lab.report.variance_part import VariancePart, variance_part
from multimix.lab.variance.run import FILE as VARIANCE


@dataclass(frozen=True)
class Sources:
    """What is reported.

    Args:
        comparisons: Comparisons, in the order given.
        variances: What folders of multimix variance hold.
        left_out: What is not there as its file is damaged, a line each.
    """

    comparisons: list[Results] = field(default_factory=list)
    variances: list[VariancePart] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, names: Sequence[str]) -> "Sources":
        """Read them; one that is damaged is left out, as long as another is not.

        Raises:
            UsageError: if one is none of what can be reported, or all are damaged.
        """
        sources = cls()
        places: list[Path] = []  # of each comparison
        for path, kind in [(Path(name), kind) for name in names for kind in _kinds(name)]:
            try:
                if kind == COMPARISON:
                    sources.comparisons.append(gather(Comparison.read(path), sources.left_out.append))
                elif kind == VARIANCE:
                    sources.variances.append(variance_part(path.parent if path.is_file() else path))
                else:
                    sources.comparisons.extend(read_results(path))
            except UsageError as error:
                sources.left_out.append(str(error))
            places += [path] * (len(sources.comparisons) - len(places))
        if not sources.comparisons and not sources.variances:
            raise UsageError("; ".join(sources.left_out))
        return replace(sources, comparisons=_told_apart(sources.comparisons, places))


def _told_apart(comparisons: Sequence[Results], places: Sequence[Path]) -> list[Results]:
    """Return comparisons of which no two have one name: with the folder above before it, or else a number behind."""
    names = [each.name for each in comparisons]
    often = Counter(names)
    above = [printable(place.resolve().parent.name) for place in places]
    names = [f"{place}/{name}" if often[name] > 1 else name for place, name in zip(above, names, strict=True)]
    often = Counter(names)
    names = [f"{name} ({number})" if often[name] > 1 else name for number, name in enumerate(names, start=1)]
    return [replace(each, name=name) for each, name in zip(comparisons, names, strict=True)]


def _kinds(name: str) -> list[str]:
    """Return what is read of a source: a file's kind, or those of the files in a folder, which may be of two."""
    path = Path(name)
    if path.is_file() and path.suffix == ".json":
        return [VARIANCE if path.name == VARIANCE else "results"]
    found = [file for file in (COMPARISON, VARIANCE) if (path / file).exists()]
    if not found:
        raise UsageError(
            f"a source must be a folder of multimix compare (it holds compare.json) or multimix variance "
            f"({VARIANCE}), or a results .json, got {name!r}; give the --out of a multimix compare"
        )
    return found
