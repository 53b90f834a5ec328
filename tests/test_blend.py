"""Blending at its corners: ends that copy, lazy views, and the ways PyTorch differentiates and vectorises."""

import math
import warnings
from itertools import product

import pytest
import references
import torch
from torch.autograd import forward_ad

from multimix import MixUp, MultiMix, Plan, SmoothMix
from multimix.blend import blend
from multimix.masks import Blocks, Boxes, Bump, Constant, Mask, Ordered, Resized

NAMES = ["none", "mixup", "cutmix", "fmix", "gridmix", "smoothmix", "resizemix", "saliencymix", "puzzlemix", "topmix"]
COMPLEX = [name for name in NAMES if name != "puzzlemix"]  # which compares values
B, C, H, W = SHAPE = (4, 3, 4, 6)


def planned(name: str, x: torch.Tensor, partners: str = "same") -> tuple[MultiMix, Plan]:
    """A mixer and a plan, drawn for the shape of x."""
    mix = MultiMix(name, num_mixes=3, partners=partners)
    saliency = torch.rand(len(x), *x.shape[2:]) if name in ("saliencymix", "puzzlemix", "topmix") else None
    return mix, mix.plan(torch.randn(x.shape), saliency=saliency)


def end_masks() -> dict[str, Mask]:
    """Masks of two mixes that keep all of the sample at some positions, and none at others."""
    weight = torch.tensor([[1.0, 1.0, 0.4, 0.0], [0.3, 0.0, 0.0, 0.0]])
    low, high = torch.zeros(2, B, 2, dtype=torch.int64), torch.tensor([[0, 0], [H, W]])[:, None].repeat(1, B, 1)
    level = torch.randint(0, 3, (B, H, W), dtype=torch.uint8)
    rows, columns = torch.rand(2, B, H), torch.rand(2, B, W)
    rows[0], columns[0] = (torch.arange(H) % 2).float(), 1.0
    rows[1, 0], columns[1, 0] = 0, 1
    kept = torch.tensor([[[2, 0], [1, 2]], [[0, 0], [0, 1]]], dtype=torch.uint8)[:, None].repeat(1, B, 1, 1)
    cells = torch.tensor([0, 2, 4]), torch.tensor([0, 3, 6])
    moved = torch.tensor([1, 0, 3, 3], dtype=torch.int32).expand(2, B, 2, 4)
    return {
        "constant": Constant(weight),
        "boxes": Boxes(low, high, (H, W)),
        "resized": Resized(Boxes(low, high, (H, W))),
        "ordered": Ordered(level, (level.flatten(1) > torch.arange(2)[:, None, None]).sum(-1)),
        "bump": Bump((rows, columns)),
        "blocks": Blocks(kept, 2, *cells, moved, (H, W)),
        "blocks of one": Blocks(kept // 2, 1, *cells, None, (H, W)),
    }


def kept_share(mask: Mask) -> torch.Tensor:
    """The mask itself, (K, P, H, W), in float32."""
    if isinstance(mask, Constant):
        return mask.share[..., None, None].expand(-1, -1, H, W)
    if isinstance(mask, Boxes):
        return 1 - mask.inside().float()
    if isinstance(mask, Resized):
        return 1 - mask.boxes.inside().float()
    if isinstance(mask, Ordered):
        return mask.keeps().float()
    if isinstance(mask, Bump):
        return 1 - mask.share(torch.float32)
    assert isinstance(mask, Blocks)
    return mask.share() / mask.whole


def own_weight(plan: Plan) -> torch.Tensor:
    return kept_share(plan.mask)[:, :, None].expand(-1, -1, C, -1, -1).flatten(0, 1)


WAYS = {
    "kernel": (torch.float32, set()),
    "kernel, float64": (torch.float64, set()),
    "float16": (torch.float16, set()),
    "bfloat16": (torch.bfloat16, set()),
    "complex64": (torch.complex64, set()),
    "complex128": (torch.complex128, set()),
    "gradient": (torch.float32, {"requires_grad"}),
    "gradient, float64": (torch.float64, {"requires_grad"}),
    "gradient, bfloat16": (torch.bfloat16, {"requires_grad"}),
    "gradient, complex64": (torch.complex64, {"requires_grad"}),
    "out": (torch.bfloat16, {"out"}),
    "out, complex64": (torch.complex64, {"out"}),
    "subclass": (torch.float32, {"subclass"}),
    "channels last": (torch.float32, {"channels_last"}),
    "channels last, bfloat16": (torch.bfloat16, {"channels_last"}),
    "channels last, gradient": (torch.float32, {"channels_last", "requires_grad"}),
    "channels last, complex64": (torch.complex64, {"channels_last", "out"}),
}


class Subclass(torch.Tensor):
    """What the kernels leave to PyTorch."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", end_masks())
def test_ends_copy_whatever_the_other_image_holds(kind, way):
    dtype, how = WAYS[way]
    mask = end_masks()[kind]
    plan = Plan(mask.weight().double(), mask.weight(), torch.tensor([1, 0, 3, 2]), mask, B)
    x = torch.randn(SHAPE).to(dtype) + (0.5j if dtype.is_complex else 0)
    layout = torch.channels_last if "channels_last" in how else torch.contiguous_format
    x = x.to(memory_format=layout)
    share = own_weight(plan)
    for bad, value in product((0, 1), (math.inf, -math.inf, math.nan)):
        spoiled = x.clone()
        spoiled[bad::2] = value  # of each pair one image
        given = spoiled.clone().as_subclass(Subclass) if "subclass" in how else spoiled.clone()
        given.requires_grad_("requires_grad" in how)
        out = torch.zeros(2 * B, *SHAPE[1:], dtype=dtype).to(memory_format=layout) if "out" in how else None
        found = blend(given, plan, out)
        assert out is None or found.data_ptr() == out.data_ptr()
        whole = blend(x, plan)  # without what spoils it
        own_bad = torch.arange(B).repeat(2) % 2 == bad
        clean = torch.where(own_bad[:, None, None, None], share == 0, share == 1)
        assert clean.any()
        assert torch.equal(found.detach()[clean], whole[clean].detach())
        if "requires_grad" not in how:
            continue
        (gradient,) = torch.autograd.grad(found[clean].real.sum(), given)
        assert gradient.isfinite().all()
        assert (gradient[bad::2] == 0).all()  # exactly: nothing clean comes from there
        expected = torch.autograd.grad(blend(plain := x.clone().requires_grad_(), plan)[clean].real.sum(), plain)
        torch.testing.assert_close(gradient, expected[0])


@pytest.mark.parametrize("name", ["mixup", "smoothmix"])
def test_flags_of_drawn_masks_are_those_of_their_shares(name):
    x = torch.randn(8, 2, 5, 7)
    for alpha in (1.0, 1e-3):  # of the latter nearly all shares are ends
        for seed in range(5):
            generator = torch.Generator().manual_seed(seed)
            method = MixUp(alpha) if name == "mixup" else SmoothMix(alpha)
            mask = MultiMix(method, num_mixes=4).plan(x, generator=generator).mask
            share = mask.share if name == "mixup" else mask.share(torch.float32)
            flags = (bool((share == 0).any()), bool((share == 1).any()))
            assert mask.ends >= flags
            assert name == "smoothmix" or mask.ends == flags == (alpha != 1.0,) * 2
            assert mask.select(torch.tensor([0])).ends == mask.ends


@pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 2, 3)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["constant", "boxes"])
def test_targets_at_the_ends_are_copies(kind, dtype, shape):
    mask = end_masks()[kind]
    plan = Plan(mask.weight().double(), mask.weight(), torch.tensor([1, 0, 3, 2]), mask, B)
    y = torch.randn(shape).to(dtype)
    mix = MultiMix("mixup", num_mixes=2)
    for bad, value in product((0, 1), (math.inf, math.nan)):
        spoiled = y.clone()
        spoiled[bad::2] = value
        spoiled.requires_grad_()
        _, mixed = mix.apply(plan, torch.randn(SHAPE), spoiled)
        own_bad = torch.arange(B).repeat(2) % 2 == bad
        weight = plan.weight.flatten()
        clean = torch.where(own_bad, weight == 0, weight == 1)
        source = torch.where(weight == 1, torch.arange(B).repeat(2), plan.partner.repeat(2))
        assert torch.equal(mixed[clean], y[source[clean]].to(mixed.dtype))
        (gradient,) = torch.autograd.grad(mixed[clean].sum(), spoiled)
        assert (gradient[bad::2] == 0).all()


def test_dense_targets_at_the_ends_are_copies():
    mask = end_masks()["bump"]
    plan = Plan(mask.weight().double(), mask.weight(), torch.tensor([1, 0, 3, 2]), mask, B)
    y = torch.randn(SHAPE)
    y[::2] = math.nan
    _, mixed = MultiMix("mixup", num_mixes=2, dense_targets=True).apply(plan, torch.randn(SHAPE), y)
    assert torch.equal(mixed.isnan(), blend(y, plan).isnan())
    assert not mixed.isnan().all()


@pytest.mark.parametrize("partners", ["same", "fresh"])
@pytest.mark.parametrize("name", COMPLEX)
def test_conjugate_views_are_mixed_by_value(name, partners):
    x = torch.fft.fft(torch.randn(5, 3, 6, 6)).conj()
    assert x.is_conj()
    mix, plan = planned(name, x, partners)
    expected = mix.apply(plan, x.resolve_conj())[0]
    found = mix.apply(plan, x)[0]
    assert not found.is_conj()
    assert torch.equal(found, expected)
    out = torch.zeros_like(expected).conj()
    assert out.is_conj()
    mix.apply(plan, x, out=out)
    assert torch.equal(out, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64])
@pytest.mark.parametrize("name", NAMES)
def test_negative_views_are_mixed_by_value(name, dtype):
    x = torch.randn(5, 3, 6, 6).to(dtype)
    mix, plan = planned(name, x)
    expected = mix.apply(plan, -x)[0]
    assert torch.equal(mix.apply(plan, torch._neg_view(x))[0], expected)
    out = torch._neg_view(torch.zeros_like(expected))
    mix.apply(plan, torch._neg_view(x), out=out)
    assert torch.equal(out, expected)


def test_negative_views_of_targets_and_saliency():
    x, y = torch.randn(5, 3, 6, 6), torch.arange(5) % 4
    lazy = torch._neg_view(-y)
    mix, plan = planned("cutmix", x)
    mix = replace_settings(mix, num_classes=4)
    assert torch.equal(mix.apply(plan, x, lazy)[1], mix.apply(plan, x, y)[1])
    dense = replace_settings(mix, num_classes=None, dense_targets=True)
    assert torch.equal(dense.apply(plan, x, torch._neg_view(x))[1], dense.apply(plan, x, -x)[1])
    saliency = torch.rand(5, 6, 6)
    for name in ("puzzlemix", "saliencymix", "topmix"):
        made = [
            MultiMix(name).plan(images, saliency=given, generator=torch.Generator().manual_seed(0)).weight
            for images, given in ((-x, saliency), (torch._neg_view(x), torch._neg_view(-saliency)))
        ]
        assert torch.equal(*made)


def replace_settings(mix: MultiMix, **settings) -> MultiMix:
    kept = {name: getattr(mix, name) for name in ("num_mixes", "num_classes", "dense_targets")}
    return MultiMix(mix.method, **(kept | settings))


def test_zeros_without_memory_are_zeros():
    x = torch._efficientzerotensor((4, 3, 6, 6))
    for name in NAMES:
        mix, plan = planned(name, x)
        assert (mix.apply(plan, x)[0] == 0).all()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("name", [*COMPLEX, "puzzlemix"])
def test_complex_parts_are_mixed_alike(name, dtype, layout):
    # A plan made for real inputs serves complex ones of the same size.
    x = torch.complex(torch.randn(5, 3, 6, 6), torch.randn(5, 3, 6, 6)).to(dtype).to(memory_format=layout)
    mix, plan = planned(name, x)
    for given in (x, x.clone().requires_grad_()):
        mixed = mix.apply(plan, given)[0]
        assert mixed.is_contiguous(memory_format=layout)
        for part in (torch.real, torch.imag):
            torch.testing.assert_close(part(mixed), mix.apply(plan, part(x).contiguous())[0], check_stride=False)


def test_blocks_are_blended_in_float64_where_gradients_flow():
    mask = end_masks()["blocks"]
    plan = Plan(mask.weight().double(), mask.weight(), torch.tensor([1, 0, 3, 2]), mask, B)
    x = torch.randn(SHAPE, dtype=torch.float64)
    found = blend(x.clone().requires_grad_(), plan).detach()
    torch.testing.assert_close(found, references.puzzle(x, plan), rtol=1e-15, atol=1e-15)


@pytest.fixture(scope="module")
def forward_mode() -> None:
    """Let PyTorch load its rules for forward-mode differentiation, at which it warns of itself."""
    with warnings.catch_warnings(action="ignore"):
        torch.func.jvp(torch.sin, (torch.ones(()),), (torch.ones(()),))


@pytest.mark.usefixtures("forward_mode")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_tangents_are_mixed_like_values(name, dtype):
    # Mixing is linear, so the derivative along a direction is the mixed direction.
    x, direction = torch.randn(5, 3, 6, 6).to(dtype), torch.randn(5, 3, 6, 6).to(dtype)
    mix, plan = planned(name, x)
    expected, expected_tangent = mix.apply(plan, x)[0], mix.apply(plan, direction)[0]
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, direction)
        value, tangent = forward_ad.unpack_dual(mix.apply(plan, dual)[0])
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(tangent, expected_tangent)
        with pytest.raises(ValueError, match="out must not be used where tangents flow from x"):
            mix.apply(plan, dual, out=torch.empty_like(expected))
        torch.testing.assert_close(mix.apply(plan, x)[0], expected)  # no dual: nothing changes
    value, tangent = torch.func.jvp(lambda x: mix.apply(plan, x)[0], (x,), (direction,))
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(tangent, expected_tangent)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # older releases of torch loop over some operations
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", NAMES)
def test_vmap_is_a_loop(name, layout):
    several = torch.randn(3, 5, 3, 6, 6)
    labels = torch.randint(0, 4, (3, 5))
    mix, plan = planned(name, several[0])
    mix = replace_settings(mix, num_classes=4)
    several = torch.stack([x.to(memory_format=layout) for x in several])
    x_mix, y_mix = torch.func.vmap(lambda x, y: mix.apply(plan, x, y))(several, labels)
    for x, y, found_x, found_y in zip(several, labels, x_mix, y_mix, strict=True):
        expected_x, expected_y = mix.apply(plan, x, y)
        torch.testing.assert_close(found_x, expected_x)
        torch.testing.assert_close(found_y, expected_y)
    with pytest.raises(ValueError, match=r"out must not be used inside a transform of torch\.func"):
        torch.func.vmap(lambda x: mix.apply(plan, x, out=torch.empty_like(expected_x))[0])(several)


def test_dense_labels_are_made_under_vmap():
    labels = torch.randint(0, 4, (3, 5, 6, 6))
    x = torch.randn(5, 3, 6, 6)
    mix = MultiMix("cutmix", num_mixes=2, num_classes=4, dense_targets=True)
    plan = mix.plan(x)
    found = torch.func.vmap(lambda y: mix.apply(plan, x, y)[1])(labels)
    assert torch.equal(found, torch.stack([mix.apply(plan, x, y)[1] for y in labels]))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_torch_func_are_those_of_autograd(name):
    x, weights = torch.randn(5, 3, 6, 6), torch.randn(15, 3, 6, 6)
    mix, plan = planned(name, x)
    weights = weights[: 5 * plan.num_mixes]

    def loss(x):
        return (mix.apply(plan, x)[0] * weights).square().sum()

    x.requires_grad_()
    (expected,) = torch.autograd.grad(loss(x), x)
    torch.testing.assert_close(torch.func.grad(loss)(x.detach()), expected)
    # x mixed inside, though the derivative is by something else.
    found = torch.func.grad(lambda scale: loss(x.detach() * 1) * scale)(torch.ones(()))
    torch.testing.assert_close(found, loss(x.detach()))


@pytest.mark.usefixtures("forward_mode")
@pytest.mark.parametrize("name", [name for name in COMPLEX if name != "topmix"])  # which would ask the model
def test_plans_may_be_drawn_inside_a_transform(name):
    x, direction = torch.randn(5, 3, 6, 6), torch.randn(5, 3, 6, 6)
    mix = MultiMix(name, num_mixes=2)

    def mixed(x):
        return mix.apply(mix.plan(x, generator=torch.Generator().manual_seed(3)), x)[0]

    found, tangent = torch.func.jvp(mixed, (x,), (direction,))
    torch.testing.assert_close(found, mixed(x))
    if name != "saliencymix":  # whose plan depends on x
        torch.testing.assert_close(tangent, mixed(direction))
    torch.testing.assert_close(torch.func.functionalize(mixed)(x), mixed(x))


@pytest.mark.usefixtures("forward_mode")
def test_puzzle_mix_is_planned_outside_of_transforms():
    x = torch.randn(4, 3, 6, 6)
    with pytest.raises(ValueError, match="PuzzleMix must be planned outside of transforms"):
        torch.func.jvp(lambda x: MultiMix("puzzlemix").plan(x, saliency=torch.rand(4, 6, 6)).weight, (x,), (x,))
