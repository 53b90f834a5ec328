"""Ctrl-C, SIGTERM and a terminal that closes (SIGHUP), turned into a question that the loop asks between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from multimix.lab.core.errors import Interrupted

STOPPING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Inside its `with` block the first signal is only noted; a second Ctrl-C ends the program at once.

    Where signals cannot be caught, in a thread that is not the main one, nothing changes. A SIGHUP that `nohup` ignores
    stays ignored.
    """

    def __init__(self) -> None:
        self.signal: str | None = None
        self._before: dict[int, Callable[..., Any] | int | None] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in STOPPING if not _is_nohup(number)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number).name


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Let the first SIGTERM or SIGHUP end the block as Ctrl-C would, by `KeyboardInterrupt`; ignore later ones.

    Raises:
        Interrupted: in place of that `KeyboardInterrupt`, after the block.
    """
    heard: list[str] = []

    def end(number: int, frame: FrameType | None) -> None:
        heard.append(signal.Signals(number).name)
        if len(heard) == 1:
            raise KeyboardInterrupt

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [number for number in STOPPING if number != signal.SIGINT and not _is_nohup(number)]
        before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    except KeyboardInterrupt as error:
        if not heard:
            raise
        raise Interrupted(f"stopped by {heard[0]}; the same command does what is missing") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_nohup(number: int) -> bool:
    return signal.Signals(number).name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN
