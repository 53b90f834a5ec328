"""Does least variance × time predict the K with least error?

    multimix variance --data digits --model small-cnn --method METHOD --out runs/variance_METHOD    # for each method
    python experiments/theory_and_error.py experiments/results/methods_digits.json runs/variance_*/variance.json

Reads runs with several K of same-rows (P/K pairs × K), and for each method the gradient variance V and the time
of a step of batches made alike (`multimix variance`), and trains nothing. For every method and moment of a run: the
Spearman rank correlation over K of V × time, of V alone and, as a baseline, of K itself, with mean error and mean NLL;
the K with the least of each. +1: the theory ranks K as the error does; −1: the other
way round; 0: it says nothing.

Intervals are 95 % bootstrap percentiles over the seeds of the runs, all K and methods with the same resampled seeds;
how well V × time itself is known stands beside it. They say what other seeds could give, not what other K could: of
five K in chance order, one in 60 has a Spearman correlation of 1 or −1. Least error is the test split's: it is what is
to be predicted, nothing is chosen by it.

Costs seconds. Writes results/theory_and_error.md and .png beside this file.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.errors import UsageError
from multimix.lab.report.metrics import metric_of
from multimix.lab.report.results import Result, Results
from multimix.lab.report.results_file import read_results
from multimix.lab.report.words import with_limits
from multimix.lab.statistics import Interval, paired, t_interval
from multimix.lab.variance.designs import FEWER, MIXES

HERE = Path(__file__).parent / "results"
COMMAND = "python experiments/theory_and_error.py"
SAME_ROWS = "same-rows"
METRICS = ("error", "nll")
THEORIES = {"variance_time_to_one": "V × time", "to_one": "V"}  # name in variance.json -> what it is
CORRELATED = THEORIES | {"num_mixes": "K itself"}
RESAMPLES = 2000
FEWEST = 3  # values of K that can be ranked to any purpose
SAME = (
    "model",
    "steps",
    "batch_size",
    "sampling",
    "share",
    "partners",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "schedule",
)
Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Known = dict[int, tuple[float, float, float]]  # K -> in units of K = 1, and its 95 % interval


def spearman(x: Floats, y: Floats) -> Floats:
    """Returns Spearman's rank correlation of x (K,) with each y (..., K); NaN where all are the same."""
    a, b = _centred_ranks(x), _centred_ranks(y)
    norms = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    products = (a * b).sum(axis=-1)
    return np.divide(products, norms, out=np.full_like(products, math.nan), where=norms > 0)


def _centred_ranks(values: Floats) -> Floats:
    ranks: Floats = stats.rankdata(values, axis=-1)
    return ranks - ranks.mean(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Correlation:
    """A rank correlation over K, or the mean of several methods'; None where one side is the same for all K.

    Args:
        value: Of the means over seeds.
        low: Lower end of the 95 % bootstrap interval; None from one seed.
        high: Upper end.
        seeds: Number of seeds.
        methods: Number of methods.
        undefined: Share of the resamples without a correlation; they are left out.
    """

    value: float | None
    low: float | None
    high: float | None
    seeds: int
    methods: int
    undefined: float

    @classmethod
    def of(cls, values: Floats, seeds: int) -> "Correlation":
        """Returns that of (methods, 1 + resamples) values, the first of all seeds; methods without are left out."""
        values = values[np.isfinite(values[:, 0])]
        if not len(values):
            return cls(None, None, None, seeds, 0, 1.0)
        mean, *resampled = values.mean(axis=0).tolist()
        defined = [value for value in resampled if math.isfinite(value)]
        undefined = 1 - len(defined) / len(resampled)
        if seeds < 2 or not defined:
            return cls(mean, None, None, seeds, len(values), undefined)
        low, high = np.quantile(defined, (0.025, 0.975)).tolist()
        return cls(mean, low, high, seeds, len(values), undefined)

    def __str__(self) -> str:
        if self.value is None:
            return "none: no differences"
        return f"{self.value:+.2f}" + ("" if self.low is None else f" ({self.low:+.2f} to {self.high:+.2f})")

    def meaning(self, title: str) -> str:
        """Returns what the interval says of a metric of this title."""
        if self.value is None or self.low is None or self.high is None:
            return "no interval"
        if self.low <= 0 <= self.high:
            return "not significant"
        return f"significant, {title} {'rises' if self.low > 0 else 'falls'} with it"


@dataclass(frozen=True)
class Theory:
    """What `multimix variance` found for one method at one moment of a run.

    Args:
        method: The method.
        at: The moment.
        known: Name of a theory -> what it says.
    """

    method: str
    at: str
    known: dict[str, Known]

    def predictions(self, theory: str) -> Floats:
        """Returns what a theory ranks each K by, (K,); K itself ranks it too."""
        known = self.known.get(theory)
        return np.array([value for value, _, _ in known.values()] if known else list(self.known["to_one"]), float)

    def best(self, theory: str) -> int:
        """Returns the K with the least of it."""
        return min(self.known[theory], key=lambda k: self.known[theory][k][0])


@dataclass(frozen=True)
class Runs:
    """The runs of a method.

    Args:
        same_rows: K -> those of same-rows of each seed, in the same order for all K.
    """

    same_rows: dict[int, list[Result]]

    def values(self, name: str) -> Floats:
        """Returns a metric with the same rows, (seeds, K)."""
        return np.array([[run.evaluation[name] for run in those] for those in self.same_rows.values()]).T

    def best(self, name: str) -> int:
        """Returns the K with the least mean of a metric."""
        means = self.values(name).mean(axis=0)
        return list(self.same_rows)[int(means.argmin())]

    def change(self, k: int, reference: int, name: str) -> Interval:
        """Returns a metric with one K less that with another, paired by seed."""
        values, others = ([run.evaluation[name] for run in self.same_rows[those]] for those in (k, reference))
        return paired(values, others).difference


def main() -> None:
    """Put theory and runs together, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("variance", type=Path, nargs="+")
    asked = parser.parse_args()
    try:
        results = _results(asked.results)
        theories = [theory for file in asked.variance for theory in _theories(file, results)]
        runs, theories = matched(results, theories)
    except UsageError as error:
        parser.exit(2, f"{error}\n")
    found = correlations(runs, theories)
    HERE.mkdir(exist_ok=True)
    _figure(runs, theories).savefig(HERE / "theory_and_error.png", dpi=80)
    write_atomic(HERE / "theory_and_error.md", _page(results, runs, theories, found))


def _results(path: Path) -> Results:
    try:
        found = read_results(path)
    except OSError as error:
        raise UsageError(f"the results must be there, got {error}; run the comparison first") from error
    if len(found) != 1:
        raise UsageError(f"the results must be of one comparison, got {len(found)} in {path}; report one alone")
    return found[0]


def _theories(file: Path, results: Results) -> list[Theory]:
    """Reads what was measured for one method, of the same runs as the results."""
    try:
        there = json.loads(file.read_text())
        settings, moments = dict(there["settings"]), list(there["moments"])
        wanted = {name: results.settings[name] for name in SAME} | {"data": results.settings["data"][0]}
        differ = [name for name, value in wanted.items() if settings.get(name) != value]
        if differ:
            raise UsageError(
                f"variance must be measured as the runs were made, got "
                f"{', '.join(f'{name}={settings.get(name)!r} where they have {wanted[name]!r}' for name in differ)} in "
                f"{file}; measure it with their settings"
            )
        return [theory_of(settings, moment) for moment in moments]
    except UsageError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"variance must be a variance.json of multimix variance, got {error!r} in {file}; measure it again"
        ) from error


def theory_of(settings: Mapping[str, Any], moment: Mapping[str, Any]) -> Theory:
    """Returns what one moment says of batches of as many rows: P/K pairs × K as configured, and K = 1."""
    draw = [settings[name] for name in ("sampling", "share", "partners")]
    known: dict[str, Known] = {name: {} for name in THEORIES}
    for design in moment["designs"]:
        configured = [design[name] for name in ("sampling", "share", "partners")] == draw and design["norm"] == "batch"
        if configured and design["kind"] == (MIXES if design["num_mixes"] == 1 else FEWER):
            for name in THEORIES:
                estimate = design[name]
                bounds = (math.inf if estimate[end] is None else estimate[end] for end in ("low", "high"))
                known[name][design["num_mixes"]] = (estimate["value"], *bounds)
    return Theory(settings["method"], moment["at"], known)


def matched(results: Results, theories: Sequence[Theory]) -> tuple[dict[str, Runs], list[Theory]]:
    """Returns the runs of each method, and what theory says, of the K that both have and the seeds that all runs have.

    Raises:
        UsageError: if fewer K than can be ranked are left, or no seed.
    """
    rows = {row.row.label: {run.seed: run for run in row.runs} for row in results.rows if row.runs}
    names = {
        theory.method: [k for k in theory.known["to_one"] if _label(theory.method, k) in rows] for theory in theories
    }
    for method, those in names.items():
        if len(those) < FEWEST or 1 not in those:
            raise UsageError(
                f"{FEWEST} values of K, one of them 1, must have runs of {SAME_ROWS} and a variance, got {those} for "
                f"{method}; compare and measure more"
            )
    used = [rows[_label(method, k)] for method, those in names.items() for k in those]
    seeds = sorted(set.intersection(*(set(runs) for runs in used)))
    if not seeds:
        raise UsageError("the runs must share a seed, got none that all have; finish the comparison")
    runs = {
        method: Runs({k: [rows[_label(method, k)][seed] for seed in seeds] for k in those})
        for method, those in names.items()
    }
    kept = [
        Theory(t.method, t.at, {name: {k: known[k] for k in names[t.method]} for name, known in t.known.items()})
        for t in theories
    ]
    return runs, kept


def _label(method: str, k: int) -> str:
    return f"{method}-k{k}" + (f"-{SAME_ROWS}" if k > 1 else "")


def correlations(runs: Mapping[str, Runs], theories: Sequence[Theory]) -> dict[tuple[str, ...], Correlation]:
    """Returns (method, moment, theory, metric) -> correlation; the mean of all methods is "all"."""
    seeds = len(next(iter(next(iter(runs.values())).same_rows.values())))
    picks = np.vstack([np.arange(seeds), np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))])
    found, together = {}, {}
    for metric in METRICS:
        means = {method: those.values(metric)[picks].mean(axis=1) for method, those in runs.items()}
        for name in CORRELATED:
            for theory in theories:
                values = spearman(theory.predictions(name), means[theory.method])
                found[theory.method, theory.at, name, metric] = Correlation.of(values[None], seeds)
                together.setdefault(("all", theory.at, name, metric), []).append(values)
    return found | {key: Correlation.of(np.array(values), seeds) for key, values in together.items()}


def _choice(theory: Theory, runs: Runs) -> dict[str, Any]:
    return {
        "method": theory.method,
        "at": theory.at,
        **{f"least_{name}": theory.best(name) for name in THEORIES},
        **{f"least_{name}": runs.best(name) for name in METRICS},
    }


def _page(
    results: Results,
    runs: Mapping[str, Runs],
    theories: Sequence[Theory],
    found: Mapping[tuple[str, ...], Correlation],
) -> str:
    seeds = len(next(iter(next(iter(runs.values())).same_rows.values())))
    settings = results.settings
    parts = [
        f"# Does least variance × time predict the K with least error? {settings['data'][0]}, {settings['model']}",
        f"Printed by `{COMMAND} RESULTS VARIANCE...`: {settings['steps']} steps of {settings['batch_size']} rows, "
        f"{seeds} seeds. V and V × time are those of P/K pairs × K, in units of K = 1. Correlations are Spearman's, "
        "over K: +1 where theory ranks K as the mean over seeds does, −1 where the other way round; in brackets 95 % "
        f"bootstrap intervals over seeds ({RESAMPLES:,} resamples). How well V × time itself is known is not in them, "
        "but in its own table. Where K itself, which needs no measuring, is as well correlated, theory predicts no "
        "more than that error rises or falls with K.",
        "![Error by variance × time](theory_and_error.png)",
    ]
    moments = list(dict.fromkeys(theory.at for theory in theories))
    for metric in METRICS:
        parts += [f"## Correlation with {metric_of(metric).title.removesuffix(', %')}", _correlated(found, metric)]
    parts += ["## In words", "\n".join(_words(found, at, metric) for at in moments for metric in METRICS)]
    parts += ["## The K that each would choose", _chosen(theories, runs)]
    parts += ["## V × time", _known(theories)]
    return "\n\n".join(parts) + "\n"


def _correlated(found: Mapping[tuple[str, ...], Correlation], metric: str) -> str:
    lines = [f"| method | at | {' | '.join(CORRELATED.values())} | n |", f"|---|---|{'---:|' * (len(CORRELATED) + 1)}"]
    for method, at in dict.fromkeys((method, at) for method, at, *_ in found):
        those = [found[method, at, name, metric] for name in CORRELATED]
        number = f"{those[0].seeds} seeds"
        if method == "all":
            method, number = "**mean**", f"{those[0].methods} methods, {number}"
        lines.append(f"| {method} | {at} | {' | '.join(map(str, those))} | {number} |")
    return "\n".join(lines)


def _words(found: Mapping[tuple[str, ...], Correlation], at: str, metric: str) -> str:
    title = metric_of(metric).title.removesuffix(", %")
    told = []
    for name, called in CORRELATED.items():
        pooled = found["all", at, name, metric]
        told.append(f"{called} {pooled}, {pooled.methods} methods, n = {pooled.seeds}: {pooled.meaning(title)}")
    return f"- **{title}, at {at}** (mean of the methods): {'; '.join(told)}."


def _chosen(theories: Sequence[Theory], runs: Mapping[str, Runs]) -> str:
    lines = [
        "Least error and least NLL are the test split's, over the same seeds: what is to be predicted, and by chance "
        "lower than with other seeds. Differences in error, points, paired by seed.",
        "",
        "| method | at | least V × time | least V | least error | least NLL | error at the K of V × time − at K = 1 | "
        "error there − the least |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for theory in theories:
        those = runs[theory.method]
        choice = _choice(theory, those)
        k, best = theory.best("variance_time_to_one"), those.best("error")
        changes = [with_limits(those.change(k, other, "error"), "error") if k != other else "" for other in (1, best)]
        lines.append(f"| {' | '.join([*map(str, choice.values()), *changes])} |")
    return "\n".join(lines)


def _known(theories: Sequence[Theory]) -> str:
    every = sorted({k for theory in theories for k in theory.known["to_one"]})
    lines = [
        "In units of K = 1, with 95 % intervals.",
        "",
        f"| method | at | | {' | '.join(f'K = {k}' for k in every)} |\n|---|---|---|{'---:|' * len(every)}",
    ]
    for theory in theories:
        for name, title in THEORIES.items():
            values = [theory.known[name].get(k) for k in every]
            cells = ["" if v is None else f"{v[0]:.2f} ({v[1]:.2f} to {v[2]:.2f})" for v in values]
            lines.append(f"| {theory.method} | {theory.at} | {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(runs: Mapping[str, Runs], theories: Sequence[Theory]) -> Figure:
    """Error by V × time, a panel for each method and moment; points are K, bars 95 % t-intervals over seeds."""
    moments = list(dict.fromkeys(theory.at for theory in theories))
    methods = list(runs)
    figure = Figure(figsize=(3.4 * len(methods), 2.8 * len(moments)), layout="constrained")
    for theory in theories:
        place = moments.index(theory.at) * len(methods) + methods.index(theory.method) + 1
        axes = figure.add_subplot(len(moments), len(methods), place)
        for k, (x, _, _) in theory.known["variance_time_to_one"].items():
            error = t_interval([run.evaluation["error"] * 100 for run in runs[theory.method].same_rows[k]])
            axes.errorbar(x, error.mean, error.half_width, fmt="o", color="#1f6fb4", capsize=3)
            axes.annotate(f"{k}", (x, error.mean), xytext=(5, 4), textcoords="offset points", fontsize=10)
        axes.set_title(f"{theory.method}, at {theory.at}", fontsize=11)
        axes.set(xlabel="V × time, K = 1 is 1", ylabel="error, %")
        axes.grid(True, linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    sys.exit(main())
