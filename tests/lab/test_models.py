"""The architectures: as large as published, ready for manifold mixing, and what is refused."""

import sys
from itertools import pairwise

import pytest
import torch
from torch import nn

from multimix import ManifoldMixup, MultiMix
from multimix.lab.core.errors import UsageError
from multimix.lab.models import MODELS, build_model
from multimix.lab.models.resnext import ResNeXt29
from multimix.lab.models.wide_resnet import WideResNet

IMAGE, LARGE, SPECTROGRAM = (3, 32, 32), (3, 224, 224), (1, 161, 101)
SHAPES = {"resnet-50": (3, 64, 64), "vgg-11": SPECTROGRAM, "lenet": SPECTROGRAM}


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


# By hand, layer by layer, apart from the code: convolution without bias, batch norm, linear with bias.
def conv(kernel: int, inputs: int, outputs: int, groups: int = 1) -> int:
    return kernel * kernel * inputs // groups * outputs


def norm(*channels: int) -> int:
    return 2 * sum(channels)


def linear(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


def preact_by_hand(classes: int) -> int:
    total, inputs = conv(3, 3, 64), 64
    for outputs in (64, 128, 256, 512):
        total += norm(inputs, outputs) + conv(3, inputs, outputs) + conv(3, outputs, outputs)
        total += conv(1, inputs, outputs) if inputs != outputs else 0
        total += norm(outputs, outputs) + 2 * conv(3, outputs, outputs)
        inputs = outputs
    return total + linear(512, classes)  # no batch norm after the last block


def wide_by_hand(depth: int, width: int, classes: int) -> int:
    total, inputs, blocks = conv(3, 3, 16), 16, (depth - 4) // 6
    for outputs in (16 * width, 32 * width, 64 * width):
        total += norm(inputs, outputs) + conv(3, inputs, outputs) + conv(3, outputs, outputs) + conv(1, inputs, outputs)
        total += (blocks - 1) * (norm(outputs, outputs) + 2 * conv(3, outputs, outputs))
        inputs = outputs
    return total + norm(inputs) + linear(inputs, classes)


def bottlenecks_by_hand(inputs: int, inner: int, outputs: int, blocks: int, groups: int = 1) -> int:
    total = conv(1, inputs, outputs) + norm(outputs)  # the shortcut of the first block
    for _ in range(blocks):
        total += conv(1, inputs, inner) + conv(3, inner, inner, groups) + conv(1, inner, outputs)
        total += norm(inner, inner, outputs)
        inputs = outputs
    return total


def resnext_by_hand(groups: int, width: int, classes: int) -> int:
    total = conv(3, 3, 64) + norm(64)
    for inputs, factor, outputs in ((64, 1, 256), (256, 2, 512), (512, 4, 1024)):
        total += bottlenecks_by_hand(inputs, groups * width * factor, outputs, 3, groups)
    return total + linear(1024, classes)


def resnet50_by_hand() -> int:
    total = conv(7, 3, 64) + norm(64)
    for inputs, inner, outputs, blocks in (
        (64, 64, 256, 3),
        (256, 128, 512, 4),
        (512, 256, 1024, 6),
        (1024, 512, 2048, 3),
    ):
        total += bottlenecks_by_hand(inputs, inner, outputs, blocks)
    return total + linear(2048, 1000)


def vgg_by_hand() -> int:
    widths = (1, 64, 128, 256, 256, 512, 512, 512, 512)
    convolutions = sum(conv(3, a, b) + b + norm(b) for a, b in pairwise(widths))
    return convolutions + linear(512 * 5 * 3, 512) + linear(512, 30)  # 161 × 101, halved five times


def resnet9_by_hand() -> int:
    pairs = [(3, 64), (64, 128), (128, 128), (128, 128), (128, 256), (256, 512), (512, 512), (512, 512)]
    return sum(conv(3, a, b) + norm(b) for a, b in pairs) + 512 * 10


def lenet_by_hand() -> int:
    return conv(5, 1, 20) + 20 + conv(5, 20, 20) + 20 + linear(16280, 1000) + linear(1000, 30)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "by_hand", "published"),
    [
        # kuangliu/pytorch-cifar and every mixup code derived from it: "11.17 M"; 100 classes add 90 rows to the head.
        ("preact-resnet18", IMAGE, 10, preact_by_hand(10), 11_171_146),
        ("preact-resnet18", IMAGE, 100, preact_by_hand(100), 11_217_316),
        # davidcpage/cifar10-fast, the network of the 94 % in 79 s: 6,573,120 with its linear layer without bias.
        ("resnet9", IMAGE, 10, resnet9_by_hand(), 6_573_120),
        # Wide Residual Networks, table 4: 11.0 M and 36.5 M; osmr/imgclsmob pins 36,479,194 and 36,536,884.
        ("wrn-16-8", IMAGE, 10, wide_by_hand(16, 8, 10), 10_961_370),
        ("wrn-28-10", IMAGE, 10, wide_by_hand(28, 10, 10), 36_479_194),
        ("wrn-28-10", IMAGE, 100, wide_by_hand(28, 10, 100), 36_536_884),
        # ResNeXt-29, 4 × 24d: no paper prints a number; its published siblings are pinned below.
        ("resnext-29-4-24", IMAGE, 10, resnext_by_hand(4, 24, 10), 4_845_002),
        # torchvision's documentation of resnet50: num_params 25557032.
        ("resnet-50", LARGE, 1000, resnet50_by_hand(), 25_557_032),
        # adiyoss/GCommandsPytorch at 161 × 101, 30 commands: linear layers 7680-512-30 and 16280-1000-30.
        ("vgg-11", SPECTROGRAM, 30, vgg_by_hand(), 13_172_894),
        ("lenet", SPECTROGRAM, 30, lenet_by_hand(), 16_321_570),
    ],
)
def test_parameter_counts_are_the_literatures(name, shape, classes, by_hand, published):
    with torch.device("meta"):
        assert parameters(build_model(name, shape, classes)) == by_hand == published


def test_published_siblings_pin_the_families():
    with torch.device("meta"):
        # ResNeXt, table 7: 34.4 M and 68.1 M; osmr/imgclsmob pins 68,155,210 and, for 32 × 4d, 4,775,754.
        assert parameters(ResNeXt29(IMAGE, 10, groups=8, group_width=64)) == 34_426_698
        assert parameters(ResNeXt29(IMAGE, 10, groups=16, group_width=64)) == 68_155_210
        assert parameters(ResNeXt29(IMAGE, 10, groups=32, group_width=4)) == 4_775_754
        assert parameters(WideResNet(IMAGE, 10, depth=16, width=10)) == 17_116_634  # osmr/imgclsmob


def rows_reaching(module: nn.Module) -> list[int]:
    rows: list[int] = []
    module.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    return rows


@pytest.mark.filterwarnings("ignore:mix.run mixes the batch")
@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_runs_and_is_mixed_at_each_of_its_layers(name):
    shape = SHAPES.get(name, IMAGE)
    model = build_model(name, shape, 7).eval()
    with torch.no_grad():
        assert model(torch.randn(2, *shape)).shape == (2, 7)
        model, x = model.to("meta"), torch.empty(2, *shape, device="meta")  # what follows is about shapes
        for layer in model.mix_layers:
            rows = rows_reaching(model.get_submodule(layer))
            mix = MultiMix(ManifoldMixup(layers=[layer]), num_mixes=2, num_classes=7)
            logits, _ = mix.run(model, x, torch.tensor([0, 1], device="meta"))
            assert logits.shape == (4, 7)
            assert rows == ([2] if layer else [4])  # below the layer, pairs were run once and not once per mix


@pytest.mark.parametrize("name", ["preact-resnet18", "wrn-16-8", "resnext-29-4-24", "resnet9"])
def test_a_first_stride_of_two_sees_64_pixels_as_32(name):
    with torch.device("meta"):
        model = build_model(name, (3, 64, 64), 200, {"stride": 2})
        sizes = []
        model.stage1.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[2:]))
        assert model.eval()(torch.empty(1, 3, 64, 64)).shape == (1, 200)
    assert sizes == [(32, 32)]


def test_small_cnn_with_group_norm_starts_from_the_same_weights_and_rows_do_not_depend_on_each_other():
    models = {}
    for norm in (None, "batch", "group"):
        torch.manual_seed(0)
        models[norm] = build_model("small-cnn", (1, 8, 8), 3, {} if norm is None else {"norm": norm})
    (default, batch, group), x = models.values(), torch.randn(4, 1, 8, 8)
    for other in (batch, group):
        assert all(map(torch.equal, default.parameters(), other.parameters()))
    assert [type(module) for module in batch.modules()] == [type(module) for module in default.modules()]
    assert not list(group.buffers())
    assert torch.allclose(group(x)[:2], group(x[:2]), atol=1e-6)
    assert not torch.allclose(batch(x)[:2], batch(x[:2]), atol=1e-2)


def test_the_last_block_of_preact_resnet18_is_followed_by_no_batch_norm():
    model = build_model("preact-resnet18", IMAGE, 10, {"width": 4})
    assert [type(module) for module in model.head] == [nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear]
    assert not isinstance(model.stem, nn.Sequential)


def test_convolutions_start_with_the_variance_of_their_papers():
    model = build_model("wrn-16-8", IMAGE, 10)
    weight = model.stage2[0].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)


MINE = """
from torch import nn

def linear(sample_shape, num_classes, *, bias=True):
    return nn.Sequential(nn.Flatten(), nn.Linear(sample_shape[0] * sample_shape[1], num_classes, bias=bias))

def wrong(sample_shape, num_classes):
    return 3

number = 3
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "my_models.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("my_models", None)


def test_any_other_model_comes_from_a_module(mine):
    assert parameters(build_model("my_models:linear", (4, 5), 3)) == 63
    assert parameters(build_model("my_models:linear", (4, 5), 3, {"bias": False})) == 60
    assert isinstance(build_model("multimix.lab.models.mlp:MLP", (2,), 2), MODELS["mlp"])


@pytest.mark.parametrize(
    ("name", "shape", "options", "message"),
    [
        (
            "preact-resnet",
            IMAGE,
            {},
            r'model must be one of .*, or package.module:callable, got .*did you mean "preact',
        ),
        ("preact-resnet18", IMAGE, {"strid": 2}, r"model_options must be options of preact-resnet18, got .strid.; did"),
        ("mlp", IMAGE, {"width": 2}, r"model_options must be options of mlp, got 'width'; leave it out"),
        (
            "preact-resnet18",
            (1, 16000),
            {},
            r"samples for preact-resnet18 must be images or spectrograms.*got shape \(1, 16",
        ),
        ("small-cnn", (2,), {}, r"must be images or spectrograms"),
        ("small-cnn", IMAGE, {"norm": "layer"}, r"norm must be one of batch, group, got norm='layer'; choose one of"),
        ("vgg-11", (1, 16, 16), {}, r"vgg-11 must fit samples of shape \(1, 16, 16\)"),
        ("my_models:wrong", IMAGE, {}, r"my_models:wrong must return a torch.nn.Module, got int"),
        ("my_models:number", IMAGE, {}, r"model must be callable, got model='my_models:number', a int"),
        (
            "my_models:none",
            IMAGE,
            {},
            r"model must be importable, got model='my_models:none': .*; write package.module:",
        ),
        ("nowhere:Model", IMAGE, {}, r"model must be importable, got model='nowhere:Model'"),
        (":Model", IMAGE, {}, r"model must be importable"),
        ("my_models:linear", (4, 5), {"bais": False}, r'got \'bais\'; did you mean "bias"\?'),
    ],
)
def test_what_cannot_be_built_is_refused(mine, name, shape, options, message):
    with pytest.raises(UsageError, match=message):
        build_model(name, shape, 3, options)
