"""What can be said from a few seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


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
    """Returns the mean of values from independent seeds with its t-interval."""
    n = len(values)
    if n < 2:
        return Interval(values[0], math.nan, n)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, df=n - 1)
    return Interval(float(np.mean(values)), float(quantile * np.std(values, ddof=1) / math.sqrt(n)), n)


def paired_difference(values: Sequence[float], reference: Sequence[float]) -> Interval:
    """Returns values - reference, seed by seed: the seeds' common ups and downs cancel."""
    return t_interval([value - other for value, other in zip(values, reference, strict=True)])


def verdict(difference: Interval) -> str:
    """Returns "worse", "better" or "not distinguishable" for a paired difference of a metric where less is better.

    Differences that are all the same leave no spread to judge by, so they are not distinguishable either: over few
    seeds and a finite test set that happens by chance.
    """
    if not difference.half_width > 0:
        return "not distinguishable"
    if difference.low > 0:
        return "worse"
    return "better" if difference.high < 0 else "not distinguishable"
