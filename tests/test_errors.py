"""Bad input: what must hold, what was got, what to do; before any work."""

import pickle
import re
import warnings
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from multimix import (
    Choice,
    CutMix,
    FMix,
    GridMix,
    ManifoldMixup,
    MixUp,
    MultiMix,
    Phases,
    PuzzleMix,
    ResizeMix,
    SaliencyMix,
    SimilarTargets,
    SmoothMix,
    TopMix,
)
from multimix.methods import Method

X = torch.rand(8, 3, 6, 6)
Y = torch.arange(8) % 4
DENSE = torch.arange(8 * 36).view(8, 6, 6) % 4
CUTTING = {
    "cutmix": "CutMix",
    "fmix": "FMix",
    "gridmix": "GridMix",
    "smoothmix": "SmoothMix",
    "resizemix": "ResizeMix",
    "saliencymix": "SaliencyMix",
    "topmix": "TopMix",
}


@pytest.mark.parametrize("alpha", [0, -1.0, float("nan"), float("inf"), "1", None, True])
@pytest.mark.parametrize("method", [MixUp, CutMix, ManifoldMixup, FMix, GridMix, SmoothMix, SaliencyMix, TopMix])
def test_alpha(method, alpha):
    with pytest.raises(ValueError, match=r"alpha must be a finite number > 0, got alpha=.*; try"):
        method(alpha=alpha)


@pytest.mark.parametrize("num_mixes", [0, -3, 2.5, "5", True, None])
def test_num_mixes(num_mixes):
    with pytest.raises(ValueError, match=r"num_mixes must be an integer >= 1, got num_mixes="):
        MultiMix("mixup", num_mixes=num_mixes)


@pytest.mark.parametrize(
    ("method", "setting", "remedy"),
    [
        ("cutmix", {"alpha": 1.0}, "it is an option of the method: MultiMix(CutMix(alpha=1.0), ...)"),
        (CutMix(), {"boxes": "inside"}, "it is an option of the method: MultiMix(CutMix(boxes='inside'), ...)"),
        ("mixup", {"boxes": "inside"}, "give it to a method that has it: CutMix, SaliencyMix"),
        (Choice(["mixup", CutMix()]), {"levels": 2}, "give it to a method that has it: PuzzleMix"),
        ("mixup", {"K": 5}, 'did you mean "num_mixes"?'),
        (
            "mixup",
            {"p": 0.5},
            "to mix a share of the batches: MultiMix(Choice(['mixup', 'none'], weights=[p, 1 - p]), ...)",
        ),
        (
            CutMix(),
            {"prob": 0.5},
            "to mix a share of the batches: MultiMix(Choice([CutMix(alpha=1.0, boxes='nested'), ",
        ),
        ("mixup", {"label_smoothing": 0.1}, "give it to the loss: F.cross_entropy(logits, y_mix, label_smoothing=0.1)"),
        ("mixup", {"seed": 3}, "give calls a generator: mix(x, y, generator=torch.Generator().manual_seed(3))"),
        ("mixup", {"model": None}, "give it to calls: logits, y_mix = mix.run(model, x, y)"),
        ("mixup", {"num_mix": 5}, 'did you mean "num_mixes"?'),
        ("mixup", {"n_mixes": 5}, 'did you mean "num_mixes"?'),
        ("mixup", {"num_class": 10}, 'did you mean "num_classes"?'),
        ("mixup", {"smoothing": 0.1}, 'choose one of "method", "num_mixes", "num_classes"'),
    ],
)
def test_unknown_settings_say_where_they_belong(method, setting, remedy):
    [(name, value)] = setting.items()
    message = f"settings must be known to MultiMix, got {name}={value!r}; {remedy}"
    with pytest.raises(TypeError, match=re.escape(message)):
        MultiMix(method, **setting)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiMix("cutmx"), 'known method, got method="cutmx"; did you mean "cutmix"'),
        (lambda: MultiMix("zzz"), 'choose one of "none", "mixup"'),
        (
            lambda: MultiMix("mixup", sampling="stratifed"),
            "sampling must be one of .* got sampling='stratifed'; did you",
        ),
        (lambda: MultiMix("mixup", share="pairs"), 'did you mean "pair"'),
        (lambda: MultiMix("mixup", partners="frehs"), 'did you mean "fresh"'),
        (lambda: MultiMix("mixup", num_classes=0), "num_classes must be an integer >= 1"),
        (lambda: CutMix(boxes="nest"), 'boxes must be one of .* did you mean "nested"'),
        (lambda: SaliencyMix(boxes="independent"), "boxes must be one of nested, inside"),
        (lambda: FMix(decay=-1), r"decay must be a finite number >= 0, got decay=-1; try FMix\(decay=3.0\)"),
        (lambda: FMix(decay=float("inf")), "decay must be a finite number"),
        (lambda: FMix(decay="3"), "decay must be a finite number"),
        (lambda: GridMix(grid=0), r"grid must be an integer >= 1, got grid=0; try GridMix\(grid=4\)"),
        (lambda: GridMix(grid=True), "grid must be an integer"),
        (lambda: GridMix(grid=2.0), "grid must be an integer"),
        (lambda: TopMix(grid=0), r"grid must be an integer >= 1 or None, got grid=0; try TopMix\(grid=8\)"),
        (lambda: TopMix(grid=(2, 4)), "grid must be an integer >= 1 or None"),
        (lambda: ResizeMix(smallest=0.8), "0 <= smallest < largest <= 1, got smallest=0.8, largest=0.8; try"),
        (lambda: ResizeMix(smallest=-0.1), "scales must be numbers"),
        (lambda: ResizeMix(largest=1.1), "scales must be numbers"),
        (lambda: ResizeMix(largest=float("nan")), "scales must be numbers"),
        (lambda: ResizeMix(largest="1"), "scales must be numbers"),
        (lambda: Choice([]), "at least one method"),
        (lambda: Choice("mixup"), "at least one method"),
        (lambda: Choice(CutMix), "at least one method"),
        (lambda: Choice(None), "at least one method"),
        (lambda: Choice({"mixup": 1, "cutmix": 2}), r"methods must be a list of .*weights=\[1, 2\]"),
        (lambda: Choice(["mixup"], weights=3), "weights must be 1 finite numbers"),
        (lambda: Choice(["mixup"], weights=["a"]), "weights must be 1 finite numbers"),
        (lambda: Choice(["mixup", "cutmix"], weights=[1e308, 1e308]), "weights must be 2 finite numbers"),
        (lambda: MixUp(alpha=10**400), "alpha must be a finite number"),
        (lambda: Choice(["mixpu"]), 'did you mean "mixup"'),
        (lambda: Choice(["mixup"], weights=[1, 2]), "weights must be 1 finite numbers >= 0"),
        (lambda: Choice(["mixup"], weights=[-1.0]), "weights must be"),
        (lambda: Choice(["mixup"], weights=[0.0]), "positive sum"),
        (lambda: ManifoldMixup(layers=[]), "one or more names of modules"),
        (lambda: ManifoldMixup(layers=[1]), "one or more names of modules"),
    ],
)
def test_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("method", "remedy"),
    [
        (3, "got method=3; try"),
        (None, "got method=None; try"),
        (MixUp, r"got the class MixUp; make an object: MixUp\(\.\.\.\)"),
        (["mixup", CutMix()], r"use Choice\(\['mixup', CutMix\(alpha=1.0, boxes='nested'\)\]\)"),
        (("mixup", "cutmix"), r"use Choice\(\['mixup', 'cutmix'\]\)"),
    ],
    ids=str,
)
def test_what_is_no_method(method, remedy):
    for make in (MultiMix, lambda method: Choice([method])):
        with pytest.raises(TypeError, match=rf"method must be a method object or its name, .*{remedy}"):
            make(method)


NUMBERS = [
    (lambda v: MixUp(alpha=v), 0.25),
    (lambda v: CutMix(alpha=v), 0.25),
    (lambda v: ManifoldMixup(alpha=v), 0.25),
    (lambda v: FMix(alpha=v, decay=v), 0.25),
    (lambda v: GridMix(alpha=v), 0.25),
    (lambda v: SmoothMix(alpha=v), 0.25),
    (lambda v: SaliencyMix(alpha=v), 0.25),
    (lambda v: TopMix(alpha=v), 0.25),
    (lambda v: ResizeMix(smallest=v, largest=v * 2), 0.25),
    (lambda v: PuzzleMix(alpha=v, beta=v, gamma=v, eta=v, transport_cost=v, saliency_resolution=v), 0.25),
    (lambda v: SimilarTargets(bandwidth=v), 0.25),
    (lambda v: Choice(["mixup"], weights=[v]), 0.25),
]
INTEGERS = [
    (lambda v: MultiMix("mixup", num_mixes=v, num_classes=v), 3),
    (lambda v: GridMix(grid=v), 3),
    (lambda v: TopMix(grid=v), 3),
    (lambda v: PuzzleMix(grid=v, neighbourhood=v, transport_size=v, levels=v, saliency_chunk=v), 3),
    (lambda v: PuzzleMix(grid=(v, v)), 3),
]
BOXED = [np.float32, np.float64, np.array, torch.tensor, Fraction]
COUNTED = [np.int64, np.uint8, np.array, torch.tensor, lambda v: torch.tensor(v, dtype=torch.uint8)]


@pytest.mark.parametrize("as_type", dict.fromkeys([*BOXED, *COUNTED]), ids=lambda as_type: as_type.__name__)
def test_numbers_of_other_libraries_are_stored_as_pythons(as_type):
    for make, value in [*(NUMBERS if as_type in BOXED else []), *(INTEGERS if as_type in COUNTED else [])]:
        found, expected = make(as_type(value)), make(value)
        assert found == expected
        assert repr(found) == repr(expected)
        assert pickle.dumps(found) == pickle.dumps(expected)


def test_other_numbers_are_understood_where_a_call_takes_them():
    plan = MultiMix("mixup").plan(X)
    assert [part.num_pairs for part in plan.split(np.int64(2))] == [4, 4]
    phases = Phases({0: "mixup", np.float32(0.5): "cutmix"})
    assert repr(phases) == repr(Phases({0: "mixup", 0.5: "cutmix"}))
    assert phases.at(np.float32(0.75)) == phases.at(torch.tensor(0.75)) == CutMix()


@pytest.mark.parametrize("value", [np.bool_(True), torch.tensor(True), torch.tensor([3]), np.array([3]), 3 + 0j, "3"])
def test_what_is_no_number(value):
    for make, _ in (*NUMBERS, *INTEGERS):
        with pytest.raises((ValueError, TypeError), match=r"must|bandwidth|unsupported operand|multiply"):
            make(value)


def mixed(x=X, y=Y, method="mixup", num_classes=4, out=None, **settings):
    return MultiMix(method, num_classes=num_classes, **settings)(x, y, out=out)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mixed(X[:0], Y[:0]), r"at least one sample, got x: \(0, 3, 6, 6\)"),
        (lambda: mixed(X, Y[:7]), r"same number of samples, got x: \(8, 3, 6, 6\), y: \(7,\)"),
        (lambda: mixed(X, Y[0]), "same number of samples"),
        (lambda: mixed(X, Y + 1), r"labels must lie in 0\.\.3 .* got labels from 1 to 4; correct"),
        (lambda: mixed(X, Y - 1), "got labels from -1 to 2"),
        (
            lambda: mixed(X, Y, num_classes=None),
            r"num_classes is needed .* pass MultiMix\(\.\.\., num_classes=10\) or give",
        ),
        (
            lambda: mixed(X, Y[:, None]),
            r"integer y must be class indices of shape \(8,\), got y: \(8, 1\); pass y.squeeze\(1\)",
        ),
        (
            lambda: mixed(X, DENSE),
            r"got y: \(8, 6, 6\); for classes of x's positions pass dense_targets=True; else pass soft",
        ),
        (lambda: mixed(X, DENSE.float()), r"num_classes=4; for .* pass dense_targets=True \(classes as y.long\(\)\)"),
        (lambda: mixed(X, DENSE[:, None], dense_targets=True), r"y: \(8, 1, 6, 6\); pass y.squeeze\(1\)"),
        (lambda: mixed(X, Y[:, None].expand(8, 4)), r"got y: \(8, 4\); pass soft, multi-label"),
        (
            lambda: mixed(X.to(torch.uint8)),
            "x must be floating point, because MixUp averages values, got x.dtype=torch.uint8",
        ),
        (lambda: mixed(X.to(torch.uint8), method=Choice(["cutmix", "mixup"])), "because MixUp averages"),
        (
            lambda: mixed(X.to(torch.complex64), method="saliencymix"),
            r"x must be real .* got x\.dtype=torch\.complex64",
        ),
        (lambda: mixed(X.to(torch.uint8), method="smoothmix"), "because SmoothMix averages values"),
        (lambda: mixed(out=torch.empty(8, 3, 6, 6)), r"out must have shape \(40, 3, 6, 6\).*got out: \(8, 3, 6, 6\)"),
        (lambda: mixed(out=torch.empty(40, 3, 6, 6, dtype=torch.float64)), "out must have shape .*torch.float64"),
        (
            lambda: mixed(X.clone().requires_grad_(), out=torch.empty(40, 3, 6, 6)),
            "out must not be used where gradients",
        ),
        (
            lambda: mixed(out=torch.empty(1, 3, 6, 6).expand(40, 3, 6, 6)),
            r"out must have a place of its own for every number, got strides \(0, 36, 6, 1\)",
        ),
        (
            lambda: mixed(out=torch.empty(5000).as_strided((40, 3, 6, 6), (103, 36, 6, 1))),
            r"out must have a place of its own for every number, got strides \(103, 36, 6, 1\)",
        ),
        (lambda: mixed(num_mixes_one_out(X), Y), "must not share memory with x"),
        (lambda: mixed(X, Y.float()), r"y must be integer class indices where num_classes is given, got y.dtype=torch"),
        (lambda: mixed(X, Y > 1), r"got y.dtype=torch.bool, y: \(8,\), num_classes=4; pass y.long\(\)"),
        (
            lambda: mixed(X[:, 0, 0].to_sparse()),
            r"x must be a dense tensor, got x.layout=torch.sparse_coo; .* x.to_dense",
        ),
        (lambda: mixed(X[:, 0, 0].to_sparse_csr()), "got x.layout=torch.sparse_csr"),
        (lambda: mixed(torch.nested.nested_tensor([X[0], X[1]])), "x must be a dense tensor, got a nested one; pad it"),
        (lambda: mixed(X, X[:, 0, 0].to_sparse(), num_classes=None), "y must be a dense tensor"),
        (lambda: mixed(out=X.to_sparse()), "out must be a dense tensor"),
        (lambda: MultiMix("saliencymix").plan(X, saliency=X[:, 0].to_sparse()), "saliency must be a dense tensor"),
        (lambda: MultiMix("puzzlemix").plan(X + 0j, saliency=X[:, 0]), "x must be real, because PuzzleMix compares"),
        (lambda: MultiMix("mixup").apply(MultiMix("mixup").plan(X), X.byte()), "because this plan averages values"),
        (lambda: mixed(X, Y, dense_targets=True), "dense targets must end in x's spatial axes"),
        (lambda: mixed(X, torch.zeros(8, 6, 5).long(), dense_targets=True), r"got x: \(8, 3, 6, 6\), y: \(8, 6, 5\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*(nested tensors|Sparse CSR):UserWarning")
def test_batches(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_other_dense_targets_are_told_how_to_follow_the_pixels():
    mix = MultiMix("cutmix", num_classes=4)
    with pytest.raises(ValueError, match=r"got y: \(8, 6, 6\); for .*positions pass dense_targets=True"):
        mix.targets(mix.plan(X), DENSE)


def num_mixes_one_out(x):
    """The batch given as its own buffer."""
    MultiMix("mixup", num_mixes=1, num_classes=4)(x, Y, out=x)


class Heads(torch.nn.Module):
    """A model that may be mixed inside."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Flatten()

    def forward(self, x):
        return self.head(x)


@pytest.mark.parametrize("model", ["resnet", lambda x: x, Heads, X], ids=["name", "function", "class", "tensor"])
@pytest.mark.parametrize("method", ["mixup", ManifoldMixup(layers=["head"]), "puzzlemix", Choice(["none", "manifold"])])
def test_what_is_no_model(method, model):
    mix = MultiMix(method, num_classes=4)
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    calls = [
        lambda: mix.run(model, X, Y, generator=generator),
        lambda: mix.plan(X, Y, model=model, generator=generator),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got model="):
            call()
    with pytest.raises(TypeError, match="got model=None"):
        mix.run(None, X, Y, generator=generator)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda g: MultiMix("mixup")(X, None, generator=g),
            r"y must be .*, got y=None; .* mix.apply\(mix.plan\(x\), x\)",
        ),
        (lambda g: MultiMix("mixup").run(Heads(), X, None, generator=g), "y must be a torch.Tensor, got y=None"),
        (
            lambda g: MultiMix("mixup", num_classes=4)(X, Y, out=[], generator=g),
            "out must be a .*, got out=list; alloc",
        ),
        (lambda g: MultiMix("mixup", num_classes=4)(X, Y, generator=3), r"got generator=3; .*\.manual_seed\(seed\)"),
        (
            lambda g: MultiMix("mixup").plan(X, generator=np.random.default_rng(0)),
            "generator must be a torch.Generator",
        ),
    ],
)
def test_arguments_of_another_kind(call, message):
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state(), torch.get_rng_state()
    with pytest.raises(TypeError, match=message):
        call(generator)
    assert torch.equal(generator.get_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_numbers_per_class_need_no_indices():
    assert mixed(X, torch.rand(8, 4))[1].shape == (40, 4)
    assert mixed(X, Y.float(), num_classes=None)[1].shape == (40,)


@pytest.mark.parametrize("y", [torch.rand(8, 5), torch.rand(8, 3) < 0.5, torch.rand(8, 3, 6, 6)])
def test_numbers_per_class_are_as_many_as_there_are_classes(y):
    with pytest.raises(
        ValueError, match=r"soft y must have one column per class .*, num_classes=4; (correct num_cl|for targets of x)"
    ):
        mixed(X, y)
    assert mixed(X, y, num_classes=None)[1].shape == (40, *y.shape[1:])


def test_a_tensor_that_is_no_model_is_named_by_its_shape():
    with pytest.raises(TypeError, match=r"got model=a tensor of shape \(8, 3, 6, 6\); give the module itself"):
        MultiMix("mixup", num_classes=4).run(X, Y, Heads())


@pytest.mark.parametrize("method", [CutMix(), FMix(), ResizeMix(), SaliencyMix()])
def test_images_that_seem_channels_last_are_warned_of(method):
    mix = MultiMix(method, num_classes=4)
    with pytest.warns(UserWarning, match=r"x should be \(B, C, H, W\), got x: \(8, 6, 6, 3\), .*permute"):
        mix(X.permute(0, 2, 3, 1), Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mix(X, Y)
        mix(torch.rand(8, 3, 3, 3), Y)
        mix(torch.rand(8, 6, 7, 3), Y)


@pytest.mark.parametrize("call", [lambda: mixed([1.0, 2.0]), lambda: mixed(X, [1, 2]), lambda: mixed(X.numpy())])
def test_what_is_no_tensor(call):
    with pytest.raises(TypeError, match=r"must be a torch\.Tensor, got .*; convert it"):
        call()


def test_generator_on_another_device():
    class Elsewhere(torch.Generator):
        device = torch.device("meta")

    with pytest.raises(ValueError, match=r"generator must be on the CPU .* got generator\.device=meta; pass torch"):
        MultiMix("mixup", num_classes=4)(X, Y, generator=Elsewhere())


def test_devices_must_agree():
    with pytest.raises(ValueError, match="x and y must be on one device, got x: cpu, y: meta"):
        mixed(X, Y.to("meta"))


def test_plans_for_another_batch():
    mix = MultiMix("mixup", num_classes=4)
    with pytest.raises(ValueError, match="plan must be made for this batch size, got plan for 4 samples"):
        mix.apply(mix.plan(X[:4]), X, Y)


@pytest.mark.parametrize("method", ["fmix", "gridmix", "smoothmix", "resizemix"])
def test_plans_for_another_size(method):
    mix = MultiMix(method, num_classes=4)
    with pytest.raises(ValueError, match=r"plan must be made for images of this size, got plan for \(6, 5\), x: \(8"):
        mix.apply(mix.plan(X[..., :5]), X, Y)


@pytest.mark.parametrize("n", [0, -1, True])
def test_split(n):
    with pytest.raises(ValueError, match=r"n must be an integer >= 1, got n="):
        MultiMix("mixup").plan(X).split(n)


@pytest.mark.parametrize("channels", [(), (1,), (2,)])
def test_maps_are_no_whole_targets_where_positions_are_cut(channels):
    y = torch.rand(8, *channels, 6, 6)
    cut, mixed = MultiMix("cutmix"), MultiMix("mixup")
    plan = cut.plan(X)
    for call in (lambda: cut(X, y), lambda: cut.apply(plan, X, y), lambda: cut.targets(plan, y)):
        with pytest.raises(ValueError, match=r"must follow its positions where those are cut.*dense_targets=True"):
            call()
    with pytest.raises(ValueError, match="must follow its positions"):
        plan.loss(nn.functional.mse_loss, torch.zeros(40, *y.shape[1:]), y.float())
    with pytest.raises(ValueError, match="must follow its positions"):
        MultiMix(Choice(["mixup", "cutmix"]))(X, y)
    assert len(mixed(X, y)[1]) == 40  # a weight for all positions: both readings are one
    assert len(MultiMix("cutmix", dense_targets=True)(X, y)[1]) == 40
    whole = cut.targets(plan, y, dense_targets=False)  # asked for
    assert torch.equal(whole, cut.targets(plan, y.flatten(1)).view(whole.shape))


def test_features_may_have_the_spatial_axes_of_x():
    assert MultiMix("cutmix", partners=SimilarTargets(1.0)).plan(X, X).num_pairs == 8


def test_token_numbers_are_not_divided_by_255():
    with pytest.raises(ValueError, match=r"got x.dtype=torch.int64; for token numbers .*ManifoldMixup\(layers="):
        MultiMix("mixup", num_classes=4)(torch.arange(8)[:, None], Y)
    with pytest.raises(ValueError, match=r"got x.dtype=torch.uint8; convert it, for example x.float\(\) / 255"):
        MultiMix("mixup", num_classes=4)(torch.ones(8, 3, dtype=torch.uint8), Y)


@dataclass(frozen=True)
class Half(Method):
    alpha: float = 1.0

    def mask(self, step):
        return step.constant()


def test_several_inputs_or_targets_are_mixed_one_by_one():
    with pytest.raises(TypeError, match=r"got y=tuple; mix its tensors one by one, by mix.targets\(plan, y\)"):
        mixed(X, (Y, Y))
    with pytest.raises(TypeError, match=r"got x=dict; mix its tensors one by one, by mix.apply\(plan, x\)"):
        mixed({"image": X})


def test_a_method_needs_no_alpha():
    @dataclass(frozen=True)
    class Plain(Method):
        def mask(self, step):
            return step.constant()

    assert MultiMix(Plain(), num_classes=4)(X, Y)[1].shape == (40, 4)


def test_a_method_that_averages_without_saying_so_is_refused_integers_in_every_call():
    mix, x = MultiMix(Half(), num_classes=4), torch.ones(8, 3, dtype=torch.uint8)
    for call in (lambda: mix(x, Y), lambda: mix.apply(mix.plan(x), x, Y), lambda: mix.run(nn.ReLU(), x, Y)):
        with pytest.raises(ValueError, match="because this plan averages values"):
            call()


@pytest.mark.parametrize("method", ["puzzlemix", "topmix"])
def test_a_loss_that_is_constant_gives_no_saliency(method):
    model = nn.Sequential(nn.Flatten(), nn.Linear(108, 1))
    with pytest.raises(ValueError, match=r"criterion must fit the targets.*y: \(8, 1\) of floats"):
        MultiMix(method)(X, torch.rand(8, 1), model=model)


def test_plan_loss_names_what_is_wrong():
    mix = MultiMix("mixup", num_mixes=2, num_classes=4)
    plan = mix.plan(X)
    with pytest.raises(ValueError, match="output must have 16 rows"):
        plan.loss(torch.nn.functional.cross_entropy, torch.rand(8, 4), Y)
    with pytest.raises(ValueError, match=r'one loss per row.*reduction="none"'):
        plan.loss(torch.nn.CrossEntropyLoss(), torch.rand(16, 4), Y)


def test_a_refused_call_takes_no_random_numbers():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    for bad in (lambda: (X, Y[:3]), lambda: (X, Y + 9), lambda: (X.long(), Y)):
        with pytest.raises(ValueError, match="must"):
            MultiMix("mixup", num_classes=4)(*bad(), generator=generator)
    with pytest.raises(ValueError, match="did you mean"):
        MultiMix(ManifoldMixup(layers=["heda"])).plan(
            X, model=torch.nn.ModuleDict({"head": torch.nn.Identity()}), generator=generator
        )
    for name in ("PuzzleMix", "TopMix"):
        with pytest.raises(ValueError, match=f"{name} needs saliency, got model=None, y=given; call mix"):
            MultiMix(name.lower(), num_classes=4)(X, Y, generator=generator)
    with pytest.raises(
        ValueError, match=r"for TopMix to find its saliency by a gradient, got x.dtype=torch.int64; give"
    ):
        MultiMix("topmix", num_classes=4)(X.long(), Y, model=torch.nn.Flatten(), generator=generator)
    for name, method in CUTTING.items():
        for x in (torch.rand(8), torch.rand(8, 1, 2, 2, 2, 2)):
            with pytest.raises(
                ValueError, match=rf"{method} cuts one, two or three spatial axes, got x: \(8.*; give x"
            ):
                MultiMix(Choice(["none", name]), num_classes=4)(x, Y, generator=generator)
    with pytest.raises(ValueError, match="saliency must be a tensor of shape"):
        MultiMix("saliencymix", num_classes=4)(X, Y, saliency=X, generator=generator)
    assert torch.equal(generator.get_state(), before)


def test_a_batch_of_one_is_its_own_partner():
    for method in ("mixup", "cutmix", "none"):
        x_mix, y_mix = MultiMix(method, num_classes=4)(X[:1], Y[:1])
        torch.testing.assert_close(x_mix, X[:1].expand_as(x_mix))
        torch.testing.assert_close(y_mix, torch.eye(4)[Y[:1]].expand_as(y_mix))


@pytest.mark.parametrize("mode", ["train", "gradients"])
def test_a_training_step_is_not_warned_of(mode):
    model = nn.Sequential(nn.Flatten(), nn.Linear(X[0].numel(), 4)).train(mode == "train")
    with torch.set_grad_enabled(mode == "gradients"):
        MultiMix("mixup", num_classes=4).run(model, X, Y)


def test_mixing_where_it_looks_like_validation_is_warned_of():
    model = nn.Sequential(nn.Flatten(), nn.Linear(X[0].numel(), 4)).eval()
    with torch.no_grad(), pytest.warns(UserWarning, match=r"evaluation mode .* to validate, call model\(x\)"):
        MultiMix("mixup", num_classes=4).run(model, X, Y)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MultiMix("fmix", num_mixes=2**15), ValueError, "num_mixes must be at most 32767, got num_mixes=32768"),
        (lambda: MultiMix("mixup", dense_targets="no"), ValueError, "dense_targets must be True or False, got .*'no'"),
        (lambda: MultiMix("mixup", ignore_index=2**70), ValueError, "ignore_index must be an integer, got .*64 bits"),
        (lambda: PuzzleMix(criterion="ce"), TypeError, "criterion must be a function .*, got criterion='ce'"),
        (lambda: TopMix(criterion=None), TypeError, "criterion must be a function .*, got criterion=None"),
        (
            lambda: mixed(X, torch.rand(8, 0, 6, 6), num_classes=None, dense_targets=True),
            ValueError,
            "must hold values",
        ),
        (
            lambda: MultiMix("cutmix", dense_targets=True)(torch.rand(8, 3, 8, 8), torch.rand(8, 8)),
            ValueError,
            r"dense targets must end in x's spatial axes \(8, 8\)",
        ),
    ],
)
def test_what_would_be_taken_for_something_else(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("shared", ["x", "y"])
def test_a_buffer_that_shares_memory(shared):
    """Also where two tensors have storages of their own over one array."""
    array = np.zeros((24, 3, 6, 6), np.float32)
    part = torch.from_numpy(array[:8])
    x, y = (part, torch.rand(8, 3, 6, 6)) if shared == "x" else (torch.rand(8, 3, 6, 6), part)
    mix = MultiMix("mixup", num_mixes=2, dense_targets=True)
    with pytest.raises(ValueError, match=f"out must not share memory with {shared}"):
        mix(x, y, out=torch.from_numpy(array[4:20]))
    assert mix(x, y, out=torch.from_numpy(array[8:]))[0].shape == (16, 3, 6, 6)


def test_methods_of_weight_0_refuse_nothing():
    assert MultiMix(Choice(["mixup", "cutmix"], [0, 1]), num_classes=4)(X.byte(), Y)[0].dtype == torch.uint8
    assert MultiMix(Choice(["manifold", "cutmix"], [0, 1]), num_classes=4)(X, Y)[0].shape == (40, 3, 6, 6)
