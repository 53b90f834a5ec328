"""Progress of one run: live on a terminal, a plain line per record elsewhere."""

import sys
from collections import deque
from collections.abc import Sequence
from time import monotonic
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.text import Text

from multimix.lab.train.moments import Length, at_step
from multimix.lab.train.progress import duration, quality
from multimix.lab.train.run_folder import Record
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.state import Meter

LOOK_EVERY_S = 0.5  # a look waits for the device, and drawing takes about a millisecond
LOOKS = 120  # that a speed is taken over: the last minute
BAR = 30  # columns, at most


class Pace:
    """How fast a run goes in this session, and how long it will still take.

    What was done before the first look, and the slow first step, are no part of it.

    Args:
        steps: Steps of the whole run.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._looks: deque[tuple[int, float]] = deque(maxlen=LOOKS)
        self._begun: tuple[int, float] | None = None
        self._clock_s = 0.0

    def look(self, step: int, time_s: float, clock_s: float) -> None:
        """Note how far the run is.

        Args:
            step: Steps done.
            time_s: Seconds of training, without what is done beside the steps.
            clock_s: Seconds on the clock.
        """
        self._looks.append((step, time_s))
        self._begun, self._clock_s = self._begun or (step, clock_s), clock_s

    @property
    def steps_per_s(self) -> float | None:
        """Steps per second of training, over the last looks; None until two at different steps."""
        (step, time_s), (last_step, last_s) = self._looks[0], self._looks[-1]
        return (last_step - step) / (last_s - time_s) if last_step > step and last_s > time_s else None

    @property
    def left_s(self) -> float:
        """Seconds until the end: evaluations and saves go on as often as since the first look."""
        assert self._begun is not None  # asked after a look
        step, (begun_step, begun_s) = self._looks[-1][0], self._begun
        return (self._clock_s - begun_s) / max(1, step - begun_step) * (self._steps - step)


class Watch:
    """Shows a run inside its `with` block.

    Args:
        settings: The run's.
        console: Where to show it.
    """

    def __init__(self, settings: TrainSettings, console: Console) -> None:
        self._settings, self._console = settings, console
        self._live: Live | None = None
        if console.is_interactive and not console.quiet:
            self._live = Live(
                self,
                console=console,
                auto_refresh=False,  # a thread that draws would take its time from the training's
                transient=True,
                redirect_stderr=sys.stderr.isatty(),
            )
        self._pace: Pace | None = None
        self._length = Length(1, 1.0)
        self._step = 0
        self._next_look = 0.0
        self._measured: list[str] = []
        self._error = ""

    def __enter__(self) -> "Watch":
        if self._live is not None:
            self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def on_step(self, step: int, time_s: float, meter: Meter, length: Length) -> None:
        """Look at a run, if the last look is long enough ago; at the first, say where one that was stopped goes on."""
        now = monotonic()
        if now < self._next_look:
            return
        goes_on = self._pace is None and step > 1
        self._pace = self._pace or Pace(length.steps)
        self._pace.look(step, time_s, now)
        self._step, self._length = step, length
        if goes_on:
            self._console.print(f"goes on from step {step - 1} of {length.steps}", markup=False)
        if self._live is not None:
            loss, accuracy = meter.read().mean(dim=0).tolist()
            self._measured = [f"loss {loss:.3f}", f"mixed accuracy {accuracy:.1%}"]
            self._live.refresh()
        self._next_look = monotonic() + LOOK_EVERY_S

    def on_record(self, record: Record) -> None:
        """Print a record; the line under it, if there is one, stays under it."""
        if self._pace is not None:
            self._pace.look(int(record["step"]), record["time_s"], monotonic())
        self._error = f"test error {record['error']:.2%}"
        if self._live is None:
            self._console.print("  ".join([quality(record), *self._speed()]), soft_wrap=True, markup=False)
        else:  # the live line shows the rest
            self._console.print(quality(record), markup=False)

    def _speed(self) -> list[str]:
        if self._pace is None or self._pace.steps_per_s is None:
            return []
        samples = at_step(self._settings.samples(self._length.steps), max(0, self._step - 1))
        return [f"{self._pace.steps_per_s * samples:,.0f} images/s", f"{duration(self._pace.left_s)} left"]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._pace is None:
            yield Text("starting")
            return
        epoch, epochs = (steps / self._length.epoch for steps in (self._step, self._length.steps))
        where = [f"epoch {epoch:.1f}/{round(epochs, 1):g}", f"step {self._step}/{self._length.steps}"]
        images_per_s, left = self._speed() or ("", "")
        yield ProgressBar(total=self._length.steps, completed=self._step, width=min(BAR, options.max_width))
        yield Segment.line()
        items = [*where, left, *self._measured, images_per_s, self._error]
        yield from map(Text, _lines(items, options.max_width))


def _lines(items: Sequence[str], width: int) -> list[str]:
    """Return the items in lines of at most `width` columns, no item broken."""
    lines: list[str] = []
    for item in filter(None, items):
        if lines and len(lines[-1]) + 2 + len(item) <= width:
            lines[-1] += f"  {item}"
        else:
            lines.append(item)
    return lines
