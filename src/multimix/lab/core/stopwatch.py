"""How long did training take, without what was done beside it?"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, process_time


class Stopwatch:
    """Runs from its making; what happens inside `paused` does not count.

    Args:
        time_s: What it shows at the start.
        cpu_time_s: The same for seconds of computing.
    """

    def __init__(self, time_s: float = 0.0, cpu_time_s: float = 0.0) -> None:
        self._start, self._cpu_start = perf_counter() - time_s, process_time() - cpu_time_s
        self._paused_at: tuple[float, float] | None = None

    @property
    def time_s(self) -> float:
        """Seconds on the clock on the wall."""
        now = self._paused_at[0] if self._paused_at else perf_counter()
        return now - self._start

    @property
    def cpu_time_s(self) -> float:
        """Seconds of computing, over all threads; less than `time_s` where the process had to wait for a core."""
        now = self._paused_at[1] if self._paused_at else process_time()
        return now - self._cpu_start

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop counting until the block ends."""
        self._paused_at = perf_counter(), process_time()
        try:
            yield
        finally:
            self._start += perf_counter() - self._paused_at[0]
            self._cpu_start += process_time() - self._paused_at[1]
            self._paused_at = None
