"""Which method at which moment of a run: another one, other odds, or none, phase by phase."""

from collections.abc import Mapping
from dataclasses import dataclass

from multimix.methods.choice import Choice
from multimix.methods.method import Method
from multimix.methods.names import as_method
from multimix.scalars import as_number


@dataclass(frozen=True, init=False)
class Phases:
    """A schedule of methods: what mixes from each share of a run on, until the next.

    It has no state, and `MultiMix` knows nothing of it: ask it for the method of a moment, and make the mixer of that
    moment. Both take microseconds.

    Args:
        starts: from the share of the run at which a phase begins to its method, choice or name; the first at 0, all
            below 1, in any order.

    Raises:
        ValueError: if no phase begins at 0, one begins outside of [0, 1), or a name is unknown.
        TypeError: if one is neither a method nor a name.

    Example:
        >>> phases = Phases({0: Choice(["mixup", "cutmix"], [1, 2]), 0.5: "cutmix", 0.9: "none"})
        >>> for step in range(steps):
        ...     mix = MultiMix(phases.at(step / steps), num_classes=100)
    """

    starts: tuple[float, ...]
    methods: tuple[Method | Choice, ...]

    def __init__(self, starts: "Mapping[float, Method | Choice | str]") -> None:
        begins = {_as_share(key): method for key, method in starts.items()} if isinstance(starts, Mapping) else {}
        shares = sorted(share for share in begins if share is not None)
        if not shares or len(shares) < len(begins) or shares[0] != 0 or shares[-1] == 1:
            raise ValueError(
                f"starts must be shares of the run from 0 on, each below 1, with a method, got starts={starts!r}; "
                f'try Phases({{0: "mixup", 0.9: "none"}})'
            )
        object.__setattr__(self, "starts", tuple(shares))
        object.__setattr__(self, "methods", tuple(as_method(begins[share]) for share in shares))

    def at(self, progress: float) -> Method | Choice:
        """Return the method at a moment.

        Args:
            progress: share of the run that is done, from 0 to 1.

        Raises:
            ValueError: if it is no such share.
        """
        share = _as_share(progress)
        if share is None:
            raise ValueError(
                f"progress must be a share of the run, from 0 to 1, got progress={progress!r}; try step / steps"
            )
        return next(
            method
            for start, method in zip(reversed(self.starts), reversed(self.methods), strict=True)
            if share >= start
        )


def _as_share(value: object) -> float | None:
    number = as_number(value)
    return float(number) if number is not None and 0 <= number <= 1 else None
