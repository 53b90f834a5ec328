"""Batches and methods that several parts mix."""

import torch
from torch import Tensor

from multimix import ManifoldMixup, MultiMix
from multimix.methods import METHODS

CLASSES = 100


def batch(
    pairs: int, side: int, device: torch.device, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and saliency: the same numbers on every device."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(pairs, 3, side, side, generator=generator)
    y = torch.randint(CLASSES, (pairs,), generator=generator)
    saliency = torch.rand(pairs, side, side, generator=generator) ** 4
    return x.to(device, dtype), y.to(device), saliency.to(device)


def mixers(num_mixes: int) -> dict[str, MultiMix]:
    """Every method; Manifold Mixup mixes at the model's input."""
    methods = {name: ManifoldMixup(layers=[""]) if name == "manifold" else name for name in METHODS}
    return {name: MultiMix(method, num_mixes=num_mixes, num_classes=CLASSES) for name, method in methods.items()}


def seed(number: int) -> torch.Generator:
    """A generator for a plan."""
    return torch.Generator().manual_seed(number)
