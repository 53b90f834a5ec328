"""Which learning rate at which step, as a factor of the highest one."""

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

from multimix.lab.core.errors import UsageError
from multimix.lab.train.moments import Length, Moment

SCHEDULES = ("constant", "cosine", "multistep:EPOCH,...", "linear:EPOCH=FACTOR,...")
DROP = 0.1  # at each milestone, as in all protocols here


class Schedule(Protocol):
    """What the learning rate is multiplied by."""

    @property
    def moments(self) -> tuple[Moment, ...]:
        """When it changes its course."""

    def factor(self, step: int, length: Length) -> float:
        """Returns the factor for the update that comes after `step` others."""

    def in_percent(self, epochs: float) -> "Schedule":
        """Returns the same course over a run of any length."""


@dataclass(frozen=True)
class Constant:
    """One rate throughout."""

    moments: ClassVar[tuple[Moment, ...]] = ()

    def factor(self, step: int, length: Length) -> float:
        return 1.0

    def in_percent(self, epochs: float) -> "Constant":
        return self

    def __str__(self) -> str:
        return "constant"


@dataclass(frozen=True)
class Cosine:
    """Half a cosine, from 1 to 0.

    References:
        Loshchilov and Hutter, 2017, arXiv 1608.03983, equation 5 without restarts.
    """

    moments: ClassVar[tuple[Moment, ...]] = ()

    def factor(self, step: int, length: Length) -> float:
        return 0.5 * (1 + math.cos(math.pi * step / length.steps))

    def in_percent(self, epochs: float) -> "Cosine":
        return self

    def __str__(self) -> str:
        return "cosine"


@dataclass(frozen=True)
class MultiStep:
    """A tenth of the rate at each milestone."""

    moments: tuple[Moment, ...]

    def factor(self, step: int, length: Length) -> float:
        return DROP ** sum(step >= moment.step(length) for moment in self.moments)

    def in_percent(self, epochs: float) -> "MultiStep":
        return MultiStep(tuple(moment.in_percent(epochs) for moment in self.moments))

    def __str__(self) -> str:
        return f"multistep:{','.join(map(str, self.moments))}"


@dataclass(frozen=True)
class Linear:
    """Straight lines from point to point; flat before the first and after the last."""

    moments: tuple[Moment, ...]
    factors: tuple[float, ...]

    def factor(self, step: int, length: Length) -> float:
        points = [(moment.step(length), factor) for moment, factor in zip(self.moments, self.factors, strict=True)]
        if step <= points[0][0]:
            return points[0][1]
        for (start, first), (end, last) in itertools.pairwise(points):
            if step <= end:
                return first + (last - first) * (step - start) / (end - start)
        return points[-1][1]

    def in_percent(self, epochs: float) -> "Linear":
        return Linear(tuple(moment.in_percent(epochs) for moment in self.moments), self.factors)

    def __str__(self) -> str:
        points = (f"{moment}={factor:g}" for moment, factor in zip(self.moments, self.factors, strict=True))
        return f"linear:{','.join(points)}"


def parse_schedule(text: str) -> Schedule:
    """Reads "constant", "cosine", "multistep:100,200" or "linear:0=0.5,8=1,15=0.125"; moments as in `Moment.parse`.

    Raises:
        UsageError: if it is none of these, or its moments do not rise.
    """
    kind, _, rest = text.partition(":")
    if kind == "constant" and not rest:
        return Constant()
    if kind == "cosine" and not rest:
        return Cosine()
    if kind == "multistep" and rest:
        return MultiStep(_rising(text, [Moment.parse("schedule", part) for part in rest.split(",")]))
    if kind == "linear" and rest:
        parts = [part.partition("=") for part in rest.split(",")]
        moments = _rising(text, [Moment.parse("schedule", moment) for moment, _, _ in parts])
        return Linear(moments, tuple(_factor(text, factor) for _, _, factor in parts))
    raise UsageError(
        f"schedule must be one of {', '.join(SCHEDULES)}, got schedule={text!r}; try cosine or multistep:100,200"
    )


def check_within(schedule: Schedule, length: Length) -> None:
    """Refuses a schedule whose changes would never come.

    Raises:
        UsageError: if a moment lies after the end of the run.
    """
    for moment in schedule.moments:
        if moment.step(length) > length.steps:
            raise UsageError(
                f"a schedule's moments must lie within the run, got {moment} epochs in schedule={str(schedule)!r} of "
                f"a run of {length.steps / length.epoch:g} epochs; train for longer, or give moments in percent"
            )


def _rising(text: str, moments: list[Moment]) -> tuple[Moment, ...]:
    same = len({moment.percent for moment in moments}) == 1
    amounts = [moment.amount for moment in moments]
    if not same or any(second <= first for first, second in itertools.pairwise(amounts)):
        raise UsageError(
            f"a schedule's moments must rise, all in epochs or all in percent, got schedule={text!r}; put them in order"
        )
    return tuple(moments)


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
