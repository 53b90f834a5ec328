"""What changes during a run, phase by phase: VALUE@SHARE,VALUE@SHARE,... with shares of the run's steps."""

import math
import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def split_phases(given: str) -> tuple[tuple[str, ...], tuple[float, ...]] | None:
    """Returns the values and when each begins: at rising shares of the run, the first at 0; None if it is not so."""
    found = [re.fullmatch(r"\s*([^@,\s]+)@(\d*\.?\d+)\s*", part) for part in given.split(",")]
    parts = [(part[1], float(part[2])) for part in found if part]
    values, shares = tuple(value for value, _ in parts), tuple(share for _, share in parts)
    rises = all(first < second for first, second in zip((-1.0, *shares), (*shares, 1.0), strict=True))
    return (values, shares) if len(parts) == len(found) and shares[:1] == (0.0,) and rises else None


def join_phases(values: Sequence[object], shares: Sequence[float]) -> str:
    """Returns how phases are written; what never changes, without a share."""
    if len(values) == 1:
        return str(values[0])
    return ",".join(f"{value}@{share:g}" for value, share in zip(values, shares, strict=True))


def first_steps(values: Sequence[T], shares: Sequence[float], steps: int) -> tuple[tuple[int, T], ...]:
    """Returns the first step of each phase, counted from 0, and its value, in a run of so many steps.

    A phase that begins after the last step, or when the next one does, is left out.
    """
    firsts = [math.ceil(share * steps) for share in shares]
    ends = [*firsts[1:], steps]
    return tuple((first, value) for first, end, value in zip(firsts, ends, values, strict=True) if first < end)


def at_step(phases: Sequence[tuple[int, T]], step: int) -> T:
    """Returns the value at a step, of phases as `first_steps` gives them."""
    return next(value for first, value in reversed(phases) if step >= first)
