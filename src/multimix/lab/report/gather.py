"""From the folder of a comparison to its results: every run that is there, whichever command asked for it.

A comparison that was extended, by more methods or seeds in the same folder, remembers the last command only. So rows
are known by the names of their run folders, and a run has its place in the tables if it was made with the settings of
the last command; what does not fit is named.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from multimix.lab.comparison import Comparison
from multimix.lab.config import CONTROLS, CompareSettings
from multimix.lab.controls import Row, as_file_name, rows
from multimix.lab.errors import UsageError
from multimix.lab.report.results import Curve, Result, Results, RowResults
from multimix.lab.run_folder import RunFolder, as_json
from multimix.lab.which_method import options_for

NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
NAME = re.compile(
    rf"(?:-a(?P<alpha>{NUMBER}))?(?:-k(?P<k>\d+))?(?:-(?P<control>{'|'.join(CONTROLS)}))?(?:-(?P<variant>.+))?"
)
MAX_NAMED = 4  # of the runs that are left out for one reason


@dataclass(frozen=True)
class Found:
    """A finished run.

    Args:
        row: The row that its folder's name tells.
        seed: Its seed.
        folder: Where it lies.
        config: Its settings.
    """

    row: Row
    seed: int
    folder: RunFolder
    config: dict[str, Any]

    @property
    def base_steps(self) -> int:
        """Steps of the row with K = 1 that its own steps follow from."""
        return int(self.config["steps"]) // (self.row.num_mixes if self.row.control == "equal-epochs" else 1)


def gather(comparison: Comparison) -> Results:
    """Reads the run folders of a comparison; what is not there yet has no results."""
    settings = comparison.settings
    planned = rows(settings)
    found, left_out = _found(comparison.folder)
    fitting: list[Found] = []
    for run in found:
        reason = _misfit(run, settings, _base_steps(run, found, planned, settings))
        if reason:
            left_out.setdefault(reason, []).append(run.folder.path.name)
        else:
            fitting.append(run)
    every = sorted({*planned, *(run.row for run in fitting)}, key=_order(settings))
    return Results(
        name=comparison.folder.resolve().name,
        commands=[*comparison.earlier, comparison.command],
        settings=json.loads(json.dumps(asdict(settings) | {"out": comparison.folder.name})),
        rows=[_row(row, [run for run in fitting if run.row == row], comparison.failures) for row in every],
        notes=[f"Left out: {_named(names)}, {reason}." for reason, names in left_out.items()],
    )


def row_of(folder: str, config: Mapping[str, Any]) -> Row | None:
    """Returns the row that a run belongs to, told by the name of its folder; None if that is no run of a comparison."""
    method, data = str(config.get("method")), str(config.get("data"))
    label = folder.removesuffix(f"-s{config.get('seed')}")
    prefix = Row("none", 1, data=data).name.removesuffix("none")
    start = as_file_name(method)
    is_named = not label.startswith(start) and label.startswith(prefix)
    label = label.removeprefix(prefix) if is_named else label
    parts = NAME.fullmatch(label.removeprefix(start)) if label.startswith(start) else None
    if parts is None or label == folder or (parts["k"] is None) != (method == "none"):
        return None
    return Row(
        method=method,
        num_mixes=int(parts["k"] or 1),
        control=parts["control"] or "",
        alpha=float(parts["alpha"]) if parts["alpha"] else None,
        data=data if is_named else "",
        variant=parts["variant"] or "",
    )


def _found(folder: Path) -> tuple[list[Found], dict[str, list[str]]]:
    """Returns the finished runs, by seed, and what is there besides: reason -> names."""
    found: list[Found] = []
    left_out: dict[str, list[str]] = {}
    for file in sorted(folder.glob("*/evaluation.json")):
        run = RunFolder(file.parent)
        config = _config(run)
        row = row_of(file.parent.name, config)
        if row is None:
            left_out.setdefault("which is no run of a comparison by its name", []).append(file.parent.name)
        else:
            found.append(Found(row, int(config["seed"]), run, config))
    return sorted(found, key=lambda run: run.seed), left_out


def _config(run: RunFolder) -> dict[str, Any]:
    file = run.path / "config.json"
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"a run's config.json must be readable, got {error} in {file}; remove the folder") from error


def _misfit(run: Found, settings: CompareSettings, base_steps: int) -> str:
    """Returns why a run has no place among those of a comparison; empty if it has."""
    if not run.row.data and len(settings.data) > 1:
        return "from before there were several data sets"
    if run.row.alpha is None and settings.alphas and options_for(run.row.method, {"alpha": None}):
        return "from before alpha was varied"
    if run.row.variant and run.row.variant not in settings.variants:
        return ""  # what it changed is not known any more
    try:
        wanted = as_json(run.row.settings(settings, base_steps, run.seed))
    except UsageError as error:
        return f"as the last command's settings do not allow for it ({error})"
    differ = [name for name in wanted if name in run.config and run.config[name] != wanted[name]]
    if not differ:
        return ""
    there = ", ".join(f"{name}={run.config[name]!r}" for name in differ)
    return f"made with {there} where the comparison has {', '.join(f'{name}={wanted[name]!r}' for name in differ)}"


def _base_steps(run: Found, found: Sequence[Found], planned: Sequence[Row], settings: CompareSettings) -> int:
    """Returns the steps of K = 1: as set or, where epochs are, as the runs of the last command have them."""
    if settings.steps is not None:
        return settings.steps
    asked = (other for other in found if other.row in planned and other.row.data == run.row.data)
    return next(asked, run).base_steps


def _order(settings: CompareSettings) -> Any:
    """Returns the key that sorts rows as the comparison's own are, with others among them; K rises."""

    def place(value: Any, known: Sequence[Any]) -> tuple[int, Any]:
        return (known.index(value), "") if value in known else (len(known), value)

    def key(row: Row) -> tuple[Any, ...]:
        alpha = (-1, "") if row.alpha is None else place(row.alpha, settings.alphas)
        return (
            place(row.data, ("", *settings.data)),
            place(row.method, settings.methods),
            alpha,
            row.num_mixes,  # whichever command asked for it
            place(row.control, ("", *settings.controls)),
            place(row.variant, ("", *settings.variants)),
        )

    return key


def _row(row: Row, found: Sequence[Found], failures: Mapping[str, str]) -> RowResults:
    records = [run.folder.records() for run in found]
    pairs = zip(found, records, strict=True)
    return RowResults(
        row=row,
        runs=[Result.of(run.seed, run.folder.evaluation(), lines, run.folder.environment()) for run, lines in pairs],
        failures=dict(sorted(_failures(row, {run.seed for run in found}, failures))),
        curve=Curve.of(records) if records else None,
    )


def _failures(row: Row, done: set[int], failures: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    for folder, reason in failures.items():
        name, _, seed = folder.rpartition("-s")
        if name == row.name and int(seed) not in done:
            yield int(seed), reason


def _named(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
