"""What all evaluators share: options from the settings, known and documented numbers, a model left as it was."""

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data, HeldSplit
from multimix.lab.data.prepare import Standardise
from multimix.lab.evaluate.evaluators import EVALUATORS, build_evaluators
from multimix.lab.evaluate.settings import EvaluateSettings
from multimix.lab.models import build_model
from multimix.lab.report.metrics import tables

DOCS = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
OTHER = {"ood_data": "noise", "transfer_data": "digits", "transfer_steps": 1, "transfer_batch_size": 2}


def asked(name: str, **values: object) -> EvaluateSettings:
    return EvaluateSettings(runs=("run",), evaluators=(name,), **{**OTHER, **values})


@pytest.fixture(scope="module")
def data() -> Data:
    """Small images of six classes with boxes: every evaluator takes them."""
    generator = torch.Generator().manual_seed(0)
    x, labels = torch.rand(18, 3, 8, 8, generator=generator), torch.arange(18) % 6
    boxes = torch.tensor([[0.25, 0.25, 0.75, 0.75]]).repeat(18, 1)
    split = HeldSplit(x, labels, Standardise((0.5,) * 3, (0.3,) * 3), boxes=boxes)
    return Data(split, split, 6)


@pytest.mark.parametrize("name", EVALUATORS)
def test_options_come_from_the_settings_and_have_the_same_defaults(name):
    given = vars(asked(name, seed=3, num_samples=7, data_root="there"))
    (built,) = build_evaluators(asked(name, seed=3, num_samples=7, data_root="there")).values()
    assert {item.name: getattr(built, item.name) for item in fields(built)}.items() <= given.items()
    assert name in EvaluateSettings.__doc__
    plain, defaults = (
        EVALUATORS[name](**{key: value for key, value in OTHER.items() if key in vars(built)}),
        asked(name),
    )
    assert vars(plain).items() <= vars(defaults).items()


@pytest.mark.parametrize("name", EVALUATORS)
def test_numbers_are_known_documented_and_the_same_again(name, data):
    model = build_model("small-cnn", (3, 8, 8), 6).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    (evaluator,) = build_evaluators(asked(name, num_samples=6)).values()
    evaluator.check(data)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = evaluator(model, data)
    assert torch.equal(torch.get_rng_state(), state)
    assert evaluator(model, data) == first
    assert {number for number in first if "/" not in number} == set(evaluator.metrics)
    assert all(type(value) is float for value in first.values())
    assert all(f"`{number}`" in DOCS for number in evaluator.metrics)
    assert "Other numbers" not in dict(tables(first))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_no_two_evaluators_measure_the_same_number():
    numbers = [number for kind in EVALUATORS.values() for number in kind.metrics]
    assert len(set(numbers)) == len(numbers)


def test_an_unknown_evaluator_is_refused_with_the_nearest_name():
    with pytest.raises(UsageError, match="got evaluators='calibratoin'; did you mean \"calibration\""):
        build_evaluators(asked("calibratoin"))
