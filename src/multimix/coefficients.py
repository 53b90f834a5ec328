"""How far along the path: K ordered Beta coefficients for every pair."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

Quantile = Callable[[np.ndarray], np.ndarray]
SAMPLINGS = ("stratified", "iid")


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
    if isinstance(alpha, float | int) and alpha == 1.0:
        return uniform
    from scipy.special import betaincinv  # imported late: it would double the time `import multimix` takes

    upper = uniform > 0.5
    lower = betaincinv(alpha, alpha, np.where(upper, 1.0 - uniform, uniform))
    return np.asarray(np.where(upper, 1.0 - lower, lower), dtype=np.float64)
