"""Numbers of any library as Python's own, so that settings print, compare and pickle alike wherever they come from."""

import numbers
import operator
from typing import Any


def as_integer(value: Any) -> int | None:
    """The integer that this is: Python's, NumPy's, an array's or tensor's without axes. None: it is none, or a bool."""
    value = _unboxed(value)
    if isinstance(value, bool) or hasattr(value, "ndim"):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def as_number(value: Any) -> int | float | None:
    """Return the real number that this is, as in `as_integer`. None: it is none, a bool, or beyond the floats."""
    value = _unboxed(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        real = float(value)
    except OverflowError:
        return None
    return int(value) if isinstance(value, numbers.Integral) else real


def _unboxed(value: Any) -> Any:
    """Return what an array, a tensor or a NumPy scalar without axes holds."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
