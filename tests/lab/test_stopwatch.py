"""Training time is training time only."""

from time import sleep

from multimix.lab.core.stopwatch import Stopwatch


def test_a_pause_does_not_count():
    stopwatch = Stopwatch()
    with stopwatch.paused():
        before = stopwatch.time_s, stopwatch.cpu_time_s
        sleep(0.3)
        sum(range(5_000_000))
        assert (stopwatch.time_s, stopwatch.cpu_time_s) == before
    assert stopwatch.time_s < 0.3
    assert stopwatch.cpu_time_s - before[1] < 0.03


def test_working_and_waiting_are_told_apart():
    stopwatch = Stopwatch()
    sleep(0.2)
    assert stopwatch.time_s >= 0.2
    assert stopwatch.cpu_time_s < 0.1
