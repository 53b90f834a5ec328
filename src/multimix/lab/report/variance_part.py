"""The part of the page about gradient variance."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from multimix.lab.core.errors import UsageError
from multimix.lab.core.json_file import read_json
from multimix.lab.core.printable import printable, printable_inside
from multimix.lab.variance.claims import claims
from multimix.lab.variance.figure import variance_plot
from multimix.lab.variance.run import FILE


@dataclass(frozen=True)
class VariancePart:
    """What the page shows of one folder of multimix variance.

    Args:
        name: What it is called.
        about: What was measured, and by which command.
        moments: When, and what was found then.
        pictures: Inline SVG in the page's colours.
    """

    name: str
    about: str
    command: str
    moments: list[tuple[str, list[str]]]
    pictures: list[Markup]


def variance_part(folder: Path) -> VariancePart:
    """Return what to show of a folder.

    Raises:
        UsageError: if its variance.json cannot be read.
    """
    file = folder / FILE
    try:
        result = printable_inside(read_json(file, dict))
        assert isinstance(result, dict)  # as what was read
        settings = result["settings"]
        return VariancePart(
            name=printable(folder.resolve().name),
            about=f"{settings['data']}, {settings['model']}, {settings['method']}, {settings['replicates']} batches "
            "for each measurement. V is the variance of one batch's gradient: the lower, the less an update depends on "
            "which pairs and coefficients were drawn.",
            command=result["command"],
            moments=[(_when(moment), [*claims(moment), _best(moment)]) for moment in result["moments"]],
            pictures=[Markup(variance_plot(result, "svg").decode())],
        )
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        raise UsageError(f"{FILE} must be readable, got {file}: {error}; measure it again") from error


def _when(moment: dict[str, Any]) -> str:
    return f"{moment['at']}, step {moment['step']}, test error {moment['error']:.1%}"


def _best(moment: dict[str, Any]) -> str:
    best = moment["best"]
    theory = "unbounded" if best["iid_theory"] is None else f"{best['iid_theory']:.2g}"
    return (
        f"Least V × time: K = {best['same_pairs']} from as many pairs, K = {best['same_rows']} from as many rows; by "
        f"the closed form for i.i.d. coefficients K = {theory}."
    )
