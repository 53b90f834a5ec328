"""Partners: uniform, never oneself, each sample once."""

import numpy as np
import pytest
import torch
from scipy import stats

from multimix import MultiMix, SimilarTargets, pairing
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


class TestSimilarTargets:
    @pytest.mark.parametrize("targets", [(5,), (5, 2)])
    def test_partners_follow_the_kernel_and_are_never_oneself(self, targets):
        y = torch.randn(targets, generator=torch.Generator().manual_seed(0))
        rng, draws = np.random.default_rng(0), 1_000
        pairing = SimilarTargets(bandwidth=0.8)
        met = np.zeros((5, 5))
        for _ in range(draws):
            met[np.arange(5), pairing.draw(y, rng).numpy()] += 1
        for i in range(5):
            distance = [float((y[i] - y[j]).square().sum()) for j in range(5)]
            kernel = np.array([0 if i == j else np.exp(-d / (2 * 0.8**2)) for j, d in enumerate(distance)])
            others = np.arange(5) != i
            assert met[i, i] == 0
            expected = draws * kernel[others] / kernel.sum()
            assert stats.chisquare(met[i][others], expected).pvalue > 1e-4

    def test_a_narrow_kernel_takes_the_nearest_and_a_wide_one_anyone(self):
        y = torch.tensor([0.0, 1.0, 1.5, 100.0, 1e6])
        rng = np.random.default_rng(0)
        assert SimilarTargets(1e-3).draw(y, rng).tolist() == [1, 2, 1, 2, 3]
        wide = SimilarTargets(1e12)
        assert {int(wide.draw(y, rng)[0]) for _ in range(100)} == {1, 2, 3, 4}

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    @pytest.mark.parametrize("size", [1e-300, 1e-160, 1e-30, 1.0, 1e30, 1e160, 1.5e308])
    @pytest.mark.parametrize("bandwidth", [5e-324, 1e-200, 1e-160, 1e-3, 1e160, 1.7e308])
    def test_any_bandwidth_at_any_size_of_targets(self, bandwidth, size, dtype, monkeypatch):
        # Nearest neighbours where the bandwidth is far below the distances, uniform where it is far above.
        if dtype == torch.float32:  # a device that has nothing wider
            monkeypatch.setattr(pairing, "widest", lambda device: torch.float32)
            size = min(max(size, 1e-30), 1e38)
        y = torch.tensor([[-1.0], [-0.9], [0.2], [0.5], [1.0]], dtype=dtype) * size
        similar = SimilarTargets(bandwidth)
        logits = similar._logits(y.expand(-1, 3))
        chances = torch.softmax(logits, 1)
        assert torch.equal(chances.diagonal(), torch.zeros(5, dtype=dtype))
        nearest = torch.tensor([1, 0, 3, 2, 3])
        ratio = bandwidth / size / 3**0.5
        if ratio < 1e-2:
            assert torch.equal(chances.argmax(1), nearest)
            torch.testing.assert_close(chances.amax(1), torch.ones(5, dtype=dtype))
            drawn = similar.draw(y, np.random.default_rng(0))
            assert torch.equal(drawn, nearest)
        elif ratio > 1e4:
            torch.testing.assert_close(chances, (1 - torch.eye(5, dtype=dtype)) / 4)
        else:
            z = (y / size - y.T / size) / ratio
            z.fill_diagonal_(float("inf"))
            torch.testing.assert_close(chances, torch.softmax(-z.square() / 2, 1))

    @pytest.mark.parametrize("bandwidth", [5e-324, 1.0, 1.7e308])
    def test_targets_that_are_the_same_are_equally_near(self, bandwidth):
        y = torch.tensor([3.0, 3.0, 3.0, 8.0])[:, None].double()
        chances = torch.softmax(SimilarTargets(bandwidth)._logits(y), 1)
        if bandwidth < 1:
            expected = torch.tensor([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0]]).double() / 2
            torch.testing.assert_close(chances[:3], expected)
        torch.testing.assert_close(chances[3], torch.tensor([1, 1, 1, 0]).double() / 3)

    def test_differences_of_the_largest_numbers_do_not_overflow(self):
        y = torch.tensor([-1.7e308, 1.7e308, 1.6e308], dtype=torch.float64)[:, None].expand(-1, 50)
        assert SimilarTargets(1e300).draw(y, np.random.default_rng(0)).tolist() == [2, 2, 1]

    @pytest.mark.parametrize("wide", [torch.float32, torch.float64])
    def test_the_highest_draw_is_still_a_partner(self, wide, monkeypatch):
        class Highest(np.random.Generator):
            def random(self, shape):
                return np.full(shape, 1 - 2.0**-53)

        monkeypatch.setattr(pairing, "widest", lambda device: wide)
        y = torch.tensor([0.0, 0.1, 0.2, 1e9])
        assert SimilarTargets(1.0).draw(y, Highest(np.random.PCG64())).tolist() == [2, 2, 1, 2]

    def test_targets_that_nobody_could_look_at_still_give_partners(self):
        y = torch.tensor([0.0, float("nan"), 0.1, float("inf")])
        partner = SimilarTargets(0.1).draw(y, np.random.default_rng(0))
        assert partner[[0, 2]].tolist() == [2, 0]
        assert ((partner >= 0) & (partner < 4) & (partner != torch.arange(4))).all()

    def test_a_batch_of_one_is_its_own_partner(self):
        assert SimilarTargets(1.0).draw(torch.ones(1), np.random.default_rng(0)).tolist() == [0]

    def test_targets_are_blended_with_the_partners_that_were_drawn(self):
        x, y = torch.rand(6, 3), torch.tensor([0.0, 0.1, 0.2, 10.0, 10.1, 10.2])
        mix = MultiMix("mixup", num_mixes=3, partners=SimilarTargets(0.1))
        plan = mix.plan(x, y, generator=torch.Generator().manual_seed(0))
        assert ((plan.partner < 3) == (torch.arange(6) < 3)).all()
        _, y_mix = mix.apply(plan, x, y)
        torch.testing.assert_close(y_mix.view(3, 6), plan.weight * y + (1 - plan.weight) * y[plan.partner])

    def test_what_has_no_distance_is_refused_before_a_number_is_drawn(self):
        mix = MultiMix("mixup", num_classes=3, partners=SimilarTargets(0.1))
        generator = torch.Generator().manual_seed(0)
        before = generator.get_state()
        for y, told in (
            (torch.arange(3), "classes have no distance"),
            (None, "need y, got y=None"),
            (torch.tensor([[0.0], [1.0], [float("nan")]]), "y must be finite"),
            (torch.tensor([[0.0], [1.0], [-float("inf")]]), "y must be finite"),
        ):
            with pytest.raises(ValueError, match=told):
                mix.plan(torch.rand(3, 2), y, generator=generator)
        assert torch.equal(generator.get_state(), before)

    @pytest.mark.parametrize("bandwidth", [0, -1.0, float("nan"), float("inf"), 10**400, True, "wide"])
    def test_a_bandwidth_that_is_none_is_refused(self, bandwidth):
        with pytest.raises((ValueError, TypeError), match="bandwidth"):
            SimilarTargets(bandwidth)


class TestGivenPartners:
    def test_they_are_taken_as_they_are(self):
        x, y = torch.rand(4, 3), torch.arange(4)
        for partner in (torch.tensor([1, 1, 3, 3]), torch.randint(4, (3, 4)), torch.tensor([0, 2, 1, 3]).int()):
            mix = MultiMix("mixup", num_mixes=3, num_classes=4)
            plan = mix.plan(x, partner=partner)
            assert torch.equal(plan.partner, partner)
            x_mix, y_mix = mix.apply(plan, x, y)
            other = partner.long().expand(3, 4)
            own = plan.weight[..., None] * x + (1 - plan.weight[..., None]) * x[other]
            torch.testing.assert_close(x_mix.view(3, 4, 3), own)
            torch.testing.assert_close(
                y_mix @ torch.arange(4.0), (plan.weight * y + (1 - plan.weight) * other).flatten()
            )

    def test_a_plan_keeps_them_when_the_callers_change(self):
        partner = torch.tensor([1, 0, 3, 2])
        plan = MultiMix("mixup").plan(torch.rand(4, 3), partner=partner)
        partner.zero_()
        assert plan.partner.tolist() == [1, 0, 3, 2]

    def test_whatever_else_would_choose_them(self):
        x, partner = torch.rand(4, 3), torch.tensor([1, 0, 3, 2])
        for partners in ("fresh", SimilarTargets(1.0)):
            assert torch.equal(MultiMix("mixup", partners=partners).plan(x, partner=partner).partner, partner)
        plan = MultiMix("none", num_mixes=2).plan(x, partner=torch.stack([partner, partner]))
        assert torch.equal(plan.partner, partner[None])

    def test_what_are_none(self):
        mix, x = MultiMix("mixup", num_mixes=3), torch.rand(4, 3)
        generator = torch.Generator().manual_seed(0)
        before = generator.get_state()
        for partner, told in (
            (
                torch.arange(5),
                r"integers of shape \(4,\), or \(3, 4\) for one per mix, got partner: \(5,\), torch.int64",
            ),
            (torch.zeros(2, 4).long(), r"got partner: \(2, 4\)"),
            (torch.zeros(4), r"got partner: \(4,\), torch.float32"),
            (torch.arange(4) + 1, r"rows of the batch, 0\.\.3, got values from 1 to 4"),
            (torch.arange(4) - 1, "got values from -1 to 2"),
            (torch.arange(4).to("meta"), "partner must be on the CPU or on x's device, got partner: meta, x: cpu"),
        ):
            with pytest.raises(ValueError, match=told):
                mix.plan(x, partner=partner, generator=generator)
        with pytest.raises(TypeError, match=r"partner must be a torch\.Tensor, got partner=list"):
            mix.plan(x, partner=[1, 0, 3, 2], generator=generator)
        assert torch.equal(generator.get_state(), before)

    def test_features_need_be_no_targets(self):
        x, similar = torch.rand(8, 3, 4, 4), SimilarTargets(1.0)
        for features, settings in (
            (torch.rand(8, 16), {"dense_targets": True}),
            (torch.rand(8), {"num_classes": 4}),
            (torch.rand(8, 4, 4), {}),
        ):
            plan = MultiMix("cutmix", partners=similar, **settings).plan(x, features)
            assert (plan.partner != torch.arange(8)).all()
        with pytest.raises(ValueError, match=r"y must hold values for partners .*, got y: \(8, 0\)"):
            MultiMix("mixup", partners=similar).plan(x, torch.rand(8, 0))

    def test_large_targets_are_compared_in_parts(self, monkeypatch):
        y = torch.randn(7, 5, dtype=torch.float64)
        whole, scale = pairing._distances(y)
        torch.testing.assert_close(whole / scale, torch.cdist(y, y, compute_mode="donot_use_mm_for_euclid_dist"))
        monkeypatch.setattr(pairing, "MOST_NUMBERS", 2 * y.numel())
        assert torch.equal(pairing._distances(y)[0], whole)

    def test_features_may_take_the_place_of_targets(self):
        x, y = torch.rand(6, 3), torch.arange(6)
        features = torch.tensor([[0.0, 1], [9, 1], [0, 1.1], [9, 1.1], [0, 0.9], [9, 0.9]])
        mix = MultiMix("mixup", num_mixes=2, num_classes=6, partners=SimilarTargets(0.1))
        plan = mix.plan(x, features)
        assert (plan.partner % 2 == torch.arange(6) % 2).all()
        assert mix.apply(plan, x, y)[1].view(2, 6, 6)[:, :, ::2].sum(2).unique().tolist() == [0, 1]
