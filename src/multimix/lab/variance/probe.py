"""The gradient of a step at weights that stand still, computed as training would."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from multimix import MultiMix, Plan
from multimix.lab.core.errors import UsageError
from multimix.lab.core.randomness import seed_device, seed_of
from multimix.lab.data import Batch, Data, SampleOrder, Split
from multimix.lab.train.learner import Learner, in_parts
from multimix.lab.train.settings import TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass
class Probe:
    """A model to be measured, and the samples it learns from.

    Args:
        settings: The run's.
        fabric: Device and precision.
        model: A copy of the model; measuring leaves its weights and statistics as they are.
        split: The training split.
        num_classes: Number of classes.
    """

    settings: TrainSettings
    fabric: "Fabric"
    model: nn.Module
    split: Split
    num_classes: int

    @classmethod
    def of(cls, learner: Learner, data: Data) -> "Probe":
        """Return a probe of a model as it is now."""
        return cls(learner.settings, learner.fabric, copy.deepcopy(learner.bare), data.train, data.num_classes)

    @property
    def has_batch_norm(self) -> bool:
        """Whether what a row gives depends on the others of its batch."""
        return any(isinstance(module, _BatchNorm) for module in self.model.modules())

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What the gradient is taken for."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def empty(self, rows: int) -> Tensor:
        """Return room for gradients, (rows, D), on the device."""
        size = sum(parameter.numel() for parameter in self.parameters)
        return torch.empty(rows, size, device=self.fabric.device)

    def check_room(self, replicates: int) -> None:
        """Refuse more gradients than memory holds; the most at a time are two for each replicate.

        Raises:
            UsageError: if memory cannot hold them.
        """
        try:
            self.empty(2 * replicates)
        except RuntimeError as error:  # of torch, for memory of any device
            size = sum(parameter.numel() for parameter in self.parameters)
            raise UsageError(
                f"two gradients for each replicate must fit in memory, got replicates={replicates:,} with "
                f"{size:,} weights of model={self.settings.model!r}; give fewer replicates"
            ) from error

    def set_norm(self, norm: str) -> None:
        """Have batch norm use the statistics of the batch, as in training ("batch"), or the kept ones ("kept")."""
        self.model.train()
        for module in self.model.modules():
            if isinstance(module, _BatchNorm):
                module.train(norm == "batch")

    def batches(self, num_pairs: int, num: int) -> Iterator[Batch]:
        """Yield batches of samples drawn independently, with replacement, augmented as in training.

        The same sizes give the same batches, so that what is compared can share them.
        """
        seed = seed_of(self.settings.seed, "variance samples", num_pairs)
        chosen = torch.randint(len(self.split), (num * num_pairs,), generator=torch.Generator().manual_seed(seed))
        order = SampleOrder(num_samples=len(chosen), batch=num_pairs, seed=seed)
        return self.split.subset(chosen).batches(order, range(num))

    def plan(self, mix: MultiMix, x: Tensor, labels: Tensor, draw: int) -> Plan:
        """Draw everything random about a step but dropout; the same draw of as many pairs has the same partners."""
        generator = torch.Generator().manual_seed(seed_of(self.settings.seed, "variance mix", draw))
        with self.fabric.autocast():
            return mix.plan(x, labels, model=self.model, generator=generator)

    def gradient(self, mix: MultiMix, x: Tensor, labels: Tensor, plan: Plan, draw: int) -> Tensor:
        """Return the (D,) gradient of the loss, without weight decay and clipping."""
        seed_device(seed_of(self.settings.seed, "variance model", draw), self.fabric.device)
        kept = [buffer.clone() for buffer in self.model.buffers()]
        total = None
        for part in in_parts(plan, self.settings.micro_batch_size):
            with self.fabric.autocast():
                logits, y_mix = mix.run(self.model, x, labels, plan=part)
                loss = F.cross_entropy(logits, y_mix, label_smoothing=self.settings.label_smoothing)
            flat = self._gradient_of(loss * (part.num_pairs / plan.num_pairs))
            total = flat if total is None else total + flat
        for buffer, value in zip(self.model.buffers(), kept, strict=True):
            buffer.copy_(value)
        assert total is not None  # a plan has at least one part
        return total

    def row_gradients(self, mix: MultiMix, x: Tensor, labels: Tensor, plan: Plan) -> Tensor:
        """Return the (rows, D) gradients of the loss of each mixed row, where rows do not depend on each other."""
        with self.fabric.autocast():
            logits, y_mix = mix.run(self.model, x, labels, plan=plan)
            losses = F.cross_entropy(
                logits, y_mix, label_smoothing=self.settings.label_smoothing, reduction="none"
            ).unbind()
        return torch.stack([self._gradient_of(loss, keep=True) for loss in losses])

    def _gradient_of(self, loss: Tensor, keep: bool = False) -> Tensor:
        gradients = torch.autograd.grad(loss, self.parameters, retain_graph=keep, allow_unused=True)
        found: list[Tensor | None] = list(gradients)  # a parameter that the loss does not depend on has none
        return torch.cat(
            [
                (torch.zeros_like(parameter) if gradient is None else gradient).flatten()
                for parameter, gradient in zip(self.parameters, found, strict=True)
            ]
        )


def chosen_mixes(plan: Plan, which: Tensor) -> Plan:
    """Return the plan of some of a plan's mixes, in their order: the same pairs, partners and geometry.

    Args:
        plan: The whole.
        which: Numbers of mixes, (K, P), a choice for each pair; or (K, 1), the same for all; in any order.
    """
    shape, which = plan.weight.shape, which.sort(dim=0).values

    def choose(value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            found = {item.name: choose(getattr(value, item.name)) for item in fields(value)}
            if isinstance(level := found.get("level"), Tensor):  # how many of the mixes keep each position
                numbers = which.to(level.device).reshape(*which.shape, *[1] * (level.ndim - 1))
                found["level"] = (level > numbers).sum(0, dtype=level.dtype)
            return replace(value, **found)
        if isinstance(value, tuple):
            return tuple(choose(part) for part in value)
        if not isinstance(value, Tensor) or value.shape[:2] != shape:
            return value
        return value[which.to(value.device), torch.arange(shape[1], device=value.device)]

    chosen: Plan = choose(plan)
    return chosen
