"""From the folder of a comparison to its results: every run that is there, whichever command asked for it.

A comparison that was extended, by more methods or seeds in the same folder, remembers the last command only. So each
run says itself which row it was begun for, and has its place in the tables if it was made with the settings of the last
command; what does not fit is named.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any

from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.rows import Row, rows
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.core.own_folder import subfolders
from multimix.lab.core.printable import printable
from multimix.lab.report import readable
from multimix.lab.report.results import CURVE, Curve, Result, Results, RowResults
from multimix.lab.report.results_file import read_row
from multimix.lab.train.method_schedule import options_for
from multimix.lab.train.run_folder import ROW, Record, RunFolder, to_config

DECIDE_ON_SAMPLES = ("data", "data_options", "on_bad_file", "validation_share", "labels_per_class", "split_seed")
MAX_NAMED = 4  # of the runs that are left out for one reason


@dataclass(frozen=True)
class Found:
    """A finished run.

    Args:
        row: The row that it was begun for.
        seed: Its seed.
        folder: Where it lies.
        config: Its settings.
        result: What came out.
        records: What was measured on the way.
        labels: The digest of the labels that it was trained on; None if it was not written down.
    """

    row: Row
    seed: int
    folder: RunFolder
    config: dict[str, Any]
    result: Result
    records: list[Record]
    labels: str | None

    @classmethod
    def read(cls, folder: RunFolder) -> "Found | None":
        """Read a run's files; None if it was begun by no comparison.

        Raises:
            Damaged: naming the file that does not hold what it should.
        """
        row = row_of(folder)
        if row is None:
            return None
        config = folder.config()
        readable.method(config.get("method"))
        seed = readable.whole(config["seed"], "config.json: seed")
        if config.get("steps") is not None:
            readable.whole(config["steps"], "config.json: steps", least=1)
        records = folder.records()
        readable.curve({name: [record.get(name) for record in records] for name in CURVE})
        result = Result.of(seed, folder.evaluation(), records, folder.environment())
        return cls(row, seed, folder, config, result, records, folder.labels())

    @property
    def asked_of_data(self) -> str:
        """The settings that decide on the samples; runs that share them should have the same."""
        return json.dumps([self.config.get(name) for name in DECIDE_ON_SAMPLES], sort_keys=True)

    @property
    def base_steps(self) -> int:
        """Steps of the row with K = 1 that its own steps follow from."""
        return int(self.config.get("steps") or 1) // self.row.times_updates


def gather(comparison: Comparison, log: Callable[[str], None] = lambda line: None) -> Results:
    """Read the run folders of a comparison; what is not there yet has no results.

    Args:
        comparison: Which.
        log: Called with one line per run that is left out as its files are damaged; the notes say so too.
    """
    settings = comparison.settings
    planned = rows(settings)
    found, left_out = _found(comparison.folder, log)
    fitting: list[Found] = []
    for run in found:
        reason = _misfit(run, settings, _base_steps(run, found, planned, settings))
        if reason:
            left_out.setdefault(reason, []).append(run.folder.path.name)
        else:
            fitting.append(run)
    fitting, others = _on_the_same_data(fitting)
    if others:
        left_out["trained on other data than most runs (the labels differ)"] = [run.folder.path.name for run in others]
    every = sorted({*planned, *(run.row for run in fitting)}, key=lambda row: _order(row, settings))
    return Results(
        name=printable(comparison.folder.resolve().name),
        commands=readable.texts([*comparison.earlier, comparison.command], "commands"),
        settings=readable.settings(json.loads(json.dumps(asdict(settings) | {"out": comparison.folder.name}))),
        rows=[_row(row, [run for run in fitting if run.row == row], comparison.failures) for row in every],
        notes=[printable(f"Left out: {_named(names)}, {reason}.") for reason, names in left_out.items()],
    )


def row_of(folder: RunFolder) -> Row | None:
    """Return the row that a run was begun for; None if it was begun by no comparison.

    Raises:
        Damaged: if what is written down of it is no row.
    """
    stored = folder.row()
    if stored is None:
        return None
    try:
        row = read_row(stored)
    except KeyError as error:
        raise Damaged(f"{ROW}: it lacks {error}") from error
    # As they are, to be compared with those of the settings; they are made printable where they are shown.
    return replace(row, data=stored.get("data", ""), variant=stored.get("variant", ""))


def _found(folder: Path, log: Callable[[str], None]) -> tuple[list[Found], dict[str, list[str]]]:
    """Return the finished runs, by seed, and what is there besides: reason -> names."""
    found: list[Found] = []
    left_out: dict[str, list[str]] = {}
    for path in subfolders(folder):
        if not RunFolder(path).finished:
            continue
        try:
            run = Found.read(RunFolder(path))
        except Damaged as error:
            log(f"{path} is left out: {error}")
            left_out.setdefault(f"which is damaged: {error}", []).append(path.name)
            continue
        if run is None:
            left_out.setdefault("which no comparison began", []).append(path.name)
        else:
            found.append(run)
    return sorted(found, key=lambda run: run.seed), left_out


def _misfit(run: Found, settings: CompareSettings, base_steps: int) -> str:
    """Return why a run has no place among those of a comparison; empty if it has."""
    if not run.row.data and len(settings.data) > 1:
        return "from before there were several data sets"
    try:
        if run.row.alpha is None and settings.alphas and options_for(run.row.method, {"alpha": None}):
            return "from before alpha was varied"
        if run.row.length is None and settings.lengths:
            return "from before there were several lengths"
        if run.row.variant and run.row.variant not in settings.variants:
            return ""  # what it changed is not known any more
        wanted = to_config(run.row.settings(settings, base_steps, run.seed))
    except UsageError as error:
        return f"as the last command's settings do not allow for it ({error})"
    differ = [name for name in wanted if name in run.config and run.config[name] != wanted[name]]
    if not differ:
        return ""
    there = ", ".join(f"{name}={run.config[name]!r}" for name in differ)
    return f"made with {there} where the comparison has {', '.join(f'{name}={wanted[name]!r}' for name in differ)}"


def _on_the_same_data(runs: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    """Return the runs that can be averaged and compared, and those whose data had changed.

    What most runs were trained on counts; of as many, what the lowest seed was. Runs that did not write it down are
    taken as they are.
    """
    counts: dict[str, Counter[str]] = {}
    for run in runs:
        if run.labels is not None:
            counts.setdefault(run.asked_of_data, Counter())[run.labels] += 1
    usual = {asked: count.most_common(1)[0][0] for asked, count in counts.items()}
    fits = [run.labels in (None, usual.get(run.asked_of_data)) for run in runs]
    return list(compress(runs, fits)), [run for run, is_same in zip(runs, fits, strict=True) if not is_same]


def _base_steps(run: Found, found: Sequence[Found], planned: Sequence[Row], settings: CompareSettings) -> int:
    """Return the steps of K = 1: as set or, where epochs are, as the runs of the last command have them."""
    if run.row.length is not None:
        return run.row.length
    if settings.steps is not None:
        return settings.steps
    asked = (other for other in found if other.row in planned and other.row.data == run.row.data)
    return next(asked, run).base_steps


def _order(row: Row, settings: CompareSettings) -> tuple[Any, ...]:
    """Return what sorts rows as the comparison's own are, with others after them; K rises, whichever command asked."""
    values: list[tuple[Any, Sequence[Any]]] = [
        (row.data, ("", *settings.data)),
        (row.method, settings.methods),
        (row.alpha, (None, *settings.alphas)),
        (row.num_mixes, ()),
        (row.control, ("", *settings.controls)),
        (row.variant, ("", *settings.variants)),
        (row.length, (None, *settings.lengths)),
    ]
    return tuple((known.index(value), "") if value in known else (len(known), value) for value, known in values)


def _row(row: Row, found: Sequence[Found], failures: Mapping[str, str]) -> RowResults:
    return RowResults(
        row=replace(row, data=printable(row.data), variant=printable(row.variant)),
        runs=[run.result for run in found],
        failures=dict(sorted(_failures(row, {run.seed for run in found}, failures))),
        curve=Curve.of([run.records for run in found]) if found else None,
    )


def _failures(row: Row, done: set[int], failures: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    for folder, reason in failures.items():
        name, _, seed = folder.rpartition("-s")
        if name == row.name and re.fullmatch(r"\d{1,18}", seed, re.ASCII) and int(seed) not in done:
            yield int(seed), printable(reason)


def _named(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
