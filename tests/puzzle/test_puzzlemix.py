"""Puzzle Mix as a method: what it keeps, what it refuses, what stays the same when the pair is swapped."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from multimix import MultiMix, PuzzleMix, TopMix
from multimix.errors import SaliencyNotFinite
from multimix.puzzle.energy import thresholds
from multimix.puzzle.solve import solve_levels


def images(n=8, channels=3, size=(32, 32)):
    return torch.randn(n, channels, *size), torch.arange(n) % 4, torch.rand(n, *size) ** 6


def make(**settings):
    k = settings.pop("num_mixes", 5)
    return MultiMix(PuzzleMix(**{"levels": 2, **settings}), num_mixes=k, num_classes=4)


@pytest.mark.parametrize("levels", [2, 3])
def test_masks_are_nested_and_labels_their_share(levels):
    x, y, saliency = images()
    for n in (2, 4, 8, 16):
        plan = make(grid=n, levels=levels).plan(x, y, saliency=saliency)
        assert plan.mask.kept.shape == (5, 8, n, n)
        assert (plan.mask.kept[:-1] >= plan.mask.kept[1:]).all()
        torch.testing.assert_close(plan.weight, plan.mask.share().float().mean((2, 3)) / (levels - 1))


def test_the_share_kept_follows_lam():
    x, y, saliency = images(64)
    plan = make(grid=8, beta=0.3).plan(x, y, saliency=saliency)
    correlation = torch.corrcoef(torch.stack([plan.lam.flatten(), plan.weight.double().flatten()]))[0, 1]
    assert correlation > 0.6


def test_a_mask_shows_what_is_salient():
    x, y, _ = images(2)
    saliency = torch.zeros(2, 32, 32)
    saliency[0, :, :16], saliency[1, :, 16:] = 1.0, 1.0
    plan = make(grid=8, num_mixes=1, gamma=0.0).plan(x, y, saliency=saliency)
    middle = plan.mask.share()[0, 0].float()
    assert middle[:, :16].mean() > middle[:, 16:].mean()


def test_transport_brings_a_salient_block_to_where_it_shows():
    x = torch.zeros(2, 1, 8, 8)
    x[0, :, :4, :4] = 1.0
    saliency = torch.zeros(2, 8, 8)
    saliency[0, :4, :4] = 1.0
    plan = make(grid=2, num_mixes=1, transport_cost=0.01).plan(x, torch.zeros(2).long(), saliency=saliency)
    kept = torch.zeros_like(plan.mask.kept)
    kept[..., 1, 1] = 1
    from dataclasses import replace

    from multimix.puzzle.transport import transport

    blocks = torch.nn.functional.avg_pool2d(saliency[:, None], 4)[:, 0] + 1e-9
    source = transport(kept, 1, blocks / blocks.sum((1, 2), keepdim=True), torch.arange(2), torch.tensor([1, 0]), 0.01)
    plan = replace(plan, mask=replace(plan.mask, kept=kept, source=source))
    mixed, _ = make().apply(plan, x)
    assert mixed[0, 0, 4:, 4:].mean() == 1.0, "the bright block moved to the corner that is kept"


@pytest.mark.parametrize("levels", [2, 3])
def test_swapping_the_pair_and_lam_swaps_the_mask(levels):
    torch.manual_seed(0)
    gain, right, down = torch.randn(20, 8, 8).double(), torch.rand(20, 8, 7).double(), torch.rand(20, 7, 8).double()
    lam = torch.rand(5, 20, dtype=torch.float64).sort(0, descending=True).values
    spread = torch.full((20,), 0.3, dtype=torch.float64) if levels == 3 else None
    kept = solve_levels(gain, right, down, thresholds(lam, 20.0, 64), spread)
    swapped = solve_levels(-gain, right, down, thresholds(1 - lam.flip(0), 20.0, 64), spread)
    assert torch.equal(swapped.flip(0), levels - 1 - kept)


@pytest.mark.parametrize("levels", [2, 3])
def test_masks_turn_with_the_images(levels):
    x, y, saliency = images(6)
    mix = make(grid=8, levels=levels, transport=False)
    plans = [
        mix.plan(turn(x), y, saliency=turn(saliency), generator=torch.Generator().manual_seed(1))
        for turn in (lambda t: t, lambda t: t.flip(-1).contiguous(), lambda t: t.mT.contiguous())
    ]
    kept = [plan.mask.kept for plan in plans]
    assert torch.equal(kept[1], kept[0].flip(-1))
    assert torch.equal(kept[2], kept[0].mT)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (17, 40), (40, 101), (3, 9), (96, 112)], ids=str)
@pytest.mark.parametrize("channels", [1, 2, 7])
def test_any_size_and_number_of_channels(size, channels):
    x, y, saliency = images(4, channels, size)
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        x_mix, _ = make(transport_size=4, num_mixes=2)(x, y, saliency=saliency, generator=generator)
        assert x_mix.shape == (8, channels, *size)
        assert x_mix.isfinite().all()
        values = set(x.flatten().tolist())
        assert all(v in values for v in x_mix.flatten().tolist()[::97]), "pixels are moved, never made up"


def test_grids_too_fine_are_dropped_and_all_too_fine_is_an_error():
    x, y, saliency = images(4, 1, (8, 8))
    drawn = {make().plan(x, y, saliency=saliency).mask.kept.shape[-1] for _ in range(40)}
    assert drawn == {2, 4, 8}
    with pytest.raises(ValueError, match=r"grid must hold a number of blocks not above the shorter axis \(8\)"):
        make(grid=16).plan(x, y, saliency=saliency)


def test_a_plan_for_another_size_or_with_foreign_rows_is_refused():
    from dataclasses import replace

    x, y, saliency = images(4)
    mix = make(grid=4)
    plan = mix.plan(x, y, saliency=saliency)
    with pytest.raises(ValueError, match=r"plan must be made for images of this size, got plan for \(32, 32\)"):
        mix.apply(plan, x[..., :31])
    with pytest.raises(IndexError, match=r"must be a row of x|out of bounds"):
        mix.apply(replace(plan, partner=plan.partner + 1), x)


@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize("size", [(7, 10), (17, 23), (32, 32)], ids=str)
def test_labels_are_the_share_of_positions_however_uneven_the_blocks(size, levels):
    y = torch.arange(12) % 4
    x = torch.nn.functional.one_hot(y, 4).double()[:, :, None, None].expand(-1, -1, *size).contiguous()
    seen = 0
    for seed in range(4):
        saliency = torch.rand(12, *size, generator=torch.Generator().manual_seed(seed)) ** 8
        mix = make(grid=(3, 5), beta=0.2, levels=levels)
        plan = mix.plan(x, y, saliency=saliency, generator=torch.Generator().manual_seed(seed))
        x_mix, y_mix = mix.apply(plan, x, y)
        torch.testing.assert_close(x_mix.mean((2, 3)), y_mix.double(), atol=1e-7, rtol=0)
        seen += len(set(plan.weight.flatten().tolist()))
    assert seen > 40, "masks of many different shares"


@pytest.mark.parametrize("size", [(7, 10), (9, 5), (8, 8)], ids=str)
@pytest.mark.parametrize("whole", [1, 2])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_cells_from_anywhere_are_assembled_as_the_reference_does(size, whole, layout):
    # Rows of cells that all come from their right neighbours: the longest runs, and short cells within them.
    from dataclasses import replace

    import references

    x, y, saliency = images(3, 2, size)
    x = x.contiguous(memory_format=layout)
    mix = make(grid=4, levels=whole + 1, num_mixes=2)
    plan = mix.plan(x, y, saliency=saliency)
    shift = (torch.arange(16).view(4, 4).roll(-1, 1)).flatten().expand(2, 3, 2, 16)
    scattered = torch.stack([torch.randperm(16) for _ in range(12)]).view(2, 3, 2, 16)
    for source in (shift, scattered, shift.flip(-1)):
        kept = torch.randint(0, whole + 1, plan.mask.kept.shape, dtype=torch.uint8)
        mask = replace(plan.mask, kept=kept, source=source.int().contiguous())
        moved = replace(plan, mask=mask, weight=mask.weight())
        mixed, _ = mix.apply(moved, x)
        torch.testing.assert_close(mixed, references.puzzle(x, moved))
        by_torch, _ = mix.apply(moved, x.clone().requires_grad_())
        torch.testing.assert_close(by_torch, mixed)
        whole_rows = replace(mask, kept=torch.full_like(kept, whole))
        moved = replace(plan, mask=whole_rows, weight=whole_rows.weight())
        torch.testing.assert_close(mix.apply(moved, x)[0], references.puzzle(x, moved))


def test_series():
    x, y, saliency = torch.randn(6, 2, 50), torch.arange(6) % 4, torch.rand(6, 50)
    x_mix, _ = make(grid=(4, 8))(x, y, saliency=saliency)
    assert x_mix.shape == (30, 2, 50)
    assert (make(grid=8).plan(x, y, saliency=saliency).mask.kept.shape) == (5, 6, 1, 8)


def test_dense_targets_follow_the_pixels():
    x, _, saliency = images(4, 3, (9, 8))
    x = x.round().clamp(-1, 1)
    y = (x[:, 0] + 1).long()
    mix = MultiMix(PuzzleMix(grid=4, levels=2), num_mixes=3, num_classes=3, dense_targets=True)
    x_mix, y_mix = mix(x, y, saliency=saliency)
    assert torch.equal(y_mix.argmax(1), (x_mix[:, 0] + 1).long())


def test_fresh_partners_have_a_mask_for_every_mix():
    x, y, saliency = images(6)
    mix = MultiMix(PuzzleMix(grid=8, beta=0.3, levels=2), num_mixes=4, num_classes=4, partners="fresh")
    plan = mix.plan(x, y, saliency=saliency)
    assert plan.mask.kept.shape == (4, 6, 8, 8)
    for k in range(4):
        same = MultiMix(PuzzleMix(grid=8, beta=0.3, levels=2), num_mixes=1).method
        from multimix.grid import cut
        from multimix.puzzle.energy import block_saliency, pair_energy

        rows, columns = cut((32, 32), 8)
        energy = pair_energy(
            x, block_saliency(saliency, rows, columns), None, plan.partner[k], rows, columns, same.beta, same.gamma, 4
        )
        limits = thresholds(plan.lam[k : k + 1], same.eta, 64)
        assert torch.equal(plan.mask.kept[k], solve_levels(energy.gain, energy.right, energy.down, limits)[0])


def test_saliency_comes_from_the_model_or_from_the_caller():
    from multimix.puzzle.saliency import input_saliency

    x, y, _ = images(6)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))
    mix = make(grid=8)
    seeds = [torch.Generator().manual_seed(2) for _ in range(3)]
    given = mix(x, y, saliency=input_saliency(model, x, y), generator=seeds[0])
    taken = mix(x, y, model=model, generator=seeds[1])
    logits, _ = mix.run(model, x, y, generator=seeds[2])
    assert torch.equal(given[0], taken[0])
    torch.testing.assert_close(logits, model(given[0]))


def test_gradient_accumulation_is_not_disturbed():
    x, y, _ = images(6)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))
    model(x).sum().backward()
    before = copy.deepcopy([p.grad for p in model.parameters()])
    make()(x, y, model=model)
    assert all(torch.equal(a, p.grad) for a, p in zip(before, model.parameters(), strict=True))


def test_all_saliency_zero_falls_back_to_uniform():
    x, y, _ = images(4)
    zero = make(grid=8).plan(x, y, saliency=torch.zeros(4, 32, 32), generator=torch.Generator().manual_seed(0))
    flat = make(grid=8).plan(x, y, saliency=torch.ones(4, 32, 32), generator=torch.Generator().manual_seed(0))
    assert torch.equal(zero.mask.kept, flat.mask.kept)


@pytest.mark.parametrize(
    ("saliency", "message"),
    [
        (torch.ones(4, 3, 32, 32), r"saliency must be a tensor of shape \(4, 32, 32\)"),
        (torch.ones(4, 32, 31), "saliency must be a tensor of shape"),
        ("high", "saliency must be a tensor of shape .* got saliency: str"),
        (torch.ones(4, 32, 32).long(), "saliency must be floating point"),
        (-torch.ones(4, 32, 32), r"saliency must be finite and >= 0, got values from -1"),
        (torch.full((4, 32, 32), torch.nan), "saliency must be finite"),
        (torch.full((4, 32, 32), torch.inf), "saliency must be finite"),
    ],
)
def test_bad_saliency_is_named(saliency, message):
    x, y, _ = images(4)
    with pytest.raises(ValueError, match=message):
        make()(x, y, saliency=saliency)


def test_missing_saliency_is_named():
    x, y, _ = images(4)
    video = torch.rand(4, 3, 2, 8, 8)
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match=r"PuzzleMix needs saliency.*mix\(x, y, model=model\)"):
        make()(x, y)
    with pytest.raises(ValueError, match="y=None"):
        make().plan(x, model=nn.Flatten())
    with pytest.raises(ValueError, match="PuzzleMix mixes series and images"):
        make()(video, y, model=nn.Flatten())
    assert torch.equal(state, torch.get_rng_state()), "refused before a random number is taken"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0}, "alpha must be a finite number > 0"),
        ({"beta": -1}, "beta must be a finite number >= 0"),
        ({"gamma": 1.5}, "gamma must be a number from 0 to 1, got gamma=1.5; above it masks have no exact solution"),
        ({"eta": float("nan")}, "eta must be"),
        ({"grid": ()}, "grid must be one or more integers"),
        ({"grid": (2, 0)}, "grid must be one or more integers"),
        ({"grid": 2.5}, "grid must be one or more integers"),
        ({"neighbourhood": 0}, "neighbourhood must be an integer >= 1"),
        ({"transport": "fast"}, 'transport must be True, False or "exact"'),
        ({"transport_size": 0}, "transport_size must be an integer >= 1 or None"),
        ({"levels": 4}, "levels must be 2 or 3"),
        ({"saliency_resolution": 0}, "saliency_resolution must lie in"),
        ({"saliency_chunk": -1}, "saliency_chunk must be"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        PuzzleMix(**settings)


def test_integers_are_refused():
    with pytest.raises(ValueError, match="x must be floating point, because PuzzleMix averages values"):
        make()(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.zeros(4).long(), saliency=torch.ones(4, 8, 8))


@pytest.mark.unchecked
def test_apply_is_one_graph_and_compiles_once():
    x, y, saliency = images(4)
    mix = make(grid=8)
    from torch._dynamo.testing import CompileCounter

    counts = CompileCounter()
    apply = torch.compile(lambda plan, x, y: mix.apply(plan, x, y), backend=counts, fullgraph=True)
    for seed in range(5):
        plan = mix.plan(x, y, saliency=saliency, generator=torch.Generator().manual_seed(seed))
        x_mix, y_mix = apply(plan, x, y)
        expected = mix.apply(plan, x, y)
        torch.testing.assert_close(x_mix, expected[0])
        torch.testing.assert_close(y_mix, expected[1])
    assert counts.frame_count == 1


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("size", [(16, 16), (15, 17)], ids=str)
def test_a_pixel_that_is_not_finite_concerns_its_own_pairs_only(size, bad):
    x, _, saliency = images(8, 2, size)
    broken = x.clone()
    broken[3, 0, 5, 6] = bad
    mix = make(grid=4, gamma=1.0, levels=3)
    plans = [
        mix.plan(batch, saliency=saliency, generator=torch.Generator().manual_seed(0))
        for batch in (x, broken, broken.index_fill(0, torch.tensor([3]), bad), torch.full_like(x, bad))
    ]
    others = (plans[0].partner != 3) & (torch.arange(8) != 3)
    for plan in plans[1:]:
        assert plan.weight.isfinite().all()
        assert (plan.mask.kept[:-1] >= plan.mask.kept[1:]).all()
    for plan in plans[1:3]:
        assert torch.equal(plan.mask.kept[:, others], plans[0].mask.kept[:, others])
        assert torch.equal(plan.mask.source[:, others], plans[0].mask.source[:, others])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_saliency_that_is_not_finite_is_refused_with_its_row(bad):
    x, y, saliency = images(5)
    saliency[3, 1, 2] = bad
    with pytest.raises(SaliencyNotFinite, match=r"saliency must be finite and >= 0, got values from .* in row 3; "):
        make()(x, y, saliency=saliency)
    x[2, 0, 0, 0] = bad
    with pytest.raises(ValueError, match=r"saliency must be finite.* in row 2; look for nan or inf in x"):
        make()(x, y, model=nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4), nn.Softplus()))


@pytest.mark.parametrize("levels", [2, 3])
def test_gradients_flow_as_the_mixes_say_in_double_precision(levels):
    x, _, saliency = images(3, 1, (6, 6))
    mix = make(grid=3, levels=levels, beta=0.2, num_mixes=2)
    x = x.double().requires_grad_()
    plan = mix.plan(x, saliency=saliency, generator=torch.Generator().manual_seed(1))
    half = plan.mask.kept == 1
    assert levels == 2 or half.any()
    assert torch.autograd.gradcheck(lambda x: mix.apply(plan, x)[0], x, fast_mode=True)
    torch.testing.assert_close(mix.apply(plan, x)[0], mix.apply(plan, x.detach())[0], atol=1e-15, rtol=1e-15)


def test_complex_images_are_refused_before_a_draw():
    x, y, saliency = images(4)
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match=r"x must be real, because .*got x.dtype=torch.complex64"):
        make()(torch.complex(x, x), y, saliency=saliency)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("method", [PuzzleMix, TopMix])
def test_targets_reach_the_criterion_as_mixing_takes_them(method):
    x, y = torch.rand(8, 3, 8, 8), torch.arange(8) % 4
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4))
    expected = MultiMix(method(), num_mixes=2, num_classes=4).run(model, x, y, generator=seeded())[0]
    for narrow in (torch.uint8, torch.int16, torch.int32):
        mix = MultiMix(method(), num_mixes=2, num_classes=4)
        assert torch.equal(mix.run(model, x, y.to(narrow), generator=seeded())[0], expected)
    binary = MultiMix(method(criterion=F.binary_cross_entropy_with_logits), num_mixes=2)
    truth = torch.rand(8, 4) > 0.5
    runs = [binary.run(model, x, targets, generator=seeded())[0] for targets in (truth, truth.float())]
    assert torch.equal(*runs)


@pytest.mark.parametrize("method", [PuzzleMix, TopMix])
def test_targets_that_are_ignored_have_no_part_in_saliency(method):
    x, y = torch.rand(8, 3, 8, 8), torch.randint(4, (8, 8, 8))
    y[:, :4] = 255
    model = torch.nn.Conv2d(3, 4, 1)
    seen = []

    class Kept(method):
        def find_saliency(self, x, y, model):
            seen.append(super().find_saliency(x, y, model))
            return seen[-1]

    MultiMix(Kept(), num_mixes=2, num_classes=4, dense_targets=True, ignore_index=255).run(model, x, y)
    (saliency,) = seen
    assert (saliency[:, :4] == 0).all()
    assert (saliency[:, 4:] > 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_saliency_of_half_precision(dtype):
    x, s = torch.rand(6, 3, 8, 8), torch.rand(6, 8, 8).to(dtype)
    mix = MultiMix("puzzlemix", num_mixes=2)
    plans = [mix.plan(x, saliency=given, generator=seeded()) for given in (s.clone().requires_grad_(), s.float())]
    assert torch.equal(*(mix.apply(plan, x)[0] for plan in plans))


def seeded():
    return torch.Generator().manual_seed(3)
