"""What can be said from a few seeds: intervals, paired tests, what they could have found, many of them at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from scipy.special import gammaln

CONFIDENCE = 0.95
# Of the largest value: differences that are no further apart are one difference. Values of results files have six
# significant digits, so a difference of two of them is known to 1e-5 of the larger one, and its spread to twice that.
RESOLUTION = 2.1e-5
SIGNIFICANCE = 0.05
POWER = 0.8
FEWEST_SEEDS = 5  # for advice: with fewer hardly any difference is significant, and that says nothing
# Of five differences, 2 of the 32 ways to sign them are as one-sided as can be: p >= 0.0625, whatever they are.
FEWEST = 6


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % t-interval.

    Args:
        mean: The mean.
        half_width: Half the width of the interval; NaN for a single value, which says nothing about its spread.
        n: Number of values.
    """

    mean: float
    half_width: float
    n: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half_width


def t_interval(values: Sequence[float]) -> Interval:
    """Return the mean of values from independent seeds with its t-interval."""
    n = len(values)
    if n < 2:
        return Interval(values[0], math.nan, n)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, df=n - 1)
    return Interval(float(np.mean(values)), float(quantile * np.std(values, ddof=1) / math.sqrt(n)), n)


def differences(values: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Return values - reference, seed by seed: the seeds' common ups and downs cancel.

    Differences that rounding alone could have set apart come back as the same number.
    """
    each = [value - other for value, other in zip(values, reference, strict=True)]
    if max(each) - min(each) <= resolution(values, reference):
        return [each[0]] * len(each)
    return each


def resolution(values: Sequence[float], reference: Sequence[float]) -> float:
    """Return the distance below which two differences of such values are one."""
    return RESOLUTION * max(map(abs, [*values, *reference]))


def paired_difference(values: Sequence[float], reference: Sequence[float]) -> Interval:
    """Return the mean of values - reference, seed by seed, with its t-interval."""
    return t_interval(differences(values, reference))


def verdict(difference: Interval, better: str = "lower") -> str:
    """Return "worse", "better" or "not significant" for a paired difference.

    Differences that are all the same leave no spread to judge by, so they are not significant either: over few
    seeds and a finite test set that happens by chance.

    Args:
        difference: Of a metric.
        better: Which values of it are better: "lower", "higher" or, where neither is, "": then the verdict is "higher"
            or "lower".
    """
    if not difference.half_width > 0 or difference.low <= 0 <= difference.high:
        return "not significant"
    moved = "higher" if difference.low > 0 else "lower"
    if not better:
        return moved
    return "better" if moved == better else "worse"


def power(difference: float, spread: float, n: int) -> float:
    """Return how likely a two-sided paired t-test at 5 % finds a true difference, by the noncentral t law.

    Args:
        difference: The true mean difference.
        spread: Standard deviation of the differences, > 0.
        n: Number of seeds, >= 2.
    """
    return _power(abs(difference) * math.sqrt(n) / spread, n)


def detectable(spread: float, n: int) -> float:
    """Return the smallest true difference that such a test finds with a probability of 80 %.

    Args:
        spread: Standard deviation of the differences, > 0.
        n: Number of seeds, >= 2.
    """
    return _detectable_distance(n) * spread / math.sqrt(n)


@cache
def _detectable_distance(n: int) -> float:
    """Return it in standard errors; found once for each n, as a report asks for every row and metric."""
    beyond = 2 * stats.t.ppf(1 - SIGNIFICANCE / 2, df=n - 1) + 5  # standard errors; more power than enough
    return float(brentq(lambda distance: _power(distance, n) - POWER, 0.0, beyond, xtol=1e-9))


def _power(distance: float, n: int) -> float:
    """Return the power for a difference so many standard errors from zero."""
    critical = stats.t.ppf(1 - SIGNIFICANCE / 2, df=n - 1)
    above = stats.nct.sf(critical, n - 1, distance)
    below = stats.nct.cdf(-critical, n - 1, distance)
    return float(above + np.nan_to_num(below))  # far out, where there is nothing below, scipy says NaN


def signed_rank_p(differences: Sequence[float], resolution: float = 0.0) -> float | None:
    """Return the two-sided p-value; None where so few pairs differ that 5 % is out of reach.

    Differences of zero are dropped, as Wilcoxon did; equal ones share the mean of their ranks. The p-value is the share
    of all ways to sign those ranks whose sums are as far apart as the one found, or further.

    Args:
        differences: One for each seed.
        resolution: Differences no further apart than this are equal, and zero if no further from it.

    References:
        Wilcoxon, 1945, Individual comparisons by ranking methods; Pratt and Gibbons, 1981, on ties.
    """
    found = np.array([difference for difference in differences if abs(difference) > resolution])
    if len(found) < FEWEST:
        return None
    order = np.argsort(np.abs(found))
    group = np.concatenate([[0], np.cumsum(np.diff(np.abs(found)[order]) > resolution)])
    doubled = np.rint(2 * stats.rankdata(group)).astype(int)  # ranks that are shared end in a half
    sums = np.ones(1)  # how often each sum of the ranks with a plus occurs, as a share
    for rank in doubled:
        sums = (np.pad(sums, (0, rank)) + np.pad(sums, (rank, 0))) / 2
    positive = int(doubled[found[order] > 0].sum())
    tail = min(positive, int(doubled.sum()) - positive)
    return min(1.0, 2 * float(sums[: tail + 1].sum()))


@dataclass(frozen=True)
class Paired:
    """The paired comparison of a metric. What cannot be told is None: from one seed, or without any spread, nothing.

    Args:
        difference: The row minus its reference: the mean over seeds, with its t-interval.
        spread: Standard deviation of the differences.
        p_t: Two-sided p-value of the paired t-test.
        p_signed_rank: That of Wilcoxon's signed-rank test; None also with too few seeds to be significant at 5 %.
        effect_size: Mean difference in units of its spread, corrected for small samples; None with two seeds too.
        detectable: The smallest true difference that as many seeds with this spread find with a probability of 80 %.
    """

    difference: Interval
    spread: float | None
    p_t: float | None
    p_signed_rank: float | None
    effect_size: float | None
    detectable: float | None


def paired(values: Sequence[float], reference: Sequence[float]) -> Paired:
    """Compare values with a reference, seed by seed."""
    found = differences(values, reference)
    difference = t_interval(found)
    spread = float(np.std(found, ddof=1)) if difference.half_width > 0 else None
    return Paired(
        difference=difference,
        spread=spread,
        p_t=None if spread is None else _p_t(difference, spread),
        p_signed_rank=signed_rank_p(found, resolution(values, reference)),
        effect_size=None if spread is None else _effect_size(difference, spread),
        detectable=None if spread is None else detectable(spread, difference.n),
    )


def _p_t(difference: Interval, spread: float) -> float:
    t = difference.mean * math.sqrt(difference.n) / spread
    return float(2 * stats.t.sf(abs(t), df=difference.n - 1))


def _effect_size(difference: Interval, spread: float) -> float | None:
    """Cohen's d_z times Hedges' exact factor, which makes it unbiased; the factor is 0 for two seeds.

    References:
        Hedges, 1981, Distribution theory for Glass's estimator of effect size, equation 6e.
    """
    freedom = difference.n - 1
    if freedom < 2:
        return None
    factor = math.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return factor * difference.mean / spread


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given.

    Calling significant whatever is at most 0.05 afterwards finds something where there is nothing, anywhere in the
    family, with a probability of at most 5 %, however the tests depend on each other.

    References:
        Holm, 1979, A simple sequentially rejective multiple test procedure.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
