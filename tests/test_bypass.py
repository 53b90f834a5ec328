"""Layers that features go around: refused at the first forward pass, and only those."""

from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from multimix import ManifoldMixup, MultiMix
from multimix.lab.models import build_model

B = 4


def run(model: nn.Module, layer: str, x: Tensor, num_mixes: int = 1) -> Tensor:
    mix = MultiMix(ManifoldMixup(layers=[layer]), num_mixes=num_mixes, num_classes=3)
    return mix.run(model, x, torch.arange(len(x)) % 3)[0]


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.inner, self.outer = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.outer(F.relu(self.inner(self.norm(h))))


class Dense(nn.Module):
    """Features are concatenated, as in DenseNet."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, h: Tensor) -> Tensor:
        return self.down(torch.cat([h, self.inner(h)], 1))


class Slices(Dense):
    """The same, written into a buffer."""

    def forward(self, h: Tensor) -> Tensor:
        inner = self.inner(h)
        both = inner.new_empty(len(inner), 2 * h.shape[1])
        both[:, : h.shape[1]] = inner
        both[:, h.shape[1] :] = h
        return self.down(both)


class Gated(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return h * self.inner(h.mean(1, keepdim=True).expand_as(h)).sigmoid()


class Branch(nn.Module):
    """The module that holds the layer is itself inside a residual branch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(width, width), nn.Linear(width, width))

    def forward(self, h: Tensor) -> Tensor:
        return self.branch(h) + h


class Output(nn.Module):
    """A block whose second input goes around its layers, as in BERT."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, h: Tensor, skip: Tensor) -> Tensor:
        return self.inner(h) + skip


class TwoInputs(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.output = nn.Linear(width, width), Output(width)

    def forward(self, h: Tensor) -> Tensor:
        return self.output(self.first(h), skip=h)


def chain(block: type[nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            stem=nn.Linear(6, 8),
            stage=nn.Sequential(OrderedDict(one=block(8), two=block(8))),
            head=nn.Linear(8, 3),
        )
    )


@pytest.mark.parametrize(
    ("block", "layer", "works"),
    [
        (Residual, "stage.two.outer", "stage.two"),
        (Residual, "stage.one.norm", "stage.one"),
        (Dense, "stage.two.inner", "stage.two"),
        (Slices, "stage.two.inner", "stage.two"),
        (Gated, "stage.one.inner", "stage.one"),
        (Branch, "stage.two.branch.1", "stage.two"),
        (TwoInputs, "stage.two.first", "stage.two"),
        (TwoInputs, "stage.two.output", "stage.two"),
        (TwoInputs, "stage.two.output.inner", "stage.two"),
    ],
)
def test_a_layer_inside_a_block_is_refused_and_one_that_works_named(block, layer, works):
    model, x = chain(block), torch.randn(B, 6)
    for num_mixes in (1, 1, 2):  # not only once
        if block is Slices and num_mixes > 1:
            break  # assigning to a slice fails before there is an operation to look at
        with pytest.raises(RuntimeError, match=f'layer "{layer}" must get all.*go around it.*choose "{works}"'):
            run(model, layer, x, num_mixes)
    assert len(run(model, works, x, num_mixes=2)) == 2 * B
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpointed_block(use_reentrant):
    model = chain(Residual)
    block = model.stage.two
    block.forward = lambda h, forward=block.forward: checkpoint(forward, h, use_reentrant=use_reentrant)
    with pytest.raises(RuntimeError, match=r'choose "stage.two"'):
        run(model, "stage.two.outer", torch.randn(B, 6))
    run(model, "stage.two", torch.randn(B, 6))


@pytest.mark.filterwarnings("ignore:mix.run mixes the batch")
def test_without_gradients_it_is_seen_too():
    with torch.no_grad(), pytest.raises(RuntimeError, match=r'choose "stage.two"'):
        run(chain(Residual).eval(), "stage.two.outer", torch.randn(B, 6))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle, self.up = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.down(x)
        return self.up(h + self.middle(h))


class Aside(UNet):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.down(x)
        self.middle(h)
        return self.up(h), h


def test_where_only_the_input_works():
    x = torch.randn(B, 6)
    with pytest.raises(RuntimeError, match=r'go around it.*choose "", the model.s input'):
        run(UNet(), "middle", x)
    with pytest.raises(RuntimeError, match='output depends on the batch without it; choose ""'):
        run(Aside(), "middle", x)
    tokens = nn.Sequential(OrderedDict(embed=nn.Embedding(9, 6), net=UNet()))
    with pytest.raises(RuntimeError, match=r'choose "net", whose'):
        run(tokens, "net.middle", torch.randint(9, (B, 5)))


def test_attention_of_mixed_to_unmixed_is_refused():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(OrderedDict(encoder=nn.TransformerEncoder(layer, 2), pool=nn.Flatten()))
    x = torch.randn(B, 5, 8)
    with pytest.raises(RuntimeError, match=r'choose "encoder.layers.1", whose'):
        run(model, "encoder.layers.1.self_attn", x)
    with pytest.raises(RuntimeError, match=r'choose "encoder.layers.0", whose'):
        run(model, "encoder.layers.0.linear1", x)
    run(model, "encoder.layers.1", x)


class Transformer(nn.Module):
    """Tokens, padding masks, relative positions computed once, a class token, the last token pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cls, self.bias = nn.Embedding(9, 8), nn.Parameter(torch.zeros(1, 1, 8)), nn.Embedding(6, 2)
        self.blocks = nn.ModuleList([Block() for _ in range(2)])
        self.norm, self.head = nn.BatchNorm1d(8), nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        attends = F.pad(ids != 0, (1, 0), value=True)
        mask = torch.zeros(attends.shape).masked_fill(~attends, -1e4)[:, None, None]
        mask = mask + self.bias((torch.arange(6) - torch.arange(6)[:, None]).abs()).permute(2, 0, 1)
        h = torch.cat([self.cls.expand(len(ids), -1, -1), self.embed(ids)], 1)
        load, start = h.square().mean(), torch.zeros_like(h[:, 0])
        for block in self.blocks:
            h = block(h, mask)
            load = load + h.square().mean()
        last = attends.sum(1) - 1
        return self.head(self.norm(h[torch.arange(len(h)), last] + 0 * load + start))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.residual, self.drop = nn.Linear(8, 24), Residual(8), nn.Dropout(0.1)

    def forward(self, h: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.qkv(h).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        h = h + self.drop(F.scaled_dot_product_attention(q, k, v, mask)).transpose(1, 2).flatten(2)
        return self.residual(h)


@pytest.mark.parametrize("layer", ["blocks.0", "blocks.1", "blocks.1.residual", "norm", "head"])
def test_masks_and_statistics_may_go_around(layer):
    ids = torch.randint(9, (B, 5))
    assert len(run(Transformer(), layer, ids)) == B


def test_a_token_model_blocks_parts_are_refused():
    with pytest.raises(RuntimeError, match=r'choose "blocks.1", whose'):
        run(Transformer(), "blocks.1.qkv", torch.randint(9, (B, 5)))


@pytest.mark.parametrize("name", ["small-cnn", "preact-resnet18"])
def test_no_false_alarm_in_training(name):
    """For all models and layers in evaluation: lab/test_models.py."""
    model = build_model(name, (3, 8, 8), 3, {"width": 4} if name == "preact-resnet18" else {})
    for layer in model.mix_layers:
        run(model, layer, torch.randn(B, 3, 8, 8)).sum().backward()


def test_results_are_the_same_in_the_pass_that_looks():
    model, x = chain(Residual), torch.randn(B, 6)
    mix = MultiMix(ManifoldMixup(layers=["stage.two"]), num_mixes=1, num_classes=3)
    plan = mix.plan(x)
    first, second = (mix.run(model, x, torch.arange(B) % 3, plan=plan)[0] for _ in range(2))
    assert torch.equal(first, second)
    gradients = [torch.autograd.grad(output.square().sum(), list(model.parameters())) for output in (first, second)]
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_only_the_first_pass_looks(monkeypatch):
    model, x = chain(Residual), torch.randn(B, 6)
    looked = []
    monkeypatch.setattr("multimix.bypass._read", lambda *_: looked.append(1) or [])
    run(model, "stage.two", x)
    assert looked
    looked.clear()
    run(model, "stage.two", x)
    assert not looked
    run(model, "stage.one", x)
    assert looked


@pytest.mark.unchecked
@pytest.mark.filterwarnings("default")
def test_stages_compiled_separately_are_compiled_after_the_pass_that_looks():
    model, x = chain(Residual), torch.randn(B, 6)
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    model.head = torch.compile(model.head, backend=backend)
    run(model, "head", x)
    assert not graphs
    run(model, "head", x)
    assert graphs
