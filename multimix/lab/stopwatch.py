"""How long did training take, without what was done beside it?"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Runs from its making; what happens inside `paused` does not count."""

    def __init__(self) -> None:
        self._start = perf_counter()
        self._paused_at: float | None = None

    @property
    def time_s(self) -> float:
        """Seconds counted so far."""
        now = perf_counter() if self._paused_at is None else self._paused_at
        return now - self._start

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops counting until the block ends."""
        self._paused_at = perf_counter()
        try:
            yield
        finally:
            self._start += perf_counter() - self._paused_at
            self._paused_at = None
