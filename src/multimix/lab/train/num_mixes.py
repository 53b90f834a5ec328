"""How many mixes per pair, over a run: one number, or a schedule such as 1@0,2@0.5,5@0.8."""

from dataclasses import dataclass

from multimix.lab.core.errors import UsageError
from multimix.lab.core.phases import first_steps, join_phases, split_phases


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
        values, shares = split_phases(given) or ((), ())
        if not values or not all(value.isdecimal() and int(value) >= 1 for value in values):
            raise UsageError(
                f"num_mixes must be an integer >= 1, or values of it at rising shares of the run from 0 on, got "
                f"num_mixes={given!r}; write 5, or 1@0,2@0.5,5@0.8"
            )
        return cls(tuple(map(int, values)), shares)

    @property
    def is_constant(self) -> bool:
        """Whether it is the same all the time."""
        return len(self.values) == 1

    def phases(self, steps: int) -> tuple[tuple[int, int], ...]:
        """Returns the first step of each phase, counted from 0, and its K, in a run of so many steps.

        A phase that begins after the last step, or when the next one does, is left out.
        """
        return first_steps(self.values, self.shares, steps)

    def __str__(self) -> str:
        return join_phases(self.values, self.shares)
