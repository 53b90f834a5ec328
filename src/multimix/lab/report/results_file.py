"""Comparisons in one JSON file: from it everything can be made again without the run folders.

{"format": "multimix results 1", "multimix": version, "comparisons": [
  {"name", "commands", "core_hours", "settings", "notes", "environments": [...],
   "rows": [{"row", "failures", "curve", "runs": [{"seed", "environment": which of them, "cost", "evaluation"}]}]}]}

Numbers have six significant digits, a run is a line, and the same runs give the same bytes. Numbers by bin, which are
called `<name>/<bin>/<of what>`, are kept as lists: `"bins": {"<name>": {"<of what>": [...]}}`, null for an empty bin.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from multimix.lab.compare.rows import Row
from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.core.json_file import read_json
from multimix.lab.core.machine import installed
from multimix.lab.report import readable
from multimix.lab.report.metrics import is_bin
from multimix.lab.report.results import Curve, Result, Results, RowResults, rounded

FORMAT = "multimix results 1"


def write_results(path: Path, comparisons: Sequence[Results]) -> None:
    """Write comparisons, whole or not at all."""
    head = f'{{"format": {_json(FORMAT)}, "multimix": {_json(installed("multimix"))}, "comparisons": [\n'
    write_atomic(path, head + ",\n".join(map(_comparison, comparisons)) + "\n]}\n")


def read_results(path: Path) -> list[Results]:
    """Read the comparisons of a file.

    Raises:
        UsageError: if it is no such file.
    """
    try:
        stored = read_json(path.resolve(), dict)
        if stored.get("format") != FORMAT:
            raise Damaged(f"its format is not {FORMAT!r}")
        comparisons = readable.typed(stored.get("comparisons"), list, "comparisons")
        return [_read(readable.typed(each, dict, "a comparison")) for each in comparisons]
    except (Damaged, KeyError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
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
    met = [run.environment for row in results.rows for run in row.runs]
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
    """Return the numbers by bin as lists."""
    folded: dict[str, dict[str, list[float | None]]] = {}
    for full_name, value in evaluation.items():
        if not is_bin(full_name):
            continue
        name, number, of_what = full_name.split("/")
        values = folded.setdefault(name, {}).setdefault(of_what, [])
        values += [None] * (int(number) + 1 - len(values))
        values[int(number)] = value
    return folded


def _unfolded(bins: object) -> dict[str, Any]:
    return {
        f"{name}/{number:02}/{of_what}": value
        for name, lists in readable.typed(bins, dict, "bins").items()
        for of_what, values in readable.typed(lists, dict, name).items()
        for number, value in enumerate(readable.typed(values, list, of_what))
        if value is not None
    }


def _read(stored: Mapping[str, Any]) -> Results:
    environments = readable.typed(stored["environments"], list, "environments")
    rows = [_read_row(row, environments) for row in readable.typed(stored["rows"], list, "rows")]
    if not rows or len({row.row for row in rows}) < len(rows):
        raise Damaged("it has no rows, or one twice")
    return Results(
        name=readable.text(stored["name"], "name"),
        commands=readable.texts(stored["commands"], "commands"),
        settings=readable.settings(stored["settings"]),
        rows=rows,
        notes=readable.texts(stored["notes"], "notes"),
    )


def _read_row(row: object, environments: Sequence[object]) -> RowResults:
    stored = readable.typed(row, dict, "a row")
    runs = [_read_run(run, environments) for run in readable.typed(stored["runs"], list, "runs")]
    failures = readable.typed(stored["failures"], dict, "failures")
    return RowResults(
        row=read_row(readable.typed(stored["row"], dict, "row")),
        runs=runs,
        failures={_seed(seed): readable.text(reason, "a failure") for seed, reason in failures.items()},
        curve=Curve.read(stored["curve"]),
    )


def read_row(stored: Mapping[str, Any]) -> Row:
    """Return a row of which nothing is known to be as it should.

    Raises:
        Damaged, KeyError: if it is none.
    """
    alpha, length = stored.get("alpha"), stored.get("length")
    return Row(
        method=readable.method(stored["method"]),
        num_mixes=readable.whole(stored["num_mixes"], "num_mixes", least=1),
        control=readable.control(stored.get("control", "")),
        alpha=None if alpha is None else readable.number(alpha, "alpha", least=0),
        data=readable.text(stored.get("data", ""), "data"),
        variant=readable.text(stored.get("variant", ""), "variant"),
        length=None if length is None else readable.whole(length, "length", least=1),
    )


def _read_run(run: object, environments: Sequence[object]) -> Result:
    stored = readable.typed(run, dict, "a run")
    number = readable.whole(stored["environment"], "environment")
    if number >= len(environments):
        raise Damaged(f"it has no environment {number}")
    evaluation = readable.typed(stored["evaluation"], dict, "evaluation") | _unfolded(stored.get("bins", {}))
    cost = readable.typed(stored["cost"], dict, "cost")
    return Result.read(stored["seed"], evaluation, cost, environments[number])


def _seed(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise Damaged("a seed is no whole number")
    return int(text)
