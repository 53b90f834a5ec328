"""The gradient of the input, and a model that does not notice."""

import copy
import re
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from multimix import MultiMix, PuzzleMix, TopMix
from multimix.puzzle.saliency import input_saliency


def network(classes=4):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, classes),
    )


def batch(n=6, size=8):
    return torch.randn(n, 3, size, size), torch.arange(n) % 4


def test_is_the_root_mean_square_gradient_in_eval_mode():
    model, (x, y) = network(), batch()
    saliency = input_saliency(model, x, y)
    twin, seen = copy.deepcopy(model).eval(), x.clone().requires_grad_()
    F.cross_entropy(twin(seen), y).backward()
    expected = (seen.grad**2).mean(1).sqrt()
    torch.testing.assert_close(saliency / saliency.sum(), expected / expected.sum())


@pytest.mark.parametrize(
    ("form", "part"),
    [
        (lambda logits: {"logits": logits}, "out['logits']"),
        (lambda logits: {"loss": None, "scores": logits}, "out['scores']"),
        (lambda logits: (logits, None), "out[0]"),
        (lambda logits: SimpleNamespace(logits=logits), "out.logits"),
    ],
    ids=["dict", "other names", "tuple", "object"],
)
@pytest.mark.parametrize("method", [PuzzleMix(), TopMix(criterion=F.mse_loss)])
def test_a_loss_that_cannot_take_the_output_is_named(method, form, part):
    class Wrapped(nn.Module):
        def forward(self, x):
            return form(x.flatten(1)[:, :4])

    mix, (x, y) = MultiMix(method, num_classes=4), batch()
    message = rf"criterion must take .*output and y .*criterion=lambda out, y: F.cross_entropy\({re.escape(part)}, y, "
    with pytest.raises(TypeError, match=message) as caught:
        mix.run(Wrapped(), x, y)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_errors_of_a_loss_that_can_take_the_output_are_its_own(error):
    def criterion(output, y):
        raise error("boom")

    for model in [network()] if error is TypeError else [network(), nn.Sequential(network(), Tupled())]:
        with pytest.raises(error, match="boom"):
            input_saliency(model, *batch(), criterion)


class Tupled(nn.Module):
    """Returns what it gets in a tuple."""

    def forward(self, x):
        return (x,)


@pytest.mark.parametrize("broken", [False, True])
def test_the_model_is_left_as_it_was(broken):
    model, (x, y) = network(), batch()
    model[1].eval()  # a frozen part stays frozen
    model(x).sum().backward()
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append(1))
    state = copy.deepcopy(model.state_dict())
    gradients = [p.grad.clone() for p in model.parameters()]
    flags = [m.training for m in model.modules()]
    hooks = [len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules()]
    random_state = torch.get_rng_state()
    if broken:
        with pytest.raises(RuntimeError, match="boom"):
            input_saliency(model, x, y, criterion=_explode)
    else:
        input_saliency(model, x, y)
    assert len(calls) == 1
    assert all(torch.equal(a, b) for a, b in zip(state.values(), model.state_dict().values(), strict=True))
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert flags == [m.training for m in model.modules()]
    assert hooks == [len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules()]
    assert torch.equal(random_state, torch.get_rng_state())
    assert not x.requires_grad
    assert x.grad is None


def _explode(output, y):
    raise RuntimeError("boom")


class Noisy(nn.Module):
    """A model that draws even in eval mode."""

    def forward(self, x):
        return (x * torch.rand_like(x)).mean((2, 3))


def test_a_model_that_draws_in_eval_mode_leaves_the_callers_random_state():
    x, y = batch(3)
    before = torch.get_rng_state()
    input_saliency(Noisy(), x, y)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("chunk_size", [1, 4, 6, 100])
def test_chunks_give_the_same(chunk_size):
    model, (x, y) = network(), batch()
    torch.testing.assert_close(input_saliency(model, x, y, chunk_size=chunk_size), input_saliency(model, x, y))


@pytest.mark.parametrize(
    ("criterion", "targets"),
    [
        (F.cross_entropy, torch.full((6, 4), 0.25)),
        (F.binary_cross_entropy_with_logits, (torch.rand(6, 4) > 0.5).float()),
        (F.mse_loss, torch.randn(6, 4)),
        (nn.CrossEntropyLoss(reduction="none"), torch.arange(6) % 4),
    ],
)
def test_any_criterion(criterion, targets):
    saliency = input_saliency(network(), batch()[0], targets, criterion)
    assert saliency.shape == (6, 8, 8)
    assert (saliency.sum((1, 2)) > 0).all()


def test_half_resolution_sees_a_smaller_image_and_gives_patches():
    model, (x, y) = network(), batch()
    sizes = []
    model[0].register_forward_pre_hook(lambda _, args: sizes.append(tuple(args[0].shape[2:])))
    saliency = input_saliency(model, x, y, resolution=0.5)
    assert sizes == [(4, 4)]
    assert saliency.shape == (6, 8, 8)
    assert torch.equal(saliency[:, ::2, ::2], saliency[:, 1::2, 1::2])


def test_half_resolution_of_series():
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(4))
    y = torch.arange(5) % 4
    assert input_saliency(model, torch.randn(5, 12), y, resolution=0.5).shape == (5, 12)


def test_under_autocast_no_grad_and_inference_mode():
    model, (x, y) = network(), batch()
    plain = input_saliency(model, x, y)
    with torch.no_grad():
        torch.testing.assert_close(input_saliency(model, x, y), plain)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = input_saliency(model, x, y)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low / low.sum(), plain / plain.sum(), atol=2e-3, rtol=0.1)
    with torch.inference_mode():
        torch.testing.assert_close(input_saliency(model, x.clone(), y), plain)


class Cut(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how, self.net = how, network()

    def forward(self, x):
        if self.how == "no_grad":
            with torch.no_grad():
                return self.net(x)
        return self.net(x.detach())


@pytest.mark.parametrize("how", ["no_grad", "detach"])
def test_a_model_that_no_gradient_passes_is_named(how):
    with pytest.raises(ValueError, match="a gradient must reach the model's input"):
        input_saliency(Cut(how), *batch())


def test_a_loss_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"criterion must fit the targets.*mse_loss"):
        input_saliency(network(1), batch()[0], torch.randn(6))


def test_series_and_narrow_types():
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(4))
    y = torch.arange(5) % 4
    assert input_saliency(model, torch.randn(5, 12), y).shape == (5, 12)
    x = torch.randn(5, 3, 8, 8, dtype=torch.bfloat16)
    assert input_saliency(network().bfloat16(), x, y).dtype == torch.float32


def test_training_with_and_without_mixing_sees_the_same_batch_norm():
    x, y = batch(8)
    models = [network(), network()]
    for model, mix in zip(models, ("none", PuzzleMix(grid=2)), strict=True):
        MultiMix(mix, num_mixes=1, num_classes=4).plan(x, y, model=model)
    assert torch.equal(models[0][1].running_mean, models[1][1].running_mean)
    assert int(models[1][1].num_batches_tracked) == 0


@pytest.mark.unchecked
def test_a_compiled_model():
    model, (x, y) = network(), batch()
    expected = input_saliency(model, x, y)
    compiled = torch.compile(model, backend="aot_eager")
    torch.testing.assert_close(input_saliency(compiled, x, y), expected)
    assert model.training
    assert compiled.training
