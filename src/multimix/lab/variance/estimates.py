"""Estimates as JSON, and as they are shown."""

import math
from typing import Any

from multimix.variance import Estimate

Json = dict[str, Any]


def as_numbers(estimate: Estimate | tuple[float, float, float]) -> Json:
    """Return value, low, high and, of an estimate, n; what is not finite is null, as JSON has no other word for it."""
    if isinstance(estimate, Estimate):
        return as_numbers((estimate.value, estimate.low, estimate.high)) | {"n": estimate.n}
    return dict(zip(("value", "low", "high"), map(finite, estimate), strict=True))


def finite(value: float) -> float | None:
    """Return a number, or None if it is not finite."""
    return value if math.isfinite(value) else None


def interval(estimate: Json) -> str:
    """Return `value [low, high]`."""
    return f"{number(estimate['value'])} [{number(estimate['low'])}, {number(estimate['high'])}]"


def number(value: float | None) -> str:
    """Return three digits of a number; ? where it is not known."""
    if value is None:
        return "?"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.2e}"
