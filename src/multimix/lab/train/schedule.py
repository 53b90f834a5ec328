"""Which learning rate at which step, as a factor of the highest one."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from multimix.lab.core.errors import UsageError
from multimix.lab.train.moments import Length, Moment

# How each kind is written.
SCHEDULES = {
    "constant": "constant",
    "cosine": "cosine",
    "multistep": "multistep:EPOCH,...",
    "linear": "linear:EPOCH=FACTOR,...",
}
DROP = 0.1  # at each milestone, as in all protocols here


@dataclass(frozen=True)
class Schedule:
    """What the learning rate is multiplied by.

    Args:
        kind: One of SCHEDULES. cosine: half a cosine, from 1 to 0. multistep: a tenth at each moment. linear: straight
            lines from point to point, flat before the first and after the last.
        moments: When it changes its course.
        factors: Of linear, at its moments.

    References:
        Loshchilov and Hutter, 2017, arXiv 1608.03983, equation 5 without restarts (cosine).
    """

    kind: str
    moments: tuple[Moment, ...] = ()
    factors: tuple[float, ...] = ()

    def factor(self, step: int, length: Length) -> float:
        """Return the factor for the update that comes after `step` others."""
        starts = [moment.step(length) for moment in self.moments]
        if self.kind == "cosine":
            return 0.5 * (1 + math.cos(math.pi * step / length.steps))
        if self.kind != "linear":
            return DROP ** sum(step >= start for start in starts)  # of constant there is none
        points = [(-1.0, self.factors[0]), *zip(starts, self.factors, strict=True)]
        for (start, first), (end, last) in pairwise(points):
            if step <= end:
                return first + (last - first) * (step - start) / (end - start)
        return self.factors[-1]

    def in_percent(self, epochs: float) -> "Schedule":
        """Return the same course over a run of any length."""
        return replace(self, moments=tuple(moment.in_percent(epochs) for moment in self.moments))

    def __str__(self) -> str:
        factors = [f"={factor:g}" for factor in self.factors] or [""] * len(self.moments)
        points = (f"{moment}{factor}" for moment, factor in zip(self.moments, factors, strict=True))
        return f"{self.kind}:{','.join(points)}" if self.moments else self.kind


def parse_schedule(text: str) -> Schedule:
    """Read "constant", "cosine", "multistep:100,200" or "linear:0=0.5,8=1,15=0.125"; moments as in `Moment.of_run`.

    Raises:
        UsageError: if it is none of these, or its moments do not rise.
    """
    kind, _, rest = text.partition(":")
    if kind not in SCHEDULES or bool(rest) != (":" in SCHEDULES[kind]):
        raise UsageError(
            f"schedule must be one of {', '.join(SCHEDULES.values())}, got schedule={text!r}; try cosine or "
            f"multistep:100,200"
        )
    parts = [part.partition("=") if kind == "linear" else (part, "", "") for part in rest.split(",") if rest]
    moments = [Moment.of_run("schedule", moment) for moment, _, _ in parts]
    rise = all(first.unit == second.unit and first.amount < second.amount for first, second in pairwise(moments))
    if not rise:
        raise UsageError(
            f"a schedule's moments must rise, all in epochs or all in percent, got schedule={text!r}; put them in order"
        )
    return Schedule(kind, tuple(moments), tuple(_factor(text, part[2]) for part in parts if kind == "linear"))


def check_within(schedule: Schedule, length: Length) -> None:
    """Refuse a schedule whose changes would never come.

    Raises:
        UsageError: if a moment lies after the end of the run.
    """
    for moment in schedule.moments:
        if moment.step(length) > length.steps:
            raise UsageError(
                f"a schedule's moments must lie within the run, got {moment} epochs in schedule={str(schedule)!r} of "
                f"a run of {length.steps / length.epoch:g} epochs; train for longer, or give moments in percent"
            )


def _factor(text: str, factor: str) -> float:
    try:
        value = float(factor)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(
            f"a factor of the learning rate must be a number >= 0, got {factor!r} in schedule={text!r}; "
            f"write linear:0=0.5,8=1,15=0.125"
        )
    return value
