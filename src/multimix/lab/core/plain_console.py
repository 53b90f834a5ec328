"""A terminal on which text is only text."""

import os
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from multimix.lab.core.printable import printable_lines
from multimix.lab.core.warnings import warn


class PlainConsole(Console):
    """Shows every string as it is: `[red]`, `:smile:` and escape sequences in it do nothing. Colours are given apart.

    So a name that comes from elsewhere needs no care where it is printed, also in the cell of a table.

    Args:
        results_only: Whether `progress` shows nothing.
        options: Those of rich's console.
    """

    def __init__(self, results_only: bool = False, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        # Where what is under way is shown; results are printed on the console itself.
        self.progress = PlainConsole(**options | {"quiet": True}) if results_only else self

    def on_broken_pipe(self) -> None:
        """Go on without output where nobody reads it any more; rich would end the process, and a run with it."""
        self.quiet = True
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        warn("nobody reads the output any more; going on without it")

    def render_str(self, text: str, **options: Any) -> Text:
        """Make the text of any string that is printed."""
        return super().render_str(printable_lines(text), **options)
