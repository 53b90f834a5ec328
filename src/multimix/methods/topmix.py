"""TopMix: the most salient places of the sample, the partner everywhere else."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from multimix.contrast import POOLS
from multimix.grid import Axis, cell_numbers, cell_sizes
from multimix.masks import LEVELS, Ordered
from multimix.methods.method import Method
from multimix.methods.step import Step, check_saliency_source, checked_alpha, checked_criterion
from multimix.puzzle.saliency import input_saliency
from multimix.scalars import as_integer


@dataclass(frozen=True)
class TopMix(Method):
    """Keep the cells in which the sample is most salient, as many as lam says, and show the partner in all others.

    One order of the cells per pair, from the most to the least salient; mix k keeps the first `floor(lam[k] * N)` of N
    cells, so one sort gives K nested masks. Of cells that are equally salient the first in reading order count as more.
    Labels weigh the positions kept. Series, tokens, images and volumes.

    Saliency is given (`saliency=...`: attention, for example), or that of Puzzle Mix: how fast the model's own loss
    changes with each position. A cell has the mean of its positions; where cells differ in size, of up to one position
    more along each axis. Nothing is averaged in the mix, so token numbers (B, L) are mixed too, by `grid=None` and a
    saliency of their own.

    The rule by which MergeMix chooses patches, and not all of it: there saliency is attention between merged tokens,
    and labels are weighted by how far tokens were merged.

    Args:
        alpha: shape of the Beta(alpha, alpha) law of the coefficients, > 0.
        grid: n, cells per spatial axis, >= 1, such as the patches of a vision transformer; an axis of fewer positions
            has one cell for each. None: every position is a cell.
        criterion: the loss whose gradient is the saliency, where none is given.

    Raises:
        ValueError: if alpha is not a finite number > 0, or grid neither an integer >= 1 nor None.

    References:
        Jin et al., 2025, MergeMix: A Unified Augmentation Paradigm for Visual and Multi-Modal Understanding, arXiv
        2510.23479.
    """

    alpha: float = 1.0
    grid: int | None = 8
    criterion: Callable[[Any, Tensor], Tensor] = F.cross_entropy
    cuts: ClassVar[bool] = True
    salient: ClassVar[bool] = True
    asks_model: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checked_alpha("TopMix", self.alpha))
        checked_criterion(self.criterion)
        if self.grid is None:
            return
        grid = as_integer(self.grid)
        if grid is None or grid < 1:
            raise ValueError(f"grid must be an integer >= 1 or None, got grid={self.grid!r}; try TopMix(grid=8)")
        object.__setattr__(self, "grid", grid)

    def check_input(self, x: Tensor, y: Tensor | None, model: nn.Module | None, saliency: Tensor | None) -> None:
        """Refuse a batch that cannot be cut, and one whose saliency cannot be found.

        Raises:
            ValueError: if x has not one to three spatial axes; or if saliency is missing, and the model or targets are
                too, or no gradient reaches x.
        """
        super().check_input(x, y, model, saliency)
        check_saliency_source("TopMix", x, y, model, saliency)

    def find_saliency(self, x: Tensor, y: Tensor | None, model: nn.Module | None) -> Float[Tensor, "B *spatial"]:
        """Saliency of a batch, from the model."""
        assert y is not None
        assert model is not None
        return input_saliency(model, x, y, self.criterion)

    def mask(self, step: Step) -> Ordered:
        """K nested masks per pair."""
        assert step.saliency is not None
        axes = tuple(Axis(size, min(self.grid or size, size)) for size in step.spatial)
        sizes = cell_sizes(axes)
        first = np.floor(step.lam * len(sizes)).astype(np.int64)
        dtype = np.uint8 if len(first) <= LEVELS else np.int16
        by_rank = (np.arange(len(sizes)) < first[..., None]).sum(0, dtype=dtype)
        levels, kept, mixes = step.tensors(by_rank, first * sizes[0], np.arange(len(first)).reshape(-1, 1, 1))
        order = _falling(step.saliency[: len(by_rank)].detach(), [axis.total for axis in axes])
        level = torch.empty_like(levels).scatter_(1, order, levels)
        if len(sizes) < math.prod(step.spatial):
            cells = cell_numbers(axes, level.device)
            level = level.gather(1, cells.expand(len(level), -1))
        if sizes.min() < sizes.max():  # positions are counted in fewer launches than cells are weighed
            kept = (level > mixes).sum(-1)
        return Ordered(level.view(-1, *step.spatial), kept)


def _falling(saliency: Float[Tensor, "P *spatial"], cells: list[int]) -> Int64[Tensor, "P N"]:
    """Return the cells of each sample, in reading order, from the most salient to the least."""
    values = saliency if saliency.dtype.itemsize >= 4 else saliency.float()
    if tuple(cells) != values.shape[1:]:
        values = POOLS[len(cells) - 1](values[:, None], cells)
    return values.flatten(1).sort(dim=1, descending=True, stable=True).indices
