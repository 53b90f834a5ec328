"""Statistics against textbook values, published examples and simulation."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from multimix.lab.statistics import (
    Interval,
    detectable,
    holm,
    paired,
    paired_difference,
    power,
    signed_rank_p,
    t_interval,
    verdict,
)

# Student, 1908, The probable error of a mean: hours of sleep that ten patients gained by two drugs.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


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
    ("difference", "better", "expected"),
    [
        (Interval(0.2, 0.1, 3), "lower", "worse"),
        (Interval(-0.2, 0.1, 3), "lower", "better"),
        (Interval(0.2, 0.1, 3), "higher", "better"),
        (Interval(-0.2, 0.1, 3), "higher", "worse"),
        (Interval(0.2, 0.1, 3), "", "higher"),
        (Interval(-0.2, 0.1, 3), "", "lower"),
        (Interval(0.2, 0.3, 3), "lower", "not significant"),
        (Interval(0.2, math.nan, 1), "lower", "not significant"),
        (Interval(0.2, 0.0, 3), "lower", "not significant"),
    ],
)
def test_verdict(difference, better, expected):
    assert verdict(difference, better) == expected


def test_students_own_example():
    # Mean difference 1.58, t = 4.0621 with 9 degrees of freedom, p = 0.002833; one difference is zero.
    found = paired(SECOND, FIRST)
    assert found.difference.mean == pytest.approx(1.58)
    assert found.p_t == pytest.approx(0.002833, abs=1e-6)
    assert (found.difference.low, found.difference.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)
    assert found.p_signed_rank == pytest.approx(2 / 2**9)  # nine differences, all of one sign
    # d_z = 1.58 / 1.229995 = 1.284558; the factor for 9 degrees of freedom is 0.913875
    assert found.effect_size == pytest.approx(1.284558 * 0.913875, abs=1e-5)
    back = paired(FIRST, SECOND)
    assert (back.p_t, back.effect_size) == pytest.approx((found.p_t, -found.effect_size))


def test_differences_that_are_all_the_same_leave_nothing_to_judge_by():
    # 0.3 - 0.2 and 0.2 - 0.1 differ in floating point; as errors of a finite test set they are one difference.
    found = paired([0.3, 0.2], [0.2, 0.1])
    assert (found.difference.half_width, found.spread) == (0, None)
    assert (found.p_t, found.effect_size, found.detectable) == (None, None, None)
    written = paired([0.0122358, 0.0133482], [0.0111235, 0.0122358])  # (11, 12) / 899 - (10, 11) / 899, six digits
    assert written.p_t is None
    assert paired([0.0122358, 0.0133482], [0.0111235, 0.0111235]).p_t is not None


def test_what_one_and_two_seeds_cannot_say():
    one, two = paired([0.2], [0.1]), paired([0.2, 0.4], [0.1, 0.2])
    assert (one.spread, one.p_t, one.effect_size, one.detectable) == (None, None, None, None)
    assert two.effect_size is None
    assert two.p_t is not None
    assert two.p_signed_rank is None


def test_signed_ranks_need_six_pairs_that_differ():
    assert signed_rank_p([1, 2, 3, 4, 5]) is None  # at best 2 / 32 = 0.0625
    assert signed_rank_p([1, 2, 3, 4, 5, 6]) == 2 / 64
    assert signed_rank_p([1, 2, 3, 4, 5, 0]) is None


@pytest.mark.parametrize("n", [6, 9, 12])
def test_signed_ranks_without_ties_are_scipys(n):
    differences = np.random.default_rng(n).normal(0.5, 1, n)
    assert signed_rank_p(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, abs=1e-12)


def test_signed_ranks_with_ties_by_trying_all_signs():
    differences = [1, 1, -1, 2, 2, 3, -4, 4]
    ranks = stats.rankdata(np.abs(differences))
    found = abs(float(np.sign(differences) @ ranks))
    tried = [abs(float(np.array(signs) @ ranks)) for signs in product((-1, 1), repeat=len(ranks))]
    expected = sum(value >= found - 1e-9 for value in tried) / len(tried)
    assert signed_rank_p(differences) == pytest.approx(expected, abs=1e-12)


def test_differences_within_the_resolution_tie():
    exact = [0.001, 0.001, 0.002, -0.001, 0.002, 0.003]
    written = [0.001, 0.0010001, 0.0020001, -0.0009999, 0.002, 0.003]
    assert signed_rank_p(written, resolution=2e-7) == signed_rank_p(exact, resolution=1e-9)


def test_holm_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04: 4 × 0.005 = 0.02, 3 × 0.01 = 0.03, 2 × 0.03 = 0.06, then 0.04 is lifted to 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("n", "size"), [(3, 1.5), (5, 1.0), (10, 0.7)])
def test_power_against_simulation(n, size):
    trials = np.random.default_rng(n).normal(size, 1, (100_000, n))
    t = trials.mean(axis=1) / trials.std(axis=1, ddof=1) * math.sqrt(n)
    found = (np.abs(t) > stats.t.ppf(0.975, n - 1)).mean()
    assert power(size, 1.0, n) == pytest.approx(found, abs=0.006)  # four standard errors


def test_power_has_its_limits():
    assert power(0.0, 1.0, 5) == pytest.approx(0.05)
    assert power(1e3, 1.0, 2) == pytest.approx(1.0)
    assert power(-0.7, 1.0, 10) == power(0.7, 1.0, 10)


@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_what_could_have_been_found(n):
    size = detectable(0.004, n)
    assert power(size, 0.004, n) == pytest.approx(0.8, abs=1e-6)
    # Tables of power give 10 pairs for an effect of 0.996 and 34 for one of a half (Cohen, 1988; G*Power).
    assert detectable(1.0, 10) == pytest.approx(0.996, abs=1e-3)
    assert detectable(1.0, 34) < 0.5 < detectable(1.0, 33)
