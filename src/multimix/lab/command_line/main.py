"""The program `multimix`: parse, call, print. Exit codes: 0 done, 1 a run failed, 2 bad usage, 130 Ctrl-C.

What a command needs is imported inside `main`, where Ctrl-C and a package that is missing end in one line.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from multimix import __version__
from multimix.lab.core.errors import FailedAlone, RunFailed, UsageError
from multimix.lab.core.ranks import is_first
from multimix.lab.core.warnings import fail, logger

PLAIN_WIDTH = 160  # columns where there is no terminal that could log
PACKAGES = (  # of multimix[lab], as they are imported
    *("lightning_fabric", "jsonargparse", "safetensors", "sklearn", "rich", "matplotlib", "jinja2", "yaml"),
    *("PIL", "datasets", "soundfile", "filelock", "shtab"),
)
GO_ON = {"train", "compare", "choose"}  # commands that continue


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--version" in given:
        print(f"multimix {__version__}")
        return 0
    try:
        return _call(given)
    except UsageError as error:
        fail(str(error))
        return error.exit_code
    except RunFailed as error:
        fail(str(error), alone=isinstance(error, FailedAlone))
        return error.exit_code
    except OSError as error:  # disk full, no permission, a file where a folder should be
        where = f" for {error.filename}" if error.filename else ""
        fail(
            f"files must be readable, and places writable, got {(error.strerror or str(error)).lower()}{where}; "
            f"mend that, or name another place"
        )
        return 1
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        fail(f"the lab's packages must be installed, got: {error}; pip install 'multimix[lab]'")
        return 2
    except KeyboardInterrupt:
        fail("interrupted" + ("; the same command does what is missing" if GO_ON & set(given) else ""))
        return 130


def _call(given: Sequence[str]) -> int:
    """Do what the arguments ask for."""
    # Before torch, whose C code imports it, and would go on with half of it after Ctrl-C.
    import numpy as np  # noqa: F401

    from multimix.lab.command_line.commands import COMMANDS
    from multimix.lab.command_line.log_level import without_log_level
    from multimix.lab.command_line.parse import DRY_RUN, parse
    from multimix.lab.core.own_folder import check_writable
    from multimix.lab.core.plain_console import PlainConsole

    given, level = without_log_level(given)
    logger.setLevel(level)
    console = PlainConsole(
        results_only=level > logging.INFO,
        width=None if sys.stdout.isatty() else PLAIN_WIDTH,
        quiet=not is_first(),
        force_interactive=None if sys.stdout.isatty() else False,  # FORCE_COLOR asks for colours, not for a live line
    )
    name, settings = parse([argument for argument in given if argument != DRY_RUN])
    call = COMMANDS[name].try_out if DRY_RUN in given else COMMANDS[name].call
    if call is None:
        raise UsageError(f"{name} has nothing to try out, got {DRY_RUN}; leave it out")
    if DRY_RUN in given:
        check_writable(Path(settings.out), f"multimix {name}")
    return call(settings, console) or 0
