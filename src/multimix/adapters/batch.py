"""What an adapter that only sees batches may mix, and how: by methods that work at the input."""

from dataclasses import fields
from typing import Any, Self

from torch import Tensor

from multimix import MultiMix
from multimix.suggest import OTHER_NAMES

SETTINGS = {item.name for item in fields(MultiMix)} | set(OTHER_NAMES)


class TakesMix:
    """An adapter that is given a MultiMix, and none of its settings."""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Refuse settings that belong to the mixer.

        Raises:
            TypeError: if there is one.
        """
        for name in sorted(SETTINGS & options.keys()):
            raise TypeError(
                f"settings must be given to the mixer, got {cls.__name__}(..., {name}={options[name]!r}); pass "
                f"mix=MultiMix(..., {OTHER_NAMES.get(name, name)}={options[name]!r})"
            )
        return super().__new__(cls)


def check_mix(mix: object, owner: str) -> None:
    """Refuse, before any work, what a batch alone is not enough for.

    Args:
        mix: what the user gave.
        owner: the name of the adapter, for the message.

    Raises:
        TypeError: if mix is no MultiMix.
        ValueError: if a method that may be drawn needs the model.
    """
    if not isinstance(mix, MultiMix):
        raise TypeError(f'mix must be a MultiMix, got mix={mix!r}; pass {owner}(MultiMix("mixup", num_classes=10))')
    for method in mix.method.options:
        if method.inside or method.asks_model:
            raise ValueError(
                f"mix must need nothing but the batch to be used by {owner}, got method={type(method).__name__}, which "
                f"needs the model; use logits, y_mix = mix.run(model, x, y) in the training step"
            )


def check_pair(batch: Any, owner: str, instead: str) -> tuple[Tensor, Tensor]:
    """Return the x and y of a batch.

    Args:
        batch: what the framework gave.
        owner: the name of the adapter, for the message.
        instead: what to do with any other batch, for the message.

    Raises:
        TypeError: if the batch is not a list or tuple of two tensors.
    """
    parts = batch if isinstance(batch, (list, tuple)) else None
    if parts is None or len(parts) != 2 or not all(isinstance(part, Tensor) for part in parts):
        got = type(batch).__name__ if parts is None else "(" + ", ".join(type(part).__name__ for part in parts) + ")"
        raise TypeError(f"{owner} mixes batches of two tensors (x, y), got batch={got}; {instead}")
    x, y = parts
    return x, y
