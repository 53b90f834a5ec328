"""How far a command has come: a bar on a terminal; nothing elsewhere, where plain lines tell."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[str, float], None]  # called with what is being done, and the share of the whole just done
DRAW_EVERY_S = 0.5  # a thread that draws would disturb what is being timed


@contextmanager
def bar(console: Console) -> Iterator[Advance]:
    """Show a bar while a block runs; yield what moves it on."""
    columns = TextColumn("{task.description}"), BarColumn(30), TimeRemainingColumn()
    hidden = console.quiet or not console.is_interactive
    with Progress(*columns, console=console, transient=True, auto_refresh=False, disable=hidden) as progress:
        task = progress.add_task("starting", total=1.0)
        next_s = 0.0

        def advance(what: str, share: float) -> None:
            nonlocal next_s
            is_due = monotonic() >= next_s
            next_s = monotonic() + DRAW_EVERY_S if is_due else next_s
            progress.update(task, description=what, advance=share, refresh=is_due)

        yield advance
