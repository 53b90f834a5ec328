"""fastai: a callback like `MixUp` and `CutMix` there, for any loss function that fastai can unreduce."""

import inspect
import sys
from typing import Any

from fastai.callback.core import Callback
from fastai.layers import NoneReduce
from torch import Tensor, nn

from multimix import MultiMix, Plan
from multimix.adapters.batch import TakesMix, check_mix
from multimix.checks import check_targets


class MixBatch(TakesMix, Callback):
    """Mix training batches into K * B rows; validation is untouched.

    The targets of a batch stay as they were loaded. While training lasts, the learner's loss function is replaced by
    the mean over all rows of `weight * loss(pred, own) + (1 - weight) * loss(pred, partner's)`, which for losses linear
    in the target is the loss of the mixed target, and for squared errors has its gradient. So any loss works, and
    everything that counts, such as `GradientAccumulation`, counts pairs.

    Args:
        mix: what to do; `num_classes` is not needed, but labels must fit it. Methods that need the model are refused,
            and dense targets.

    Raises:
        TypeError, ValueError: if mix is no MultiMix, needs the model, or has dense targets; at the start, if there is
            another callback that mixes, or the loss cannot give one loss per row.

    Example:
        >>> learn = Learner(dls, model, loss_func=CrossEntropyLossFlat(), cbs=MixBatch(MultiMix("cutmix", num_mixes=5)))
    """

    run_valid = False

    def __init__(self, mix: MultiMix) -> None:
        check_mix(mix, "MixBatch")
        if mix.dense_targets:
            raise ValueError(
                "mix must have one target per sample, got dense_targets=True; mix dense targets with mix(x, y) in a "
                "training loop"
            )
        self.mix = mix
        self.own_loss: Any = None
        self.plan: Plan | None = None

    def before_fit(self) -> None:
        """Refuse to mix twice, losses that are means only, and metrics of training batches.

        Targets of training batches are not those of the mixed rows.
        """
        mixing = [type(callback).__name__ for callback in self.learn.cbs if _mixes(callback)]
        if len(mixing) > 1:
            raise ValueError(
                f"callbacks must hold one that mixes, or batches are mixed twice, got {', '.join(mixing)}; for one of "
                f'several methods give MixBatch(MultiMix(Choice(["mixup", "cutmix"]), ...))'
            )
        if not _takes_reduction(loss := self.learn.loss_func):
            raise ValueError(
                f'loss_func must give one loss per row for reduction="none", got loss_func='
                f"{getattr(loss, '__name__', type(loss).__name__)}; let it take `reduction`, as F.cross_entropy "
                f"does, or have it as an attribute"
            )
        if getattr(getattr(self, "recorder", None), "train_metrics", False):
            raise ValueError(
                "metrics must be computed on validation batches, got Recorder(train_metrics=True); leave it out"
            )

    def before_train(self) -> None:
        """Replace the loss function."""
        self.own_loss, self.learn.loss_func = self.learn.loss_func, self._loss

    def before_batch(self) -> None:
        """Mix the inputs, all of them alike."""
        if self.mix.num_classes is not None:
            cuts = self.mix.method.may_cut
            for y in self.learn.yb:
                check_targets(self.learn.xb[0], y.as_subclass(Tensor), self.mix.num_classes, False, None, cuts)
        inputs = [x.as_subclass(Tensor) if isinstance(x, Tensor) else x for x in self.learn.xb]
        self.plan = self.mix.plan(inputs[0])
        mixed = [self.mix.apply(self.plan, x)[0] for x in inputs]
        self.learn.xb = tuple(x.as_subclass(type(old)) for x, old in zip(mixed, self.learn.xb, strict=True))

    def after_train(self) -> None:
        """Put the loss function back."""
        if self.own_loss is not None:
            self.learn.loss_func, self.own_loss, self.plan = self.own_loss, None, None

    def after_cancel_train(self) -> None:
        """Put the loss function back."""
        self.after_train()

    def after_cancel_fit(self) -> None:
        """Put the loss function back."""
        self.after_train()

    def _loss(self, pred: Tensor, *yb: Tensor) -> Tensor:
        if len(yb) != 1 or yb[0].ndim > 2:
            raise ValueError(
                f"a batch must have one target, a class or a vector for each sample, got "
                f"{[tuple(y.shape) for y in yb]}; mix others with mix(x, y) in a training loop"
            )
        assert self.plan is not None
        with NoneReduce(self.own_loss) as unreduced:
            return self.plan.loss(
                lambda output, y: unreduced(output, y).as_subclass(Tensor).reshape(len(output), -1).mean(1),
                pred.as_subclass(Tensor),
                yb[0].as_subclass(Tensor),
            )


def _mixes(callback: Callback) -> bool:
    """Whether a callback mixes; fastai's own do only where they were imported."""
    theirs = sys.modules.get("fastai.callback.mixup")
    return isinstance(callback, (MixBatch, *([theirs.MixHandler] if theirs else [])))


def _takes_reduction(loss: Any) -> bool:
    """Whether fastai can unreduce a loss: by an attribute or an argument."""
    if hasattr(loss, "reduction"):
        return True
    try:
        parameters = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters.values()
    except (TypeError, ValueError):  # some builtins have no signature
        return True
    return any(each.name == "reduction" or each.kind is each.VAR_KEYWORD for each in parameters)
