"""Do a named part of a study anew, with seeds that it did not use: does it come out again?"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from experiments.frontier.analysis import Findings
from experiments.frontier.page import MAIN, SINGLE, SMALL
from experiments.frontier.protocol import Arm
from experiments.frontier.samples import draw
from experiments.frontier.trial import logits_of, train
from multimix.lab.data import Data
from multimix.lab.statistics import t_interval

FRESH_SEEDS = 1000  # the first of them


def replicate(found: Findings, data: Data, method: str, num_seeds: int, say: Callable[[str], None]) -> list[str]:
    """Train K = 1, the small batch and K = 5 with the same rows at the rates and lengths that the study chose.

    Args:
        found: What the study recorded.
        data: All of the data set.
        method: Name of the mixing method.
        num_seeds: How many fresh seeds; each draws its own samples.
        say: Called with one line per seed.

    Returns:
        A table: what was recorded, what came out now, and whether the two differ by more than both intervals allow.
    """
    arms = [arm for arm in found.arms_of(method) if arm.kind in (SINGLE, SMALL, MAIN)]
    errors: dict[str, list[float]] = {arm.name: [] for arm in arms}
    for seed in range(FRESH_SEEDS, FRESH_SEEDS + num_seeds):
        drawn = draw(data, found.protocol, seed)
        for arm in arms:
            errors[arm.name].append(_error(found, arm, drawn, seed))
        say(f"seed {seed}: " + ", ".join(f"{arm.name} {100 * errors[arm.name][-1]:.1f} %" for arm in arms))
    lines = [f"{'':44}{'recorded':>22}{f'now, n = {num_seeds}':>22}"]
    for arm in arms:
        recorded = found.at_best(arm.name, "error").mean(), *found.interval(found.draws[arm.name])
        lines.append(line(f"{arm.name}, %", recorded, errors[arm.name]))
    for other in (SINGLE, SMALL):
        first, second = f"{method} {MAIN}", f"{method} {other}"
        known = found.difference(first, second)
        now = np.subtract(errors[first], errors[second])
        lines.append(line(f"{MAIN} minus {other}, points", (known.mean, known.low, known.high), now))
    return lines


def _error(found: Findings, arm: Arm, data: Data, seed: int) -> float:
    choice = found.choices[arm.name]
    model, _ = train(found.protocol, arm, data, choice.length, choice.rate, seed)
    logits, labels = logits_of(model, data.test)
    return (logits.argmax(dim=1) != labels).double().mean().item()


def line(name: str, recorded: tuple[float, float, float], errors: Sequence[float] | np.ndarray) -> str:
    """Return a row of the table, from fractions: recorded as mean, low and high."""
    mean, low, high = recorded
    now = t_interval(list(errors))
    towards = mean - low if now.mean < mean else high - mean
    verdict = "agrees" if abs(now.mean - mean) <= math.hypot(towards, now.half_width) else "differs"
    return (
        f"{name:44}{f'{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]':>22}"
        f"{f'{100 * now.mean:.1f} ± {100 * now.half_width:.1f}':>22}  {verdict}"
    )
