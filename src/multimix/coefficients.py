"""How far along the path: K ordered Beta coefficients for every pair."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64

Quantile = Callable[[np.ndarray], np.ndarray]
SAMPLINGS = ("stratified", "iid")
BY_SERIES = 0.01, 5.0  # alphas between which NODES are enough; for others quantiles are computed one by one
NODES = 40
SMALLEST = 1e-14  # coefficients of the series that count, as shares of the largest


def draw_lam(
    quantile: Quantile, num_mixes: int, num_pairs: int, sampling: str, rng: np.random.Generator
) -> Float64[np.ndarray, "{num_mixes} {num_pairs}"]:
    """Draw the coefficients, non-increasing along the first axis.

    Whatever the sampling, a coefficient picked at random among the K of a pair follows the quantile function's law.
    `"stratified"` only changes how the K of a pair, and the k-th of all pairs, lie together: each pair has one draw in
    each of K strata of equal probability, and within a stratum the pairs of the batch occupy one sub-stratum each.

    Args:
        quantile: from numbers in [0, 1], uniform, to coefficients; non-decreasing.
        num_mixes: K >= 1.
        num_pairs: P >= 1.
        sampling: `"stratified"` or `"iid"`.
        rng: the source of the draws.

    References:
        Order of the path: Shen et al., 2024, arXiv 2406.01417. Stratification: Cochran, Sampling Techniques, ch. 5.
    """
    if sampling == "iid":
        uniform = np.sort(rng.random((num_mixes, num_pairs)), axis=0)[::-1].copy()
    else:
        uniform = _stratified(num_mixes, num_pairs, rng)
    return quantile(uniform)


def _stratified(num_mixes: int, num_pairs: int, rng: np.random.Generator) -> Float64[np.ndarray, "K P"]:
    """One uniform per stratum and pair, the highest stratum first."""
    order, jitter = rng.random((2, num_mixes, num_pairs))
    sub_stratum = order.argsort(axis=1)  # a permutation, twice as fast as drawing one
    within = (sub_stratum + jitter) / num_pairs
    stratum = np.arange(num_mixes)[::-1, None]
    return np.asarray((stratum + within) / num_mixes)


def beta_quantile(
    alpha: float | Float64[np.ndarray, "P"], uniform: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    """Quantile function of Beta(alpha, alpha), in float64; of several such laws, one for each pair.

    The upper half is computed as one minus the mirrored lower half, where float64 is finest: for small alpha the lower
    quantiles are as small as 1e-40, and the law stays exactly symmetric.
    """
    same = alpha if isinstance(alpha, float | int) else float(alpha[0]) if (alpha == alpha[0]).all() else None
    if same == 1.0:
        return uniform
    upper = uniform > 0.5
    mirrored = np.where(upper, 1.0 - uniform, uniform)
    if same is not None and BY_SERIES[0] <= same <= BY_SERIES[1]:
        lower = _sum_series(_lower_series(float(same)), (2.0 * mirrored) ** (1.0 / same))
    else:
        from scipy.special import betaincinv  # imported late: it would double the time `import multimix` takes

        lower = betaincinv(alpha, alpha, mirrored)
    return np.asarray(np.where(upper, 1.0 - lower, lower), dtype=np.float64)


@lru_cache(maxsize=16)
def _lower_series(alpha: float) -> Float64[np.ndarray, "terms"]:
    """Return the lower half of the quantile function by a polynomial: a fifth of the time, the same to 1e-14.

    With `z = (2 u) ** (1 / alpha)`, the quantile of u divided by z is analytic in z from 0 to 1. The polynomial, in
    2 z - 1, goes through it at Chebyshev's nodes.

    Returns:
        Coefficients, the highest power first.
    """
    from scipy.special import betaincinv

    def quotient(node: np.ndarray) -> np.ndarray:
        z = (node + 1.0) / 2.0
        return np.asarray(betaincinv(alpha, alpha, z**alpha / 2.0) / z)

    interpolate: Any = np.polynomial.chebyshev.chebinterpolate
    series = interpolate(quotient, NODES - 1)
    counts = np.flatnonzero(np.abs(series) > SMALLEST * np.abs(series).max())
    return np.asarray(np.polynomial.chebyshev.cheb2poly(series[: counts[-1] + 1])[::-1])


def _sum_series(
    series: Float64[np.ndarray, "terms"], z: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    at, total = 2.0 * z - 1.0, np.full_like(z, series[0])
    for coefficient in series[1:]:
        total *= at
        total += coefficient
    total *= z
    return np.asarray(np.minimum(total, 0.5, out=total))
