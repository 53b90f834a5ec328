"""What the program says when something is not as it should be."""

import logging
import sys
from functools import partial

from multimix.lab.core.printable import printable
from multimix.lab.core.ranks import is_first

logger = logging.getLogger("multimix")  # the library's, too; its level decides what is said


def warn(line: str, alone: bool = False, level: int = logging.WARNING) -> None:
    """Print a line on the standard error, once: what all processes meet, the first of them says.

    Args:
        line: What to say.
        alone: Whether only this process knows.
        level: How grave it is; what is below the level of the logger `multimix` is not said.
    """
    if (is_first() or alone) and logger.isEnabledFor(level):
        # The newline with it, in one write: others, also Python's own processes, may write at the same time.
        print(f"multimix: {printable(line)}\n", end="", file=sys.stderr)


fail = partial(warn, level=logging.ERROR)
