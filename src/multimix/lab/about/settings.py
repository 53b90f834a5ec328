"""What is there, and whether it works."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MethodsSettings:
    """What is said about the methods: nothing can be set."""


@dataclass(frozen=True, kw_only=True)
class DoctorSettings:
    """How the state of a machine is printed.

    Args:
        json: As JSON, for a report of a bug.
    """

    json: bool = False
