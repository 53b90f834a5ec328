"""How much the program says beside its results: flags of every command, and no settings of what it does."""

import logging
from collections.abc import Sequence

from multimix.lab.core.checks import check_name

QUIET, LOG_LEVEL = "--quiet", "--log-level"
LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def without_log_level(arguments: Sequence[str]) -> tuple[list[str], int]:
    """Return the other arguments, and the level of what is said: progress is info.

    Raises:
        UsageError: if there is no such level.
    """
    rest: list[str] = []
    level = "info"
    left = iter(arguments)
    for argument in left:
        flag, equals, value = argument.partition("=")
        if argument == QUIET:
            level = "error"
        elif flag in (LOG_LEVEL, "--log_level"):
            level = value if equals else next(left, "")
        else:
            rest.append(argument)
    check_name("log_level", level, LEVELS)
    return rest, LEVELS[level]
