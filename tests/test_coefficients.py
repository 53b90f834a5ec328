"""The law of the coefficients, tested as a law."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

from multimix.coefficients import beta_quantile, draw_lam

ALPHAS = (0.05, 0.2, 0.5, 1.0, 2.0, 8.0, 50.0)


def draws(alpha: float, sampling: str, num_mixes: int = 5, num_pairs: int = 40, steps: int = 100) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack(
        [draw_lam(partial(beta_quantile, alpha), num_mixes, num_pairs, sampling, rng) for _ in range(steps)]
    )


@pytest.mark.parametrize("num_mixes", [1, 5])
@pytest.mark.parametrize("sampling", ["stratified", "iid"])
@pytest.mark.parametrize("alpha", [a for a in ALPHAS if a >= 0.2])
def test_a_coefficient_follows_the_beta_law(alpha, sampling, num_mixes):
    # One coefficient per step, a random one of its path: those are independent, as the test wants them.
    lam = draws(alpha, sampling, num_mixes, num_pairs=3, steps=1500)
    order = np.random.default_rng(1)
    picked = lam[np.arange(1500), order.integers(num_mixes, size=1500), order.integers(3, size=1500)]
    assert stats.kstest(picked, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.2, 1.0, 2.0])
def test_independent_draws_of_a_batch_are_independent(alpha):
    lam = draws(alpha, "iid", num_mixes=1, num_pairs=4000, steps=1).ravel()
    assert stats.kstest(lam, stats.beta(alpha, alpha).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(lam[:-1], lam[1:])[0, 1]) < 0.06


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("sampling", ["stratified", "iid"])
def test_paths_are_ordered_and_in_range(alpha, sampling):
    lam = draws(alpha, sampling)
    assert lam.dtype == np.float64
    assert np.isfinite(lam).all()
    assert (lam >= 0).all()
    assert (lam <= 1).all()
    assert (np.diff(lam, axis=1) <= 0).all()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_one_draw_per_stratum(alpha):
    num_mixes, num_pairs = 5, 16
    for lam in draws(alpha, "stratified", num_mixes, num_pairs, steps=20):
        uniform = stats.beta(alpha, alpha).cdf(lam)
        stratum = np.floor(uniform * num_mixes).astype(int)
        assert (stratum == np.arange(num_mixes)[::-1, None]).all()
        sub_stratum = np.floor((uniform * num_mixes - stratum) * num_pairs).astype(int)
        assert (np.sort(sub_stratum, axis=1) == np.arange(num_pairs)).all()


def test_one_mix_is_stratified_over_the_batch():
    lam = draws(1.0, "stratified", num_mixes=1, num_pairs=10, steps=50)
    assert (np.sort(np.floor(lam[:, 0] * 10), axis=1) == np.arange(10)).all()


def test_places_in_the_batch_are_exchangeable():
    mean_by_pair = draws(1.0, "stratified", num_mixes=2, num_pairs=4, steps=4000)[:, 0].mean(axis=0)
    assert np.abs(mean_by_pair - 0.75).max() < 0.01


def test_strata_lower_the_variance_of_a_mean_and_keep_its_value():
    f = np.exp
    stratified, independent = (f(draws(1.0, s, steps=400)).mean(axis=(1, 2)) for s in ("stratified", "iid"))
    assert abs(stratified.mean() - (np.e - 1)) < 3 * independent.std() / 20
    assert stratified.var() < independent.var() / 50


@pytest.mark.parametrize("alpha", ALPHAS)
def test_quantiles_agree_with_scipy_and_are_symmetric(alpha):
    uniform = np.concatenate([np.linspace(1e-9, 1 - 1e-9, 1001), [1e-300, 0.0, 1.0]])
    quantile = beta_quantile(alpha, uniform)
    np.testing.assert_allclose(quantile, stats.beta(alpha, alpha).ppf(uniform), rtol=1e-7, atol=1e-12)
    # 1 - u and 1 - q are exact here because u is a multiple of 2^-10
    grid = np.arange(1, 1024) / 1024
    np.testing.assert_allclose(beta_quantile(alpha, grid) + beta_quantile(alpha, 1 - grid), 1.0, rtol=0, atol=1e-12)


def test_small_alpha_keeps_its_smallest_quantiles():
    lam = draws(0.05, "stratified", num_mixes=5, num_pairs=256, steps=1)
    assert 0 < lam.min() < 1e-30
    assert len(np.unique(lam[lam < 0.5])) == (lam < 0.5).sum()
