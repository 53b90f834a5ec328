"""What mixes with Triton's kernels, in its interpreter. `test_triton_mix.py` runs this in a process of its own.

MULTIMIX_UNCHECKED=1 TRITON_INTERPRET=1 MULTIMIX_KERNELS=triton PYTHONPATH=. pytest tests/kernels/on_triton.py
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.interpreter import patch_once
from multimix import (
    CutMix,
    FMix,
    GridMix,
    ManifoldMixup,
    MixUp,
    MultiMix,
    PuzzleMix,
    ResizeMix,
    SaliencyMix,
    SimilarTargets,
    SmoothMix,
    TopMix,
)
from multimix.blend import blend
from multimix.kernels.cpu.table import find as find_cpu
from multimix.kernels.family import chosen, find_kernel, find_operator
from multimix.kernels.triton import launch
from multimix.kernels.triton.launch import counted_launches
from multimix.masks import Blocks, Bump, Constant
from multimix.methods import METHODS
from multimix.streams import Streams

patch_once()

pytestmark = pytest.mark.filterwarnings("default")  # the compiler itself warns

MIXES = 3
KINDS = {
    "constant": MixUp(alpha=0.3),
    "boxes": CutMix(),
    "levels": FMix(),
    "bump": SmoothMix(),
    "resized": ResizeMix(),
    "cells that move": PuzzleMix(grid=2, levels=2, transport_size=1),
    "half blocks": PuzzleMix(grid=3, levels=3, transport_cost=0.1),
    "blocks that stay": PuzzleMix(grid=3, levels=3, transport=False),
}
SHAPES = [(3, 2, 5, 7), (3, 6), (2, 2, 3, 4, 5)]
CASES = [
    (kind, shape) for kind in KINDS for shape in SHAPES if len(shape) < 5 or not isinstance(KINDS[kind], PuzzleMix)
]
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def draw(kind, shape, partners="same"):
    """A batch and a plan for it; with fresh partners of pairs that come in any order, some of them twice.

    Cells move anywhere: into longer and shorter ones, several into one. The CPU draws the plan, in a tenth of the time:
    interpreted_puzzle.py looks at plans that Triton's kernels draw.
    """
    x = torch.randn(shape)
    saliency = torch.rand(shape[0], *(shape[2:] if len(shape) > 2 else shape[1:])) ** 4
    mix = MultiMix(KINDS[kind], num_mixes=MIXES, partners=partners)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("multimix.kernels.family.chosen", lambda: "cpu")
        plan = mix.plan(x, saliency=saliency if isinstance(KINDS[kind], PuzzleMix) else None)
    if isinstance(plan.mask, Blocks) and plan.mask.source is not None:
        source = torch.randint_like(plan.mask.source, plan.mask.source.shape[-1])
        plan = replace(plan, mask=replace(plan.mask, source=source))
    return x, plan if partners == "same" else plan.select(torch.tensor([1, 0, 1, shape[0] - 1, 1]))


def by_torch(x, plan):
    return plan.mask.blend(x, plan.sample, plan.partner).flatten(0, 1)


def by_cpu(x, plan):
    """None where the CPU has no kernel."""
    fill = find_cpu(plan.mask, x.dtype)
    if fill is None:
        return None
    layout = torch.contiguous_format if x.is_contiguous() else FORMATS[x.ndim]
    out = torch.empty(MIXES * plan.num_pairs, *x.shape[1:], dtype=x.dtype).contiguous(memory_format=layout)
    fill(x, plan, out, layout, True)
    return out


@pytest.mark.parametrize("partners", ["same", "fresh"])
@pytest.mark.parametrize(("kind", "shape"), CASES, ids=str)
def test_equals_torch_and_the_cpu(kind, shape, partners):
    x, plan = draw(kind, shape, partners)
    batches = [x, x.bfloat16(), *([x.to(memory_format=FORMATS[x.ndim])] if x.ndim in FORMATS else [])]
    batches += [x.double(), x.half()] if plan.mask.averages else [x > 0, (1e12 * x).long()]
    for batch in batches:
        with counted_launches() as launches:
            found = blend(batch, plan)
        expected = by_torch(batch, plan)
        assert launches == {"mix": 1}
        assert found.is_contiguous(memory_format=torch.contiguous_format if batch.is_contiguous() else FORMATS[x.ndim])
        if not plan.mask.averages:
            assert torch.equal(found, expected)
            cpu = by_cpu(batch, plan)
            assert cpu is None or torch.equal(found, cpu)
        else:
            unit = torch.finfo(batch.dtype).eps * batch.abs().max()
            assert (found - expected).abs().max() <= unit


def test_a_long_series_is_resized_where_positions_need_64_bits():
    x = torch.randn(2, 1, 40_000)
    plan = MultiMix(ResizeMix(), num_mixes=1).plan(x)
    leaf = x.requires_grad_()
    found, expected = blend(leaf, plan), by_torch(leaf, plan)
    assert torch.equal(found, expected)
    weights = torch.randn_like(found)
    assert torch.equal(*(torch.autograd.grad(rows, leaf, weights)[0] for rows in (found, expected)))


@pytest.mark.parametrize("kind", ["constant", "bump", "half blocks"])
def test_a_weight_of_0_or_1_copies(kind):
    x, plan = draw(kind, (3, 2, 5, 7))
    x[0], x[1, :, ::2] = torch.nan, torch.inf
    mask = plan.mask
    ends = torch.tensor([1.0, 0.0, 1.0])[:, None]
    if isinstance(mask, Constant):
        mask = Constant(ends.expand(3, 3))
    elif isinstance(mask, Bump):
        mask = Bump(tuple((f * 0 + 1) * ends[..., None] for f in mask.factors))
    else:
        mask = replace(mask, kept=(ends[..., None, None] * 2).expand_as(mask.kept).to(torch.uint8).contiguous())
    plan = replace(plan, mask=mask)
    torch.testing.assert_close(blend(x, plan), by_torch(x, plan), rtol=0, atol=0, equal_nan=True)
    leaf = x.double().requires_grad_()  # a copy's gradient is that of a copy, whatever comes in
    grad = torch.full((9, 2, 5, 7), torch.inf, dtype=torch.float64)
    found, expected = (torch.autograd.grad(f(leaf, plan), leaf, grad)[0] for f in (blend, by_torch))
    assert torch.equal(found, expected)


def gradients(shape):
    """Incoming gradients as others lay them out."""
    grad = torch.randn(shape, dtype=torch.float64)
    yield grad
    yield grad.movedim(-1, 0).contiguous().movedim(0, -1)
    yield torch.ones((), dtype=grad.dtype).expand(shape)
    yield grad[:1].expand(shape)
    if len(shape) in FORMATS:
        yield grad.to(memory_format=FORMATS[len(shape)])


@pytest.mark.parametrize(("kind", "shape"), CASES, ids=str)
def test_gradients_equal_those_of_torch(kind, shape):
    x, plan = draw(kind, shape, "fresh" if len(shape) == 4 else "same")
    x = x.double().requires_grad_()
    found, expected = blend(x, plan), by_torch(x, plan)
    for grad in gradients(found.shape) if kind == "boxes" else [torch.randn(found.shape, dtype=torch.float64)]:
        torch.testing.assert_close(*(torch.autograd.grad(y, x, grad, retain_graph=True) for y in (found, expected)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_transpose_of_the_transpose_is_the_blend(kind):
    x, plan = draw(kind, (3, 1, 3, 4), "fresh")
    leaf, grad = x.double().requires_grad_(), torch.randn(15, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    (spread,) = torch.autograd.grad(blend(leaf, plan), leaf, grad, create_graph=True)
    direction = torch.randn_like(x, dtype=torch.float64)
    (again,) = torch.autograd.grad(spread, grad, direction)
    assert torch.equal(again, blend(direction, plan))


def test_gradients_in_other_formats_and_types():
    x, plan = draw("boxes", (3, 2, 5, 7))
    for batch in (x.to(memory_format=torch.channels_last), x.bfloat16(), x.half()):
        batch = batch.detach().requires_grad_()
        grad = torch.ones(9, 2, 5, 7, dtype=batch.dtype).to(memory_format=torch.channels_last)
        found, expected = (torch.autograd.grad(f(batch, plan), batch, grad)[0] for f in (blend, by_torch))
        assert torch.equal(found, expected)  # sums of ones


def test_one_row_may_be_the_partner_of_many():
    x, y = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0.0, 0.01, 5.0, 9.0, 9.01])
    plan = MultiMix(MixUp(), num_mixes=MIXES, partners=SimilarTargets(0.1)).plan(x, y)
    plan = replace(plan, partner=torch.tensor([1, 0, 1, 1, 1]))
    for part in [plan, *plan.split(2), plan.select(torch.tensor([4, 4, 0, 4]))]:
        leaf = x.clone().requires_grad_()
        grad = torch.randn(MIXES * part.num_pairs, 3, dtype=torch.float64)
        found, expected = (torch.autograd.grad(f(leaf, part), leaf, grad)[0] for f in (blend, by_torch))
        torch.testing.assert_close(found, expected)


def test_readers_are_summed_in_the_order_of_the_plan():
    from multimix.kernels.triton.rows import _by_value

    places, starts = _by_value(torch.tensor([2, 0, 2, 5, 0, 2]), 6)
    assert places.tolist() == [1, 4, 0, 2, 5, 3]
    assert starts.tolist() == [0, 2, 2, 5, 5, 5, 6]


def test_gradients_of_gradients():
    x, plan = draw("constant", (2, 2))
    leaf = x.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: blend(z, plan), leaf)
    assert torch.autograd.gradgradcheck(lambda z: blend(z, plan), leaf)


def test_transforms_and_complex_numbers_take_torch():
    x, plan = draw("constant", (3, 2, 5, 7))
    expected = by_torch(x, plan)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(blend(forward_ad.make_dual(x, x), plan)).tangent
    torch.testing.assert_close(tangent, expected)
    torch.testing.assert_close(torch.func.jvp(lambda z: blend(z, plan), (x,), (x,))[1], expected)
    torch.testing.assert_close(torch.func.vmap(lambda z: blend(z, plan))(x[None])[0], expected)
    torch.testing.assert_close(
        torch.func.grad(lambda z: blend(z, plan).sum())(x).sum(), x.new_tensor(x.numel() * MIXES)
    )
    torch.testing.assert_close(blend(x * 1j, plan), expected * 1j)
    leaf = x.clone().requires_grad_()
    grads = torch.randn(2, *expected.shape)
    found, want = (torch.autograd.grad(f(leaf, plan), leaf, grads, is_grads_batched=True)[0] for f in (blend, by_torch))
    torch.testing.assert_close(found, want)
    learnt = replace(plan, mask=Constant(plan.mask.share.clone().requires_grad_()))
    assert find_operator(x, learnt) is None


def test_a_buffer_is_filled():
    x, plan = draw("constant", (3, 2, 5, 7))
    out = torch.empty(9, 2, 5, 7)
    with counted_launches() as launches:
        assert blend(x, plan, out) is out
    assert launches == {"mix": 1}
    strided = torch.empty(9, 2, 5, 14)[..., ::2]
    assert torch.equal(blend(x, plan, strided), out)
    torch.compiler.reset()
    compiled, buffer = torch.compile(blend, fullgraph=True, backend="aot_eager"), torch.empty_like(out)
    with counted_launches() as launches:
        assert compiled(x, plan, buffer).data_ptr() == buffer.data_ptr()
    assert launches == {"mix": 1}
    assert torch.equal(buffer, out)


@pytest.mark.parametrize("method", [MixUp(), CutMix(), SmoothMix()], ids=str)
def test_a_step_is_one_graph(method):
    model = torch.nn.Conv2d(2, 4, 3)
    mix = MultiMix(method, num_mixes=MIXES, num_classes=4)

    def step(plan, x, y):
        x_mix, y_mix = mix.apply(plan, x, y)
        return -(model(x_mix).mean((2, 3)).log_softmax(1) * y_mix).sum()

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    x, y = torch.randn(3, 2, 4, 5, requires_grad=True), torch.arange(3)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for seed in range(2):
            plan = mix.plan(x, generator=torch.Generator().manual_seed(seed))
            with counted_launches() as launches:
                found = compiled(plan, x, y)
                gradient = torch.autograd.grad(found, x)
            assert launches == {"mix": 1, "soften_rows": 1, "spread": 1}
            expected = step(plan, x, y)
            torch.testing.assert_close(found, expected)
            torch.testing.assert_close(gradient, torch.autograd.grad(expected, x))
    torch.compiler.reset()


@pytest.mark.parametrize("partners", ["same", "fresh"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.int16])
def test_labels(dtype, partners):
    mix = MultiMix("mixup", num_mixes=MIXES, num_classes=5, partners=partners)
    x, y = torch.randn(7, 2), torch.arange(7).remainder(5)
    plan = mix.plan(x)
    for part in [plan, *plan.split(3)]:
        with counted_launches() as launches:
            found = mix.apply(part, x, y.to(dtype))[1]
        assert launches == {"mix": 1, "soften_rows": 1}
        own = torch.arange(7) if part.sample is None else part.sample
        hot = torch.nn.functional.one_hot(y, 5).float()
        expected = part.weight[..., None] * hot[own] + (1 - part.weight[..., None]) * hot[part.partner]
        assert torch.equal(found, expected.flatten(0, 1))


@pytest.mark.parametrize("strange", [-1, 5])
def test_what_is_no_class_is_no_label(strange):
    from multimix.targets import mix_targets

    plan = MultiMix("mixup", num_mixes=MIXES, num_classes=5).plan(torch.randn(7, 2))
    y = torch.arange(7).remainder(5)
    y[3] = strange
    found = mix_targets(y, plan, 5, torch.float32, False).isnan().view(MIXES, 7, 5)
    wrong = (torch.arange(7) == 3) | (plan.partner == 3)
    assert torch.equal(found, wrong[None, :, None].expand_as(found))


def test_learnt_weights_get_their_gradient_from_the_labels():
    from multimix.targets import mix_targets

    plan = MultiMix("mixup", num_mixes=MIXES, num_classes=5).plan(torch.randn(7, 2))
    y = torch.arange(7).remainder(5)
    learnt = plan.weight.clone().requires_grad_()
    soft = mix_targets(y, replace(plan, weight=learnt), 5, torch.float32, False)
    assert torch.equal(soft, mix_targets(y, plan, 5, torch.float32, False))
    (found,) = torch.autograd.grad(soft[:, 0].sum(), learnt)
    assert torch.equal(found, ((y == 0).float() - (y[plan.partner] == 0).float()).expand_as(found))


def test_other_targets_take_one_launch():
    x = torch.randn(5, 2, 4, 4)
    mix = MultiMix("cutmix", num_mixes=MIXES)
    plan = mix.plan(x)
    for y in (torch.rand(5), torch.rand(5, 3), torch.rand(5, 2, 3) > 0.5):
        with counted_launches() as launches:
            found = mix.apply(plan, x, y)[1]
        assert launches == {"mix": 2}
        torch.testing.assert_close(found, by_torch(y.float(), replace(plan, mask=Constant(plan.weight))))


class Features(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Conv2d(2, 3, 1)

    def forward(self, x):
        return self.features(x).mean((2, 3))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_agrees_with_the_cpu_kernels(name, monkeypatch):
    method = {
        "manifold": ManifoldMixup(layers=["features"]),
        "puzzlemix": PuzzleMix(grid=(2, 3)),
        "gridmix": GridMix(grid=2),
        "topmix": TopMix(grid=4),
    }
    mix = MultiMix(method.get(name, name), num_mixes=MIXES, num_classes=3)
    x, y, model = torch.randn(5, 2, 6, 7), torch.arange(5) % 3, Features()
    seeds = [torch.Generator().manual_seed(3) for _ in range(2)]
    found = mix.run(model, x, y, generator=seeds[0])
    monkeypatch.setattr("multimix.kernels.family.chosen", lambda: "cpu")
    expected = mix.run(model, x, y, generator=seeds[1])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("num", [1, 7, 40])
def test_the_highest_positions_are_counted(num):
    from multimix.kernels.triton.levels import count_levels
    from multimix.methods.fmix import _limits

    values = torch.randint(5, (4, num)).float()  # many are equal
    num_kept = torch.randint(num + 1, (3, 4)).sort(0, descending=True).values
    num_kept[0, 0], num_kept[2, 0] = num, 0
    level, kept = count_levels(values, num_kept, torch.uint8)
    keeps = values >= _limits(values, num_kept)[..., None]
    assert torch.equal(level, keeps.sum(0, dtype=torch.uint8))
    assert torch.equal(kept, keeps.sum(2))


@pytest.mark.parametrize("boxes", ["nested", "inside"])
@pytest.mark.parametrize("partners", ["same", "fresh"])
@pytest.mark.parametrize("spatial", [(9,), (5, 7), (3, 4, 5)], ids=str)
def test_boxes_around_peaks(spatial, partners, boxes, monkeypatch):
    mix = MultiMix(SaliencyMix(boxes=boxes), num_mixes=MIXES, partners=partners)
    x, saliency = torch.randn(5, 2, *spatial), torch.randint(3, (5, *spatial)).float()
    saliency[2] = 1.0
    found = mix.plan(x, saliency=saliency, generator=torch.Generator().manual_seed(1)).mask
    monkeypatch.setattr("multimix.kernels.family.chosen", lambda: "cpu")
    expected = mix.plan(x, saliency=saliency, generator=torch.Generator().manual_seed(1)).mask
    assert torch.equal(found.low, expected.low)
    assert torch.equal(found.high, expected.high)


def test_saliency_that_is_a_negative_view():
    x, saliency = torch.randn(5, 2, 5, 7), torch.rand(5, 5, 7)
    found, expected = (
        MultiMix("saliencymix").plan(x, saliency=given, generator=torch.Generator().manual_seed(1)).mask
        for given in (torch._neg_view(-saliency), saliency)
    )
    assert torch.equal(found.low, expected.low)


@pytest.mark.parametrize("spatial", [(300,), (5, 1), (2, 3, 4)], ids=str)
def test_bumps(spatial, monkeypatch):
    x, mix = torch.empty(3, 2, *spatial), MultiMix(SmoothMix(alpha=0.1), num_mixes=MIXES)
    with counted_launches() as launches:
        plan = mix.plan(x, generator=torch.Generator().manual_seed(1))
    assert launches == {"fill_bumps": 1, "weigh_bumps": 1}
    torch.testing.assert_close(plan.weight, plan.mask.weight(), rtol=0, atol=6e-8)
    assert (plan.weight.diff(dim=0) <= 0).all()
    monkeypatch.setattr("multimix.kernels.family.chosen", lambda: "cpu")
    expected = mix.plan(x, generator=torch.Generator().manual_seed(1)).mask.factors
    for factor, wanted in zip(plan.mask.factors, expected, strict=True):
        assert (factor.diff(dim=0) >= 0).all()
        torch.testing.assert_close(factor, wanted, rtol=0, atol=6e-8)


class Launches(TorchDispatchMode):
    """Counts operations that launch something; views and allocations do not."""

    FREE = ("empty", "view", "slice", "select.int", "expand", "unsqueeze", "squeeze", "detach", "alias", "as_strided")
    FREE += ("transpose", "permute", "reshape", "t.default", "split", "unbind", "lift_fresh", "promote_types")

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = str(function)
        if not name.startswith("multimix") and not name.split(".")[1].startswith(self.FREE):
            self.names.append(name)
        return function(*args, **(kwargs or {}))


BUDGETS = {"mixup": 3, "cutmix": 3, "fmix": 9, "smoothmix": 5, "resizemix": 3, "gridmix": 5, "saliencymix": 8}
BUDGETS |= {"topmix": 10, TopMix(grid=4): 10, TopMix(grid=3): 10}  # a cell per position, cells of one size, of several


@pytest.mark.parametrize("method", BUDGETS, ids=str)
def test_launches_of_a_step(method, monkeypatch):
    # As on a GPU: no value is looked at, draws are copied, and a kernel is one launch.
    copies, kernels = [], []
    monkeypatch.setattr("multimix.mixer.open_streams", lambda generator: Streams(3))
    for module in ("checks", "methods.fmix", "targets"):
        monkeypatch.setattr(f"multimix.{module}.is_readable", lambda x: False)
    for module in ("rows", "labels", "levels", "peaks", "bumps"):
        monkeypatch.setattr(
            f"multimix.kernels.triton.{module}.launch", lambda kernel, *rest, **more: kernels.append(kernel.fn.__name__)
        )
    monkeypatch.setattr(
        "multimix.methods.step.send",
        lambda arrays, device: copies.append(1) or [torch.from_numpy(np.array(array)) for array in arrays],
    )
    mix = MultiMix(method, num_mixes=MIXES, num_classes=10)
    x, y, saliency = torch.rand(5, 3, 8, 8), torch.arange(5), torch.rand(5, 8, 8)
    if not mix.method.salient:
        saliency = None
    mix.plan(x, saliency=saliency)  # what stays on a device is brought there once
    copies.clear()
    kernels.clear()
    with Launches() as counted:
        plan = mix.plan(x, saliency=saliency)
        mix.apply(plan, x, y)
    assert copies == [1]
    assert {"mix", "soften_rows"} <= set(kernels)
    assert not any("local_scalar" in operation for operation in counted.names)
    launches = [*copies, *kernels, *counted.names]
    assert len(launches) <= BUDGETS[method], launches


def test_this_process_uses_triton():
    assert chosen() == "triton"
    x, plan = draw("constant", (3, 2, 5, 7))
    assert find_kernel(x, plan).__module__ == "multimix.kernels.triton.table"


def test_kernels_run_on_their_tensors_device(monkeypatch):
    entered = []

    class Kernel:
        fn = test_this_process_uses_triton

        def __getitem__(self, grid):
            return lambda *arguments, **constants: entered.append((grid, len(arguments), constants))

    class Device:
        def __init__(self, tensor):
            entered.append(tensor)

        def __enter__(self):
            entered.append("in")

        def __exit__(self, *error):
            entered.append("out")

    monkeypatch.setattr("torch.cuda.device_of", Device)
    x = torch.zeros(2)
    with counted_launches() as launches, counted_launches() as others:
        launch.launch(Kernel(), (4,), 1, x, 2, num_warps=2, BLOCK=8)
        launch.launch(Kernel(), (0,), x)
    assert entered[0] is x
    assert entered[1:] == ["in", ((4,), 3, {"num_warps": 2, "BLOCK": 8}), "out"]
    assert launches == others == {"test_this_process_uses_triton": 1}
