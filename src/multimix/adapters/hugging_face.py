"""Hugging Face Trainer: training batches are mixed in `compute_loss`, and trained with the loss that was meant."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
import transformers
from torch import Tensor

from multimix import MultiMix, mixed_accuracy
from multimix.adapters.batch import TakesMix

Loss = Callable[[Tensor, Tensor, float], Tensor]

# By `config.problem_type`: the loss of logits and mixed targets, a mean over rows. Transformers' own choice for
# float targets is binary cross-entropy, and its cross-entropy takes no soft labels at all.
LOSSES: dict[str, Loss] = {
    "single_label_classification": lambda logits, y, smoothing: F.cross_entropy(logits, y, label_smoothing=smoothing),
    "multi_label_classification": lambda logits, y, smoothing: F.binary_cross_entropy_with_logits(logits, y),
    "regression": lambda logits, y, smoothing: F.mse_loss(logits, y.view_as(logits)),
}


class MixTrainer(TakesMix, transformers.Trainer):
    """A `transformers.Trainer` that mixes training batches; evaluation is the Trainer's own, on unmixed batches.

    The data set, the collator and all counts stay as they are: `per_device_train_batch_size` is the number of pairs,
    epochs, steps and samples per second count pairs, and the model sees K times as many rows per step. Methods inside
    the model work too. The loss is the mean over all mixed rows of an accumulated batch. Integer labels are trained
    with cross-entropy on soft labels; float targets by `model.config.problem_type`, which then must be set. While the
    training loss is logged, so is `mixed_accuracy`, the share of label mass on the predicted class since the last log.

    Args:
        args, kwargs: as for `transformers.Trainer`. A `compute_loss_func` gets the mixed targets in training, and
            `num_items_in_batch` counted in mixed rows.
        mix: what to do, with `num_classes` set for integer labels.

    Raises:
        TypeError: if mix is no MultiMix.
        ValueError: if the Trainer would spread one process over several devices.

    Example:
        >>> trainer = MixTrainer(mix=MultiMix("cutmix", num_mixes=5, num_classes=10), model=model, args=args, ...)
    """

    def __init__(self, *args: Any, mix: MultiMix, **kwargs: Any) -> None:
        if not isinstance(mix, MultiMix):
            raise TypeError(f'mix must be a MultiMix, got mix={mix!r}; pass mix=MultiMix("mixup", num_classes=10)')
        super().__init__(*args, **kwargs)
        if self.args.n_gpu > 1:
            raise ValueError(
                f"each process must have one device, got args.n_gpu={self.args.n_gpu}; start with torchrun or "
                f"accelerate launch, or set CUDA_VISIBLE_DEVICES"
            )
        self.mix = mix
        self._accuracies: list[Tensor] = []

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Return the Trainer's own in evaluation; in training the loss of the mixed batch.

        Raises:
            ValueError: if the batch holds more than one input, no labels, or float labels of an unknown kind, integer
                labels do not fit `model.config.problem_type`, or the model has another number of classes.
        """
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        x, y = self._check_inputs(inputs)
        problem = self._problem(y)
        outputs, y_mix = self.mix.run(model, x, y)
        logits = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
        if problem == "single_label_classification" and logits.shape != y_mix.shape:
            raise ValueError(
                f"the model must return one logit for each of num_classes={y_mix.shape[-1]} classes, got logits: "
                f"{tuple(logits.shape)}, labels: {tuple(y_mix.shape)}; correct num_classes, or the model's num_labels"
            )
        # This batch's share of all that is accumulated before a step, counted as the Trainer counts; without a count
        # the Trainer divides by the number of batches.
        self.loss_is_scaled_for_ga = num_items_in_batch is not None
        share: Tensor | float = 1.0
        if num_items_in_batch is not None:  # which is 0 where no label counts
            share = y.ne(-100).sum() * self._replicas() / torch.as_tensor(num_items_in_batch).clamp_min(1)
        if self.compute_loss_func is not None:
            items = None if num_items_in_batch is None else num_items_in_batch * len(y_mix) / len(y)
            loss = self.compute_loss_func(outputs, y_mix, num_items_in_batch=items)
            loss = loss if items is None else loss * self._replicas()
        else:
            ignoring = problem == "single_label_classification" and self.mix.ignore_index is not None
            mean = _over_mass if ignoring else LOSSES[problem]
            loss = mean(logits, y_mix.to(logits.dtype), self.args.label_smoothing_factor) * share
        if problem == "single_label_classification":
            self._accuracies.append(mixed_accuracy(logits.detach(), y_mix))
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add `mixed_accuracy` to the training loss."""
        if "loss" in logs and self._accuracies:
            logs["mixed_accuracy"] = float(torch.stack(self._accuracies).nanmean())  # nan: no label counted
            self._accuracies.clear()
        super().log(logs, *args, **kwargs)

    def _check_inputs(self, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        names = [name for name in inputs if name != "labels"]
        main = getattr(self.accelerator.unwrap_model(self.model), "main_input_name", *names[:1])
        if main not in inputs:
            raise ValueError(
                f'a training batch must hold "{main}" and "labels" to be mixed, got {sorted(inputs)}; name the '
                f"input of the samples so, or, if the collator makes it, pass "
                f"TrainingArguments(remove_unused_columns=False)"
            )
        if names != [main] or "labels" not in inputs:
            raise ValueError(
                f'a training batch must hold "{main}" and "labels" to be mixed, got {sorted(inputs)}; let the collator '
                f"leave out the rest, or write compute_loss with mix.plan and a mix.apply for each input"
            )
        return inputs[main], inputs["labels"]

    def _problem(self, y: Tensor) -> str:
        config = getattr(self.accelerator.unwrap_model(self.model), "config", None)
        problem = getattr(config, "problem_type", None)
        if problem is None and (y.is_floating_point() or y.dtype == torch.bool):
            raise ValueError(
                f"model.config.problem_type must say what float labels are, got problem_type=None and labels: "
                f"{tuple(y.shape)}, {y.dtype}; set it to one of {', '.join(LOSSES)}, or, if a collator has mixed them "
                f"already, take it out: MixTrainer mixes"
            )
        integer = not (y.is_floating_point() or y.dtype == torch.bool)
        if integer and problem not in (None, "single_label_classification"):
            raise ValueError(
                f"model.config.problem_type must be None or single_label_classification for integer labels, got "
                f"problem_type={problem!r} and labels: {tuple(y.shape)}, {y.dtype}; correct it, or give float labels"
            )
        return problem or "single_label_classification"

    def _replicas(self) -> int:
        """How many processes' gradients are averaged where items were counted over all of them."""
        return self.accelerator.num_processes // self.get_tp_size() if self.args.average_tokens_across_devices else 1


def _over_mass(logits: Tensor, y: Tensor, smoothing: float) -> Tensor:
    """Return cross-entropy, a mean over label mass: rows of ignored labels have less, or none, also when smoothed."""
    mass = y.sum(1, keepdim=True)
    smoothed = torch.lerp(y, (mass / y.shape[1]).expand_as(y), smoothing)
    total = mass.sum(dtype=torch.promote_types(mass.dtype, torch.float32))
    return F.cross_entropy(logits, smoothed, reduction="sum") / total.clamp_min(torch.finfo(total.dtype).tiny)
