"""The mixes of a pair, and what of each comes from where."""

from dataclasses import dataclass

import torch
from torch import Tensor

from multimix import MultiMix, Plan


@dataclass(frozen=True)
class Path:
    """From x to its partner, both included.

    Args:
        plan: What was drawn.
        samples: (K + 2, channels, *spatial).
        shares: (K + 2, *spatial), the share of x at each position.
        weights: Share of x in each label.
    """

    plan: Plan
    samples: Tensor
    shares: Tensor
    weights: list[float]


def make_path(mix: MultiMix, x: Tensor, saliency: Tensor | None, generator: torch.Generator) -> Path:
    """Return the path between two samples.

    Raises:
        TypeError, ValueError: if the method mixes inside a model, or has to ask one.
    """
    y = torch.tensor([0, 1])
    plan = mix.plan(x, y, saliency=saliency, generator=generator)
    x_mix, y_mix = mix.apply(plan, x, y)
    assert y_mix is not None
    # A sample of ones mixed with one of zeros shows the mask, whatever kind of mask it is.
    marks = torch.zeros(2, 1, *x.shape[2:])
    marks[0] = 1
    masks, _ = mix.apply(plan, marks)
    own = slice(None, None, 2)  # rows are mix-major: every second one is of the first pair
    samples = torch.cat([x[:1], x_mix[own], x[1:]])
    shares = torch.cat([marks[:1], masks[own], marks[1:]])[:, 0]
    return Path(plan, samples, shares, [1.0, *y_mix[own, 0].tolist(), 0.0])
