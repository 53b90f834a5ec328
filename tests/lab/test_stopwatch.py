"""Training time is training time only, and says where it was measured."""

from time import sleep

import torch

import multimix
from multimix.lab.core.machine import environment
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


def test_the_version_on_record_is_that_of_the_code_that_ran():
    assert environment(torch.device("cpu"), 1)["multimix"] == multimix.__version__
