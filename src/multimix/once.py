"""Batches that an adapter has mixed, by identity: to mix them again is hardly ever meant."""

import warnings

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

_mixed = WeakTensorKeyDictionary()


def note_mixed(x: Tensor, owner: str) -> Tensor:
    """Remember, as long as this very tensor lives, which adapter mixed it; return it."""
    _mixed[x] = owner
    return x


def warn_of_mixed(x: Tensor) -> None:
    """Warn where an adapter mixed this very tensor; copies, such as those on another device, are not known."""
    if not torch.compiler.is_compiling() and _mixed and x in _mixed:
        warnings.warn(
            f"x is mixed again, {_mixed[x]} mixed it before: rows and labels get mixes of mixes; mix once, "
            f"either there or here",
            UserWarning,
            stacklevel=4,
        )
