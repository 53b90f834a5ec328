"""What a subcommand of the program is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multimix.lab.core.plain_console import PlainConsole


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Args:
        says: What it does, for the help.
        settings: What can be set.
        call: Does it, given settings and a console; returns the exit code, None for 0.
        positional: Settings that are given by place; where one is a list, as many as there are.
        typed: Names that settings are typed by, too.
        try_out: Says what it would do, given settings and a console, where --dry-run asks for that.
        opens: Settings that its help opens with.
    """

    says: str
    settings: type
    call: Callable[[Any, PlainConsole], int | None]
    positional: tuple[str, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)
    try_out: Callable[[Any, PlainConsole], int | None] | None = None
    opens: tuple[str, ...] = ("data", "model", "method", "methods", "num_mixes", "steps", "out")
