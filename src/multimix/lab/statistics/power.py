"""What could so many seeds have found?"""

import math

import numpy as np
from scipy import stats
from scipy.optimize import brentq

SIGNIFICANCE = 0.05
POWER = 0.8


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
    beyond = 2 * stats.t.ppf(1 - SIGNIFICANCE / 2, df=n - 1) + 5  # standard errors; more power than enough
    distance = brentq(lambda distance: _power(distance, n) - POWER, 0.0, beyond, xtol=1e-9)
    return float(distance) * spread / math.sqrt(n)


def _power(distance: float, n: int) -> float:
    """Return the power for a difference so many standard errors from zero."""
    critical = stats.t.ppf(1 - SIGNIFICANCE / 2, df=n - 1)
    above = stats.nct.sf(critical, n - 1, distance)
    below = stats.nct.cdf(-critical, n - 1, distance)
    return float(above + np.nan_to_num(below))  # far out, where there is nothing below, scipy says NaN
