"""Intervals against textbook values."""

import math

import pytest

from multimix.lab.statistics import Interval, paired_difference, t_interval, verdict


def test_t_interval_of_three_values():
    # mean 2, standard deviation 1, t(0.975, 2) = 4.302653: half-width 4.302653 / sqrt(3)
    interval = t_interval([1.0, 2.0, 3.0])
    assert (interval.mean, interval.n) == (2.0, 3)
    assert interval.half_width == pytest.approx(2.484138, abs=1e-6)
    assert (interval.low, interval.high) == pytest.approx((-0.484138, 4.484138), abs=1e-6)


def test_one_value_has_no_interval():
    interval = t_interval([0.5])
    assert interval.mean == 0.5
    assert math.isnan(interval.half_width)


def test_pairs_cancel_what_seeds_share():
    difference = paired_difference([1.1, 2.2, 3.1], [1.0, 2.0, 3.0])
    assert difference.mean == pytest.approx(0.4 / 3)
    assert difference.half_width < t_interval([1.1, 2.2, 3.1]).half_width / 10


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (Interval(0.2, 0.1, 3), "worse"),
        (Interval(-0.2, 0.1, 3), "better"),
        (Interval(0.2, 0.3, 3), "not distinguishable"),
        (Interval(0.2, math.nan, 1), "not distinguishable"),
        (Interval(0.2, 0.0, 3), "not distinguishable"),
    ],
)
def test_verdict(difference, expected):
    assert verdict(difference) == expected
