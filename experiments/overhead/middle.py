"""A number of several rounds, with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

SAME = 0.05  # ratios that are no further from 1 are equal for this study


@dataclass(frozen=True)
class Middle:
    """The middle of n values, its 95 % interval, and what that says of a ratio."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Middle":
        """Return the median of two values or more and its bootstrap interval; of three: lowest to highest."""
        found = bootstrap((values,), np.median, n_resamples=2000, method="percentile", rng=0).confidence_interval
        return cls(float(np.median(values)), float(found.low), float(found.high), len(values))

    @classmethod
    def ratio(cls, values: Sequence[float], reference: Sequence[float]) -> "Middle":
        """Return that of values in units of a reference, each divided by that of its own round."""
        return cls.of([value / other for value, other in zip(values, reference, strict=True)])

    @property
    def verdict(self) -> str:
        """What is concluded where the values are ratios."""
        if self.low > 1 + SAME:
            return "more"
        if self.high < 1 / (1 + SAME):
            return "less"
        is_same = self.low >= 1 / (1 + SAME) and self.high <= 1 + SAME
        return f"equal within {SAME:.0%}" if is_same else "not decided"
