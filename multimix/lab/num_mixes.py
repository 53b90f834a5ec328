"""How many mixes per pair, over a run: one number, or a schedule such as 1@0,2@0.5,5@0.8."""

import math
import re
from dataclasses import dataclass

from multimix.lab.errors import UsageError


@dataclass(frozen=True)
class NumMixes:
    """K, phase by phase.

    Args:
        values: K in each phase.
        shares: When each phase begins, as a share of the run's steps; the first at 0.
    """

    values: tuple[int, ...]
    shares: tuple[float, ...] = (0.0,)

    @classmethod
    def parse(cls, given: int | str) -> "NumMixes":
        """Reads 5 or "1@0,2@0.5,5@0.8": one mix of each pair at first, two from half of the steps on, then five.

        Raises:
            UsageError: if it is neither.
        """
        if isinstance(given, int):
            if given < 1:
                raise UsageError(f"num_mixes must be an integer >= 1, got num_mixes={given}; give at least 1")
            return cls((given,))
        found = [re.fullmatch(r"\s*(\d+)@(\d*\.?\d+)\s*", part) for part in given.split(",")]
        parts = [(int(part[1]), float(part[2])) for part in found if part]
        values, shares = tuple(value for value, _ in parts), tuple(share for _, share in parts)
        rises = all(first < second for first, second in zip((-1.0, *shares), (*shares, 1.0), strict=True))
        if len(parts) < len(found) or shares[:1] != (0.0,) or not rises or min(values) < 1:
            raise UsageError(
                f"num_mixes must be an integer >= 1, auto, or values of it at rising shares of the run from 0 on, got "
                f"num_mixes={given!r}; write 5, or 1@0,2@0.5,5@0.8"
            )
        return cls(values, shares)

    @property
    def is_constant(self) -> bool:
        """Whether it is the same all the time."""
        return len(self.values) == 1

    def phases(self, steps: int) -> tuple[tuple[int, int], ...]:
        """Returns the first step of each phase, counted from 0, and its K, in a run of so many steps.

        A phase that begins after the last step, or when the next one does, is left out.
        """
        firsts = [math.ceil(share * steps) for share in self.shares]
        ends = [*firsts[1:], steps]
        return tuple((first, value) for first, end, value in zip(firsts, ends, self.values, strict=True) if first < end)

    def __str__(self) -> str:
        if self.is_constant:
            return str(self.values[0])
        return ",".join(f"{value}@{share:g}" for value, share in zip(self.values, self.shares, strict=True))
