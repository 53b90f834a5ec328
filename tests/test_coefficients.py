"""The law of the coefficients, tested as a law."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats

from multimix import Choice, MixUp, MultiMix
from multimix.coefficients import beta_quantile, draw_lam

ALPHAS = (0.05, 0.2, 0.5, 1.0, 2.0, 8.0, 50.0)


def draws(alpha: float, sampling: str, num_mixes: int = 5, num_pairs: int = 40, steps: int = 100) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack(
        [draw_lam(partial(beta_quantile, alpha), num_mixes, num_pairs, sampling, rng) for _ in range(steps)]
    )


@pytest.mark.usefixtures("no_type_checks")
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


@pytest.mark.usefixtures("no_type_checks")
def test_places_in_the_batch_are_exchangeable():
    mean_by_pair = draws(1.0, "stratified", num_mixes=2, num_pairs=4, steps=4000)[:, 0].mean(axis=0)
    assert np.abs(mean_by_pair - 0.75).max() < 0.01


@pytest.mark.usefixtures("no_type_checks")
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


@pytest.mark.parametrize("alpha", [0.01, 0.2, 0.7, 2.0, 5.0])
def test_quantiles_by_series_are_those_one_by_one(alpha):
    uniform = np.concatenate([np.geomspace(1e-17, 0.5, 500), np.nextafter(0.5, [0.0, 1.0]), [0.0, 1.0]])
    found = beta_quantile(alpha, uniform)
    one_by_one = beta_quantile(np.append(np.full(len(uniform), alpha), 0.5), np.append(uniform, 0.5))[:-1]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-12, atol=1e-300)
    assert (np.diff(found[:500]) >= 0).all()
    assert not np.array_equal(found, one_by_one)  # they are computed in two ways


def test_small_alpha_keeps_its_smallest_quantiles():
    lam = draws(0.05, "stratified", num_mixes=5, num_pairs=256, steps=1)
    assert 0 < lam.min() < 1e-30
    assert len(np.unique(lam[lam < 0.5])) == (lam < 0.5).sum()


class TestOneLawForEachPair:
    ALPHA = torch.tensor([0.2, 1.0, 5.0, 0.7])

    def lams(self, alpha: torch.Tensor, steps: int = 600, **settings) -> tuple[np.ndarray, np.ndarray]:
        """One coefficient of each pair and step, at random of its path; and the pairs' partners."""
        mix, x = MultiMix("mixup", **{"num_mixes": 3, **settings}), torch.rand(len(alpha), 2)
        plans = [mix.plan(x, alpha=alpha, generator=torch.Generator().manual_seed(i)) for i in range(steps)]
        which = np.random.default_rng(0).integers(3, size=(steps, 1, len(alpha)))
        lam = np.stack([plan.lam.numpy() for plan in plans])
        assert (np.diff(lam, axis=1) <= 0).all()
        return np.take_along_axis(lam, which, 1)[:, 0], np.stack([plan.partner.numpy() for plan in plans])

    @pytest.mark.usefixtures("no_type_checks")
    @pytest.mark.parametrize("sampling", ["stratified", "iid"])
    def test_coefficients_follow_it(self, sampling):
        lam, _ = self.lams(self.ALPHA, sampling=sampling)
        for i, alpha in enumerate(self.ALPHA.tolist()):
            assert stats.kstest(lam[:, i], stats.beta(alpha, alpha).cdf).pvalue > 1e-3
            assert stats.kstest(lam[:, i], stats.beta(2 * alpha, 2 * alpha).cdf).pvalue < 1e-3

    @pytest.mark.usefixtures("no_type_checks")
    def test_a_table_is_looked_up_for_the_partners_that_were_drawn(self):
        table = torch.exp(torch.randn(4, 4, generator=torch.Generator().manual_seed(1)) * 2).clamp(0.1, 20)
        lam, partner = self.lams(table.double(), steps=1200)
        for i, j in ((0, 1), (0, 3), (2, 1)):
            alpha = float(table[i, j])
            picked = lam[partner[:, i] == j, i]
            assert len(picked) > 300
            assert stats.kstest(picked, stats.beta(alpha, alpha).cdf).pvalue > 1e-3

    def test_a_law_that_is_the_methods_own_changes_nothing(self):
        x, seeds = torch.rand(4, 2), [torch.Generator().manual_seed(0) for _ in range(3)]
        mix = MultiMix(MixUp(alpha=0.3), num_mixes=3)
        plain = mix.plan(x, generator=seeds[0])
        for alpha, generator in (
            (torch.full((4,), 0.3, dtype=torch.float64), seeds[1]),
            (torch.full((4, 4), 0.3, dtype=torch.float64), seeds[2]),
        ):
            assert torch.equal(mix.plan(x, alpha=alpha, generator=generator).lam, plain.lam)

    def test_methods_without_such_a_law(self):
        x, alpha = torch.rand(4, 2, 6), torch.full((4,), 0.1)
        mix = MultiMix(Choice(["none", "cutmix"]), num_mixes=2)
        laws = {len(plan.lam): plan.lam for plan in (mix.plan(x, alpha=alpha) for _ in range(20))}
        assert (laws[1] == 1).all()
        assert ((laws[2] - 0.5).abs() > 0.3).float().mean() > 0.5
        with pytest.raises(ValueError, match="whose coefficients follow no Beta law, got method=ResizeMix"):
            MultiMix("resizemix").plan(x, alpha=alpha)

    def test_what_are_no_laws(self):
        x, alpha, generator = torch.rand(4, 2), torch.ones(4), torch.Generator().manual_seed(0)
        before = generator.get_state()
        for settings, given, told in (
            (
                {},
                alpha[:3],
                r"floating point of shape \(4,\), or \(4, 4\) for each .*, got alpha: \(3,\), torch.float32",
            ),
            ({}, alpha.long(), r"got alpha: \(4,\), torch.int64; give the shape"),
            ({}, alpha * 0, "alpha must be finite and > 0, got values from 0 to 0; clamp it"),
            ({}, torch.tensor([1, float("nan"), 1, 1]), "got values from nan to nan"),
            ({}, torch.tensor([1, float("inf"), 1, 1]), "got values from 1 to inf"),
            ({"partners": "fresh"}, torch.ones(4, 4), r"shape \(4,\) where partners are fresh, got alpha: \(4, 4\)"),
            ({"share": "batch"}, alpha, 'got share="batch", alpha: '),
        ):
            with pytest.raises(ValueError, match=told):
                MultiMix("mixup", **settings).plan(x, alpha=given, generator=generator)
        with pytest.raises(TypeError, match=r"alpha must be a torch\.Tensor, got alpha=float"):
            MultiMix("mixup").plan(x, alpha=0.2, generator=generator)
        assert torch.equal(generator.get_state(), before)
