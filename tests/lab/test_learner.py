"""One update with every option: each is compared with what it is by definition."""

import copy

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import nn

from multimix.lab.core.errors import UsageError
from multimix.lab.core.randomness import seed_of
from multimix.lab.models import build_model
from multimix.lab.train.course import Course
from multimix.lab.train.learner import Learner
from multimix.lab.train.method_schedule import mixer
from multimix.lab.train.moments import Length
from multimix.lab.train.settings import TrainSettings
from multimix.methods import METHODS

LENGTH = Length(steps=10, epoch=2)
CLASSES = 10


def net():
    """A model without batch norm: what a row gives does not depend on the others."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, CLASSES))


def learner(model=None, **changes):
    asked = {"method": "mixup", "num_mixes": 3, "batch_size": 36, "out": "nowhere"}
    fabric = Fabric(accelerator="cpu", devices=1, precision=changes.pop("fabric_precision", "32-true"))
    return Learner.build(TrainSettings(**asked | changes), fabric, model or net(), CLASSES, LENGTH)


def batch(num=12):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num, 1, 8, 8, generator=generator), torch.randint(CLASSES, (num,), generator=generator)


def weights(some):
    return torch.cat([parameter.detach().flatten() for parameter in some.bare.parameters()])


def gradient(**changes):
    """Returns the gradient of one update, its loss and its accuracy."""
    some = learner(learning_rate=0.0, **changes)
    loss, accuracy = some.update(3, *batch())
    return torch.cat([p.grad.flatten() for p in some.bare.parameters()]), loss.item(), accuracy.item()


@pytest.mark.parametrize("method", ["none", "mixup", "cutmix", "puzzlemix"])
@pytest.mark.parametrize("most", [3, 7, 30])
def test_parts_have_the_gradient_the_loss_and_the_accuracy_of_the_whole(method, most):
    whole, loss, accuracy = gradient(method=method, batch_size=36 if method != "none" else 12)
    parts, part_loss, part_accuracy = gradient(
        method=method, batch_size=36 if method != "none" else 12, micro_batch_size=most
    )
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)
    assert (part_loss, part_accuracy) == pytest.approx((loss, accuracy), rel=1e-5)


def test_parts_see_no_more_rows_than_asked():
    sizes = []
    model = net()
    model[0].register_forward_hook(lambda module, args, out: sizes.append(len(out)))
    learner(model, micro_batch_size=10).update(0, *batch())
    assert sizes == [9, 9, 9, 9]  # 3 pairs of 3 mixes each


def test_a_part_must_hold_one_pair():
    with pytest.raises(UsageError, match=r"micro_batch_size must hold one pair's mixes, got micro_batch_size=2, num_m"):
        learner(micro_batch_size=2)


def test_the_update_is_the_textbooks():
    """Two updates against a loop of a few lines, with multistep, weight decay and label smoothing."""
    some = learner(schedule="multistep:0.5", learning_rate=0.2, label_smoothing=0.1)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4)
    x, labels = batch()
    for step, rate in enumerate((0.2, 0.02)):
        some.update(step, x, labels)
        generator = torch.Generator().manual_seed(seed_of(0, "mix", step))
        logits, y_mix = mixer(some.settings, CLASSES, 3).run(model, x, labels, generator=generator)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        smooth = 0.9 * y_mix + 0.1 / CLASSES
        (-(smooth * logits.log_softmax(dim=1)).sum(dim=1).mean()).backward()
        optimizer.step()
    torch.testing.assert_close(weights(some), torch.nn.utils.parameters_to_vector(model.parameters()).detach())


@pytest.mark.parametrize(
    ("name", "kind", "rate", "decay"),
    [
        ("sgd", torch.optim.SGD, 0.1, 5e-4),
        ("adam", torch.optim.Adam, 1e-3, 0.0),
        ("adamw", torch.optim.AdamW, 1e-3, 1e-2),
    ],
)
def test_optimizers_have_sensible_rates_of_their_own(name, kind, rate, decay):
    inner = learner(optimizer=name).optimizer.optimizer
    assert type(inner) is kind
    assert (inner.param_groups[0]["lr"], inner.param_groups[0]["weight_decay"]) == (rate, decay)
    assert learner(optimizer=name, learning_rate=0.5).optimizer.param_groups[0]["lr"] == 0.5


def test_a_long_gradient_is_shortened():
    free, *_ = gradient()
    assert free.norm() > 0.1
    clipped, *_ = gradient(clip_norm=0.1)
    torch.testing.assert_close(clipped, free * 0.1 / free.norm(), rtol=1e-3, atol=1e-6)
    same, *_ = gradient(clip_norm=1e3)
    torch.testing.assert_close(same, free)


def test_the_average_follows_the_weights():
    some = learner(ema_decay=0.9)
    expected = None
    for step in range(4):
        some.update(step, *batch())
        expected = weights(some) if expected is None else 0.9 * expected + 0.1 * weights(some)
    average = torch.nn.utils.parameters_to_vector(some.result.parameters())
    torch.testing.assert_close(average, expected)
    assert not torch.equal(average, weights(some))


def test_the_average_covers_batch_norms_statistics():
    some = learner(nn.Sequential(nn.BatchNorm2d(1), net()), ema_decay=0.5)
    for step in range(3):
        some.update(step, *batch())
    assert not torch.equal(some.result[0].running_mean, some.bare[0].running_mean)
    assert some.result[0].running_mean.abs().sum() > 0


def test_mixing_begins_and_ends_when_asked():
    some = learner(unmixed_first="1", unmixed_last="30%")  # one epoch is 2 steps, 30 % are 3
    course = some.course
    assert [course.at(step).num_mixes for step in range(10)] == [1, 1, 3, 3, 3, 3, 3, 1, 1, 1]
    assert [course.rows(steps) for steps in (0, 1, 2, 3, 7, 10)] == [*(0, 12, 24, 60, 204, 240)]
    x, labels = batch()
    model = copy.deepcopy(some.bare)
    loss, _ = some.update(0, x, labels)
    torch.testing.assert_close(loss, F.cross_entropy(model(x), labels).detach())


def test_some_steps_must_be_mixed():
    with pytest.raises(UsageError, match=r"some steps must be mixed, got unmixed_first='4', unmixed_last='20%'"):
        learner(unmixed_first="4", unmixed_last="20%")
    Course.of(TrainSettings(unmixed_first="4", out="o"), CLASSES, LENGTH)


def test_half_precision_computes_in_it_and_keeps_full_weights():
    seen = []
    model = net()
    model[1].register_forward_hook(lambda module, args, out: seen.append(out.dtype))
    some = learner(model, fabric_precision="bf16-mixed")
    before = weights(some)
    loss, _ = some.update(0, *batch())
    assert loss.dtype == weights(some).dtype == torch.float32
    assert loss.isfinite()
    assert not torch.equal(weights(some), before)
    assert seen == [torch.bfloat16]


def test_channels_last_lays_weights_out_so_and_gives_the_same_update():
    results = []
    for channels_last in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(64, CLASSES))
        some = learner(model, channels_last=channels_last)
        assert model[2].weight.is_contiguous(memory_format=torch.channels_last) is channels_last
        x = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(2))
        some.update(0, x, batch()[1])
        results.append(weights(some))
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [*METHODS, "mixup+fmix:2@0,puzzlemix@0.5"])
def test_kernels_are_loaded_before_the_clock_runs_and_nothing_else_changes(method, monkeypatch):
    settings = TrainSettings(method=method, out="o")
    course = Course.of(settings, CLASSES, LENGTH)
    model = build_model("small-cnn", (1, 8, 8), CLASSES)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    blended = []
    monkeypatch.setattr("multimix.mixer.blend", lambda x, plan, out: blended.append(plan) or x)
    course.load_kernels(model, (1, 8, 8), torch.device("cpu"))
    assert len(blended) == {"manifold": 1, "mixup+fmix:2@0,puzzlemix@0.5": 4}.get(method, 2)  # without mixing, too
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
