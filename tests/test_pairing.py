"""Partners: uniform, never oneself, each sample once."""

import numpy as np
import pytest
from scipy import stats

from multimix.pairing import draw_fresh_partners, draw_partner


@pytest.mark.parametrize("size", [1, 2, 3, 8, 33])
def test_partners_are_a_permutation_without_fixed_points(size):
    rng = np.random.default_rng(0)
    for _ in range(50):
        partner = draw_partner(size, rng)
        assert sorted(partner) == list(range(size))
        assert size == 1 or (partner != np.arange(size)).all()


@pytest.mark.parametrize("size", [3, 8])
def test_no_pair_comes_twice_with_its_sides_swapped(size):
    rng = np.random.default_rng(0)
    for _ in range(50):
        partner = draw_partner(size, rng)
        assert (partner[partner] != np.arange(size)).all()


def test_each_sample_meets_each_other_equally_often():
    rng = np.random.default_rng(0)
    size, draws = 6, 6000
    met = np.zeros((size, size))
    for _ in range(draws):
        met[np.arange(size), draw_partner(size, rng)] += 1
    assert (np.diag(met) == 0).all()
    for row in met:
        assert stats.chisquare(row[row > 0]).pvalue > 1e-4


def test_fresh_partners_differ_from_mix_to_mix():
    partner = draw_fresh_partners(5, 40, np.random.default_rng(0))
    assert partner.shape == (5, 40)
    assert (partner != np.arange(40)).all()
    # A sample meets the same partner in two given mixes with chance 1/39.
    same = (partner[:, None] == partner[None]).mean(axis=2)[np.triu_indices(5, 1)]
    assert same.mean() < 0.1
