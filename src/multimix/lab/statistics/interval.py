"""A mean, and how far from it the truth may be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
# Of the largest value: differences that are no further apart are one difference. Values of results files have six
# significant digits, so a difference of two of them is known to 1e-5 of the larger one, and its spread to twice that.
RESOLUTION = 2.1e-5


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
    """Return "worse", "better" or "not distinguishable" for a paired difference.

    Differences that are all the same leave no spread to judge by, so they are not distinguishable either: over few
    seeds and a finite test set that happens by chance.

    Args:
        difference: Of a metric.
        better: Which values of it are better: "lower", "higher" or, where neither is, "": then the verdict is "higher"
            or "lower".
    """
    if not difference.half_width > 0 or difference.low <= 0 <= difference.high:
        return "not distinguishable"
    moved = "higher" if difference.low > 0 else "lower"
    if not better:
        return moved
    return "better" if moved == better else "worse"
