"""How good a start is a model for another data set?"""

import copy
import json
import math
from collections.abc import Iterator
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.core.randomness import private_random_state, seed_device, seed_of
from multimix.lab.data import Data, SampleOrder, open_data
from multimix.lab.evaluate.fitted import check_fits, fitted
from multimix.lab.evaluate.judging import judged, rows_at_once
from multimix.lab.evaluate.settings import EvaluateSettings

MOMENTUM = 0.9

Batches = Iterator[tuple[Tensor, Tensor]]


def evaluate_transfer(model: nn.Module, data: Data, settings: EvaluateSettings) -> dict[str, float]:
    """Returns the test error on another data set after fine-tuning on it, without mixing.

    SGD with Nesterov momentum 0.9, its rate falling to zero along a cosine, without weight decay; images are fitted to
    the model's. The head is new. With `transfer_layers="head"` all else stays as it is, batch norm too.

    Returns:
        transfer_error; and transfer_error_from_scratch, by the same steps from random weights, as a control.

    Raises:
        UsageError: if one of the sets holds no images, or the model has no linear layer at its end.
        RunFailed: if a loss is no longer a number.
    """
    check_transfer_data(data, settings)
    device = data.test.labels.device
    other = _other(settings).to(device)
    with private_random_state(device):
        seed_device(seed_of(settings.seed, "transfer"), device)
        pretrained = with_new_head(model, other.num_classes)
        fresh = with_new_head(reinitialised(model), other.num_classes)
        return {
            "transfer_error": _error_after(pretrained, data, other, settings),
            "transfer_error_from_scratch": _error_after(fresh, data, other, settings),
        }


def check_transfer_data(data: Data, settings: EvaluateSettings) -> None:
    """Refuses another data set that is not there, or does not fit.

    Raises:
        UsageError: if that is so.
    """
    check_fits(_other(settings).train, data.test)


def _other(settings: EvaluateSettings) -> Data:
    assert settings.transfer_data is not None  # the settings see to it
    return _opened(settings.transfer_data, json.dumps(settings.transfer_data_options), settings.data_root)


@lru_cache(maxsize=1)
def _opened(name: str, options: str, root: str | None) -> Data:
    """Opens the other data once, not once for every run."""
    return open_data(name, json.loads(options), root=root)


def with_new_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Returns a copy of a model whose last linear layer is a new one, for another number of classes.

    Raises:
        UsageError: if its last layer with parameters is not linear.
    """
    model = copy.deepcopy(model)
    name, last = last_linear(model)
    owner = model.get_submodule(name.rpartition(".")[0])
    head = nn.Linear(last.in_features, num_classes, last.bias is not None).to(last.weight)
    setattr(owner, name.rpartition(".")[2], head)
    return model


def last_linear(model: nn.Module) -> tuple[str, nn.Linear]:
    """Returns the name and the layer by which a model ends.

    Raises:
        UsageError: if its last layer with parameters is not linear, or is the whole model.
    """
    leaves = [(name, module) for name, module in model.named_modules() if module._parameters]
    name, last = leaves[-1] if leaves else ("", model)
    if name and isinstance(last, nn.Linear):
        return name, last
    raise UsageError(
        f"a model to fine-tune must end with a Linear layer, got {type(model).__name__} with {type(last).__name__}; "
        f"choose one that does"
    )


def reinitialised(model: nn.Module) -> nn.Module:
    """Returns a copy of a model with random weights, as its layers draw them by themselves.

    Raises:
        UsageError: if a layer with parameters cannot do that.
    """
    model = copy.deepcopy(model)
    for module in model.modules():
        if callable(reset := getattr(module, "reset_parameters", None)):
            reset()
        elif module._parameters:
            raise UsageError(
                f"layers of a model to fine-tune must have reset_parameters, got {type(module).__name__}; add it"
            )
    return model


def _error_after(model: nn.Module, data: Data, other: Data, settings: EvaluateSettings) -> float:
    """Fine-tunes a model and returns its test error."""
    there, here = check_fits(other.train, data.test)
    shape = tuple(data.sample_shape)
    order = SampleOrder(len(other.train), settings.transfer_batch_size, settings.seed)
    batches = other.train.batches(order, range(settings.transfer_steps))
    fine_tune(model, ((fitted(x, there, here, shape), labels) for x, labels in batches), settings)
    wrong = 0
    with judged(model):
        for x, labels in other.test.chunks(rows_at_once(data.sample_shape)):
            wrong += int((model(fitted(x, there, here, shape)).argmax(dim=1) != labels).sum())
    return wrong / len(other.test)


def fine_tune(model: nn.Module, batches: Batches, settings: EvaluateSettings) -> None:
    """Trains a model's head, or all of it, in place."""
    only_head = settings.transfer_layers == "head"
    model.requires_grad_(not only_head)
    last_linear(model)[1].requires_grad_(True)
    model.train(not only_head)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=settings.transfer_learning_rate, momentum=MOMENTUM, nesterov=True)
    for step, (x, labels) in enumerate(batches):
        seed_device(seed_of(settings.seed, "transfer", step), x.device)  # dropout's, the same for every run
        factor = 0.5 * (1 + math.cos(math.pi * step / settings.transfer_steps))
        optimizer.param_groups[0]["lr"] = settings.transfer_learning_rate * factor
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    if not loss.isfinite():
        raise RunFailed(
            f"the loss of fine-tuning must stay finite, got loss={loss.item()}; lower --transfer-learning-rate"
        )
