"""What a setting must be, and how a wrong one is refused."""

import math
from collections.abc import Iterable

from multimix.lab.core.errors import UsageError
from multimix.suggest import nearest


def check(holds: bool, rule: str, remedy: str, **values: object) -> None:
    """Refuse a setting in the words `<what must hold>, got <name>=<value>; <what to do>`."""
    if not holds:
        got = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise UsageError(f"{rule}, got {got}; {remedy}")


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is not known, and say which one is nearest."""
    known = list(known)
    check(name in known, f"{kind} must be one of {', '.join(known)}", nearest(name, known, listed=True), **{kind: name})


def check_place(name: str, value: str | None) -> None:
    """Refuse a name of a file or folder that is empty, which would mean the current folder, or that is no text."""
    if value is None:
        return
    holds = bool(value.strip()) and "\0" not in value
    check(holds, f"{name} must name a file or folder", "give a name, or . for the current folder", **{name: value})
    is_text = not any("\ud800" <= mark <= "\udfff" for mark in value)  # how Python reads bytes that are none
    check(is_text, f"{name} must be a name in UTF-8", "rename it", **{name: value})


def check_at_least_one(name: str, value: int | None) -> None:
    """Refuse a count below one; None is none."""
    check(value is None or value >= 1, f"{name} must be an integer >= 1", "give at least 1", **{name: value})


def check_seed(value: int, name: str = "seed") -> None:
    """Refuse a negative seed."""
    check(value >= 0, f"{name} must be an integer >= 0", "give one that is not negative", **{name: value})


def check_finite(name: str, value: float, remedy: str) -> None:
    """Refuse what is negative, infinite or no number."""
    check(math.isfinite(value) and value >= 0, f"{name} must be finite and >= 0", remedy, **{name: value})
