"""What a step costs, per pair and per mix, and the K that makes the best of a second."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

from multimix.lab.train.learner import build_optimizer
from multimix.lab.variance.designs import Design
from multimix.lab.variance.measuring import mixer_of
from multimix.lab.variance.probe import Probe
from multimix.variance import Estimate

ROUNDS, STEPS = 4, 3  # designs take turns, so that whatever disturbs the machine for a while disturbs them alike


@dataclass(frozen=True)
class StepTime:
    """How long a step takes.

    Args:
        median_s: The median.
        log_error: Half-width of its 95 % interval, on the logarithmic scale.
    """

    median_s: float
    log_error: float

    @classmethod
    def of(cls, times: Sequence[float]) -> "StepTime":
        """The interval is 1.57 interquartile ranges over sqrt(n) to both sides (McGill, Tukey and Larsen, 1978)."""
        median = statistics.median(times)
        low, high = np.quantile(times, (0.25, 0.75))
        return cls(median, 1.57 * float(high - low) / math.sqrt(len(times)) / median)


def step_times(probe: Probe, designs: Sequence[Design]) -> list[StepTime]:
    """Time whole steps: samples, mixing, forward, backward, update (by a rate of zero)."""
    optimizer = build_optimizer(probe.settings, probe.model)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    for parameter in probe.parameters:
        parameter.grad = torch.zeros_like(parameter)
    times: list[list[float]] = [[] for _ in designs]
    for _ in range(ROUNDS):
        for design, own in zip(designs, times, strict=True):
            own += _times(probe, design, optimizer)[1:]  # the first one warms up
    return [StepTime.of(own) for own in times]


def _times(probe: Probe, design: Design, optimizer: torch.optim.Optimizer) -> list[float]:
    mix = mixer_of(probe, design)
    probe.set_norm(design.norm)
    times = []
    batches = probe.batches(design.num_pairs, STEPS + 1)
    for draw in range(STEPS + 1):
        begun = _now(probe)
        x, labels = next(batches)
        probe.gradient(mix, x, labels, probe.plan(mix, x, labels, draw), draw)
        optimizer.step()
        times.append(_now(probe) - begun)
    return times


def _now(probe: Probe) -> float:
    if probe.fabric.device.type == "cuda":
        torch.cuda.synchronize(probe.fabric.device)
    return perf_counter()


@dataclass(frozen=True)
class Cost:
    """Seconds of a step of P pairs with K mixes: step_s + P (pair_s + K mix_s).

    Args:
        step_s: Whatever the size.
        pair_s: For each pair.
        mix_s: For each mix.
        error: Root mean square of the relative errors of the fit.
    """

    step_s: float
    pair_s: float
    mix_s: float
    error: float


def fitted(times: Mapping[Design, StepTime]) -> Cost:
    """Fit the three costs by least squares of relative errors, none below zero."""
    from scipy.optimize import nnls

    sizes = np.array([(1, design.num_pairs, design.rows) for design in times], dtype=float)
    seconds = np.array([time.median_s for time in times.values()])
    costs, residual = nnls(sizes / seconds[:, None], np.ones(len(seconds)))
    return Cost(float(costs[0]), float(costs[1]), float(costs[2]), float(residual) / math.sqrt(len(seconds)))


def efficiency(ratio: Estimate, time: StepTime, one: StepTime) -> tuple[float, float, float]:
    """Return variance × time in units of K = 1, with its 95 % interval.

    Args:
        ratio: Of the variances.
        time: Of the design's step.
        one: Of the step with K = 1.
    """
    value = ratio.value * time.median_s / one.median_s
    if not (ratio.low > 0 and math.isfinite(ratio.high)):
        return value, 0.0, math.inf
    own = math.log(ratio.high / ratio.low) / 2
    factor = math.exp(math.hypot(own, time.log_error, one.log_error))
    return value, value / factor, value * factor
