"""All that is measured at one moment of a run."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import torch

from multimix.lab.variance.cost import Cost, StepTime, efficiency, fitted, step_times
from multimix.lab.variance.designs import FEWER, LARGE, MIXES, Design, designs, largest_plain
from multimix.lab.variance.measuring import FLOOR_MIXES, Floor, Measured, clipped, floor, gradients
from multimix.lab.variance.parts import COEFFICIENTS, Parts, parts, why_not
from multimix.lab.variance.probe import Probe
from multimix.lab.variance.settings import VarianceSettings
from multimix.variance import Estimate, best_num_mixes, optimal_num_mixes, ratio

Json = dict[str, Any]


def measure_moment(
    probe: Probe, settings: VarianceSettings, on_rows: Callable[[int], None] = lambda rows: None
) -> Json:
    """Measure every design, the floor, what steps cost, and the parts where there are any.

    Args:
        probe: The model at that moment.
        settings: What to measure.
        on_rows: Called with the rows that the model has just seen.

    Returns:
        What variance.json holds of a moment (multimix/lab/variance/run.py).

    Raises:
        RunFailed: if a gradient is not finite.
    """
    asked = designs(settings, probe.has_batch_norm)
    found: dict[Design, Measured] = {}
    clip: Json = {}
    first = asked[0]  # K = 1 as configured
    for design in asked:
        own = gradients(probe, design, settings.replicates)
        found[design] = Measured.of(own)
        if design == first:
            norm = settings.clip_norm or float(torch.linalg.vector_norm(own, dim=1).median())
            shortened = Measured.of(clipped(own, norm))
            clip = {"clip_norm": norm, **_about(shortened)}
        on_rows(design.rows * settings.replicates)
    lowest = floor(probe, first, settings.replicates)
    on_rows(settings.batch_size * 2 * FLOOR_MIXES * settings.replicates)
    configured = [design for design in asked if design.draw == first.draw and design.norm == "batch"]
    times = dict(zip(configured, step_times(probe, configured), strict=True))
    cost = fitted(times)
    found_parts = _parts(probe, settings)
    on_rows(settings.batch_size * COEFFICIENTS * settings.replicates)
    return {
        "designs": [_row(design, found, times) for design in asked],
        "clipped": clip,
        "floor": {"num_pairs": first.num_pairs, "num_mixes": FLOOR_MIXES}
        | _estimates(
            {
                "common": lowest.common,
                "own": lowest.own,
                "to_one": ratio(lowest.common, found[first].variance),
            }
        ),
        "cost": asdict(cost),
        "best": _best(found, times, lowest, cost, first),
        "parts": found_parts,
    }


def rows_of_moment(probe: Probe, settings: VarianceSettings) -> int:
    """Return how many rows the model sees at a moment, about: where there are no parts, fewer."""
    rows = sum(design.rows for design in designs(settings, probe.has_batch_norm))
    return (rows + settings.batch_size * (2 * FLOOR_MIXES + COEFFICIENTS)) * settings.replicates


def _row(design: Design, found: Mapping[Design, Measured], times: Mapping[Design, StepTime]) -> Json:
    """Return what is said of one design."""
    alike = [other for other in found if other.kind == MIXES and other.num_mixes == 1 and other.norm == design.norm]
    one = next((other for other in alike if other.draw == design.draw), alike[0])
    to_one = ratio(found[design].variance, found[one].variance)
    row = asdict(design) | {"rows": design.rows} | _about(found[design]) | {"to_one": as_numbers(to_one)}
    if design.kind == LARGE:
        pairs = design.num_pairs // design.num_mixes
        several = replace(design, kind=MIXES, num_pairs=pairs, mixes_per_pair=design.num_mixes)
        row["mixes_to_large"] = as_numbers(ratio(found[several].variance, found[design].variance))
    if design in times:
        row["time_s"] = times[design].median_s
        row["variance_time_to_one"] = as_numbers(efficiency(to_one, times[design], times[one]))
    return row


def _best(
    found: Mapping[Design, Measured], times: Mapping[Design, StepTime], lowest: Floor, cost: Cost, first: Design
) -> Json:
    """Return the K with least variance times seconds: as measured, and where theory has it."""
    best: Json = {}
    for name, kind in (("same_pairs", MIXES), ("same_rows", FEWER)):
        own = [d for d in times if (d.kind == kind or d == first) and d.draw == first.draw]
        variances = {d.num_mixes: found[d].variance.value for d in own}
        best[name] = best_num_mixes(variances, {d.num_mixes: times[d].median_s for d in own})
    pair_s = cost.pair_s + cost.step_s / first.num_pairs
    best["iid_theory"] = finite(
        optimal_num_mixes(lowest.common.value, FLOOR_MIXES * lowest.own.value, pair_s, cost.mix_s)
    )
    return best


def _parts(probe: Probe, settings: VarianceSettings) -> Json:
    """Return the parts as JSON, or why there are none."""
    reason = why_not(probe, settings.replicates)
    if reason:
        return {"none_because": reason}
    found = parts(probe, settings.batch_size, largest_plain(settings.num_mixes[1:]), settings.replicates)
    return {
        "norm": found.norm,
        "num_pairs": found.num_pairs,
        **_estimates(_named(found)),
        "checks": [
            asdict(check.design)
            | {
                "rows": check.design.rows,
                "predicted": check.predicted,
                "predicted_if_independent": check.independent,
                "measured": as_numbers(check.measured),
            }
            for check in found.checks
        ],
    }


def _named(found: Parts) -> dict[str, Estimate]:
    pairs = found.num_pairs
    return {
        "A": found.pairs.estimate(lambda a, b, c: a),
        "B": found.batches.estimate(lambda a, b, c: b),
        "C": found.pairs.estimate(lambda a, b, c: c),
        "A_eff": found.batches.estimate(lambda a, b, c: a * pairs),
        "C_eff": found.batches.estimate(lambda a, b, c: c * pairs),
    }


def _about(found: Measured) -> Json:
    return _estimates({"variance": found.variance, "squared_mean": found.squared_mean, "relative": found.relative})


def _estimates(found: Mapping[str, Estimate]) -> Json:
    return {name: as_numbers(estimate) for name, estimate in found.items()}


def as_numbers(estimate: Estimate | tuple[float, float, float]) -> Json:
    """Return value, low, high and, of an estimate, n; what is not finite is null, as JSON has no other word for it."""
    if isinstance(estimate, Estimate):
        return as_numbers((estimate.value, estimate.low, estimate.high)) | {"n": estimate.n}
    return dict(zip(("value", "low", "high"), map(finite, estimate), strict=True))


def finite(value: float) -> float | None:
    """Return a number, or None if it is not finite."""
    return value if math.isfinite(value) else None
