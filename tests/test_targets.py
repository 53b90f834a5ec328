"""Every kind of target, and what is trained on it."""

from fractions import Fraction

import pytest
import references
import torch
import torch.nn.functional as F

from multimix import Choice, CutMix, MixUp, MultiMix, Plan, mixed_accuracy
from multimix.masks import Boxes, Constant


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


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_integer_labels_of_any_width(x, dtype):
    y = torch.arange(8, dtype=dtype) % 4
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    mix = MultiMix("mixup", num_classes=4)
    assert torch.equal(mix(x, y, generator=generators[0])[1], mix(x, y.long(), generator=generators[1])[1])


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
