"""Lightning: a callback that mixes every training batch just before `training_step` gets it."""

import functools
from typing import Any

import lightning

from multimix import MultiMix
from multimix.adapters.batch import TakesMix, check_mix
from multimix.adapters.nested import Targets, mix_batch


class MixBatch(TakesMix, lightning.Callback):
    """Mix training batches into K * B rows with soft labels; no other batch is touched.

    Batches are (x, y), or lists, tuples and dictionaries of several inputs and targets, as for `MixCollate`.

    No hook lets a callback replace a batch, and hooks that move batches serve validation too and are skipped where a
    data module has its own. So `training_step` is wrapped from `on_train_start` until training ends, however it ends.
    Everything else sees the batch as it was loaded: epoch length, `self.log(..., on_epoch=True)`, which weights by
    batch size, and other callbacks count pairs.

    Args:
        mix: what to do; methods that need the model are refused: call `mix.run` in `training_step` for those.
        targets: which items of a batch are targets, as for `MixCollate`.

    Raises:
        TypeError, ValueError: if mix is no MultiMix, or needs the model; at the start, if there are two of these.

    Example:
        >>> trainer = lightning.Trainer(callbacks=[MixBatch(MultiMix("cutmix", num_mixes=5, num_classes=10))])
    """

    def __init__(self, mix: MultiMix, targets: Targets = None) -> None:
        check_mix(mix, "MixBatch")
        self.mix = mix
        self.targets = targets
        self._replaced: dict[str, Any] | None = None

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Refuse a second one.

        Raises:
            ValueError: if batches would be mixed twice.
        """
        number = sum(isinstance(callback, MixBatch) for callback in trainer.callbacks)  # type: ignore[attr-defined]
        if number > 1:
            raise ValueError(
                f"callbacks must hold one MixBatch, or batches are mixed twice, got {number}; for one of several "
                f'methods give MixBatch(MultiMix(Choice(["mixup", "cutmix"]), ...))'
            )

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Wrap `training_step`."""
        step = pl_module.training_step

        @functools.wraps(step)
        def mixed_step(batch: Any, *args: Any, **kwargs: Any) -> Any:
            return step(mix_batch(self.mix, batch, self.targets, "MixBatch"), *args, **kwargs)

        # A compiled module has its step as an attribute of its own; others only their class's.
        self._replaced = {name: value for name, value in vars(pl_module).items() if name == "training_step"}
        vars(pl_module)["training_step"] = mixed_step

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Put `training_step` back."""
        if self._replaced is not None:
            del vars(pl_module)["training_step"]
            vars(pl_module).update(self._replaced)
            self._replaced = None

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Put `training_step` back: a second fit must not mix twice."""
        self.on_train_end(trainer, pl_module)
