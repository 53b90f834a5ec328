"""Is K free where loading is what takes the time? Steps simulated from measured times, errors of real runs.

    python experiments/starved_loader.py experiments/results/training_length.json

Reads the runs of training_length.py and trains nothing: with K = 1 a step of theirs loads 120 samples, with K = 5 24,
for 120 rows both times. What loading would take is measured here: decoding and cropping one JPEG of ImageNet's usual
size, which is scikit-learn's china.jpg at 500 × 375 pixels. With W processes that load while the model computes, a step
takes

    max(time of a step, samples · time to decode / W)

The times of decoding and of steps are measured, in seconds of one processor; that loading and computing overlap
perfectly is assumed. Where every step waits for samples, K = 5 makes five steps in the time of one with K = 1, so that
5 L steps are compared with L; where none waits, L steps with L. What lies between has no runs of exactly that length.

Costs ten seconds. Writes results/starved_loader.json, .md and .png beside this file; decoding is not measured again
where the .json is there. Nothing is chosen by the test split: all lengths that allow a comparison are printed.
"""

import argparse
import io
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from multimix.lab.core.atomic_files import write_atomic, write_json
from multimix.lab.core.errors import UsageError
from multimix.lab.core.machine import environment
from multimix.lab.data.files.images import CroppedImage
from multimix.lab.report.metrics import metric_of
from multimix.lab.report.results import Result, Results
from multimix.lab.report.results_file import read_results
from multimix.lab.report.words import with_interval, with_limits
from multimix.lab.statistics import Interval, paired, t_interval

HERE = Path(__file__).parent / "results"
COMMAND = "python experiments/starved_loader.py"
ROWS, MIXES = 120, 5
LOADERS = (1, 2, 4, 8, 16, 64)
METHODS = ("mixup", "cutmix")
METRICS = ("error", "nll")
WIDTH, HEIGHT, CROP, QUALITY = 500, 375, 224, 95
WARM_UP, REPETITIONS = 20, 500
Runs = dict[int, dict[str, list[Result]]]  # steps -> label of a row -> its runs


@dataclass(frozen=True)
class Seconds:
    """Seconds of one processor: the median of n, and their quartiles."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, times: Sequence[float]) -> "Seconds":
        """Returns those of some times."""
        low, high = np.quantile(times, (0.25, 0.75)).tolist()
        return cls(statistics.median(times), low, high, len(times))


@dataclass(frozen=True)
class Step:
    """A step with K = 1 and one with K = 5, where W processes load.

    Args:
        loaders: W.
        one_s: Seconds of a step with K = 1.
        many_s: Seconds of a step with K = 5.
        one_waits: Whether that with K = 1 waits for samples.
        many_waits: Whether that with K = 5 does.
    """

    loaders: int
    one_s: float
    many_s: float
    one_waits: bool
    many_waits: bool

    @classmethod
    def of(cls, loaders: int, decode_s: float, one_s: float, many_s: float) -> "Step":
        """Returns the longer of computing and loading.

        Args:
            loaders: W.
            decode_s: Seconds to decode a sample.
            one_s: Seconds that a step with K = 1 computes.
            many_s: Seconds that a step with K = 5 computes.
        """
        load_one, load_many = ROWS * decode_s / loaders, ROWS // MIXES * decode_s / loaders
        return cls(loaders, max(one_s, load_one), max(many_s, load_many), load_one >= one_s, load_many >= many_s)

    @property
    def ratio(self) -> float:
        """Steps with K = 5 in the time of one with K = 1."""
        return self.one_s / self.many_s

    @property
    def regime(self) -> str:
        """Who waits."""
        return {(True, True): "both wait", (True, False): "K = 1 waits", (False, True): "K = 5 waits"}.get(
            (self.one_waits, self.many_waits), "none waits"
        )


@dataclass(frozen=True)
class Change:
    """K = 5 against K = 1 at equal time.

    Args:
        starved: Whether every step waits for samples.
        one_steps: Steps with K = 1.
        many_steps: Steps with K = 5.
        one: The metric with K = 1.
        many: The metric with K = 5.
        difference: K = 5 less K = 1, paired by seed.
    """

    starved: bool
    one_steps: int
    many_steps: int
    one: Interval
    many: Interval
    difference: Interval


def main() -> None:
    """Measure decoding, put it together with the runs, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    asked = parser.parse_args()
    HERE.mkdir(exist_ok=True)
    try:
        runs = by_length(_read(asked.results))
        decode, conditions = _decode()
    except UsageError as error:
        parser.exit(2, f"{error}\n")
    computing = {method: _computing(runs, method) for method in METHODS}
    steps = {
        method: [Step.of(loaders, decode.median, one.median, many.median) for loaders in LOADERS]
        for method, (one, many) in computing.items()
    }
    changes = {(method, name): equal_time(runs, method, name) for method in METHODS for name in METRICS}
    write_json(
        HERE / "starved_loader.json",
        {
            "command": f"{COMMAND} {asked.results.name}",
            "environment": conditions,
            "decode": asdict(decode),
            "computing": {method: {"1": asdict(one), "5": asdict(many)} for method, (one, many) in computing.items()},
            "steps": {method: [asdict(s) | {"ratio": s.ratio} for s in those] for method, those in steps.items()},
            "equal_time": [
                {"method": method, "metric": name} | asdict(change)
                for (method, name), those in changes.items()
                for change in those
            ],
        },
    )  # fmt: skip
    _figure(runs, steps).savefig(HERE / "starved_loader.png", dpi=80)
    write_atomic(HERE / "starved_loader.md", _page(decode, conditions, computing, steps, changes))


def _read(path: Path) -> list[Results]:
    try:
        return read_results(path)
    except OSError as error:
        raise UsageError(
            f"the results must be there, got {error}; run python experiments/training_length.py OUT first"
        ) from error


def by_length(found: Sequence[Results]) -> Runs:
    """Returns the runs by their number of steps, which names the comparison.

    Raises:
        UsageError: if they are not those of training_length.py.
    """
    runs: Runs = {}
    for results in found:
        rows = {row.row.label: row.runs for row in results.rows}
        for label in (label for method in METHODS for label in _labels(method)):
            if not results.name.isdecimal() or not rows.get(label):
                raise UsageError(
                    f"results must be those of experiments/training_length.py, named by steps, with runs of {label}, "
                    f"got a comparison {results.name!r} without; give its training_length.json"
                )
        runs[int(results.name)] = rows
    return dict(sorted(runs.items()))


def _labels(method: str) -> tuple[str, str]:
    return f"{method}-k1", f"{method}-k{MIXES}-same-rows"


def _decode() -> tuple[Seconds, dict[str, Any]]:
    """Returns the time to decode, and where it was measured; as it was measured before, if it was."""
    file = HERE / "starved_loader.json"
    if file.exists():
        there = json.loads(file.read_text())
        return Seconds(**there["decode"]), there["environment"]
    jpeg, crop, rng = _jpeg(), CroppedImage(3, CROP), np.random.default_rng(0)
    times = []
    for _ in range(WARM_UP + REPETITIONS):
        begun = process_time()
        crop(jpeg, rng)
        times.append(process_time() - begun)
    return Seconds.of(times[WARM_UP:]), environment(torch.device("cpu"), 1) | {"jpeg_bytes": len(jpeg)}


def _jpeg() -> bytes:
    content = (files("sklearn.datasets") / "images" / "china.jpg").read_bytes()
    written = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def _computing(runs: Runs, method: str) -> tuple[Seconds, Seconds]:
    """Returns the time of a step over all runs, whatever their length: with K = 1, and with K = 5."""
    one, many = (
        Seconds.of([run.cost["cpu_time_s"] / run.cost["step"] for rows in runs.values() for run in rows[label]])
        for label in _labels(method)
    )
    return one, many


def equal_time(runs: Runs, method: str, name: str) -> list[Change]:
    """Returns K = 5 against K = 1 for every length: of 5 times as many steps, where there are such, and of as many."""
    one_label, many_label = _labels(method)
    found = []
    for starved, factor in ((True, MIXES), (False, 1)):
        for steps in runs:
            if steps * factor in runs:
                one = {run.seed: run.evaluation[name] for run in runs[steps][one_label]}
                many = {run.seed: run.evaluation[name] for run in runs[steps * factor][many_label]}
                both = [seed for seed in one if seed in many]
                values, reference = [many[seed] for seed in both], [one[seed] for seed in both]
                difference = paired(values, reference).difference
                found.append(
                    Change(starved, steps, steps * factor, t_interval(reference), t_interval(values), difference)
                )
    return found


def _page(
    decode: Seconds,
    conditions: dict[str, Any],
    computing: dict[str, tuple[Seconds, Seconds]],
    steps: dict[str, list[Step]],
    changes: dict[tuple[str, str], list[Change]],
) -> str:
    parts = [
        "# When loading takes the time",
        f"Printed by `{COMMAND} experiments/results/training_length.json`. **Measured**: the training runs (small-cnn "
        f"on digits, {ROWS} rows in every step), the time of their steps, and the time to decode. **Simulated**: that "
        "each sample were such a JPEG, and that loading and computing overlap perfectly. Computing is not always in "
        "this proportion to loading: larger models take longer, accelerators less.",
        f"Decoding and cropping one JPEG of {WIDTH} × {HEIGHT} pixels, {conditions['jpeg_bytes'] / 1000:.0f} kB, to "
        f"{CROP} × {CROP}: {_milliseconds(decode)} of one processor, {conditions['processor']} (median, quartiles, "
        "number of repetitions).",
        "![Error by simulated time](starved_loader.png)",
        "## What a step takes",
    ]
    parts += [_times(method, *computing[method], steps[method], decode) for method in METHODS]
    parts += [
        "## Equal time",
        "Where both wait, K = 1 has L steps and K = 5 has 5 L: as much time and as many samples loaded, five times "
        "the rows computed in what would be idle time. K = 5 then makes five times the updates (same images), so the "
        "difference is not due to K alone. Where none waits, both have L, up to the ratio in the tables "
        "above: a fifth of the samples loaded. Where K = 1 alone waits, K = 5 has between L and 5 L steps; no runs "
        "are of that length. Mean ± half-width of the 95 % t-interval over seeds; differences are paired by seed; ▲ "
        "worse, ▼ better, ≈ not significant at 95 %, without correction for the number of comparisons. Idle time "
        "could also be spent otherwise, on new mixes of samples already loaded with K = 1 (data echoing): no such run "
        "is here.",
    ]
    parts += [_grid(method, name, those) for (method, name), those in changes.items()]
    return "\n\n".join(parts) + "\n"


def _milliseconds(time: Seconds) -> str:
    return f"{time.median * 1e3:.2f} ms ({time.low * 1e3:.2f} to {time.high * 1e3:.2f}, n = {time.n})"


def _times(method: str, one: Seconds, many: Seconds, steps: Sequence[Step], decode: Seconds) -> str:
    starved, free = ROWS / MIXES * decode.median / many.median, ROWS * decode.median / one.median
    lines = [
        f"**{method}.** Computing takes {_milliseconds(one)} with K = 1, {_milliseconds(many)} with K = 5. Both wait "
        f"up to W = {starved:.1f}, none from W = {max(starved, free):.1f}.",
        "",
        "| W | K = 1, ms per step | K = 5, ms per step | steps of K = 5 in one of K = 1 | |",
        "|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {s.loaders} | {s.one_s * 1e3:.2f} | {s.many_s * 1e3:.2f} | {s.ratio:.2f} | {s.regime} |" for s in steps
    ]
    return "\n".join(lines)


def _grid(method: str, name: str, changes: Sequence[Change]) -> str:
    shown = metric_of(name)
    lines = [
        f"### {shown.title}, {method}",
        "",
        "| | steps, K = 1 | steps, K = 5 | K = 1 | K = 5 | difference |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for change in changes:
        cells = [
            "both wait" if change.starved else "none waits",
            f"{change.one_steps:,}",
            f"{change.many_steps:,}",
            *(with_interval(value, shown.scale, shown.digits) for value in (change.one, change.many)),
            with_limits(change.difference, name),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(runs: Runs, steps: dict[str, list[Step]]) -> Figure:
    """Error by simulated time, with the fewest and the most processes that load; lines join the lengths."""
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    for line, method in enumerate(METHODS):
        for column, step in enumerate((steps[method][0], steps[method][-1])):
            axes = figure.add_subplot(len(METHODS), 2, 2 * line + column + 1)
            for label, name, step_s, colour in zip(
                _labels(method),
                ("K = 1", f"K = {MIXES}, same rows"),
                (step.one_s, step.many_s),
                ("#1f6fb4", "#c2570c"),
                strict=True,
            ):
                errors = [t_interval([run.evaluation["error"] * 100 for run in rows[label]]) for rows in runs.values()]
                axes.errorbar(
                    [length * step_s for length in runs],
                    [error.mean for error in errors],
                    [error.half_width for error in errors],
                    fmt="-o", capsize=3, color=colour, label=name,
                )  # fmt: skip
            axes.set(xscale="log", xlabel="seconds, simulated", ylabel="error, %", ylim=(0, None))
            axes.set_title(f"{method}, W = {step.loaders}: {step.regime}", fontsize=11)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.grid(True, linewidth=0.4)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    sys.exit(main())
