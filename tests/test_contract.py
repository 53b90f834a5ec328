"""What every method must keep, whatever it computes. A new method is one row in METHOD_ROWS."""

from dataclasses import replace

import pytest
import references
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from multimix import (
    Choice,
    CutMix,
    FMix,
    GridMix,
    ManifoldMixup,
    MixUp,
    MultiMix,
    PuzzleMix,
    ResizeMix,
    SaliencyMix,
    SmoothMix,
    TopMix,
)
from multimix.kernels.cpu import table
from multimix.kernels.family import family_of, find_kernel
from multimix.masks import Blocks, Boxes, Bump, Constant, Ordered, Resized
from multimix.methods import METHODS


def square(output: Tensor, y: Tensor) -> Tensor:
    """A loss that any output has, for methods that need a gradient."""
    return output.square().flatten(1).sum(1)


METHOD_ROWS = {
    "none": "none",
    "mixup": MixUp(alpha=1.0),
    "cutmix": CutMix(alpha=1.0),
    "cutmix-inside": CutMix(boxes="inside"),
    "cutmix-independent": CutMix(boxes="independent"),
    "manifold": ManifoldMixup(layers=["features"]),
    "manifold-input": ManifoldMixup(layers=[""]),
    "puzzlemix": PuzzleMix(grid=(1, 2, 4), criterion=square),
    "puzzlemix-cells": PuzzleMix(grid=(1, 2, 3), transport_size=1, eta=1.0, criterion=square),
    "puzzlemix-levels": PuzzleMix(grid=(1, 2, 4), levels=2, transport_cost=0.1, beta=0.2, criterion=square),
    "puzzlemix-still": PuzzleMix(grid=(1, 3), transport=False, criterion=square),
    "fmix": FMix(),
    "fmix-rough": FMix(alpha=0.4, decay=1.0),
    "fmix-noise": FMix(decay=0),
    "gridmix": GridMix(),
    "gridmix-fine": GridMix(alpha=2.0, grid=7),
    "smoothmix": SmoothMix(),
    "smoothmix-ends": SmoothMix(alpha=0.1),
    "resizemix": ResizeMix(),
    "resizemix-all": ResizeMix(smallest=0, largest=1),
    "saliencymix": SaliencyMix(),
    "saliencymix-inside": SaliencyMix(alpha=2.0, boxes="inside"),
    "topmix": TopMix(grid=3, criterion=square),
    "topmix-positions": TopMix(alpha=2.0, grid=None, criterion=square),
    "choice": Choice(["mixup", CutMix(), "none"], weights=[1, 2, 1]),
    "choice-new": Choice(["fmix", "smoothmix", "resizemix", "saliencymix", "none"]),
}
CHOICES = tuple(name for name in METHOD_ROWS if name.startswith("choice"))
BLENDING = tuple(name for name, row in METHOD_ROWS.items() if any(one.blends for one in MultiMix(row).method.options))
BY_GRADIENT = ("puzzlemix", "topmix")  # which has none for integers
SHAPES = {
    "square": (6, 4, 8, 8),
    "odd batch, not square": (7, 4, 5, 9),
    "single": (1, 4, 8, 8),
    "pair": (2, 4, 6, 6),
    "one channel": (5, 1, 8, 8),
    "rows of features": (5, 12),
    "series": (5, 4, 13),
    "video": (3, 4, 3, 6, 5),
    "one pixel": (4, 4, 1, 1),
}


class Identity(nn.Module):
    """A network that does nothing, with a layer to mix at: its output *is* the mixed batch."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


def make(name: str, **settings) -> MultiMix:
    return MultiMix(METHOD_ROWS[name], **{"num_mixes": 3, "num_classes": 4, **settings})


def run(mix: MultiMix, x: Tensor, y: Tensor, seed: int = 0, plan=None) -> tuple[Tensor, Tensor]:
    return mix.run(Identity(), x, y, plan=plan, generator=torch.Generator().manual_seed(seed))


def takes(name: str, axes: int) -> bool:
    """Whether a method mixes so many spatial axes."""
    return axes <= 2 or not name.startswith("puzzlemix")


def batch(shape, num_classes: int = 4) -> tuple[Tensor, Tensor]:
    return torch.randn(shape), torch.arange(shape[0]) % num_classes


def colour_planes(batch_size: int, num_classes: int, spatial) -> tuple[Tensor, Tensor]:
    """Images that show their label: channel c is 1 where the class is c, else 0."""
    y = torch.randperm(batch_size) % num_classes
    x = nn.functional.one_hot(y, num_classes).float().reshape(batch_size, num_classes, *[1] * len(spatial))
    return x.expand(-1, -1, *spatial).contiguous(), y


def boxes_of(plan) -> Boxes | None:
    """The boxes of a plan, if its mask has any."""
    mask = plan.mask.boxes if isinstance(plan.mask, Resized) else plan.mask
    return mask if isinstance(mask, Boxes) else None


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_a_plan_for_one_size_is_refused_on_another(name):
    x, y = batch((4, 4, 8, 8))
    mix = make(name)
    plan = mix.plan(x, y, model=Identity(), generator=torch.Generator().manual_seed(0))
    other = x[..., :6]
    if plan.mask.spatial is None:  # it fits every size
        return
    with pytest.raises(ValueError, match=r"plan must be made for images of this size, got plan for \(8, 8\)"):
        mix.apply(plan, other, y)


def test_every_method_has_a_row():
    tested = {type(MultiMix(method).method) for method in METHOD_ROWS.values()}
    assert set(METHODS.values()) <= tested


@pytest.mark.parametrize(
    ("sampling", "share", "partners"),  # every two of them in every combination
    [
        ("stratified", "pair", "same"),
        ("stratified", "batch", "fresh"),
        ("iid", "pair", "fresh"),
        ("iid", "batch", "same"),
    ],
)
@pytest.mark.parametrize("name", METHOD_ROWS)
def test_labels_follow_pixels(name, sampling, share, partners):
    x, y = colour_planes(9, 4, (7, 10))
    mix = make(name, num_mixes=4, sampling=sampling, share=share, partners=partners)
    for seed in range(5):
        x_mix, y_mix = run(mix, x, y, seed)
        assert x_mix.shape[0] in (36, 9)
        torch.testing.assert_close(x_mix.mean((2, 3)), y_mix, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", METHOD_ROWS)
@given(
    spatial=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    batch_size=st.integers(1, 9),
    num_mixes=st.integers(1, 6),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=25, deadline=None)
def test_labels_follow_pixels_of_any_shape(name, spatial, batch_size, num_mixes, seed):
    assume(takes(name, len(spatial)))
    x, y = colour_planes(batch_size, 3, spatial)
    x_mix, y_mix = run(make(name, num_mixes=num_mixes, num_classes=3), x, y, seed)
    torch.testing.assert_close(x_mix.flatten(2).mean(2), y_mix, atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", METHOD_ROWS)
def test_shapes(name, shape):
    x, y = batch(shape)
    if not takes(name, len(shape) - 2):
        with pytest.raises(ValueError, match="PuzzleMix mixes series and images"):
            run(make(name), x, y)
        return
    x_mix, y_mix = run(make(name), x, y)
    assert x_mix.shape[1:] == x.shape[1:]
    assert y_mix.shape == (x_mix.shape[0], 4)
    assert x_mix.shape[0] == (len(x) if name == "none" else 3 * len(x)) or name in CHOICES
    torch.testing.assert_close(y_mix.sum(1), torch.ones(len(y_mix)))
    assert x_mix.isfinite().all()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", METHOD_ROWS)
def test_equals_the_reference(name, shape):
    if not takes(name, len(shape) - 2):
        return
    x, y = batch(shape)
    mix = make(name, partners="fresh" if len(shape) == 3 else "same")
    plan = mix.plan(x, torch.arange(len(x)) % 4, model=Identity(), generator=torch.Generator().manual_seed(3))
    x_mix, y_mix = run(mix, x, y, plan=plan)
    kinds = {
        Boxes: references.cutmix,
        Blocks: references.puzzle,
        Resized: references.resized,
        Ordered: references.ordered,
        Bump: references.bump,
    }
    reference = kinds.get(type(plan.mask), references.mixup)
    torch.testing.assert_close(x_mix, reference(x, plan))
    torch.testing.assert_close(y_mix.double(), references.labels(y, plan, 4), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_nested_in_k(name):
    x, _ = batch((8, 4, 9, 9))
    mix = make(name, num_mixes=5)
    for seed in range(10):
        plan = mix.plan(x, torch.arange(len(x)) % 4, model=Identity(), generator=torch.Generator().manual_seed(seed))
        assert (plan.lam.diff(dim=0) <= 0).all()
        if name == "cutmix-independent":
            continue
        assert (plan.weight.diff(dim=0) <= 0).all()
        if boxes := boxes_of(plan):
            assert (boxes.low.diff(dim=0) <= 0).all()
            assert (boxes.high.diff(dim=0) >= 0).all()
        if isinstance(plan.mask, Ordered):
            assert (plan.mask.keeps()[:-1] >= plan.mask.keeps()[1:]).all()
        if isinstance(plan.mask, Bump):
            assert all((factor.diff(dim=0) >= 0).all() for factor in plan.mask.factors)
        if isinstance(plan.mask, Blocks):
            assert (plan.mask.kept[:-1] >= plan.mask.kept[1:]).all()


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_arguments_are_unchanged(name):
    x, y = batch((6, 4, 8, 8))
    before_x, before_y = x.clone(), y.clone()
    x_mix, _ = run(make(name), x, y)
    assert torch.equal(x, before_x)
    assert torch.equal(y, before_y)
    if name != "none":
        x_mix.add_(1.0)
        assert torch.equal(x, before_x) or name in CHOICES


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_same_generator_same_bits(name):
    x, y = batch((6, 4, 8, 8))
    mix = make(name, num_mixes=2)
    first, again = run(mix, x, y, 7), run(mix, x, y, 7)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    if name != "none":
        others = (run(mix, x, y, seed)[0] for seed in range(20))
        assert not all(first[0].shape == other.shape and torch.equal(first[0], other) for other in others)


@pytest.mark.unchecked
@pytest.mark.parametrize("name", METHOD_ROWS)
def test_global_random_state_is_left_alone_when_a_generator_is_given(name):
    import random

    import numpy as np

    x, y = batch((6, 4, 8, 8))
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002 the legacy state is what is tested
    run(make(name), x, y)
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert (states[2] == np.random.get_state()[1]).all()  # noqa: NPY002


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", METHOD_ROWS)
def test_the_default_device_does_not_matter(name, layout):
    x, y = batch((6, 4, 8, 8))
    x = x.to(memory_format=layout)
    expected = run(make(name), x, y)
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        x_mix, y_mix = make(name).run(Identity(), x, y, generator=generator)
    assert torch.equal(x_mix, expected[0])
    assert torch.equal(y_mix, expected[1])


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_the_global_seed_suffices(name):
    x, y = batch((6, 4, 8, 8))
    mix = make(name)
    torch.manual_seed(5)
    first = mix.run(Identity(), x, y)
    torch.manual_seed(5)
    again = mix.run(Identity(), x, y)
    assert torch.equal(first[0], again[0])


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_a_call_takes_one_seed(name):
    x, y = batch((6, 4, 8, 8))
    generator, twin = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    make(name).run(Identity(), x, y, generator=generator)
    torch.empty((), dtype=torch.int64).random_(generator=twin)
    assert torch.equal(generator.get_state(), twin.get_state())


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_rows_depend_on_their_own_pair_only(name):
    x, y = batch((6, 4, 8, 8))
    mix = make(name)
    plan = mix.plan(x, torch.arange(len(x)) % 4, model=Identity(), generator=torch.Generator().manual_seed(0))
    x_mix, _ = run(mix, x, y, plan=plan)
    changed = x.clone()
    changed[2] += 1.0
    x_mix2, _ = run(mix, changed, y, plan=plan)
    involved = {row for row, _, _, sample, partner in references.rows(plan) if 2 in (sample, partner)}
    for row in range(len(x_mix)):
        if row not in involved:
            assert torch.equal(x_mix[row], x_mix2[row])


@pytest.mark.parametrize("name", [n for n in METHOD_ROWS if n != "none" and n not in CHOICES])
def test_pairs_and_mixes_have_draws_of_their_own(name):
    x = torch.rand(16, 3, 24, 24)
    plan = make(name, num_mixes=3).plan(x, torch.arange(len(x)) % 4, model=Identity())
    assert len({tuple(column) for column in plan.lam.T.tolist()}) == 16
    if boxes := boxes_of(plan):
        edges = torch.cat([boxes.low, boxes.high], dim=-1)
        assert len({tuple(box) for box in edges[1].tolist()}) > 12
    if isinstance(plan.mask, Ordered):
        assert len({tuple(level) for level in plan.mask.level.flatten(1).tolist()}) == 16
    if isinstance(plan.mask, Bump):
        assert all(len({int(row.argmax()) for row in factor[1]}) > 4 for factor in plan.mask.factors)
    assert len({tuple(row) for row in plan.weight.tolist()}) == 3


@pytest.mark.parametrize("name", [n for n in METHOD_ROWS if n != "none" and n not in CHOICES])
def test_share_batch_gives_one_path_and_one_geometry(name):
    x = torch.rand(16, 3, 24, 24)
    plan = make(name, share="batch").plan(x, torch.arange(len(x)) % 4, model=Identity())
    assert (plan.lam == plan.lam[:, :1]).all()
    if isinstance(plan.mask, Blocks):  # masks follow the images; the grid is one for all in any case
        return
    assert (plan.weight == plan.weight[:, :1]).all()
    if boxes := boxes_of(plan):
        assert (boxes.low == boxes.low[:, :1]).all()
        assert (boxes.high == boxes.high[:, :1]).all()
    if isinstance(plan.mask, Ordered):
        assert (plan.mask.level == plan.mask.level[:1]).all()
    if isinstance(plan.mask, Bump):
        assert all((factor == factor[:, :1]).all() for factor in plan.mask.factors)


@pytest.mark.parametrize("name", ["mixup", "manifold", "manifold-input", "cutmix-inside"])
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_weight_one_is_the_sample_weight_zero_the_partner(name, weight):
    x, y = batch((5, 4, 8, 8))
    mix = make(name)
    plan = mix.plan(x, torch.arange(len(x)) % 4, model=Identity())
    if isinstance(plan.mask, Boxes):
        full = plan.mask.low.new_full(plan.mask.low.shape, 8)
        mask = Boxes(torch.zeros_like(full), full * int(1 - weight), (8, 8))
    else:
        mask = Constant(torch.full_like(plan.weight, weight))
    plan = replace(plan, mask=mask, weight=mask.weight())
    x_mix, y_mix = run(mix, x, y, plan=plan)
    index = torch.arange(5) if weight == 1 else plan.partner
    assert torch.equal(x_mix, x[index].repeat(3, 1, 1, 1))
    assert torch.equal(y_mix.argmax(1), y[index].repeat(3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", METHOD_ROWS)
def test_dtype_is_kept(name, dtype):
    x, y = colour_planes(6, 4, (8, 8))
    x_mix, y_mix = run(make(name), x.to(dtype), y)
    assert x_mix.dtype == dtype
    assert y_mix.dtype == torch.promote_types(dtype, torch.float32)
    rounding = 2 * torch.finfo(dtype).eps if dtype.itemsize < 4 else 1e-6
    torch.testing.assert_close(x_mix.to(y_mix.dtype).mean((2, 3)), y_mix, atol=rounding, rtol=0)


@pytest.mark.parametrize("name", METHOD_ROWS)
@pytest.mark.parametrize("layout", ["channels_last", "channels_last_3d", "permuted", "sliced"])
def test_memory_format_is_kept(name, layout):
    shape = (5, 4, 3, 6, 7) if layout == "channels_last_3d" else (5, 4, 6, 7)
    if not takes(name, len(shape) - 2):
        return
    x, y = batch(shape)
    mix = make(name)
    plan = mix.plan(x, torch.arange(len(x)) % 4, model=Identity())
    expected, _ = run(mix, x, y, plan=plan)
    if layout in ("channels_last", "channels_last_3d"):
        memory_format = getattr(torch, layout)
        x_mix, _ = run(mix, x.to(memory_format=memory_format), y, plan=plan)
        assert x_mix.is_contiguous(memory_format=memory_format)
    elif layout == "permuted":
        x_mix, _ = run(mix, x.transpose(2, 3).contiguous().transpose(2, 3), y, plan=plan)
    else:
        x_mix, _ = run(mix, torch.cat([x, x], dim=3)[..., :7], y, plan=plan)
    torch.testing.assert_close(x_mix, expected)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", [n for n in METHOD_ROWS if not n.startswith("manifold")])
def test_out_is_filled_and_its_memory_format_wins(name, layout):
    x, y = batch((5, 4, 6, 7))
    mix = make(name)
    expected, _ = mix(x, y, model=Identity(), generator=torch.Generator().manual_seed(1))
    out = torch.empty(15, 4, 6, 7).to(memory_format=layout)
    x_mix, _ = mix(x, y, model=Identity(), out=out, generator=torch.Generator().manual_seed(1))
    assert x_mix.data_ptr() == out.data_ptr()
    assert out.is_contiguous(memory_format=layout)
    torch.testing.assert_close(x_mix, expected)


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_gradients_flow_as_the_masks_say(name):
    x, y = batch((5, 4, 6, 7))
    mix = make(name)
    plan = mix.plan(x, torch.arange(len(x)) % 4, model=Identity())
    plain, _ = run(mix, x, y, plan=plan)
    x.requires_grad_()
    x_mix, _ = run(mix, x, y, plan=plan)
    torch.testing.assert_close(x_mix, plain)
    direction = torch.randn_like(x_mix)
    (gradient,) = torch.autograd.grad((x_mix * direction).sum(), x)
    step = torch.randn_like(x)
    with torch.no_grad():  # mixing is linear in x, so the directional derivative is exact
        change = (run(mix, x + step, y, plan=plan)[0] - x_mix).mul(direction).sum()
    torch.testing.assert_close((gradient * step).sum(), change, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", [n for n in METHOD_ROWS if n not in BLENDING and not n.startswith(BY_GRADIENT)])
def test_methods_that_do_not_blend_keep_integers(name):
    x = torch.randint(0, 256, (6, 3, 9, 8), dtype=torch.uint8)
    x_mix, y_mix = run(make(name), x, torch.arange(6) % 4)
    assert x_mix.dtype == torch.uint8
    assert y_mix.dtype == torch.float32
    again, _ = run(make(name), x.float(), torch.arange(6) % 4)
    assert torch.equal(x_mix.float(), again)


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_the_object_is_frozen_picklable_and_readable(name):
    import dataclasses
    import pickle

    mix = make(name)
    again = pickle.loads(pickle.dumps(mix))
    assert again == mix
    assert "num_mixes=3" in repr(mix)
    with pytest.raises(dataclasses.FrozenInstanceError):
        mix.num_mixes = 2
    x, y = batch((6, 4, 8, 8))
    assert torch.equal(run(mix, x, y)[0], run(again, x, y)[0])


@pytest.mark.parametrize("name", METHOD_ROWS)
def test_parts_of_a_plan_make_the_whole(name):
    x, y = batch((7, 4, 6, 6))
    mix = make(name)
    plan = mix.plan(x, torch.arange(len(x)) % 4, model=Identity())
    x_mix, y_mix = run(mix, x, y, plan=plan)
    parts = plan.split(3)
    assert sum(part.num_pairs for part in parts) == 7
    for part in parts:
        rows = [k * 7 + int(i) for k in range(plan.num_mixes) for i in part.sample]
        x_part, y_part = run(mix, x, y, plan=part)
        torch.testing.assert_close(x_part, x_mix[rows])
        assert torch.equal(y_part, y_mix[rows])
    again = parts[0].split(parts[0].num_pairs)
    assert [int(p.sample) for p in again] == parts[0].sample.tolist()


def test_the_methods_say_whether_they_mix_inside():
    inside = [name for name in METHOD_ROWS if any(method.inside for method in make(name).method.options)]
    assert inside == ["manifold", "manifold-input"]


def test_the_kinds_that_are_here_have_kernels():
    assert {Blocks, Boxes, Bump, Constant, Ordered, Resized} <= table.KERNELS.keys()


@pytest.mark.compiled
@pytest.mark.parametrize("name", METHOD_ROWS)
def test_families_of_kernels_agree(name, monkeypatch):
    # All other tests run with the kernels of this process, where they take part. Here PyTorch mixes in their place.
    planes, y = colour_planes(6, 4, (6, 7))
    mix = make(name)
    plan = mix.plan(planes, y, model=Identity(), generator=torch.Generator().manual_seed(0))
    noise = 100 * torch.rand(planes.shape)
    has_kernel = type(plan.mask) in table.KERNELS
    batches = [planes, noise, noise.to(memory_format=torch.channels_last), noise.double(), noise.bfloat16()]
    if name not in BLENDING:
        batches += [noise.byte(), noise.byte().to(memory_format=torch.channels_last)]
    for x in batches:
        kernel = find_kernel(x, plan)
        takes = x.dtype != torch.bfloat16 or not plan.mask.averages or family_of(x.device) == "triton"
        assert (kernel is not None) == (plan.num_mixes > 1 and takes and has_kernel)
        found = run(mix, x, y, plan=plan)
        with monkeypatch.context() as patch:
            patch.setattr("multimix.kernels.family.chosen", lambda: "torch")
            assert find_kernel(x, plan) is None
            expected = run(mix, x, y, plan=plan)
        assert expected[0].stride() == found[0].stride()
        torch.testing.assert_close(found[0], expected[0])
        assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize("name", [n for n in METHOD_ROWS if n not in CHOICES and not n.startswith("manifold")])
def test_a_buffer_that_is_filled_again_is_known_to_autograd(name):
    x, y = torch.rand(6, 4, 8, 8), torch.arange(6) % 4
    mix, out = make(name), torch.empty(18, 4, 8, 8)
    plan = mix.plan(x, y, model=Identity())
    scale = torch.ones(4, 8, 8, requires_grad=True)
    loss = (mix.apply(plan, x, out=out[: plan.num_mixes * 6])[0] * scale).sum()
    mix.apply(plan, x + 1, out=out[: plan.num_mixes * 6])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    with torch.inference_mode():
        buffer = torch.empty(plan.num_mixes * 6, 4, 8, 8)
        assert mix.apply(plan, x, out=buffer)[0].data_ptr() == buffer.data_ptr()
