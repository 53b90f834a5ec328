"""What stands out in a batch, without a model: how far places differ from their surroundings, at several scales."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

CELLS = 32  # along the longest axis of what is looked at: finer detail is averaged, and costs nothing
REACHES = (2, 4, 8)  # cells, where there are so many: surroundings of about 1/8, 1/4 and 1/2 of the axis
FLAT = 1e-5  # of the largest value: what differs less is rounding
POOLS: tuple[Callable[..., Tensor], ...] = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
MODES = ("linear", "bilinear", "trilinear")


def contrast(x: Tensor) -> Float[Tensor, "B *spatial"]:
    """The distance between the mean of each cell and the mean of its surroundings, averaged over three sizes of those.

    Cells are positions, or in larger images 1/32 of the longest axis; between their middles values are interpolated.
    Distances are Euclidean over the channels. Where nothing differs by more than rounding they are exactly 0, so a
    constant image is 0 throughout.

    Args:
        x: the batch, (B, L) or (B, C, *spatial) with one to three spatial axes, of any real type.
    """
    values = x.detach()[:, None] if x.ndim == 2 else x.detach()
    values = values if values.dtype == torch.float64 else values.float()
    spatial = values.shape[2:]
    scale = min(1.0, CELLS / max(spatial))
    size = [max(1, round(scale * positions)) for positions in spatial]
    cells = POOLS[len(size) - 1](values, size) if scale < 1 else values
    axes = tuple(range(1, cells.ndim))
    most = cells.abs().amax(axes)
    cells = cells - cells.mean(axes, keepdim=True)  # so that rounding is in proportion to what differs
    total = torch.zeros_like(cells[:, 0])
    for reach in REACHES:
        surroundings = _local_mean(cells, max(1, round(reach * max(size) / CELLS)))
        distance = (cells - surroundings).square().sum(1).sqrt()  # vector_norm is slow along this axis
        total += distance.where(distance > FLAT * most.reshape(-1, *[1] * len(size)), 0.0)
    total = total / len(REACHES)
    return F.interpolate(total[:, None], size=spatial, mode=MODES[len(size) - 1])[:, 0] if scale < 1 else total


def _local_mean(cells: Tensor, reach: int) -> Tensor:
    """Return the mean over all cells within so many steps along each axis, as far as they lie in the image."""
    kind = cells.device.type
    with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
        for axis in range(2, cells.ndim):
            place = torch.arange(cells.shape[axis], device=cells.device)
            near = ((place[:, None] - place).abs() <= reach).to(cells.dtype)
            cells = F.linear(cells.movedim(axis, -1), near / near.sum(1, keepdim=True)).movedim(-1, axis)
    return cells
