"""How fast does a run go in this session, and how long will it still take?"""

from collections import deque

SAMPLES = 120  # looks that a speed is taken over: the last minute at two looks per second


class Pace:
    """Speed is counted over steps alone; the time left includes what is done beside them, as often as it will come.

    Args:
        steps: Steps of the whole run.
        records: Records of the whole run.
    """

    def __init__(self, steps: int, records: int) -> None:
        self._steps, self._records = steps, min(records, steps)
        self._looks: deque[tuple[int, float]] = deque(maxlen=SAMPLES)
        self._beside_s = 0.0
        self._records_seen = 0
        self._first: tuple[float, float] | None = None

    def look(self, step: int, time_s: float, clock_s: float, records_seen: int) -> None:
        """Notes how far the run is.

        Args:
            step: Steps done; what was done before the first look, and the slow first step, are no part of the speed.
            time_s: Seconds of training, without what is done beside the steps.
            clock_s: Seconds on the clock.
            records_seen: Records written in this session.
        """
        self._looks.append((step, time_s))
        if self._first is None:
            self._first = time_s, clock_s
        self._beside_s = (clock_s - self._first[1]) - (time_s - self._first[0])
        self._records_seen = records_seen

    @property
    def steps_per_s(self) -> float | None:
        """Steps per second of training; None until two looks at different steps."""
        (step, time_s), (last_step, last_s) = self._looks[0], self._looks[-1]
        return (last_step - step) / (last_s - time_s) if last_step > step and last_s > time_s else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the end; evaluations are not in it until there was one."""
        steps_per_s = self.steps_per_s
        if steps_per_s is None:
            return None
        step = self._looks[-1][0]
        records_left = self._records - step * self._records // self._steps + 1  # one more for the final evaluation
        beside_s = self._beside_s / self._records_seen * records_left if self._records_seen else 0.0
        return (self._steps - step) / steps_per_s + beside_s
