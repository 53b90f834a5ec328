"""Activation checkpointing and mixing inside: each recomputation is mixed as its own forward pass was."""

import gc
import weakref
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from multimix import ManifoldMixup, MultiMix

PLACES = ("layer", "parent", "model", "below and above")


class Trunk(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.below = nn.Linear(8, 8)
        self.layer = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
        self.above = nn.Linear(8, 8)

    def forward(self, h: Tensor, run) -> Tensor:
        h = run("below and above", self.below, h)
        h = run("layer", self.layer, torch.tanh(h))
        return torch.tanh(run("below and above", self.above, h))


class Net(nn.Module):
    """A model that checkpoints at the places it is told."""

    def __init__(self, places: tuple[str, ...] = (), use_reentrant: bool = False) -> None:
        super().__init__()
        self.stem, self.trunk, self.head = nn.Linear(6, 8), Trunk(), nn.Linear(8, 4)
        self.places, self.use_reentrant = places, use_reentrant

    def run(self, place: str, function, *args):
        if place in self.places:
            return checkpoint(function, *args, use_reentrant=self.use_reentrant)
        return function(*args)

    def all(self, x: Tensor) -> Tensor:
        return self.head(self.run("parent", self.trunk, torch.tanh(self.stem(x)), self.run))

    def forward(self, x: Tensor) -> Tensor:
        return self.run("model", self.all, x)


def manifold(num_mixes: int = 1) -> MultiMix:
    return MultiMix(ManifoldMixup(layers=["trunk.layer"]), num_mixes=num_mixes, num_classes=4)


@pytest.fixture
def batch():
    return torch.randn(5, 6, requires_grad=True), torch.arange(5) % 4


def twins(places: tuple[str, ...], use_reentrant: bool) -> tuple[Net, Net]:
    plain, checkpointed = Net(), Net(places, use_reentrant)
    checkpointed.load_state_dict(plain.state_dict())
    return plain, checkpointed


def gradients(net: Net, passes, order: str) -> list[Tensor]:
    """Of the losses of passes; an `order` is "sum", "first in first out" or "last in first out"."""
    net.zero_grad()
    losses = [F.cross_entropy(*run(net)) for run in passes]
    if order == "sum":
        losses = [torch.stack(losses).mul(torch.arange(1.0, len(losses) + 1)).sum()]
    for loss in losses if order != "last in first out" else losses[::-1]:
        loss.backward()
        assert hooks(net) == 0
    return [parameter.grad for parameter in net.parameters()]


def hooks(net: nn.Module) -> int:
    return sum(len(module._forward_pre_hooks) for module in net.modules())


def passes(names: str, batch, num_mixes: int):
    """Clean ("c") and mixed ("m") forward passes, each mixed one with a plan of its own."""
    x, y = batch
    mix = manifold(num_mixes)
    clean = lambda net: (net(x), y)  # noqa: E731
    plans = [mix.plan(x) for _ in names]
    return [
        clean if name == "c" else lambda net, plan=plan: mix.run(net, x, y, plan=plan)
        for name, plan in zip(names, plans, strict=True)
    ]


@pytest.mark.parametrize("use_reentrant", [False, True])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("names", ["m", "cm", "mc", "mm", "mcm"])
def test_gradients_are_those_without_checkpointing(batch, names, place, use_reentrant):
    plain, checkpointed = twins((place,), use_reentrant)
    for num_mixes in (1, 3):
        runs = passes(names, batch, num_mixes)
        for order in ("sum", "first in first out", "last in first out")[: 1 if len(names) == 1 else 3]:
            expected = gradients(plain, runs, order)
            torch.testing.assert_close(gradients(checkpointed, runs, order), expected)


@pytest.mark.parametrize("places", [("layer", "parent"), ("layer", "model"), ("layer", "parent", "model")])
def test_nested_checkpoints(batch, places):
    plain, checkpointed = twins(places, use_reentrant=False)
    runs = passes("mcm", batch, 1)
    torch.testing.assert_close(gradients(checkpointed, runs, "sum"), gradients(plain, runs, "sum"))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("names", ["m", "cm", "mm"])
def test_reentrant_checkpoints_around_reentrant_ones_are_refused(batch, names):
    net = Net(("layer", "parent"), use_reentrant=True)
    losses = [F.cross_entropy(*run(net)) for run in passes(names, batch, 1)]
    with pytest.raises(
        RuntimeError, match=r'layer "trunk.layer" must lie in one reentrant checkpoint.*use_reentrant=F'
    ):
        sum(losses).backward()
    assert hooks(net) == 0


def test_layers_recomputed_within_a_forward_pass(batch):
    """A model that needs a gradient of its own on the way."""

    class Inner(Net):
        def forward(self, x: Tensor) -> Tensor:
            output = super().forward(x)
            slope = torch.autograd.grad(output.square().sum(), self.stem.bias, create_graph=True)[0]
            return output + slope.square().sum()

    plain, checkpointed = Inner(), Inner(("parent",))
    checkpointed.load_state_dict(plain.state_dict())
    runs = passes("mcm", batch, 1)
    torch.testing.assert_close(gradients(checkpointed, runs, "sum"), gradients(plain, runs, "sum"))


@pytest.mark.parametrize("place", PLACES)
def test_double_backward(batch, place):
    results = []
    runs = passes("mcm", batch, 1)
    for net in twins((place,), use_reentrant=False):
        outputs = [run(net)[0].sum() for run in runs]  # linear: the second backward does not reach the outputs
        first = [torch.autograd.grad(output, net.stem.weight, create_graph=True)[0] for output in outputs]
        results.append(
            torch.autograd.grad(sum(g.square().sum() for g in first), [net.stem.weight, net.trunk.below.bias])
        )
        assert hooks(net) == 0
    torch.testing.assert_close(results[1], results[0])


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.filterwarnings("ignore:mix.run mixes the batch")
@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_pass_without_gradients_in_between(batch, use_reentrant):
    x, y = batch
    results = []
    runs = passes("mm", batch, 1)
    for net in twins(("parent",), use_reentrant):
        losses = [F.cross_entropy(*run(net)) for run in runs]
        with torch.no_grad():
            clean = net.eval()(x)
            manifold().run(net, x, y)
        net.train()
        sum(losses).backward()
        results.append([clean] + [parameter.grad for parameter in net.parameters()])
    torch.testing.assert_close(results[1], results[0])


@dataclass
class Output:
    logits: Tensor


def test_the_output_may_be_an_object(batch):
    class Wrapped(Net):
        def forward(self, x: Tensor) -> Output:
            return Output(super().forward(x))

    plain = Wrapped()
    checkpointed = Wrapped(("parent",))
    checkpointed.load_state_dict(plain.state_dict())
    plan = manifold().plan(batch[0])
    for net in (plain, checkpointed):
        output, y_mix = manifold().run(net, *batch, plan=plan)
        F.cross_entropy(output.logits, y_mix).backward()
    torch.testing.assert_close(checkpointed.stem.weight.grad, plain.stem.weight.grad)


def test_a_backward_that_raises_leaves_no_mixing_to_the_next(batch):
    runs = passes("mc", batch, 1)
    plain, checkpointed = twins(("layer",), use_reentrant=True)
    expected = gradients(plain, runs[1:], "sum")
    mixed, clean = (F.cross_entropy(*run(checkpointed)) for run in runs)

    def fail(_):
        raise KeyError("from backward")

    handle = checkpointed.stem.weight.register_hook(fail)
    with pytest.raises(KeyError, match="from backward"):
        mixed.backward()
    handle.remove()
    assert hooks(checkpointed) == 0
    checkpointed.zero_grad()
    clean.backward()
    torch.testing.assert_close([parameter.grad for parameter in checkpointed.parameters()], expected)


def test_mix_run_inside_a_checkpoint_is_refused(batch):
    net, mix = Net(), manifold()
    plan = mix.plan(batch[0])
    for use_reentrant in (False, True):
        output = checkpoint(lambda x: mix.run(net, x, batch[1], plan=plan)[0], batch[0], use_reentrant=use_reentrant)
        with pytest.raises(RuntimeError, match=r"must not be recomputed.*checkpoint the model or parts of it"):
            output.sum().backward()
    assert hooks(net) == 0


def test_nothing_is_kept_when_backward_never_comes(batch):
    class Scaled(Net):
        def __init__(self) -> None:
            super().__init__(("parent",))
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return super().forward(x), self.scale

    net = Scaled()
    plan = manifold().plan(batch[0])
    output, _ = manifold().run(net, *batch, plan=plan)
    kept = weakref.ref(plan), weakref.ref(output[0])
    del plan, output
    gc.collect()
    assert [reference() for reference in kept] == [None, None]
    assert not net.scale._backward_hooks
    assert hooks(net) == 0
