"""What stands out in a batch, without a model: how far places differ from their surroundings, at several scales."""

import torch
from jaxtyping import Float
from torch import Tensor

CENTRE = 1 / 16  # of the longest axis: the side of what is compared with its surroundings
SURROUNDINGS = (1 / 8, 1 / 4, 1 / 2)
FLAT = 1e-5  # of the largest value: what differs less is rounding


def contrast(x: Tensor) -> Float[Tensor, "B *spatial"]:
    """The distance between the mean of each position's neighbourhood and those of its wider surroundings.

    Distances are Euclidean over the channels, and their mean over the surroundings is taken. Where nothing differs by
    more than rounding it is exactly 0, so a constant image is 0 throughout.

    Args:
        x: the batch, (B, L) or (B, C, *spatial), of any real type; narrow ones are computed in float32.
    """
    values = x.detach()[:, None] if x.ndim == 2 else x.detach()
    values = values if values.dtype == torch.float64 else values.float()
    axes = tuple(range(1, values.ndim))
    most = values.abs().amax(axes, keepdim=True)
    values = values - values.mean(axes, keepdim=True)  # sums along an axis stay small
    longest = max(values.shape[2:])
    centre = _local_mean(values, CENTRE * longest)
    total = torch.zeros_like(values[:, 0])
    for share in SURROUNDINGS:
        distance = torch.linalg.vector_norm(centre - _local_mean(values, share * longest), dim=1)
        total += distance.where(distance > FLAT * most[:, 0], 0.0)
    return total / len(SURROUNDINGS)


def _local_mean(values: Tensor, side: float) -> Tensor:
    """The mean over a window around each position, of an odd side near this one, as far as it lies in the image."""
    reach = max(0, round((side - 1) / 2))
    for axis in range(2, values.ndim):
        size = values.shape[axis]
        position = torch.arange(size, device=values.device)
        low, high = (position - reach).clamp_min(0), (position + reach + 1).clamp_max(size)
        sums = values.cumsum(axis)
        sums = torch.cat([torch.zeros_like(sums.narrow(axis, 0, 1)), sums], axis)
        count = (high - low).reshape(-1, *[1] * (values.ndim - 1 - axis))
        values = (sums.index_select(axis, high) - sums.index_select(axis, low)) / count
    return values
