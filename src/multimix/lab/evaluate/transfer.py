"""How good a start is a model for another data set?"""

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimix.lab.core.checks import check
from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.core.randomness import private_random_state, seed_device, seed_of
from multimix.lab.data import Data, SampleOrder
from multimix.lab.evaluate.evaluator import Evaluator, percent
from multimix.lab.evaluate.other_data import check_fits, fitted, open_other
from multimix.lab.metrics import evaluation_mode, rows_at_once

MOMENTUM = 0.9

Batches = Iterator[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Transfer(Evaluator):
    """Measure the test error on another data set after fine-tuning on it, without mixing.

    SGD with Nesterov momentum 0.9, its rate falling to zero along a cosine, without weight decay; images are fitted to
    the model's. The head is new. With `transfer_layers="head"` all else stays as it is, batch norm too.

    Args:
        transfer_data: The other data set.
        transfer_data_options: Its options.
        transfer_layers: What is fine-tuned: "head" or "all".
        transfer_steps: Updates.
        transfer_batch_size: Samples per update.
        transfer_learning_rate: The highest rate.
        data_root: Folder of local copies of data sets.
        seed: Draws the new weights, the order of the samples, and dropout.

    Raises:
        UsageError: if no data set is given.
    """

    transfer_data: str | None = None
    transfer_data_options: Mapping[str, Any] = field(default_factory=dict)
    transfer_layers: str = "head"
    transfer_steps: int = 200
    transfer_batch_size: int = 120
    transfer_learning_rate: float = 0.01
    data_root: str | None = None
    seed: int = 0
    metrics: ClassVar = {
        "transfer_error": percent("error on other data", "fine-\ntuned, %", "Transfer"),
        "transfer_error_from_scratch": percent("the same from scratch", "from\nscratch, %", "Transfer"),
    }

    def __post_init__(self) -> None:
        check(
            self.transfer_data is not None,
            "transfer needs another data set",
            "give --transfer-data",
            transfer_data=None,
        )

    def check(self, data: Data) -> None:
        """Refuse another data set that is not there, or does not fit.

        Raises:
            UsageError: if that is so.
        """
        check_fits(self._other.train, data.test)

    def __call__(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return the error, and that of the same steps from random weights, as a control.

        Raises:
            UsageError: if the data do not fit, the model has no linear layer at its end, or a layer cannot be
                initialised again.
            RunFailed: if a loss is no longer a number.
        """
        self.check(data)
        device = data.test.labels.device
        other = self._other.to(device)
        with private_random_state(device):
            seed_device(seed_of(self.seed, "transfer"), device)
            pretrained = with_new_head(model, other.num_classes)
            fresh = with_new_head(reinitialised(model), other.num_classes)
            return {
                "transfer_error": self._error_after(pretrained, data, other),
                "transfer_error_from_scratch": self._error_after(fresh, data, other),
            }

    @property
    def _other(self) -> Data:
        return open_other("--transfer-data", self.transfer_data, self.transfer_data_options, self.data_root)

    def _error_after(self, model: nn.Module, data: Data, other: Data) -> float:
        """Fine-tune a model and return its test error."""
        there, here = check_fits(other.train, data.test)
        shape = tuple(data.sample_shape)
        order = SampleOrder(len(other.train), self.transfer_batch_size, self.seed)
        batches = other.train.batches(order, range(self.transfer_steps))
        self.fine_tune(model, ((fitted(x, there, here, shape), labels) for x, labels in batches))
        wrong = 0
        with evaluation_mode(model):
            for x, labels in other.test.chunks(rows_at_once(data.sample_shape)):
                wrong += int((model(fitted(x, there, here, shape)).argmax(dim=1) != labels).sum())
        return wrong / len(other.test)

    def fine_tune(self, model: nn.Module, batches: Batches) -> None:
        """Train a model's head, or all of it, in place.

        Raises:
            RunFailed: if the loss is no longer a number.
        """
        only_head = self.transfer_layers == "head"
        model.requires_grad_(not only_head)
        last_linear(model)[1].requires_grad_(True)
        model.train(not only_head)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=self.transfer_learning_rate, momentum=MOMENTUM, nesterov=True)
        for step, (x, labels) in enumerate(batches):
            seed_device(seed_of(self.seed, "transfer", step), x.device)  # dropout's, the same for every run
            factor = 0.5 * (1 + math.cos(math.pi * step / self.transfer_steps))
            optimizer.param_groups[0]["lr"] = self.transfer_learning_rate * factor
            loss = F.cross_entropy(model(x), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if not loss.isfinite():
            raise RunFailed(
                f"the loss of fine-tuning must stay finite, got loss={loss.item()}; lower --transfer-learning-rate"
            )


def with_new_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Return a copy of a model whose last linear layer is a new one, for another number of classes.

    Raises:
        UsageError: if its last layer with parameters is not linear.
    """
    model = copy.deepcopy(model)
    name, last = last_linear(model)
    model.set_submodule(name, nn.Linear(last.in_features, num_classes, last.bias is not None).to(last.weight))
    return model


def last_linear(model: nn.Module) -> tuple[str, nn.Linear]:
    """Return the name and the layer by which a model ends.

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
    """Return a copy of a model with random weights, as its layers draw them by themselves.

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
