"""What the program says when something is not as it should be."""

import sys

from multimix.lab.core.printable import printable
from multimix.lab.core.ranks import is_first


def warn(line: str, alone: bool = False) -> None:
    """Print a line on the standard error, once: what all processes meet, the first of them says.

    Args:
        line: What to say.
        alone: Whether only this process knows.
    """
    if is_first() or alone:
        print(f"multimix: {printable(line)}", file=sys.stderr)
