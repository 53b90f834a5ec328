"""One row against another, seed by seed: all that is said about it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import gammaln

from multimix.lab.statistics.interval import Interval, differences, resolution, t_interval
from multimix.lab.statistics.power import detectable
from multimix.lab.statistics.signed_rank import signed_rank_p


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
