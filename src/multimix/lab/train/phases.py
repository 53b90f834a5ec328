"""What changes during a run, phase by phase: VALUE@SHARE,VALUE@SHARE,... with shares of the run's steps."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from multimix.lab.core.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Phases(Generic[T]):
    """Values, one after the other.

    Args:
        values: The value in each phase.
        shares: When each phase begins, as a share of the run's steps; the first at 0.
    """

    values: tuple[T, ...]
    shares: tuple[float, ...] = (0.0,)

    def phases(self, steps: int) -> tuple[tuple[int, T], ...]:
        """Return the first step of each phase, counted from 0, and its value, in a run of so many steps.

        A phase that begins after the last step, or when the next one does, is left out.
        """
        firsts = [math.ceil(share * steps) for share in self.shares]
        ends = [*firsts[1:], steps]
        return tuple((first, value) for first, end, value in zip(firsts, ends, self.values, strict=True) if first < end)

    def __str__(self) -> str:
        """Return how phases are written; what never changes, without a share."""
        if len(self.values) == 1:
            return str(self.values[0])
        return ",".join(f"{value}@{share:g}" for value, share in zip(self.values, self.shares, strict=True))


class NumMixes(Phases[int]):
    """K, phase by phase: 5, or a schedule such as 1@0,2@0.5,5@0.8."""

    @classmethod
    def parse(cls, given: int | str) -> "NumMixes":
        """Read 5 or "1@0,2@0.5,5@0.8": one mix of each pair at first, two from half of the steps on, then five.

        Raises:
            UsageError: if it is neither.
        """
        if isinstance(given, int):
            if given < 1:
                raise UsageError(f"num_mixes must be an integer >= 1, got num_mixes={given}; give at least 1")
            return cls((given,))
        values, shares = split_phases(given)
        if not values or not all(value.isdecimal() and int(value) >= 1 for value in values):
            raise UsageError(
                f"num_mixes must be an integer >= 1, or values of it at rising shares of the run from 0 on, got "
                f"num_mixes={given!r}; write 5, or 1@0,2@0.5,5@0.8"
            )
        return cls(tuple(map(int, values)), shares)


def split_phases(given: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the values and when each begins: at rising shares of the run, the first at 0; nothing if it is not so."""
    found = [re.fullmatch(r"\s*([^@,\s]+)@(\d*\.?\d+)\s*", part) for part in given.split(",")]
    parts = [(part[1], float(part[2])) for part in found if part]
    values, shares = tuple(value for value, _ in parts), tuple(share for _, share in parts)
    rises = all(first < second for first, second in zip((-1.0, *shares), (*shares, 1.0), strict=True))
    return (values, shares) if len(parts) == len(found) and shares[:1] == (0.0,) and rises else ((), ())


def at_step(phases: Sequence[tuple[int, T]], step: int) -> T:
    """Return the value at a step, of phases as `Phases.phases` gives them."""
    return next(value for first, value in reversed(phases) if step >= first)
