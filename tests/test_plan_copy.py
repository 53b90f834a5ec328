"""`Plan.copy_` fills a plan with another one's numbers, in the memory that it has."""

from dataclasses import fields, is_dataclass, replace

import pytest
import torch
from torch import Tensor

from multimix import CutMix, ManifoldMixup, MixUp, MultiMix, PuzzleMix
from multimix.methods import METHODS

CHOSEN = {"manifold": ManifoldMixup(layers=[""]), "puzzlemix": PuzzleMix(grid=4)}
DRAWS = [{}, {"share": "batch", "sampling": "iid"}, {"partners": "fresh"}]
X = torch.linspace(-1, 1, 6 * 3 * 8 * 8).view(6, 3, 8, 8)
Y = torch.arange(6)


def draw(method, seed, x=X, **options):
    mix = MultiMix(method, num_mixes=3, num_classes=6, **options) if isinstance(method, str) else method
    saliency = torch.rand(len(x), *x.shape[2:], generator=torch.Generator().manual_seed(seed))
    return mix.plan(x, saliency=saliency, generator=torch.Generator().manual_seed(seed))


def tensors(value):
    if isinstance(value, Tensor):
        return [value]
    parts = [getattr(value, field.name) for field in fields(value)] if is_dataclass(value) else value
    return [t for part in parts for t in tensors(part)] if isinstance(parts, list | tuple) else []


@pytest.mark.parametrize("options", DRAWS, ids=str)
@pytest.mark.parametrize("name", METHODS)
def test_the_plan_is_the_other_one_in_its_own_memory(name, options):
    mix = MultiMix(CHOSEN.get(name, name), num_mixes=3, num_classes=6, **options)
    plan, other = draw(mix, 1), draw(mix, 2)
    wanted, before = [t.clone() for t in tensors(other)], [t.data_ptr() for t in tensors(plan)]
    if name != "none":
        assert not torch.equal(mix.apply(plan, X, Y)[0], mix.apply(other, X, Y)[0])
    assert plan.copy_(other) is plan
    assert [t.data_ptr() for t in tensors(plan)] == before
    assert all(torch.equal(a, b) for a, b in zip(tensors(plan), wanted, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(tensors(other), wanted, strict=True))
    for found, expected in zip(mix.apply(plan, X, Y), mix.apply(other, X, Y), strict=True):
        assert torch.equal(found, expected)


def test_a_weight_of_0_or_1_copies_after_a_plan_without_one():
    mix = MultiMix(MixUp(alpha=0.02), num_mixes=3)
    plan, other = draw(MultiMix(MixUp(), num_mixes=3), 1), draw(mix, 3)
    assert plan.mask.ends == (False, False)
    assert other.mask.ends == (True, True)
    x = X.clone()
    x[other.partner[other.weight[0] == 1]] = torch.nan
    x[(other.weight == 0).any(0)] = torch.inf
    found = plan.copy_(other).mask.blend(x, None, plan.partner)
    assert torch.equal(found.nan_to_num(7), other.mask.blend(x, None, other.partner).nan_to_num(7))


def test_parts_of_plans_are_filled_too():
    mix = MultiMix(CutMix(), num_mixes=3)
    part, other = (draw(mix, seed).select(torch.tensor([4, 1])) for seed in (1, 2))
    assert torch.equal(mix.apply(part.copy_(other), X)[0], mix.apply(other, X)[0])


CUT = MultiMix(CutMix(), num_mixes=3)
OTHERS = {
    "other=3, here Plan": None,
    "other.mask=Constant, here Boxes": lambda: draw(MultiMix(MixUp(), num_mixes=3), 2),
    r"other.lam=\(5, 6\), torch.float64, on cpu, here \(3, 6\)": lambda: draw(MultiMix(CutMix(), num_mixes=5), 2),
    r"other.lam=\(3, 4\)": lambda: draw(CUT, 2, X[:4]),
    r"other.partner=\(3, 6\)": lambda: draw(MultiMix(CutMix(), num_mixes=3, partners="fresh"), 2),
    "other.mask.spatial=9, here 8": lambda: draw(CUT, 2, torch.zeros(6, 3, 8, 9)),
    r"other.sample=\(6,\), torch.int64, on cpu, here None": lambda: draw(CUT, 2).select(torch.arange(6)),
    "other.layer=stage2, here None": lambda: replace(draw(CUT, 2), layer="stage2"),
    r"other.weight=\(3, 6\), torch.float64": lambda: replace(draw(CUT, 2), weight=draw(CUT, 2).weight.double()),
    r"other.weight=\(3, 6\), torch.float32, on meta": lambda: replace(
        draw(CUT, 2), weight=draw(CUT, 2).weight.to("meta")
    ),
}


@pytest.mark.unchecked
@pytest.mark.parametrize("got", OTHERS)
def test_what_does_not_fit_is_refused_and_nothing_copied(got):
    plan, make = draw(CUT, 1), OTHERS[got]
    before = [t.clone() for t in tensors(plan)]
    with pytest.raises(
        ValueError, match=f"^other must differ from this plan in its numbers alone, got {got}.*; keep a"
    ):
        plan.copy_(3 if make is None else make())
    assert all(torch.equal(a, b) for a, b in zip(tensors(plan), before, strict=True))


@pytest.mark.parametrize("settings", [{"grid": 2}, {"grid": 4, "levels": 2}, {"grid": 4, "transport": False}], ids=str)
def test_puzzle_mix_needs_a_plan_for_each_grid(settings):
    plan = draw(MultiMix(PuzzleMix(grid=4), num_mixes=3), 1)
    with pytest.raises(ValueError, match=r"got other\.mask"):
        plan.copy_(draw(MultiMix(PuzzleMix(**settings), num_mixes=3), 2))


def test_splitting_a_plan_reads_no_value_on_the_device():
    x = torch.empty(6, 3, 8, 8, device="meta")
    parts = MultiMix("cutmix", num_mixes=3).plan(x).split(4)
    assert [part.num_pairs for part in parts] == [2, 2, 1, 1]
    assert [tuple(part.lam.shape) for part in parts] == [(3, 2), (3, 2), (3, 1), (3, 1)]


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.uint8])
def test_pairs_are_chosen_by_integers_of_any_width(dtype):
    plan, x = draw(CUT, 2), torch.rand(6, 3, 8, 8)
    part = plan.select(torch.tensor([4, 1], dtype=dtype))
    rows = CUT.apply(plan, x)[0].view(plan.num_mixes, 6, 3, 8, 8)
    assert torch.equal(CUT.apply(part, x)[0], rows[:, [4, 1]].flatten(0, 1))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (
            torch.ones(6, dtype=torch.bool),
            r"integers of one axis, got pairs: \(6,\), torch.bool; of a mask",
        ),
        (torch.zeros(2, 2).long(), r"integers of one axis, got pairs: \(2, 2\)"),
        (torch.zeros(2), "integers of one axis, got .*float32"),
        (torch.tensor([-1, 0]), r"numbers of pairs, 0\.\.5, got -1 to 0"),
        (torch.tensor([6]), r"numbers of pairs, 0\.\.5, got 6 to 6"),
    ],
)
def test_what_are_no_pairs(pairs, message):
    with pytest.raises(ValueError, match=message):
        draw(CUT, 2).select(pairs)
