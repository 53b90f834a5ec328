"""What is there, and whether it works."""

from dataclasses import dataclass

from multimix.lab.core.checks import check_name


@dataclass(frozen=True, kw_only=True)
class MethodsSettings:
    """What is said about the methods.

    Args:
        name: The method to say more about (default: a table of all).
    """

    name: str | None = None

    def __post_init__(self) -> None:
        from multimix.methods import METHODS  # torch, which the help of a command does not need

        if self.name is not None:
            check_name("name", self.name, METHODS)


@dataclass(frozen=True, kw_only=True)
class DoctorSettings:
    """How the state of a machine is printed.

    Args:
        json: As JSON, for a report of a bug.
    """

    json: bool = False
