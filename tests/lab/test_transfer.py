"""Fine-tuning: what changes, what stays, and that it can be had again."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.data import Data, HeldSplit, open_data
from multimix.lab.data.prepare import Normalise, Standardise, Waveform
from multimix.lab.evaluate import transfer as module
from multimix.lab.evaluate.other_data import as_pixels_of, fitted
from multimix.lab.evaluate.transfer import Transfer, last_linear, reinitialised, with_new_head
from multimix.lab.models import build_model

ASKED = Transfer(transfer_data="synthetic", transfer_steps=6, transfer_batch_size=10)
DIGITS = open_data("digits")


@pytest.fixture
def other(monkeypatch):
    """Another data set: 12 × 10 coloured images of three classes, dark, grey and bright."""
    generator = torch.Generator().manual_seed(0)

    def split(num: int) -> HeldSplit:
        labels = torch.arange(num) % 3
        noise = torch.randint(0, 60, (num, 3, 12, 10), generator=generator)
        return HeldSplit((noise + 90 * labels.view(-1, 1, 1, 1)).byte(), labels, Normalise((0.5,) * 3, (0.3,) * 3))

    data = Data(split(50), split(201), 3)
    monkeypatch.setattr(module, "open_other", lambda *given: data)
    return data


def small_cnn() -> nn.Module:
    return build_model("small-cnn", (1, 8, 8), 10)


@pytest.mark.parametrize("layers", ["head", "all"])
def test_errors_can_be_had_again_and_the_model_stays(other, layers):
    model = small_cnn().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    transfer = replace(ASKED, transfer_layers=layers)
    torch.manual_seed(1)
    first = transfer(model, DIGITS)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert transfer(model, DIGITS) == first
    assert any(replace(transfer, seed=seed)(model, DIGITS) != first for seed in range(1, 6))
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)  # nobody else's chance is touched
    assert set(first) == {"transfer_error", "transfer_error_from_scratch"}
    assert all(value * 201 == pytest.approx(round(value * 201)) for value in first.values())
    assert model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_it_learns(other):
    # Three levels of brightness, which a linear layer on any features tells apart.
    transfer = replace(ASKED, transfer_steps=60, transfer_layers="all", transfer_learning_rate=0.05)
    assert transfer(small_cnn(), DIGITS)["transfer_error"] < 0.2


def test_the_seed_is_what_differs(other):
    model, ends = small_cnn(), []
    for seed in (0, 0, 1):
        copy = with_new_head_of_seed_0(model)
        replace(ASKED, seed=seed).fine_tune(copy, batches(other, seed))
        ends.append(copy.state_dict()["head.2.weight"])
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_the_order_of_the_samples_is_the_seeds(other, monkeypatch):
    orders = []
    of = module.SampleOrder
    monkeypatch.setattr(module, "SampleOrder", lambda *values: orders.append(values) or of(*values))
    replace(ASKED, seed=5)(small_cnn(), DIGITS)
    assert orders == [(50, 10, 5)] * 2


def with_new_head_of_seed_0(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return with_new_head(model, 3)


def batches(other: Data, seed: int):
    there, here = other.train.pixels, DIGITS.test.pixels
    order = module.SampleOrder(len(other.train), ASKED.transfer_batch_size, seed)
    return ((fitted(x, there, here, (1, 8, 8)), y) for x, y in other.train.batches(order, range(6)))


@pytest.mark.parametrize("layers", ["head", "all"])
def test_what_is_fine_tuned_changes_and_the_rest_does_not(other, layers):
    model = with_new_head(small_cnn(), 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    replace(ASKED, transfer_layers=layers).fine_tune(model, batches(other, 0))
    for name, value in model.state_dict().items():
        stays = layers == "head" and not name.startswith("head")
        assert torch.equal(value, before[name]) == stays, name


def test_the_rate_falls_along_a_cosine(other, monkeypatch):
    rates = []
    step = torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: (rates.append(self.param_groups[0]["lr"]), step(self))[1])
    ASKED.fine_tune(with_new_head(small_cnn(), 3), batches(other, 0))
    expected = [0.005 * (1 + torch.tensor(torch.pi * step / 6).cos().item()) for step in range(6)]
    assert rates == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("mlp", "head"),
        ("small-cnn", "head.2"),
        ("wrn-16-8", "head"),
        ("vgg-11", "head.3"),
        ("lenet", "head.4"),
        ("resnet-50", "head.2"),
    ],
)
def test_the_head_is_found(name, head):
    model = build_model(name, (1, 32, 32), 10)
    assert last_linear(model)[0] == head
    changed = with_new_head(model, 3)
    assert changed(torch.zeros(2, 1, 32, 32)).shape == (2, 3)
    assert last_linear(model)[1].out_features == 10
    weights, others = model.state_dict(), changed.state_dict()
    assert {key for key in weights if weights[key].shape != others[key].shape} == {f"{head}.weight", f"{head}.bias"}


@pytest.mark.parametrize(
    "model", [nn.Linear(4, 2), nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)), nn.Flatten()], ids=str
)
def test_models_without_a_head_are_refused(model):
    with pytest.raises(UsageError, match="must end with a Linear layer"):
        with_new_head(model, 3)


def test_from_scratch_nothing_is_left_of_the_weights():
    model = small_cnn()
    model(torch.randn(4, 1, 8, 8))  # moves the statistics of batch norm
    fresh = reinitialised(model)
    for (name, old), new in zip(model.named_parameters(), fresh.parameters(), strict=True):
        is_constant = name.startswith("stage") and old.ndim == 1
        assert torch.equal(old, new) == is_constant, name
    assert fresh.stage1[1].running_mean.abs().max() == 0 != model.stage1[1].running_mean.abs().max()


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(self.scale * x)


def test_layers_that_cannot_begin_anew_are_refused(other):
    with pytest.raises(UsageError, match="must have reset_parameters, got Scaled"):
        ASKED(Scaled(), DIGITS)


def test_a_rate_that_is_too_high_ends_in_a_sentence(other):
    transfer = replace(ASKED, transfer_layers="all", transfer_learning_rate=1e30)
    with pytest.raises(RunFailed, match=r"must stay finite.*lower --transfer-learning-rate"):
        transfer(build_model("mlp", (1, 8, 8), 10), DIGITS)


def test_what_is_no_image_is_refused(other):
    sound = HeldSplit(torch.zeros(4, 1, 80).short(), torch.arange(4) % 2, Waveform())
    with pytest.raises(UsageError, match="both data sets must be images"):
        ASKED(small_cnn(), Data(sound, sound, 2))


def test_a_set_must_be_named():
    with pytest.raises(UsageError, match="--transfer-data"):
        Transfer()


def test_digits_onto_themselves():
    values = replace(ASKED, transfer_data="digits")(small_cnn(), DIGITS)
    assert all(0 <= value <= 1 for value in values.values())


def test_images_are_fitted():
    colour = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1).expand(2, -1, 6, 4)
    grey = as_pixels_of(colour, (1, 6, 4))
    torch.testing.assert_close(grey, torch.full((2, 1, 6, 4), 0.299 + 0.587 / 2))
    assert torch.equal(as_pixels_of(grey, (3, 6, 4)), grey.expand(-1, 3, -1, -1))
    assert torch.equal(as_pixels_of(colour, (3, 6, 4)), colour)
    steps = torch.tensor([0.0, 1.0]).expand(1, 1, 2, 2)
    torch.testing.assert_close(as_pixels_of(steps, (1, 2, 4))[0, 0, 0], torch.tensor([0, 0.25, 0.75, 1]))
    assert as_pixels_of(colour, (1, 3, 11)).shape == (2, 1, 3, 11)
    there, here = Normalise((0.5,) * 3, (0.25,) * 3), Standardise((0.2,), (0.4,))
    x = fitted(there.as_input(colour), there, here, (1, 8, 8))
    torch.testing.assert_close(x, ((0.299 + 0.587 / 2 - 0.2) / 0.4) * torch.ones(2, 1, 8, 8))
