"""Every kind of target, and what is trained on it."""

from fractions import Fraction

import pytest
import references
import torch
import torch.nn.functional as F

from multimix import Choice, CutMix, ManifoldMixup, MixUp, MultiMix, Plan, PuzzleMix, mixed_accuracy
from multimix.masks import Boxes, Constant, sides
from multimix.targets import mix_targets


@pytest.fixture
def x():
    return torch.randn(8, 3, 6, 10)


def weights(plan):
    return plan.weight.flatten().double(), plan.partner.repeat(plan.num_mixes)


def test_integer_labels_survive_half_precision_inputs():
    y = torch.tensor([257, 999, 513, 771])
    for dtype in (torch.bfloat16, torch.float16):
        _, y_mix = MultiMix("mixup", num_classes=1000)(torch.rand(4, 3).to(dtype), y)
        rows = y_mix.nonzero()
        assert set(rows[:, 1].tolist()) == set(y.tolist())


WIDTHS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32, torch.uint64]


@pytest.mark.parametrize("ignored", [None, 3])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("dtype", WIDTHS)
def test_integer_labels_of_any_width(dtype, dense, ignored):
    x, y = torch.rand(8, 3, 5, 4), torch.randint(4, (8, 5, 4) if dense else (8,))
    narrow, logits = y.to(dtype), torch.randn(16, 4, *y.shape[1:])
    mix = MultiMix("cutmix", num_mixes=2, num_classes=4, dense_targets=dense, ignore_index=ignored)
    plan = mix.plan(x, narrow)
    assert torch.equal(mix.apply(plan, x, narrow)[1], mix.apply(plan, x, y)[1])
    assert torch.equal(mix.targets(plan, narrow), mix.targets(plan, y))
    options = {"dense_targets": dense, "ignore_index": ignored}
    assert plan.loss(F.cross_entropy, logits, narrow, **options) == plan.loss(F.cross_entropy, logits, y, **options)
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.3 .* got labels from 0 to 9"):
        mix.apply(plan, x, y.index_fill(0, torch.tensor(0), 0).index_fill(0, torch.tensor(1), 9).to(dtype))


@pytest.mark.parametrize("dtype", WIDTHS)
def test_partners_of_any_width(x, dtype):
    partner = torch.arange(8).flip(0)
    assert torch.equal(MultiMix("mixup").plan(x, partner=partner.to(dtype)).partner, partner)
    with pytest.raises(ValueError, match=r"partner must be integers of shape .*complex64"):
        MultiMix("mixup").plan(x, partner=partner.to(torch.complex64))


def test_labels_of_eight_bit_floats_are_float32():
    x, y = torch.rand(4, 3, 8, 8).to(torch.float8_e4m3fn), torch.arange(4)
    x_mix, y_mix = MultiMix("cutmix", num_classes=4)(x, y)
    assert (x_mix.dtype, y_mix.dtype) == (x.dtype, torch.float32)


@pytest.mark.unchecked
def test_what_is_no_tensor_or_plan_is_named(x):
    mix, model, y = MultiMix("mixup", num_classes=4), torch.nn.Identity(), torch.arange(8) % 4
    plan = mix.plan(x)
    for call, told in (
        (lambda: mix.apply(x, x), "plan must be a Plan, got plan=Tensor; make one with mix.plan"),
        (lambda: mix.run(model, x, y, plan="x"), "plan must be a Plan, got plan=str"),
        (lambda: mix.targets(x, y), "plan must be a Plan, got plan=Tensor"),
        (lambda: plan.loss(F.cross_entropy, torch.rand(40, 4), [1]), "y must be a torch.Tensor, got y=list"),
        (lambda: plan.loss(F.cross_entropy, [1], y), "output must be a torch.Tensor, got output=list"),
        (lambda: mixed_accuracy([1], y), "logits must be a torch.Tensor, got logits=list"),
    ):
        with pytest.raises(TypeError, match=told):
            call()
    with pytest.raises(ValueError, match=r"same shape, a row per mix, got logits: \(\), y_mix: \(\)"):
        mixed_accuracy(torch.tensor(1.0), torch.tensor(1.0))


@pytest.mark.parametrize("shape", [(8,), (8, 1), (8, 5), (8, 2, 3)], ids=["(B,)", "(B,1)", "multi-label", "matrix"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.bool])
@pytest.mark.parametrize("method", ["mixup", "cutmix"])
def test_floating_and_boolean_targets_are_blended_by_weight(x, method, dtype, shape):
    y = (torch.rand(shape) > 0.5) if dtype == torch.bool else torch.randn(shape).to(dtype)
    mix = MultiMix(method, num_mixes=3)
    plan = mix.plan(x, y)
    _, y_mix = mix.apply(plan, x, y)
    weight, partner = weights(plan)
    weight = weight.reshape(-1, *[1] * (y.ndim - 1))
    expected = weight * y.double().repeat(3, *[1] * (y.ndim - 1)) + (1 - weight) * y.double()[partner]
    assert y_mix.dtype == (torch.float32 if dtype == torch.bool else torch.promote_types(dtype, torch.float32))
    torch.testing.assert_close(y_mix.double(), expected, atol=1e-6, rtol=1e-6)


def test_parts_of_a_plan_mix_their_own_targets(x):
    y = torch.randn(8, 2)
    mix = MultiMix("mixup", num_mixes=3)
    plan = mix.plan(x, y)
    whole = mix.apply(plan, x, y)[1].view(3, 8, 2)
    for part in plan.split(3):
        torch.testing.assert_close(mix.apply(part, x, y)[1].view(3, -1, 2), whole[:, part.sample])


@pytest.mark.parametrize(
    "method",
    ["mixup", CutMix(), CutMix(boxes="inside"), "fmix", "gridmix", "smoothmix", "resizemix", "saliencymix"],
    ids=str,
)
def test_dense_targets_follow_the_pixels(method):
    # The picture is its own target: wherever pixels go, targets go.
    y = torch.randint(4, (6, 7, 9))
    x = F.one_hot(y, 4).movedim(-1, 1).float()
    mix = MultiMix(method, num_mixes=3, num_classes=4, dense_targets=True)
    x_mix, y_mix = mix(x, y)
    torch.testing.assert_close(y_mix, x_mix)
    x_mix, y_mix = mix(x, x * 2.0)
    torch.testing.assert_close(y_mix, x_mix * 2)
    x_mix, y_mix = mix(x, y.float())
    torch.testing.assert_close(y_mix, (x_mix * torch.arange(4.0).reshape(4, 1, 1)).sum(1))


def test_dense_targets_of_video_and_series():
    for spatial in [(11,), (3, 5, 4)]:
        y = torch.randint(3, (4, *spatial))
        x = F.one_hot(y, 3).movedim(-1, 1).float()
        x_mix, y_mix = MultiMix("cutmix", num_classes=3, dense_targets=True)(x, y)
        torch.testing.assert_close(y_mix, x_mix)


@pytest.mark.parametrize("partners", ["same", "fresh"])
@pytest.mark.parametrize("method", ["mixup", "cutmix", "none"])
def test_plan_loss_is_the_soft_label_loss(x, method, partners):
    y = torch.randint(5, (8,))
    mix = MultiMix(method, num_mixes=3, num_classes=5, partners=partners)
    plan = mix.plan(x)
    _, y_mix = mix.apply(plan, x, y)
    logits = torch.randn(len(y_mix), 5)
    soft = F.cross_entropy(logits, y_mix)
    torch.testing.assert_close(plan.loss(F.cross_entropy, logits, y), soft)
    torch.testing.assert_close(plan.loss(torch.nn.CrossEntropyLoss(reduction="none"), logits, y), soft)
    assert soft != F.cross_entropy(logits, y_mix.argmax(1))


def test_plan_loss_for_losses_without_soft_labels(x):
    y = torch.randint(5, (8,))
    mix = MultiMix("mixup", num_mixes=2, num_classes=5)
    plan = mix.plan(x)
    output = torch.randn(16, 5)
    kept, taken = (F.multi_margin_loss(output, t, reduction="none") for t in (y.repeat(2), y[plan.partner].repeat(2)))
    weight = plan.weight.flatten()
    torch.testing.assert_close(plan.loss(F.multi_margin_loss, output, y), (weight * kept + (1 - weight) * taken).mean())
    elements = plan.loss(F.mse_loss, output, torch.randn(8, 5))
    assert elements.ndim == 0


def test_losses_and_targets_of_float64_are_accurate_to_it(x):
    plan = MultiMix("mixup", num_mixes=3).plan(x)
    y, output = torch.randn(8, dtype=torch.float64), torch.randn(24, dtype=torch.float64)
    terms, targets = [], []
    for row, k, i, sample, partner in references.rows(plan):
        weight, out = Fraction(float(plan.weight[k, i])), Fraction(float(output[row]))
        own, other = Fraction(float(y[sample])), Fraction(float(y[partner]))
        terms.append(weight * (out - own) ** 2 + (1 - weight) * (out - other) ** 2)
        targets.append(float(weight * own + (1 - weight) * other))
    found = plan.loss(F.mse_loss, output, y)
    assert abs(float(found) - float(sum(terms) / 24)) < 2e-15 * float(found)
    mixed = MultiMix("mixup", num_mixes=3).apply(plan, x, y)[1]
    torch.testing.assert_close(mixed, torch.tensor(targets, dtype=torch.float64), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_loss_is_of_its_own_type_or_float32(x, dtype):
    plan = MultiMix("mixup", num_mixes=3).plan(x)
    loss = plan.loss(lambda output, y: output, torch.full((24,), 1 / 3, dtype=dtype), torch.zeros(8))
    assert loss.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(loss.double(), torch.tensor(1 / 3, dtype=dtype).double(), rtol=1e-15, atol=0)


@pytest.mark.parametrize("bad", [0, 1])
def test_at_the_ends_the_other_target_does_not_enter_the_loss(bad):
    ends = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    plan = Plan(ends.double(), ends, torch.tensor([1, 0]), Constant(ends), 2)
    output = torch.ones(4, requires_grad=True)
    y = torch.ones(2)
    y[bad] = 0.0  # whose loss is infinite, and so is its derivative
    losses = plan.loss(lambda output, y: output / y[:, None].expand(-1, 3), output[:, None], y).expand(1)
    assert losses.isinf()
    (gradient,) = torch.autograd.grad(losses, output)
    of_the_good = torch.tensor([0, 0, 1, 1]) != bad  # the target of each row
    torch.testing.assert_close(gradient[of_the_good], torch.full((2,), 1 / 4))
    assert plan.loss(lambda output, y: output, output, y) == 1


def test_losses_of_parts_make_the_loss_of_the_whole(x):
    y = torch.randint(5, (8,))
    mix = MultiMix("cutmix", num_mixes=3, num_classes=5)
    plan = mix.plan(x)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(180, 5))
    whole = F.cross_entropy(*mix.run(model, x, y, plan=plan))
    parts = [
        F.cross_entropy(*mix.run(model, x, y, plan=part)) * part.num_pairs / plan.num_pairs for part in plan.split(3)
    ]
    torch.testing.assert_close(sum(parts), whole)
    parts = [
        part.loss(F.cross_entropy, model(mix.apply(part, x)[0]), y) * part.num_pairs / plan.num_pairs
        for part in plan.split(3)
    ]
    torch.testing.assert_close(sum(parts), whole)


def test_label_smoothing_composes():
    x, y = torch.randn(8, 6), torch.randint(5, (8,))
    mix = MultiMix("mixup", num_mixes=3, num_classes=5)
    plan = mix.plan(x)
    _, y_mix = mix.apply(plan, x, y)
    logits = torch.randn(24, 5)
    smoothing = 0.1
    composed = F.cross_entropy(logits, y_mix, label_smoothing=smoothing)
    by_hand = F.cross_entropy(logits, (1 - smoothing) * y_mix + smoothing / 5)
    two_sided = plan.loss(lambda o, t: F.cross_entropy(o, t, reduction="none", label_smoothing=smoothing), logits, y)
    torch.testing.assert_close(composed, by_hand)
    torch.testing.assert_close(composed, two_sided)


@pytest.mark.parametrize("shape", [(8,), (8, 1), (8, 5)])
def test_binary_and_multi_label_train_with_bce(x, shape):
    y = torch.randint(0, 2, shape).float()
    mix = MultiMix("mixup", num_mixes=2)
    plan = mix.plan(x)
    _, y_mix = mix.apply(plan, x, y)
    output = torch.randn(y_mix.shape)
    torch.testing.assert_close(
        F.binary_cross_entropy_with_logits(output, y_mix),
        plan.loss(F.binary_cross_entropy_with_logits, output, y),
    )


def test_mixed_accuracy():
    y_mix = torch.tensor([[0.7, 0.3, 0.0], [0.4, 0.6, 0.0], [0.0, 1.0, 0.0]])
    logits = torch.tensor([[2.0, 0, 1], [2, 0, 1], [0, 3, 1]])
    torch.testing.assert_close(mixed_accuracy(logits, y_mix), torch.tensor((0.7 + 0.4 + 1.0) / 3))
    y = F.one_hot(torch.tensor([0, 0, 2]), 3).float()
    torch.testing.assert_close(mixed_accuracy(logits, y), torch.tensor(2 / 3))


def test_mixed_accuracy_of_binary_and_dense_outputs():
    y_mix = torch.tensor([0.25, 1.0, 0.5])
    logits = torch.tensor([-1.0, 2.0, -3.0])
    torch.testing.assert_close(mixed_accuracy(logits, y_mix), torch.tensor((0.75 + 1 + 0.5) / 3))
    torch.testing.assert_close(mixed_accuracy(logits[:, None], y_mix[:, None]), torch.tensor((0.75 + 1 + 0.5) / 3))
    dense = F.one_hot(torch.randint(3, (2, 4, 4)), 3).movedim(-1, 1).float()
    assert mixed_accuracy(dense, dense) == 1
    with pytest.raises(ValueError, match="same shape"):
        mixed_accuracy(torch.zeros(3, 2), torch.zeros(3))


def test_none_returns_the_batch_once_with_soft_labels(x):
    y = torch.randint(5, (8,))
    x_mix, y_mix = MultiMix("none", num_mixes=5, num_classes=5)(x, y)
    assert torch.equal(x_mix, x)
    assert torch.equal(y_mix, F.one_hot(y, 5).float())


def test_choice_none_fills_the_first_rows_of_out(x):
    y = torch.randint(5, (8,))
    out = torch.zeros(24, *x.shape[1:])
    mix = MultiMix(Choice(["none"]), num_mixes=3, num_classes=5)
    x_mix, y_mix = mix(x, y, out=out)
    assert x_mix.data_ptr() == out.data_ptr()
    assert len(x_mix) == len(y_mix) == 8
    assert torch.equal(out[:8], x)


def test_several_inputs_share_one_plan(x):
    mix = MultiMix(MixUp())
    plan = mix.plan(x)
    series = torch.randn(8, 2, 30)
    mixed, nothing = mix.apply(plan, series)
    assert nothing is None
    own = plan.weight.reshape(-1, 1, 1) * series.repeat(5, 1, 1)
    torch.testing.assert_close(mixed, own + (1 - plan.weight.reshape(-1, 1, 1)) * series[plan.partner].repeat(5, 1, 1))


def test_boxes_as_images_agree_with_their_edges():
    boxes = Boxes(torch.tensor([[[1, 0]]]), torch.tensor([[[3, 2]]]), (4, 3))
    assert boxes.inside()[0, 0].tolist() == [
        [False, False, False],
        [True, True, False],
        [True, True, False],
        [False, False, False],
    ]


MASKS = {
    "mixup": ("mixup", references.mixup),
    "cutmix": (CutMix(boxes="inside"), references.cutmix),
    "fmix": ("fmix", references.ordered),
    "smoothmix": ("smoothmix", references.bump),
    "resizemix": ("resizemix", references.resized),
    "puzzlemix": (PuzzleMix(grid=3, transport_size=1, transport_cost=0.01, eta=1.0), references.puzzle),
    "puzzlemix-levels": (PuzzleMix(grid=2, transport_cost=0.01, eta=1.0, levels=2), references.puzzle),
    "none": ("none", references.mixup),
}


class TestDenseLoss:
    """Per-pixel labels without soft labels: `plan.loss(..., dense_targets=True)`, against loops over pixels."""

    def drawn(self, name, ignored):
        x = torch.randn(4, 2, 4, 6)
        y = torch.randint(3, (4, 4, 6))
        if ignored is not None:
            y[torch.rand(y.shape) < 0.3] = ignored
        mix = MultiMix(MASKS[name][0], num_mixes=3)
        plan = mix.plan(x, saliency=torch.rand(4, 4, 6) ** 4)
        return y, plan, torch.randn(plan.num_mixes * 4, 3, 4, 6, requires_grad=True)

    @pytest.mark.parametrize("ignored", [None, 255, -1, 0])
    @pytest.mark.parametrize("name", MASKS)
    def test_it_is_that_of_every_pixel_by_itself(self, name, ignored):
        y, plan, logits = self.drawn(name, ignored)
        planes = torch.stack([(y == c) & (c != ignored) for c in range(3)], 1).double()
        labels = MASKS[name][1](planes, plan)
        found = plan.loss(F.cross_entropy, logits, y, dense_targets=True, ignore_index=ignored)
        total, mass = 0.0, 0.0
        for row in range(len(labels)):
            for i in range(4):
                for j in range(6):
                    log = logits[row, :, i, j].detach().double().log_softmax(0)
                    total -= float((labels[row, :, i, j] * log).sum())
                    mass += float(labels[row, :, i, j].sum())
        assert found.item() == pytest.approx(total / mass, rel=1e-5)
        # Soft labels say the same, and so do parts of the plan.
        soft = MultiMix(MASKS[name][0], num_classes=3, dense_targets=True, ignore_index=ignored)
        y_mix = soft.targets(plan, y)
        torch.testing.assert_close(y_mix.double(), labels, atol=1e-6, rtol=0)
        mean = F.cross_entropy(logits, y_mix, reduction="sum") / y_mix.sum()
        torch.testing.assert_close(found, mean)
        for one, other in zip(torch.autograd.grad(found, logits), torch.autograd.grad(mean, logits), strict=True):
            torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-4)
        part = plan.split(2)[1]
        rows = [k * 4 + int(i) for k in range(plan.num_mixes) for i in part.sample]
        found = part.loss(F.cross_entropy, logits[rows], y, dense_targets=True, ignore_index=ignored)
        torch.testing.assert_close(
            found, F.cross_entropy(logits[rows], y_mix[rows], reduction="sum") / y_mix[rows].sum()
        )

    def test_targets_that_are_numbers_with_channels(self):
        x, y = torch.randn(4, 2, 4, 6), torch.randn(4, 3, 4, 6)
        for name in ("smoothmix", "puzzlemix", "cutmix"):
            plan = MultiMix(MASKS[name][0], num_mixes=3).plan(x, saliency=torch.rand(4, 4, 6))
            output = torch.randn(12, 3, 4, 6, dtype=torch.float64)
            found = plan.loss(lambda output, y: output * y, output, y, dense_targets=True)  # linear in the target
            y_mix = MultiMix(MASKS[name][0], dense_targets=True).targets(plan, y)
            torch.testing.assert_close(found, (output * y_mix).mean(), rtol=1e-5, atol=1e-7)

    def test_whole_targets_are_ignored_too(self):
        x, y = torch.randn(6, 2), torch.tensor([0, -1, 2, -1, 1, 0])
        mix = MultiMix("mixup", num_mixes=3, num_classes=3, ignore_index=-1)
        plan = mix.plan(x)
        y_mix = mix.apply(plan, x, y)[1]
        expected = torch.zeros(18, 3, dtype=torch.float64)
        for row, k, i, sample, partner in references.rows(plan):
            for label, weight in (
                (y[sample], plan.weight[k, i].double()),
                (y[partner], 1 - plan.weight[k, i].double()),
            ):
                if label >= 0:
                    expected[row, label] += weight
        torch.testing.assert_close(y_mix.double(), expected, atol=1e-6, rtol=0)
        logits = torch.randn(18, 3)
        found = plan.loss(F.cross_entropy, logits, y, ignore_index=-1)
        torch.testing.assert_close(found, F.cross_entropy(logits, y_mix, reduction="sum") / y_mix.sum())

    def test_unmixed_it_is_torchs_own_and_0_where_nothing_counts(self):
        y, plan, logits = self.drawn("none", 7)
        found = plan.loss(F.cross_entropy, logits, y, dense_targets=True, ignore_index=7)
        torch.testing.assert_close(found, F.cross_entropy(logits, y, ignore_index=7))
        nothing = plan.loss(F.cross_entropy, logits, torch.full_like(y, 7), dense_targets=True, ignore_index=7)
        assert nothing == 0
        assert torch.autograd.grad(nothing, logits)[0].isfinite().all()

    @pytest.mark.parametrize("size", [8, 32, 64])
    def test_a_bump_shows_each_images_own_classes_however_little_of_it(self, size):
        y = torch.randint(4, (8, size, size))
        y[:, 0] = 255
        plan = MultiMix("smoothmix", num_mixes=3).plan(torch.rand(8, 1, size, size))
        share, own, other = sides(plan.mask, y, plan.sample, plan.partner)
        assert ((own == y.repeat(3, 1, 1)) | (share == 0)).all()
        assert ((other == y[plan.partner].repeat(3, 1, 1)) | (share == 1)).all()
        plan.loss(F.cross_entropy, torch.randn(24, 4, size, size), y, dense_targets=True, ignore_index=255)

    def test_what_is_ignored_is_no_class_of_a_narrow_type(self):
        x = torch.rand(8, 3, 4, 4)
        y = torch.tensor([156, 3, 4, 5, 6, 7, 8, 0], dtype=torch.uint8)
        for ignored in (-100, 256):
            mix = MultiMix("mixup", num_mixes=2, num_classes=200, ignore_index=ignored)
            plan = mix.plan(x)
            assert mix.apply(plan, x, y)[1].sum(1).allclose(torch.ones(16))
            logits = torch.randn(16, 200)
            whole = plan.loss(F.cross_entropy, logits, y.long())
            assert plan.loss(F.cross_entropy, logits, y.long(), ignore_index=ignored) == pytest.approx(float(whole))
            hot = torch.randn(16, requires_grad=True)
            losses = plan.loss(lambda out, y, reduction: out * y, hot, y, ignore_index=ignored)
            losses.backward()
            assert (hot.grad != 0).sum() >= 14  # none but class 0 counts for nothing

    def test_what_does_not_fit(self):
        y, plan, logits = self.drawn("cutmix", 255)
        entropy = F.cross_entropy
        for call, told in (
            (
                lambda: plan.loss(entropy, logits, y[..., :5], dense_targets=True),
                r"spatial axes \(4, 6\), got y: \(4, 4, 5",
            ),
            (lambda: plan.loss(entropy, logits, y, ignore_index=True), "ignore_index must be an integer"),
            (
                lambda: plan.loss(entropy, logits, y.float(), ignore_index=255),
                r"got ignore_index=255, y.dtype=torch.float",
            ),
            (
                lambda: plan.loss(lambda o, t: o.flatten(1).sum(1), logits, y, dense_targets=True),
                r"one loss per position \(12, ..., 4, 6\), got shape \(12,\)",
            ),
            (
                lambda: plan.loss(lambda o, t: o[:, :, 0, 0], logits, y[..., :5], ignore_index=255),
                r"one loss per target where some are ignored, got losses: \(12, 3\), targets: \(12, 4, 5\)",
            ),
            (lambda: MultiMix("mixup", ignore_index=2.5), "ignore_index must be an integer, got ignore_index=2.5"),
            (
                lambda: MultiMix("mixup", num_classes=3, dense_targets=True)(torch.rand(4, 2, 4, 6), y),
                r"got labels from 0 to 255; .*, or pass MultiMix\(..., ignore_index=...\)",
            ),
        ):
            with pytest.raises(ValueError, match=told):
                call()


class TestOtherTargets:
    """Further targets of a batch that is mixed already: `mix.targets(plan, y)`."""

    def test_they_are_those_of_a_call(self, x):
        coarse, fine, number = torch.arange(8) % 2, torch.arange(8), torch.rand(8)
        mix = MultiMix("cutmix", num_mixes=3, num_classes=2)
        plan = mix.plan(x)
        for y, own in ((coarse, {}), (fine, {"num_classes": 8}), (fine.float()[:, None], {}), (fine == 3, {})):
            settings = {"num_classes": 2} | own if not y.dtype.is_floating_point and y.dtype != torch.bool else {}
            expected = MultiMix("cutmix", num_mixes=3, **settings).apply(plan, x, y)[1]
            assert torch.equal(mix.targets(plan, y, **own), expected)
        assert torch.equal(mix.targets(plan, number), MultiMix("cutmix").apply(plan, x, number)[1])
        assert mix.targets(plan, coarse, dtype=torch.float64).dtype == torch.float64
        assert mix.targets(plan, coarse, dtype=torch.bfloat16).dtype == torch.float32

    def test_dense_ones_beside_others(self, x):
        maps, y = torch.randint(4, (8, 6, 10)), torch.arange(8) % 3
        mix = MultiMix("cutmix", num_mixes=3, num_classes=3)
        plan = mix.plan(x)
        expected = MultiMix("cutmix", num_classes=4, dense_targets=True).apply(plan, x, maps)[1]
        assert torch.equal(mix.targets(plan, maps, num_classes=4, dense_targets=True), expected)
        dense = MultiMix("cutmix", num_classes=4, dense_targets=True)
        assert torch.equal(dense.targets(plan, y, num_classes=3, dense_targets=False), mix.targets(plan, y))

    def test_those_of_a_batch_that_is_mixed_inside_the_model(self, x):
        mix = MultiMix(ManifoldMixup(layers=["1"]), num_mixes=2, num_classes=4)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(180, 6))
        y = torch.arange(8) % 4
        plan = mix.plan(x, model=model)
        assert torch.equal(mix.targets(plan, y), mix.run(model, x, y, plan=plan)[1])

    def test_what_does_not_fit(self, x):
        mix = MultiMix("cutmix", num_classes=4)
        plan, y = mix.plan(x), torch.arange(8) % 4
        for call, told in (
            (lambda: mix.targets(plan, y[:7]), r"one target per sample of the plan's batch \(8\), got y: \(7,\)"),
            (lambda: mix.targets(plan, y + 1), "labels must lie in 0..3"),
            (lambda: mix.targets(plan, y.to("meta")), "plan and y must be on one device, got plan: cpu, y: meta"),
            (lambda: mix.targets(plan, y, num_classes=0), "num_classes must be an integer >= 1"),
            (lambda: mix.targets(plan, y.float(), num_classes=4), "y must be integer class indices"),
            (
                lambda: mix.targets(plan, torch.zeros(8, 6, 9).long(), dense_targets=True),
                r"dense targets must end in x's spatial axes \(6, 10\) .* got plan for \(6, 10\), y: \(8, 6, 9\)",
            ),
        ):
            with pytest.raises(ValueError, match=told):
                call()
        with pytest.raises(TypeError, match=r"y must be a torch\.Tensor, got y=tuple"):
            mix.targets(plan, (y, y))


def test_a_dense_target_that_is_no_class_is_nan_where_no_value_can_be_checked(monkeypatch):
    monkeypatch.setattr("multimix.targets.is_readable", lambda y: False)  # as on a GPU
    x, y = torch.rand(4, 1, 3, 3), torch.randint(3, (4, 3, 3))
    y[0, 1, 2] = 255
    plan = MultiMix("cutmix", num_mixes=2).plan(x)
    y_mix = mix_targets(y, plan, 3, torch.float32, dense=True)
    shown = plan.mask.blend((y == 255)[:, None].float(), plan.sample, plan.partner).flatten(0, 1) == 1
    assert shown.any()
    assert torch.equal(y_mix.isnan(), shown.expand_as(y_mix))


def test_a_short_batch_is_split_into_as_many_parts_as_it_has_pairs():
    plan = MultiMix("cutmix", num_classes=4).plan(torch.rand(3, 1, 6, 6))
    assert [part.num_pairs for part in plan.split(4)] == [1, 1, 1]


def test_class_weights_with_soft_labels_as_the_docs_write_them():
    logits, y, w = torch.randn(9, 4), torch.randint(4, (9,)), torch.rand(4)
    soft = F.one_hot(y, 4).float()
    by_hand = F.cross_entropy(logits, soft, weight=w, reduction="sum") / (soft * w).sum()
    torch.testing.assert_close(by_hand, F.cross_entropy(logits, y, weight=w))
