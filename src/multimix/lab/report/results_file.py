"""Comparisons in one JSON file: from it everything can be made again without the run folders.

{"format": "multimix results 1", "multimix": version, "comparisons": [
  {"name", "commands", "core_hours", "settings", "notes", "environments": [...],
   "rows": [{"row", "failures", "curve", "runs": [{"seed", "environment": which of them, "cost", "evaluation"}]}]}]}

Numbers have six significant digits, a run is a line, and the same runs give the same bytes. Numbers by bin, which are
called `<name>/<bin>/<of what>`, are kept as lists: `"bins": {"<name>": {"<of what>": [...]}}`, null for an empty bin.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from multimix.lab.controls import Row
from multimix.lab.environment import installed
from multimix.lab.errors import UsageError
from multimix.lab.report.metrics import is_bin
from multimix.lab.report.results import Curve, Result, Results, RowResults, rounded
from multimix.lab.whole import write_whole

FORMAT = "multimix results 1"


def write_results(path: Path, comparisons: Sequence[Results]) -> None:
    """Writes comparisons, whole or not at all."""
    head = f'{{"format": {_json(FORMAT)}, "multimix": {_json(installed("multimix"))}, "comparisons": [\n'
    write_whole(path, head + ",\n".join(map(_comparison, comparisons)) + "\n]}\n")


def read_results(path: Path) -> list[Results]:
    """Reads the comparisons of a file.

    Raises:
        UsageError: if it is no such file.
    """
    try:
        stored = json.loads(path.read_text())
        if not isinstance(stored, dict) or stored.get("format") != FORMAT:
            raise ValueError(f"no {FORMAT!r}")
        return [_read(comparison) for comparison in stored["comparisons"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"a results file must be one that multimix report -o NAME.json wrote, got {str(path)!r} ({reason}); "
            f"make it again"
        ) from error


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _comparison(results: Results) -> str:
    environments = _environments(results)
    rows = ",\n".join(_row(row, environments) for row in results.rows)
    listed = ",\n".join(f" {_json(environment)}" for environment in environments)
    return (
        f'{{"name": {_json(results.name)},\n"commands": {_json(results.commands)},\n'
        f'"core_hours": {_json(rounded(results.core_hours))},\n"settings": {_json(results.settings)},\n'
        f'"notes": {_json(results.notes)},\n"environments": [\n{listed}\n],\n"rows": [\n{rows}\n]}}'
    )


def _environments(results: Results) -> list[dict[str, Any]]:
    met: list[dict[str, Any]] = []
    for row in results.rows:
        met += [run.environment for run in row.runs if run.environment not in met]
    return [environment for i, environment in enumerate(met) if environment not in met[:i]]


def _row(row: RowResults, environments: Sequence[Mapping[str, Any]]) -> str:
    curve = None if row.curve is None else asdict(row.curve)
    runs = ",\n".join(f"  {_json(_run(run, environments))}" for run in row.runs)
    return (
        f' {{"row": {_json(asdict(row.row))}, "failures": {_json(row.failures)},\n  "curve": {_json(curve)},\n'
        f'  "runs": [\n{runs}\n  ]}}'
    )


def _run(run: Result, environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    plain = {name: value for name, value in run.evaluation.items() if not is_bin(name)}
    stored: dict[str, Any] = {"seed": run.seed, "environment": environments.index(run.environment)}
    stored |= {"cost": run.cost, "evaluation": plain}
    bins = _folded(run.evaluation)
    return stored | {"bins": bins} if bins else stored


def _folded(evaluation: Mapping[str, float]) -> dict[str, dict[str, list[float | None]]]:
    """Returns the numbers by bin as lists."""
    folded: dict[str, dict[str, list[float | None]]] = {}
    for full_name, value in evaluation.items():
        if not is_bin(full_name):
            continue
        name, number, of_what = full_name.split("/")
        values = folded.setdefault(name, {}).setdefault(of_what, [])
        values += [None] * (int(number) + 1 - len(values))
        values[int(number)] = value
    return folded


def _unfolded(bins: Mapping[str, Mapping[str, Sequence[float | None]]]) -> dict[str, float]:
    return {
        f"{name}/{number:02}/{of_what}": value
        for name, lists in bins.items()
        for of_what, values in lists.items()
        for number, value in enumerate(values)
        if value is not None
    }


def _read(stored: Mapping[str, Any]) -> Results:
    return Results(
        name=stored["name"],
        commands=stored["commands"],
        settings=stored["settings"],
        rows=[_read_row(row, stored["environments"]) for row in stored["rows"]],
        notes=stored["notes"],
    )


def _read_row(stored: Mapping[str, Any], environments: Sequence[dict[str, Any]]) -> RowResults:
    runs = [
        Result(
            seed=run["seed"],
            evaluation=run["evaluation"] | _unfolded(run.get("bins", {})),
            cost=run["cost"],
            environment=environments[run["environment"]],
        )
        for run in stored["runs"]
    ]
    curve = None if stored["curve"] is None else Curve(**stored["curve"])
    failures = {int(seed): reason for seed, reason in stored["failures"].items()}
    return RowResults(Row(**stored["row"]), runs, failures, curve)
