"""`multimix variance`: gradients as training computes them, what is measured, written and said."""

import copy
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from rich.console import Console
from safetensors.torch import load_file
from torch import nn

from multimix.lab.command_line.main import main
from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.core.randomness import seed_of
from multimix.lab.data import SampleOrder, open_data
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings
from multimix.lab.variance import run as variance_run
from multimix.lab.variance.claims import claims, verdict
from multimix.lab.variance.cost import StepTime, efficiency, fitted
from multimix.lab.variance.designs import FEWER, LARGE, MIXES, Design, designs
from multimix.lab.variance.figure import variance_plot
from multimix.lab.variance.measuring import Measured, clipped, floor, gradients, mixer_of
from multimix.lab.variance.parts import COEFFICIENTS, PAIRS, batch_table, pair_table, parts, why_not
from multimix.lab.variance.probe import Probe, chosen_mixes
from multimix.lab.variance.run import measure, trained
from multimix.lab.variance.settings import VarianceSettings
from multimix.lab.variance.terminal import print_moment
from multimix.variance import ratio, total_variance

IID = ("iid", "pair", "same")


class Net(nn.Module):
    """Small, smooth, with batch norm if asked for, and with a layer to mix at."""

    mix_layers = ("head",)

    def __init__(self, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh())
        self.norm = nn.BatchNorm1d(12) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(12, 10)
        self.unused = nn.Linear(2, 2)  # gradients may be missing

    def forward(self, x):
        return self.head(self.dropout(self.norm(self.body(x))))


def probe(model=None, **changes):
    asked = {"method": "mixup", "num_mixes": 1, "batch_size": 12, "out": "nowhere"}
    data = open_data("digits")
    fabric = Fabric(accelerator="cpu", devices=1)
    return Probe(TrainSettings(**asked | changes), fabric, model or Net(), data.train, data.num_classes)


def one_batch(some, pairs=6):
    return next(some.batches(pairs, 1))


def test_the_gradient_is_the_textbooks_and_leaves_no_trace():
    some = probe(Net(norm=True), label_smoothing=0.1)
    some.set_norm("batch")
    before = {name: value.clone() for name, value in some.model.state_dict().items()}
    mix = mixer_of(some, Design.of(MIXES, 3, 6, IID))
    x, labels = one_batch(some)
    plan = some.plan(mix, x, labels, draw=0)
    found = some.gradient(mix, x, labels, plan, draw=0)
    assert all(torch.equal(value, before[name]) for name, value in some.model.state_dict().items())
    assert all(parameter.grad is None for parameter in some.model.parameters())
    model = copy.deepcopy(some.model)
    logits, y_mix = mix.run(model, x, labels, plan=plan)
    (-((0.9 * y_mix + 0.01) * logits.log_softmax(1)).sum(1).mean()).backward()
    expected = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
    torch.testing.assert_close(found, torch.cat([gradient.flatten() for gradient in expected]))


def test_the_gradient_is_that_of_an_update():
    """The one that training does, micro-batches included."""
    settings = TrainSettings(method="mixup", num_mixes=3, batch_size=36, micro_batch_size=9, weight_decay=0.0, out="o")
    data, fabric = open_data("digits"), Fabric(accelerator="cpu", devices=1)
    (learner,) = trained(settings, fabric, data, [0])
    order = SampleOrder(len(data.train), settings.samples_per_step, settings.seed)
    x, labels = next(data.train.batches(order, range(1)))
    some = Probe.of(learner, data)
    some.set_norm("batch")
    mix = learner.course.at(0)
    generator = torch.Generator().manual_seed(seed_of(settings.seed, "mix", 0))
    found = some.gradient(mix, x, labels, mix.plan(x, labels, generator=generator), draw=0)
    learner.update(0, x, labels)
    torch.testing.assert_close(found, torch.cat([p.grad.flatten() for p in learner.bare.parameters()]))


def test_kept_statistics_are_used_and_rows_do_not_depend_on_each_other():
    some = probe(Net(norm=True))
    mix = mixer_of(some, Design.of(MIXES, 3, 6, IID))
    x, labels = one_batch(some)
    plan = some.plan(mix, x, labels, draw=0)
    whole = {}
    for norm in ("batch", "kept"):
        some.set_norm(norm)
        assert some.model.training
        assert some.model.norm.training is (norm == "batch")
        whole[norm] = some.gradient(mix, x, labels, plan, draw=0)
    assert not torch.allclose(whole["batch"], whole["kept"], rtol=0.1)
    rows = some.row_gradients(mix, x, labels, plan)
    assert rows.shape == (18, len(whole["kept"]))
    torch.testing.assert_close(rows.mean(0), whole["kept"], rtol=1e-4, atol=1e-6)


def test_dropout_is_drawn_by_the_number_of_the_draw():
    some = probe(Net(dropout=0.5))
    some.set_norm("batch")
    mix = mixer_of(some, Design.of(MIXES, 1, 6, IID))
    x, labels = one_batch(some)
    plan = some.plan(mix, x, labels, draw=0)
    first, again, other = (some.gradient(mix, x, labels, plan, draw) for draw in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("method", ["mixup", "cutmix", "resizemix", "smoothmix", "fmix", "puzzlemix"])
@pytest.mark.parametrize("partners", ["same", "fresh"])
@pytest.mark.parametrize("share", ["pair", "batch"])
def test_chosen_mixes_are_rows_of_the_whole(method, partners, share):
    some = probe(method=method)
    mix = mixer_of(some, Design.of(MIXES, 5, 6, ("iid", share, partners)))
    x, labels = one_batch(some)
    plan = some.plan(mix, x, labels, draw=0)
    x_all, y_all = mix.apply(plan, x, labels)
    for which in (torch.tensor([[3], [1]]), torch.tensor([[3, 1, 4, 0, 2, 2], [1, 0, 0, 4, 3, 1]])):
        x_some, y_some = mix.apply(chosen_mixes(plan, which), x, labels)
        which = which.sort(dim=0).values
        assert torch.equal(x_some.unflatten(0, (2, 6)), x_all.unflatten(0, (5, 6))[which, torch.arange(6)])
        assert torch.equal(y_some.unflatten(0, (2, 6)), y_all.unflatten(0, (5, 6))[which, torch.arange(6)])


def test_batches_are_independent_draws_and_the_same_for_the_same_size():
    some = probe()
    x = torch.cat([x for x, _ in some.batches(500, 4)])
    again = torch.cat([x for x, _ in some.batches(500, 4)])
    assert torch.equal(x, again)
    distinct = len(x.flatten(1).unique(dim=0))
    expected = 898 * (1 - (1 - 1 / 898) ** 2000)  # with replacement
    assert abs(distinct - expected) < 40
    labels = torch.cat([labels for _, labels in some.batches(500, 4)]).bincount(minlength=10) / 2000
    assert (labels - 0.1).abs().max() < 0.03


def test_partners_are_the_same_for_the_same_pairs_and_draw():
    some = probe()
    x, labels = one_batch(some)
    plans = [
        some.plan(mixer_of(some, Design.of(MIXES, k, 6, (sampling, "pair", "same"))), x, labels, draw)
        for k, sampling, draw in ((1, "iid", 0), (4, "stratified", 0), (1, "iid", 1))
    ]
    assert torch.equal(plans[0].partner, plans[1].partner)
    assert not torch.equal(plans[0].partner, plans[2].partner)


def test_sizes_of_designs():
    sizes = {kind: Design.of(kind, 3, 13, IID) for kind in (MIXES, FEWER, LARGE)}
    assert {kind: (d.num_pairs, d.mixes_per_pair, d.rows) for kind, d in sizes.items()} == {
        MIXES: (13, 3, 39),
        FEWER: (4, 3, 12),
        LARGE: (39, 1, 39),
    }


def test_every_way_to_draw_is_measured_once():
    settings = VarianceSettings(num_mixes=(2, 5), batch_size=40, out="o")
    found = designs(settings, has_batch_norm=True)
    assert len(set(found)) == len(found)
    assert found[0] == Design(MIXES, 1, 40, 1, "stratified", "pair", "same")
    drawn = {d.draw for d in found if d.kind == MIXES and d.num_mixes == 5}
    assert drawn == {
        *((sampling, share, "same") for sampling in ("stratified", "iid") for share in ("pair", "batch")),
        ("stratified", "pair", "fresh"),
    }
    assert {d.draw for d in found if d.kind == LARGE} == {("stratified", "pair", "same"), ("iid", "batch", "same")}
    assert [d.num_mixes for d in found if d.norm == "kept"] == [1, 5]
    assert not [d for d in designs(settings, has_batch_norm=False) if d.norm == "kept"]


@pytest.mark.usefixtures("no_type_checks")
@pytest.mark.parametrize("share", ["pair", "batch"])
def test_the_floor_and_the_rest_make_up_the_whole(share):
    some, draw = probe(), ("iid", share, "same")
    design = Design.of(MIXES, 1, 12, draw)
    low = floor(some, design, 300)
    one, four, several = (total_variance(gradients(some, Design.of(MIXES, k, 12, draw), 300)) for k in (1, 4, 24))
    assert low.common.value + low.own.value == pytest.approx(four.value, rel=0.05)
    assert low.common.value + low.own.value / 6 == pytest.approx(several.value, rel=0.03)
    assert low.own.value == pytest.approx((one.value - several.value) / 4 / (1 - 1 / 24), rel=0.25)


@pytest.fixture
def few_coefficients(monkeypatch):
    """Tables of half as many columns: what is asked of them here needs rows."""
    monkeypatch.setattr("multimix.lab.variance.parts.COEFFICIENTS", 6)


@pytest.mark.usefixtures("no_type_checks", "few_coefficients")
@pytest.mark.parametrize("norm", [False, True])
def test_parts_predict_what_is_measured(norm):
    """All four designs; pairs taken for independent give half the truth."""
    some = probe(Net(norm))
    found = parts(some, 12, 3, 60)
    assert found.norm == ("kept" if norm else "none")
    for check in found.checks:
        assert check.design.norm == "kept"
        assert check.measured.value == pytest.approx(check.predicted, rel=0.25)
    own, shared, large, _ = found.checks
    assert (own.design.share, shared.design.share, large.design.kind) == ("pair", "batch", LARGE)
    assert own.independent < 0.75 * own.measured.value
    pairs = found.pairs.estimate(lambda a, b, c: a).value
    assert 1.5 < found.batches.pair * 12 / pairs < 2.1


@pytest.mark.usefixtures("no_type_checks", "few_coefficients")
def test_one_coefficient_for_a_batch_needs_the_parts_of_a_batch():
    """A linear model without weights: g = (1/C - y) x, whose C_eff is known to be far below C at alpha = 1."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False))
    nn.init.zeros_(model[1].weight)
    found = parts(probe(model), 12, 1, 150)
    pair = found.pairs.estimate(lambda a, b, c: c)
    batch = found.batches.estimate(lambda a, b, c: c * 12)
    assert batch.value < 0.3 * pair.value
    own, shared, *_ = found.checks
    assert shared.measured.high < own.measured.low
    for check in (own, shared):
        assert check.measured.value == pytest.approx(check.predicted, rel=0.15)


def test_all_units_of_a_table_have_the_same_coefficients():
    some, drawn = probe(), []
    plan = some.plan

    def noted(*arguments):
        drawn.append(plan(*arguments))
        return drawn[-1]

    some.plan = noted
    assert pair_table(some).shape[:2] == (PAIRS, COEFFICIENTS)
    assert batch_table(some, 6, 4).shape[:2] == (4, COEFFICIENTS)
    first = drawn[0].lam[:, :1]
    assert len(first.unique()) == COEFFICIENTS
    assert all(torch.equal(one.lam, first.expand_as(one.lam)) for one in drawn)


def test_parts_need_a_mix_that_is_its_pair_and_coefficient():
    assert why_not(probe(), 32) is None
    assert why_not(probe(method="manifold"), 32) is None  # one layer
    layers = {"layers": ["", "head"]}
    assert "a layer is drawn" in why_not(probe(method="manifold", method_options=layers), 32)
    assert "not given by its pair" in why_not(probe(method="cutmix"), 32)
    assert "too large" in why_not(probe(), 10**6)


def test_clipping_shortens_only_what_is_long():
    long, short = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    found = clipped(torch.stack([long, short]), 1.0)
    torch.testing.assert_close(found, torch.stack([long / 5, short]))


def test_a_gradient_that_is_not_finite_ends_the_measurement():
    some = probe()
    nn.init.constant_(some.model.head.weight, math.nan)
    with pytest.raises(RunFailed, match="gradients must be finite, got some that are not; try a lower"):
        gradients(some, Design.of(MIXES, 1, 6, IID), 3)


def test_costs_are_found_again():
    asked = [Design.of(kind, k, 60, IID) for kind in (MIXES, FEWER, LARGE) for k in (1, 2, 5)]
    seconds = {design: 2e-3 + design.num_pairs * (3e-5 + design.mixes_per_pair * 1e-5) for design in asked}
    found = fitted({design: StepTime(time_s, 0.0) for design, time_s in seconds.items()})
    assert (found.step_s, found.pair_s, found.mix_s) == pytest.approx((2e-3, 3e-5, 1e-5))
    assert found.error < 1e-6


def test_variance_times_time():
    one, two = StepTime(1.0, 0.03), StepTime(3.0, 0.04)
    first = total_variance(torch.randn(9, 40))
    other = ratio(total_variance(torch.randn(9, 40)), first)
    value, low, high = efficiency(other, two, one)
    assert value == pytest.approx(3 * other.value)
    own = math.log(other.high / other.value)
    assert math.log(high / value) == pytest.approx(math.sqrt(own**2 + 0.03**2 + 0.04**2))
    assert math.log(value / low) == pytest.approx(math.log(high / value))
    median = StepTime.of([1.0, 2.0, 3.0, 2.0])
    assert median.median_s == 2.0
    assert median.log_error == pytest.approx(1.57 * 0.5 / 2 / 2)


def settings(out, **changes):
    asked = {"steps": 6, "batch_size": 24, "num_mixes": (1, 2, 4), "replicates": 8}
    return VarianceSettings(**asked | {"out": str(out)} | changes)


def test_the_run_is_the_one_that_train_makes(tmp_path):
    asked = settings(tmp_path)
    data, fabric = open_data("digits"), Fabric(accelerator="cpu", devices=1)
    stops = [learner.bare.state_dict() for learner in trained(asked.run, fabric, data, [3, 6])]
    train(asked.run)
    weights = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(stops[-1][name], weights[name]) for name in weights)


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


AT = {"at": ("100%", 0), "steps": 4, "batch_size": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What is told and shown while two moments are measured into a folder."""
    path = tmp_path_factory.mktemp("measured")
    moments, lines, moved = [], [], []
    state = torch.get_rng_state()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("multimix.lab.variance.parts.PAIRS", 8)
        patch.setattr("multimix.lab.variance.parts.COEFFICIENTS", 6)
        patch.setattr("multimix.lab.variance.cost.ROUNDS", 2)
        result = measure(
            settings(path, **AT),
            "the command",
            lines.append,
            moments.append,
            advance=lambda what, share: moved.append((what, share)),
        )
    assert torch.equal(torch.get_rng_state(), state)
    assert list(dict.fromkeys(what for what, _ in moved)) == ["measuring at 0", "training", "measuring at 100%"]
    assert sum(share for _, share in moved) == pytest.approx(1)
    return path, result, lines, moments


def test_the_file_holds_all(folder):
    path, result, lines, moments = folder
    there = strict((path / "variance.json").read_text())
    assert there == json.loads(json.dumps(result))
    assert [(moment["at"], moment["step"]) for moment in there["moments"]] == [("0", 0), ("100%", 4)]
    assert there["moments"] == json.loads(json.dumps(moments))
    assert there["command"] == "the command"
    assert there["settings"]["num_mixes"] == [1, 2, 4]
    assert {"device", "processor", "threads", "torch"} <= there["environment"].keys()
    assert lines[0].startswith("4 steps, then 2 moments × ")
    moment = there["moments"][1]
    assert moment.keys() == {*("at", "step", "epoch", "error", "designs", "clipped", "floor", "cost", "best", "parts")}
    first = moment["designs"][0]
    assert first["to_one"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 8}
    for design in moment["designs"]:
        assert design["variance"]["low"] < design["variance"]["value"] < design["variance"]["high"]
        assert ("mixes_to_large" in design) is (design["kind"] == LARGE)
        configured = (design["sampling"], design["share"], design["partners"]) == ("stratified", "pair", "same")
        assert ("time_s" in design) is (configured and design["norm"] == "batch")
    large = next(d for d in moment["designs"] if d["kind"] == LARGE and d["num_mixes"] == 4)
    several = next(d for d in moment["designs"] if d["kind"] == MIXES and d["num_mixes"] == 4)
    quotient = several["variance"]["value"] / large["variance"]["value"]
    assert large["mixes_to_large"]["value"] == pytest.approx(quotient)
    assert set(moment["best"].values()) <= {1, 2, 4} | {moment["best"]["iid_theory"]}
    assert (path / "variance.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_measured_is_read_and_shown(folder, monkeypatch, capsys, tmp_path):
    path, result, *_ = folder

    def never(*arguments):
        raise AssertionError("measured again")

    monkeypatch.setattr(variance_run, "measure_moment", never)
    flags = ["--steps", "4", "--batch-size", "8", "--num-mixes", "2,4", "--replicates", "8", "--at", "100%,0"]
    assert main(["variance", *flags, "--out", str(path)]) == 0
    printed = capsys.readouterr().out
    assert printed.index("0  step 0") < printed.index("V, in units of K = 1 as") < printed.index("100%  step 4")
    assert printed.count("III.1 (stratified, λ per pair)") == 2
    assert printed.count("III.2 (iid, one λ for the batch)") == 2
    assert "Parts (batch norm with its kept statistics): A " in printed
    print_moment(result["moments"][0], Console(width=60))
    with pytest.raises(UsageError, match=r"got replicates=9 for .* with replicates=8; choose another --out"):
        measure(settings(path, **AT, replicates=9), "")
    (tmp_path / "variance.json").write_text("{")
    with pytest.raises(UsageError, match=r"variance\.json must be readable"):
        measure(settings(tmp_path, **AT), "")
    (path / "variance.png").unlink()
    assert main(["variance", *flags, "--out", str(path)]) == 0
    assert (path / "variance.png").exists()
    (tmp_path / "variance.json").write_text(json.dumps(result | {"moments": [{}]}))
    with pytest.raises(UsageError, match=r"variance\.json must be readable, .*a moment of it lacks one of at, designs"):
        measure(settings(tmp_path, **AT), "")


def test_what_was_measured_is_drawn(folder):
    _, result, *_ = folder
    svg = variance_plot(result).decode()
    assert svg.startswith("<svg")
    assert "var(--line-0)" in svg
    assert "floor: K to infinity" in svg
    assert variance_plot(result) == variance_plot(result)


@pytest.mark.parametrize("method", ["cutmix", "manifold", "puzzlemix"])
def test_every_method_can_be_measured(tmp_path, monkeypatch, method):
    monkeypatch.setattr("multimix.lab.variance.cost.ROUNDS", 1)  # seconds are not what is asked for here
    flags = ["--method", method, "--model", "mlp", "--steps", "2", "--batch-size", "8", "--num-mixes", "2"]
    flags += ["--replicates", "8", "--at", "100%", "--out", str(tmp_path)]
    assert main(["variance", *flags]) == 0
    (moment,) = json.loads((tmp_path / "variance.json").read_text())["moments"]
    assert "none_because" in moment["parts"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_mixes": (1,)}, "num_mixes must name a K above 1"),
        ({"num_mixes": (0, 2)}, "num_mixes must be an integer >= 1, got num_mixes=0"),
        ({"num_mixes": (2, 13)}, r"batch_size must hold two pairs with the most mixes, got batch_size=24, .*; try 26"),
        ({"at": ("120%",)}, "at must be a number of epochs, or 0% to 100% of the run, got '120%'"),
        ({"at": ("5", 5)}, "at must differ"),
        ({"at": ()}, "at must name at least one moment"),
        ({"replicates": 7}, "replicates must be an integer >= 8, got replicates=7"),
        ({"method": "none"}, "method must mix, got method='none'"),
        ({"precision": "fp16"}, "must be measured in fp32 or bf16, got precision='fp16'"),
        ({"patience": 3}, "patience has no use where variance is measured, got patience=3; leave it out"),
        ({"micro_batch_size": 3}, "micro_batch_size must hold one pair's mixes"),
        ({"sampling": "idd"}, "did you mean"),
        ({"data": "digit"}, "did you mean"),
        ({"seed": -1}, "seed must be an integer >= 0"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        settings("o", **changes)


def test_more_gradients_than_memory_holds_are_refused(tmp_path, capsys):
    flags = ["--model", "mlp", "--steps", "2", "--replicates", str(10**9), "--out", str(tmp_path / "o")]
    assert main(["variance", *flags]) == 2
    assert "must fit in memory, got replicates=1,000,000,000 with 85,002 weights" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_moment_after_the_end_is_refused(tmp_path):
    assert main(["variance", "--at", "150%", "--out", str(tmp_path / "o")]) == 2
    assert not (tmp_path / "o").exists()


def numbers(value, low, high):
    return {"value": value, "low": low, "high": high, "n": 8}


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (numbers(0.5, 0.4, 0.9), "below"),
        (numbers(1.5, 1.1, 2.0), "above"),
        (numbers(0.9, 0.8, 1.1), "not significant"),
        (numbers(None, 0.0, None), "not significant"),
    ],
)
def test_verdicts_are_by_the_interval(ratio, expected):
    assert verdict(ratio) == expected


def test_propositions_are_said_to_hold_only_where_they_do():
    below, above, neither = numbers(0.5, 0.4, 0.6), numbers(2.0, 1.5, 3.0), numbers(1.0, 0.5, 2.0)

    def design(kind, share, **ratios):
        drawn = {"sampling": "iid", "share": share, "partners": "same", "norm": "batch"}
        return {"kind": kind, "num_mixes": 5, **drawn, **ratios}

    moment = {
        "designs": [
            design(MIXES, "pair", to_one=below),
            design(MIXES, "batch", to_one=neither),
            design(LARGE, "pair", mixes_to_large=above),
            design(LARGE, "batch", mixes_to_large=below),
        ]
    }
    assert claims(moment) == [
        "III.1 (iid, λ per pair): holds; V / V(K = 1) = ▼ 0.50 at K = 5",
        "III.1 (iid, one λ for the batch): not significant; V / V(K = 1) = ≈ 1.00 at K = 5",
        "III.2 (iid, λ per pair): does not hold; V(P pairs × K) / V(K P pairs) = ▲ 2.00 at K = 5",
        "III.2 (iid, one λ for the batch): holds; V(P pairs × K) / V(K P pairs) = ▼ 0.50 at K = 5",
    ]


def test_relative_variance_does_not_change_with_the_scale():
    found = torch.randn(20, 30) + 1
    one, scaled = Measured.of(found), Measured.of(found * 7)
    assert scaled.relative.value == pytest.approx(one.relative.value, rel=1e-5)
    np.testing.assert_allclose(scaled.relative.high, one.relative.high, rtol=1e-4)


def test_plain_cross_entropy_has_the_sign_of_descent():
    """A step against the gradient lowers the loss."""
    some = probe(method="mixup")
    some.set_norm("batch")
    mix = mixer_of(some, Design.of(MIXES, 1, 60, IID))
    x, labels = one_batch(some, 60)
    plan = some.plan(mix, x, labels, draw=0)

    def loss():
        logits, y_mix = mix.run(some.model, x, labels, plan=plan)
        return F.cross_entropy(logits, y_mix).item()

    before, step = loss(), 0.1 * some.gradient(mix, x, labels, plan, draw=0)
    weights = nn.utils.parameters_to_vector(some.model.parameters()).detach()
    nn.utils.vector_to_parameters(weights - step, some.model.parameters())
    assert loss() < before
