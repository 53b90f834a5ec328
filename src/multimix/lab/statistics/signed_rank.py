"""Wilcoxon's signed-rank test, exact, also where differences tie or are zero."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

# Of five differences, 2 of the 32 ways to sign them are as one-sided as can be: p >= 0.0625, whatever they are.
FEWEST = 6


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
