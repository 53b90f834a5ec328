"""Mixing inside a model: where it was said, exactly once, and nothing left behind."""

import dataclasses
import warnings
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from multimix import GridMix, ManifoldMixup, MultiMix


class Net(nn.Module):
    """Three stages, each remembering how many rows it saw."""

    mix_layers = ("", "stage2", "stage3")

    def __init__(self, use_reentrant: bool | None = None) -> None:
        super().__init__()
        self.stage1 = nn.Linear(6, 8)
        self.stage2 = nn.Sequential(OrderedDict(linear=nn.Linear(8, 8), act=nn.Tanh()))
        self.stage3 = nn.Linear(8, 4)
        self.use_reentrant = use_reentrant
        self.rows: dict[str, list[int]] = {"stage1": [], "stage2": [], "stage3": []}
        for name in self.rows:
            getattr(self, name).register_forward_hook(lambda m, a, o, name=name: self.rows[name].append(len(o)))

    def forward(self, x: Tensor) -> Tensor:
        h = self.stage1(x)
        if self.use_reentrant is None:
            h = self.stage2(h)
        else:
            h = checkpoint(self.stage2, h, use_reentrant=self.use_reentrant)
        return self.stage3(h)


@pytest.fixture
def batch():
    return torch.randn(5, 6), torch.arange(5) % 4


def manifold(*layers: str, num_mixes: int = 3) -> MultiMix:
    return MultiMix(ManifoldMixup(layers=layers), num_mixes=num_mixes, num_classes=4)


def by_hand(net: Net, x: Tensor, plan) -> Tensor:
    h = net.stage1(x)
    weight = plan.weight.reshape(-1, 1)
    repeats = plan.num_mixes
    h = weight * h.repeat(repeats, 1) + (1 - weight) * h[plan.partner].repeat(repeats, 1)
    return net.stage3(net.stage2(h))


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_pre_hooks) for module in model.modules())


def test_layers_below_run_once_per_pair_and_those_above_once_per_mix(batch):
    net = Net()
    output, y_mix = manifold("stage2").run(net, *batch)
    assert net.rows == {"stage1": [5], "stage2": [15], "stage3": [15]}
    assert len(output) == len(y_mix) == 15


def test_output_and_gradients_equal_those_by_hand(batch):
    net = Net()
    mix = manifold("stage2")
    plan = mix.plan(batch[0], model=net)
    output, y_mix = mix.run(net, *batch, plan=plan)
    expected = by_hand(net, batch[0], plan)
    torch.testing.assert_close(output, expected)
    gradients = torch.autograd.grad(F.cross_entropy(output, y_mix), net.parameters())
    wanted = torch.autograd.grad(F.cross_entropy(expected, y_mix), net.parameters())
    torch.testing.assert_close(gradients, wanted)
    assert hooks(net) == 0


def test_nested_names_and_the_models_own_layers(batch):
    net = Net()
    manifold("stage2.act").run(net, *batch)
    mix = MultiMix("manifold", num_classes=4)
    assert {mix.plan(batch[0], model=net).layer for _ in range(40)} == {"", "stage2", "stage3"}


def test_no_layers_lists_candidates(batch):
    with pytest.raises(ValueError, match=r"which layers may be mixed.*layers=\[\.\.\.\].*'0', '1'"):
        MultiMix("manifold", num_classes=4).run(nn.Sequential(nn.Linear(6, 4), nn.Tanh()), *batch)
    with pytest.raises(ValueError, match="got layers=None and no model"):
        MultiMix("manifold", num_classes=4).plan(batch[0])


def test_unknown_layer_names_the_nearest(batch):
    net = Net()
    with pytest.raises(ValueError, match='got "stag2"; did you mean "stage2"'):
        manifold("stag2").run(net, *batch)
    with pytest.raises(ValueError, match='did you mean "stage3"'):
        manifold("stage2", "stage2", "stage2", "staeg3").plan(batch[0], model=net)
    with pytest.raises(ValueError, match='got "xyz"; choose one of "stage1", "stage2"'):
        manifold("xyz").run(net, *batch)
    assert net.rows["stage1"] == []


def test_calling_the_object_names_run(batch):
    with pytest.raises(ValueError, match=r"mix\.run\(model, x, y\)"):
        manifold("stage2")(*batch)
    mix = manifold("stage2")
    with pytest.raises(ValueError, match=r"mix\.run\(model, x, y\)"):
        mix.apply(mix.plan(batch[0]), *batch)


class Skips(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.stage3(torch.tanh(F.linear(self.stage1(x), self.stage2.linear.weight)))


class Twice(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.stage3(self.stage2(self.stage2(self.stage1(x))))


@pytest.mark.parametrize(("net", "runs"), [(Skips, 0), (Twice, 2)])
def test_a_layer_must_run_exactly_once(batch, net, runs):
    model = net()
    with pytest.raises(RuntimeError, match=f"exactly once.*got {runs} runs; choose a layer"):
        manifold("stage2").run(model, *batch)
    assert hooks(model) == 0


def test_an_exception_leaves_no_hook_behind(batch):
    net = Net()

    def fail(*_):
        raise KeyError("from the model")

    net.stage3.register_forward_hook(fail)
    with pytest.raises(KeyError, match="from the model"):
        manifold("stage2").run(net, *batch)
    assert hooks(net) == 0


class Odd(nn.Module):
    """Calls its layer with whatever it is told."""

    def __init__(self, call) -> None:
        super().__init__()
        self.call = call
        self.layer = Takes()

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.layer, x)


class Takes(nn.Module):
    def forward(self, features=None, other=None):
        return features[0] if isinstance(features, tuple) else features


@pytest.mark.parametrize(
    ("call", "got"),
    [
        (lambda layer, x: layer((x, x)), "got tuple"),
        (lambda layer, x: layer(None) or x, "got NoneType"),
        (lambda layer, x: layer() or x, "got NoneType"),
        (lambda layer, x: layer(x.T).T, r"got \(6, 5\)"),
        (lambda layer, x: layer(x.long()).float(), "floating point features.*torch.int64"),
    ],
)
def test_a_layer_whose_first_input_cannot_be_mixed(batch, call, got):
    model = Odd(call)
    with pytest.raises(RuntimeError, match=f'layer "layer" must get.*{got}'):
        manifold("layer").run(model, *batch)
    assert hooks(model) == 0


def test_a_sequence_as_long_as_the_batch_is_not_taken_for_it(batch):
    x, y = batch
    model = Odd(lambda layer, x: layer(x[:, :5].T).mean(0)[:, None])  # 5 moments first, then 5 samples
    with pytest.raises(RuntimeError, match=r"a row for each of 15 mixed rows, got output: \(5, 1\); choose a layer"):
        manifold("layer").run(model, x, y)


def test_a_layer_called_by_keyword_is_mixed(batch):
    output, _ = manifold("layer").run(Odd(lambda layer, x: layer(features=x, other=None)), *batch)
    assert len(output) == 15


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_activation_checkpointing_mixes_again_in_backward(batch, use_reentrant):
    plain, checkpointed = Net(), Net(use_reentrant)
    checkpointed.load_state_dict(plain.state_dict())
    mix = manifold("stage2")
    plan = mix.plan(batch[0], model=plain)
    gradients = []
    for net in (plain, checkpointed):
        output, y_mix = mix.run(net, *batch, plan=plan)
        assert hooks(net) == 0
        F.cross_entropy(output, y_mix).backward()
        assert hooks(net) == 0
        gradients.append([parameter.grad for parameter in net.parameters()])
    assert checkpointed.rows["stage2"] == [15, 15] or checkpointed.rows["stage2"] == [15]
    torch.testing.assert_close(gradients[0], gradients[1])


def test_checkpointing_inside_the_mixed_stage(batch):
    plain, checkpointed = Net(), Net(False)
    checkpointed.load_state_dict(plain.state_dict())
    mix = manifold("stage2.act")
    plan = mix.plan(batch[0], model=plain)
    losses = []
    for net in (plain, checkpointed):
        output, y_mix = mix.run(net, *batch, plan=plan)
        F.cross_entropy(output, y_mix).backward()
        losses.append([p.grad for p in net.parameters()])
    torch.testing.assert_close(losses[0], losses[1])


def test_a_backward_that_raises_leaves_no_mixing_behind(batch):
    net = Net()
    output, y_mix = manifold("stage2").run(net, *batch)

    def fail(_):
        raise KeyError("from backward")

    net.stage1.weight.register_hook(fail)
    with pytest.raises(KeyError, match="from backward"):
        F.cross_entropy(output, y_mix).backward()
    assert len(net(batch[0])) == 5
    assert hooks(net) == 0


def test_two_mixed_passes_before_one_backward(batch):
    net = Net()
    mix = manifold("stage2")
    losses = [F.cross_entropy(*mix.run(net, *batch)) for _ in range(2)]
    separate = [torch.autograd.grad(loss, net.parameters(), retain_graph=True) for loss in losses]
    together = torch.autograd.grad(losses[0] + losses[1], net.parameters())
    torch.testing.assert_close(together, tuple(a + b for a, b in zip(*separate, strict=True)))
    assert hooks(net) == 0


@pytest.mark.parametrize("prefix", ["module", "_orig_mod", "_forward_module"])
def test_prefixes_of_wrappers_are_skipped(batch, prefix):
    wrapper = nn.Module()
    wrapper.add_module(prefix, Net())
    wrapper.forward = lambda x: getattr(wrapper, prefix)(x)
    mix = MultiMix(ManifoldMixup(layers=["stage2"]), num_mixes=3, num_classes=4)
    if prefix == "_orig_mod":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output, _ = mix.run(wrapper, *batch)
    else:
        output, _ = mix.run(wrapper, *batch)
    assert len(output) == 15
    assert MultiMix("manifold").plan(batch[0], model=wrapper).layer in Net.mix_layers


def test_a_module_really_called_module(batch):
    model = nn.Sequential(OrderedDict(module=nn.Linear(6, 8), head=nn.Linear(8, 4)))
    assert len(manifold("module").run(model, *batch)[0]) == 15
    assert len(manifold("head").run(model, *batch)[0]) == 15


def test_autocast(batch):
    net = Net()
    mix = manifold("stage2")
    plan = mix.plan(batch[0], model=net)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, y_mix = mix.run(net, *batch, plan=plan)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), by_hand(net, batch[0], plan), atol=0.05, rtol=0.05)
    F.cross_entropy(output.float(), y_mix).backward()
    assert net.stage1.weight.grad.abs().sum() > 0


def test_parts_of_a_plan_run_inside_too(batch):
    net = Net()
    mix = manifold("stage2")
    plan = mix.plan(batch[0], model=net)
    whole, y_whole = mix.run(net, *batch, plan=plan)
    gradients = torch.autograd.grad(F.cross_entropy(whole, y_whole), net.parameters())
    total = [torch.zeros_like(p) for p in net.parameters()]
    for part in plan.split(2):
        loss = F.cross_entropy(*mix.run(net, *batch, plan=part)) * part.num_pairs / plan.num_pairs
        total = [t + g for t, g in zip(total, torch.autograd.grad(loss, net.parameters()), strict=True)]
    torch.testing.assert_close(tuple(total), gradients)


def test_token_ids_are_mixed_above_the_embedding():
    net = nn.Sequential(OrderedDict(embed=nn.Embedding(11, 6), pool=nn.AdaptiveAvgPool1d(1), flat=nn.Flatten()))
    x, y = torch.randint(11, (5, 6)), torch.arange(5) % 4
    output, y_mix = manifold("pool").run(net, x, y)
    assert len(output) == 15
    assert y_mix.dtype == torch.float32
    with pytest.raises(RuntimeError, match=r"floating point features.*above the embedding"):
        manifold("embed").run(net, x, y)
    with pytest.raises(ValueError, match="floating point"):
        manifold("").run(net, x, y)


@pytest.mark.unchecked
@pytest.mark.filterwarnings("default")
def test_a_compiled_model_is_mixed_correctly_every_time(batch):
    net = Net()
    compiled = torch.compile(net, backend="eager")
    compiled(batch[0])  # the trap: hooks added from now on are not seen by the compiled code
    mix = manifold("stage2")
    for _ in range(3):
        plan = mix.plan(batch[0], model=compiled)
        with pytest.warns(UserWarning, match="runs uncompiled"):
            output, _ = mix.run(compiled, *batch, plan=plan)
        torch.testing.assert_close(output, by_hand(net, batch[0], plan))
    assert len(compiled(batch[0])) == 5


@pytest.mark.unchecked
@pytest.mark.filterwarnings("default")
def test_a_model_compiled_in_place_is_mixed_correctly_every_time(batch):
    net = Net()
    net.stage2.compile(backend="eager")
    net(batch[0])
    mix = manifold("stage2.act")
    for _ in range(2):
        plan = mix.plan(batch[0], model=net)
        with pytest.warns(UserWarning, match="runs uncompiled"):
            output, _ = mix.run(net, *batch, plan=plan)
        assert len(output) == 15


@pytest.mark.unchecked
@pytest.mark.filterwarnings("default")
def test_stages_compiled_separately_stay_compiled(batch):
    net = Net()
    seen = []

    def backend(graph, inputs):
        seen.append([tuple(i.shape) for i in inputs if isinstance(i, Tensor)])
        return graph.forward

    net.stage1 = torch.compile(net.stage1, backend=backend)
    net.stage3 = torch.compile(net.stage3, backend=backend)
    mix = manifold("stage3")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="mixing at layer")
        for _ in range(2):
            plan = mix.plan(batch[0], model=net)
            output, _ = mix.run(net, *batch, plan=plan)
            h = net.stage2(net.stage1(batch[0]))
            weight = plan.weight.reshape(-1, 1)
            mixed = weight * h.repeat(3, 1) + (1 - weight) * h[plan.partner].repeat(3, 1)
            torch.testing.assert_close(output, net.stage3(mixed))
    assert len(seen) >= 2


@pytest.mark.unchecked
@pytest.mark.filterwarnings("default")
def test_a_compiled_training_step_mixes_anew_each_time(batch):
    net = Net()
    mix = manifold("stage2")

    @torch.compile(backend="eager")
    def step(x, y):
        output, y_mix = mix.run(net, x, y)
        return F.cross_entropy(output, y_mix)

    losses = {float(step(*batch)) for _ in range(4)}
    assert len(losses) == 4


def test_a_layer_is_looked_at_in_every_model_it_is_part_of():
    below, head, y = nn.Linear(6, 6), nn.Linear(6, 4), torch.arange(8) % 4

    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.below, self.head, self.around = below, head, nn.Linear(6, 4)

        def forward(self, x):
            return self.head(self.below(x)) + self.around(x)

    def mixer(layer):
        return MultiMix(ManifoldMixup(layers=[layer]), num_mixes=1, num_classes=4)

    mixer("1").run(nn.Sequential(below, head), torch.rand(8, 6), y)
    with pytest.raises(RuntimeError, match='layer "head" must get all of the batch'):
        mixer("head").run(Around(), torch.rand(8, 6), y)


def test_masks_with_positions_must_fit_the_features():
    @dataclasses.dataclass(frozen=True)
    class InGrid(GridMix):
        inside = True

        def layer_names(self, model):
            return ["1"]

    x, y = torch.rand(8, 3, 8, 8), torch.arange(8) % 4
    mix = MultiMix(InGrid(), num_mixes=2, num_classes=4)
    for stride, fits in ((1, True), (2, False)):
        model = nn.Sequential(
            nn.Conv2d(3, 5, 1, stride=stride), nn.Conv2d(5, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        if fits:
            assert mix.run(model, x, y)[0].shape == (16, 4)
            continue
        with (
            torch.no_grad(),
            pytest.raises(ValueError, match=r'layer "1", got masks for \(8, 8\), features: \(8, 5, 4, 4\)'),
        ):
            mix.run(model.train(), x, y)


def test_layers_have_an_order():
    with pytest.raises(ValueError, match="layers must be one or more names"):
        ManifoldMixup(layers={"1", "2"})
