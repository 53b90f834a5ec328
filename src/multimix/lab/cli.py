"""The program `multimix`: parse, call, print. Exit codes: 0 done, 1 a run failed, 2 bad usage."""

import sys
from collections.abc import Sequence

from multimix.lab.arguments import DRY_RUN, parse
from multimix.lab.commands import COMMANDS
from multimix.lab.complaints import complain
from multimix.lab.errors import FailedAlone, RunFailed, UsageError
from multimix.lab.plain_console import PlainConsole
from multimix.lab.ranks import is_first

PLAIN_WIDTH = 160  # columns where there is no terminal that could tell


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    console = PlainConsole(
        width=None if sys.stdout.isatty() else PLAIN_WIDTH,
        quiet=not is_first(),
        force_interactive=None if sys.stdout.isatty() else False,  # FORCE_COLOR asks for colours, not for a live line
    )
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        name, settings = parse([argument for argument in given if argument != DRY_RUN])
        call = COMMANDS[name].try_out if DRY_RUN in given else COMMANDS[name].call
        if call is None:
            raise UsageError(f"{name} has nothing to try out, got {DRY_RUN}; leave it out")
        return call(settings, console)
    except UsageError as error:
        complain(str(error))
        return 2
    except RunFailed as error:
        complain(str(error), alone=isinstance(error, FailedAlone))
        return 1
    except OSError as error:  # disk full, no permission, a file where a folder should be
        complain(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
        return 1
    except KeyboardInterrupt:
        complain("interrupted; the same command does what is missing")
        return 1
