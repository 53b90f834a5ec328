"""Estimators of gradient variance against a problem whose variance is known, and their intervals' coverage."""

import math

import numpy as np
import pytest
import torch
from linear_problem import Linear, batches, gradient

from multimix import MixUp, MultiMix
from multimix.variance import (
    best_num_mixes,
    common_variance,
    components,
    optimal_num_mixes,
    own_variance,
    predicted,
    ratio,
    squared_mean,
    total_variance,
)

PROBLEM = Linear(np.array([1.5, -1.0, 0.5, 0.0]), noise=0.7, alpha=0.8)
P, K = 6, 3
DESIGNS = [
    pytest.param(P, K, "pair", id="own-coefficients"),
    pytest.param(P, K, "batch", id="shared-coefficients"),
    pytest.param(K * P, 1, "pair", id="large-batch"),
    pytest.param(K * P, 1, "batch", id="large-batch-one-coefficient"),
]


def tensor(array):
    return torch.from_numpy(np.ascontiguousarray(array))


def assert_mean(values, truth, sharp=0.1):
    """The mean of independent estimates is the truth, to four standard errors."""
    values = np.asarray(values)
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - truth) < 4 * error
    assert error < sharp * abs(truth), "the test would see nothing"


def assert_estimate(estimate, truth, sharp=0.05):
    """An estimate from many replicates is the truth, to four standard errors."""
    error = (estimate.high - estimate.low) / (2 * 1.96)
    assert abs(estimate.value - truth) < 4 * error
    assert error < sharp * abs(truth), "the test would see nothing"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_definition(dtype):
    gradients = torch.randn(7, 150_000, dtype=dtype) + 3  # more columns than are taken at a time
    wide = gradients.double()
    centred = wide - wide.mean(0)
    variance = (centred**2).sum().item() / 6
    estimate = total_variance(gradients)
    assert estimate.value == pytest.approx(variance, rel=1e-12)
    assert squared_mean(gradients).value == pytest.approx((wide.mean(0) ** 2).sum().item() - variance / 7, rel=1e-12)
    other = wide.flip(1)
    expected = (centred * (other - other.mean(0))).sum().item() / 6
    assert common_variance(wide, other).value == pytest.approx(expected, rel=1e-9)
    assert own_variance(wide, other).value == pytest.approx(((wide - other) ** 2).sum().item() / 14, rel=1e-12)


def test_left_out_is_what_the_others_give():
    gradients, others = torch.randn(6, 5, dtype=torch.float64), torch.randn(6, 5, dtype=torch.float64)
    functions = {total_variance: 1, squared_mean: 1, common_variance: 2, own_variance: 2}
    for function, arguments in functions.items():
        given = (gradients, others)[:arguments]
        without = [function(*(g[torch.arange(6) != i] for g in given)).value for i in range(6)]
        np.testing.assert_allclose(function(*given).left_out, without, rtol=1e-12)


def test_a_large_mean_costs_no_digits():
    noise = torch.randn(8, 100, dtype=torch.float64)
    near, far = (total_variance((noise + mean).float()) for mean in (0.0, 1e3))
    assert far.value == pytest.approx(near.value, rel=1e-4)


@pytest.mark.parametrize(("pairs", "mixes", "share"), DESIGNS)
@pytest.mark.parametrize("cycle", [True, False], ids=["cycle", "independent-pairs"])
def test_the_predicted_variance_is_that_of_simulated_batches(pairs, mixes, share, cycle):
    gradients = batches(PROBLEM, np.random.default_rng(0), 20_000, pairs, mixes, share, cycle)
    pair = PROBLEM.a_eff if cycle else PROBLEM.a
    both = PROBLEM.c_eff if cycle and share == "batch" else PROBLEM.c
    truth = predicted(pair, PROBLEM.b, both, num_pairs=pairs, num_mixes=mixes, share=share)
    assert_estimate(total_variance(tensor(gradients)), truth)
    assert_estimate(squared_mean(tensor(gradients)), PROBLEM.mean @ PROBLEM.mean)


def test_a_cycle_varies_more_than_as_many_independent_pairs():
    """With coefficients of their own: every sample is in two pairs, so half as many samples are seen."""
    assert PROBLEM.a == pytest.approx(2 * PROBLEM.one + PROBLEM.two)
    assert PROBLEM.a_eff == pytest.approx(4 * PROBLEM.one + PROBLEM.two)
    rng = np.random.default_rng(1)
    cycle, independent = (
        total_variance(tensor(batches(PROBLEM, rng, 20_000, P, K, "pair", cycle))) for cycle in (True, False)
    )
    found = ratio(cycle, independent)
    rest = PROBLEM.b + PROBLEM.c
    assert found.low > 1
    assert_estimate(found, (PROBLEM.a_eff + rest / K) / (PROBLEM.a + rest / K))


def floors(rng, share, mixes=2, num=20_000):
    x, r = PROBLEM.samples(rng, num, P)
    return [tensor(batches(PROBLEM, rng, num, P, mixes, share, x=x, r=r)) for _ in range(2)]


@pytest.mark.parametrize("share", ["pair", "batch"])
@pytest.mark.parametrize("mixes", [1, 4])
def test_the_floor_is_what_two_draws_have_in_common_whatever_k(share, mixes):
    first, second = floors(np.random.default_rng(2), share, mixes)
    both = PROBLEM.c if share == "pair" else PROBLEM.c_eff
    rest = predicted(0.0, PROBLEM.b, both, num_pairs=P, num_mixes=mixes, share=share)
    assert_estimate(common_variance(first, second), PROBLEM.a_eff / P)
    assert_estimate(own_variance(first, second), rest)


def test_estimators_are_unbiased_from_few_replicates():
    rng = np.random.default_rng(3)
    truth = predicted(PROBLEM.a_eff, PROBLEM.b, PROBLEM.c, num_pairs=P, num_mixes=2)
    found = []
    for first, second in zip(*(g.split(5) for g in floors(rng, "pair", num=8000)), strict=True):
        found.append(
            (
                total_variance(first).value,
                squared_mean(first).value,
                common_variance(first, second).value,
                own_variance(first, second).value,
            )
        )
    floor = PROBLEM.a_eff / P
    for values, value in zip(
        np.array(found).T, (truth, PROBLEM.mean @ PROBLEM.mean, floor, truth - floor), strict=True
    ):
        assert_mean(values, value)


def tables(rng, num, units, coefficients, pairs=None):
    """(num, units, coefficients, d): one independent pair per unit, or the mean over a batch along a cycle."""
    shape = (num, units, pairs or 2)
    x, r = PROBLEM.samples(rng, *shape)
    lam = rng.beta(PROBLEM.alpha, PROBLEM.alpha, (num, 1, coefficients, 1))
    lam = np.broadcast_to(lam, (num, units, coefficients, pairs or 2))
    x, r = x[:, :, None], r[:, :, None]
    g = gradient(lam, x, r, np.roll(x, -1, axis=3), np.roll(r, -1, axis=3))
    return tensor(g.mean(3) if pairs else g[..., 0, :])


@pytest.mark.parametrize("pairs", [None, P], ids=["independent-pairs", "batches"])
def test_components_are_unbiased(pairs):
    found = [components(table) for table in tables(np.random.default_rng(4), 700, 10, 4, pairs)]
    values = np.array([(one.pair, one.coefficient, one.both) for one in found]).T
    truth = (PROBLEM.a_eff / P, PROBLEM.b, PROBLEM.c_eff / P) if pairs else (PROBLEM.a, PROBLEM.b, PROBLEM.c)
    for some, value, sharp in zip(values, truth, (0.1, 0.25, 0.1), strict=True):
        assert_mean(some, value, sharp)


def test_components_are_the_textbooks():
    table = torch.randn(4, 3, 2, dtype=torch.float64)
    found = components(table)
    grand, rows, columns = table.mean((0, 1)), table.mean(1), table.mean(0)
    between_rows = 3 * ((rows - grand) ** 2).sum() / 3
    between_columns = 4 * ((columns - grand) ** 2).sum() / 2
    rest = ((table - rows[:, None] - columns + grand) ** 2).sum() / 6
    expected = ((between_rows - rest) / 3, (between_columns - rest) / 4, rest)
    assert (found.pair, found.coefficient, found.both) == pytest.approx([float(e) for e in expected])
    without = components(table[[0, 2, 3]])
    np.testing.assert_allclose(found.left_out_units[1], (without.pair, without.coefficient, without.both))
    thin = torch.randn(3, 4, 2, dtype=torch.float64)
    without = components(thin[:, [0, 1, 3]])
    np.testing.assert_allclose(
        components(thin).left_out_coefficients[2], (without.pair, without.coefficient, without.both)
    )


def shares_covered(tables, truths):
    """How often the intervals of A, B, C and of a prediction hold the truth."""
    hits = np.zeros(4)
    functions = [lambda *abc, i=i: abc[i] for i in range(3)]
    functions.append(lambda a, b, c: predicted(a, b, c, num_pairs=P, num_mixes=K))
    for table in tables:
        found = components(table)
        estimates = [found.estimate(function) for function in functions]
        hits += [e.low <= function(*truths) <= e.high for e, function in zip(estimates, functions, strict=True)]
    return hits / len(tables)


@pytest.mark.parametrize("dimensions", [5, 100])
def test_intervals_of_components_cover_the_truth(dimensions):
    pair, coefficient, both = (
        torch.randn(300, *shape, dimensions, dtype=torch.float64) for shape in ((24, 1), (1, 12), (24, 12))
    )
    covered = shares_covered(1.5 * pair + 0.5 * coefficient + both, (2.25 * dimensions, 0.25 * dimensions, dimensions))
    assert (covered > 0.90).all(), covered


def test_intervals_of_components_of_heavy_tailed_gradients():
    covered = shares_covered(tables(np.random.default_rng(5), 200, 32, 12), (PROBLEM.a, PROBLEM.b, PROBLEM.c))
    assert (covered > 0.80).all(), covered


SPECTRA = {"one": [1.0], "steep": 1 / np.arange(1, 101) ** 2, "slow": 1 / np.arange(1, 101), "flat": np.ones(100)}


@pytest.mark.parametrize(
    ("replicates", "spectrum"),
    [*((8, name) for name in SPECTRA), (32, "one"), (32, "flat")],  # few are the hard case
)
def test_intervals_cover_the_truth(spectrum, replicates):
    deviations = torch.tensor(np.sqrt(SPECTRA[spectrum]))
    variance = float((deviations**2).sum())
    shift = torch.full_like(deviations, math.sqrt(variance / len(deviations)))
    hits = np.zeros(4)
    rounds = 1000
    for _ in range(rounds):
        common = torch.randn(replicates, len(deviations), dtype=torch.float64) * deviations
        first, second = (
            common + shift + torch.randn(replicates, len(deviations), dtype=torch.float64) * deviations
            for _ in range(2)
        )
        one = total_variance(first)
        estimates = (one, squared_mean(first), common_variance(first, second), ratio(one, total_variance(second)))
        truths = (2 * variance, variance, variance, 1.0)
        hits += [e.low <= truth <= e.high for e, truth in zip(estimates, truths, strict=True)]
    shares = hits / rounds
    assert (shares[[0, 3]] > 0.90).all(), shares
    assert (shares[[0, 3]] < 0.98).all(), shares
    assert (shares[[1, 2]] > (0.90 if replicates > 8 else 0.80)).all(), shares


def test_shared_draws_narrow_a_ratio():
    common, *own = torch.randn(3, 30, 50, dtype=torch.float64)
    alike = [total_variance(common + 0.1 * some) for some in own]
    apart = [total_variance(some) for some in own]
    near, far = (ratio(*pair) for pair in (alike, apart))
    assert near.high - near.low < (far.high - far.low) / 4


@pytest.mark.usefixtures("no_type_checks")
@pytest.mark.parametrize(("share", "sampling"), [("pair", "iid"), ("batch", "iid"), ("pair", "stratified")])
def test_the_library_draws_as_theory_says(share, sampling):
    """Batches as MultiMix draws them: its cycle, its coefficients. Strata lower the rest, not the floor."""
    rng = np.random.default_rng(6)
    mix = MultiMix(MixUp(PROBLEM.alpha), num_mixes=K, sampling=sampling, share=share)
    x, r = PROBLEM.samples(rng, 1200, P)
    pairs_of_gradients = []
    for i in range(len(x)):
        plan, other = (  # the second one's coefficients are taken, for the same partners
            mix.plan(torch.from_numpy(x[i]), generator=torch.Generator().manual_seed(seed)) for seed in (i, 10**6 + i)
        )
        partner = plan.partner.numpy()
        pairs_of_gradients.append(
            [gradient(p.lam.numpy(), x[i], r[i], x[i][partner], r[i][partner]).mean((0, 1)) for p in (plan, other)]
        )
    first, second = map(tensor, np.stack(pairs_of_gradients, axis=1))
    both = PROBLEM.c if share == "pair" else PROBLEM.c_eff
    truth = predicted(PROBLEM.a_eff, PROBLEM.b, both, num_pairs=P, num_mixes=K, share=share)
    assert_estimate(common_variance(first, second), PROBLEM.a_eff / P, sharp=0.1)
    if sampling == "iid":
        assert_estimate(total_variance(first), truth, sharp=0.1)
    else:
        assert own_variance(first, second).high < 0.5 * (truth - PROBLEM.a_eff / P)


def test_the_best_number_of_mixes():
    floor, rest, cost_pair, cost_mix = 2.0, 1.0, 8.0, 1.0
    exact = optimal_num_mixes(floor, rest, cost_pair, cost_mix)
    assert exact == 2.0
    choices = range(1, 17)
    variances = {k: floor + rest / k for k in choices}
    costs = {k: cost_pair + k * cost_mix for k in choices}
    assert best_num_mixes(variances, costs) == 2
    assert best_num_mixes({4: 1.0, 2: 1.0}, {4: 1.0, 2: 1.0}) == 2
    assert optimal_num_mixes(0.0, 1.0, 1.0, 1.0) == math.inf
    assert optimal_num_mixes(1.0, 0.0, 1.0, 1.0) == 0.0


def test_no_spread_is_no_variance():
    same = total_variance(torch.ones(4, 3))
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    unknown = ratio(same, same)
    assert math.isnan(unknown.value)


@pytest.mark.parametrize(
    ("function", "shapes", "message"),
    [
        (total_variance, [(2, 5)], r"gradients must be at least 3 rows, .* got gradients: \(2, 5\)"),
        (common_variance, [(4, 5), (4, 6)], r"of one shape, got gradients: \(4, 5\), \(4, 6\)"),
        (components, [(2, 4, 5)], r"at least 3 units and 3 coefficients, got table: \(2, 4, 5\); draw more"),
    ],
)
def test_what_cannot_be_estimated_is_refused(function, shapes, message):
    with pytest.raises(ValueError, match=message):
        function(*(torch.randn(shape) for shape in shapes))


def test_what_is_not_finite_is_refused():
    bad = torch.randn(4, 3)
    bad[1, 2] = math.nan
    with pytest.raises(ValueError, match="gradients must be finite"):
        total_variance(bad)
    with pytest.raises(ValueError, match="gradients must be finite"):
        components(bad.reshape(2, 2, 3).repeat(2, 2, 1))


def test_ratios_are_of_as_many_replicates():
    with pytest.raises(ValueError, match="as many replicates, got 4 and 5"):
        ratio(total_variance(torch.randn(4, 3)), total_variance(torch.randn(5, 3)))
