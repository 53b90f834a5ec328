"""What a model must return is asked before the first step, wherever one is trained."""

import sys

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file

from multimix.lab.command_line.main import main
from multimix.lab.data import open_data
from multimix.lab.train.initial_weights import build_model_of, model_at_start
from multimix.lab.train.settings import TrainSettings

MINE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, sample_shape, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes), nn.Dropout(), nn.BatchNorm1d(num_classes))

    def forward(self, x):
        return self.give(self.body(x))

def net(give):
    return type("Given", (Net,), {"give": staticmethod(give)})

pair = net(lambda logits: (logits, logits))
named = net(lambda logits: {"logits": logits})
fewer = net(lambda logits: logits[:, :5])
flat = net(lambda logits: logits.flatten())
chosen = net(lambda logits: logits.argmax(1, keepdim=True).expand(-1, 10))
fine = net(lambda logits: logits)

def raises(logits):
    raise KeyError("layer4")

broken = net(raises)

def empty(sample_shape, num_classes):
    return nn.Flatten()

def frozen(sample_shape, num_classes):
    return Net(sample_shape, num_classes).requires_grad_(False)

def lazy(sample_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))

class Counting(Net):
    def get_extra_state(self):
        return {"seen": 0}

    def set_extra_state(self, state):
        pass

class Tied(nn.Module):
    def __init__(self, sample_shape, num_classes):
        super().__init__()
        self.first = nn.Linear(64, 64)
        self.hidden = nn.Linear(64, 64)
        self.again = self.hidden
        self.head = nn.Linear(64, num_classes)

    def forward(self, x):
        return self.head(self.again(self.hidden(self.first(x.flatten(1))).relu()))

def unknown_name(sample_shape, num_classes):
    return {}["width"]
"""


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("mine", None)


CASES = {
    "pair": "must return a tensor of logits, got model='mine:pair', which returns a tuple; let forward",
    "named": "which returns a dict",
    "fewer": "must return logits of shape (2, 10) for 2 samples of 10 classes, got model='mine:fewer', which returns "
    "torch.float32 of shape (2, 5); size its last layer by num_classes",
    "flat": "of shape (20,)",
    "chosen": "which returns torch.int64",
    "broken": "must take samples of shape (1, 8, 8), got model='mine:broken', which raised KeyError: 'layer4'",
    "empty": "must have parameters to train, got model='mine:empty' with 0",
    "frozen": "with 4, none of which takes a gradient",
    "lazy": "must know the sizes of its layers, got model='mine:lazy'",
    "Counting": "a model's state must hold tensors alone, got model='mine:Counting' with _extra_state",
    "unknown_name": "mine:unknown_name must fit samples of shape (1, 8, 8) and its options, got: KeyError: 'width'",
}


ELSEWHERE = [("train --method puzzlemix", "pair"), ("train --dry-run", "lazy"), ("train --dry-run", "fewer")]
ELSEWHERE += [("variance", "empty"), ("variance", "pair")]


@pytest.mark.parametrize(("command", "name"), [*(("train", name) for name in CASES), *ELSEWHERE])
def test_a_model_that_cannot_be_trained_is_refused(command, name, capsys, tmp_path):
    assert main([*command.split(), "--model", f"mine:{name}", "--steps", "2", "--out", "o"]) == 2
    written = capsys.readouterr().err
    assert CASES[name] in written
    assert written.count("\n") == 1
    assert not list(tmp_path.glob("o/metrics.jsonl"))


@pytest.mark.parametrize(
    ("script", "raised"),
    [
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("raise RuntimeError('no\\nway')", "RuntimeError: no way"),
        ("1 +", "SyntaxError"),
    ],
)
def test_a_script_that_ends_or_fails_when_it_is_imported_is_refused(script, raised, tmp_path, capsys):
    (tmp_path / "theirs.py").write_text(script)
    assert main(["train", "--model", "theirs:Net", "--steps", "2", "--out", "o"]) == 2
    written = capsys.readouterr().err
    assert f"got model='theirs:Net', and theirs raised {raised}" in written
    assert written.count("\n") == 1


def test_tied_weights_are_trained_written_and_read_again(tmp_path):
    tied = ["--model", "mine:Tied", "--steps", "4", "--checkpoint-every", "2"]
    assert main(["train", *tied, "--out", "first"]) == 0
    weights = load_file(tmp_path / "first" / "model.safetensors")
    assert torch.equal(weights["again.weight"], weights["hidden.weight"])
    assert main(["train", *tied, "--initial-weights", "first", "--out", "second"]) == 0
    assert main(["evaluate", "first", "second", "--allow-code", "mine:Tied"]) == 0


def test_asking_changes_neither_weights_nor_random_state():
    settings = TrainSettings(model="mine:fine", out="o")
    data = open_data("digits")
    before = build_model_of(settings, data.sample_shape, data.num_classes)
    state = torch.random.get_rng_state()
    model = model_at_start(settings, data, Fabric(accelerator="cpu", devices=1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training
    assert all(module.training for module in model.modules())
    for name, value in before.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
