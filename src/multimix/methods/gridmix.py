"""GridMix: each cell of a grid from the sample or from the partner."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64, Int64

from multimix.grid import Axis, cell_numbers, cell_sizes
from multimix.masks import LEVELS, Ordered
from multimix.methods.method import Method
from multimix.methods.step import Step, checked_alpha
from multimix.scalars import as_integer


@dataclass(frozen=True)
class GridMix(Method):
    """Cut both into cells, and keep as many of the sample's as lam says, wherever they lie.

    One random order of the cells per pair; mix k keeps the first cells of it, as many as bring the kept share of
    positions nearest to lam[k]. So masks are nested, and each cell is kept with probability lam, up to rounding. Cells
    of one axis differ in size by at most one position; labels weigh positions. Series, images and volumes.

    The mixing of the paper, not all of it: it also predicts a label for every cell, with a head and a loss of their
    own; `dense_targets=True` gives labels to models that have such. How the paper draws its cells, and how many, we
    could not look up, and found no code of its authors: the order, which nests, and the default are ours. With a draw
    for each cell the kept share would scatter around lam. What OpenMixup calls gridmix is another method: small holes
    at regular distances, all of one size, that grow as lam falls.

    Args:
        alpha: shape of the Beta(alpha, alpha) law of the coefficients, > 0.
        grid: n, cells per spatial axis, >= 1; an axis of fewer positions has one cell for each.

    Raises:
        ValueError: if alpha is not a finite number > 0, or grid no integer >= 1.

    References:
        Baek, Bang, Shim, 2021, GridMix: Strong regularization through local context mapping, Pattern Recognition 109.
    """

    alpha: float = 1.0
    grid: int = 4
    cuts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checked_alpha("GridMix", self.alpha))
        grid = as_integer(self.grid)
        if grid is None or grid < 1:
            raise ValueError(f"grid must be an integer >= 1, got grid={self.grid!r}; try GridMix(grid=4)")
        object.__setattr__(self, "grid", grid)

    def mask(self, step: Step) -> Ordered:
        """K nested masks per pair."""
        axes = tuple(Axis(size, min(self.grid, size)) for size in step.spatial)
        size = cell_sizes(axes)
        order = step.geometry.random((step.lam.shape[1], len(size))).argsort(axis=1)
        sizes = size[order]
        first = first_cells(step.lam, sizes)
        kept = np.where(first > 0, np.take_along_axis(sizes.cumsum(1).T, np.maximum(first - 1, 0), axis=0), 0)
        dtype = np.uint8 if len(first) <= LEVELS else np.int16
        level = np.empty(order.shape, dtype)
        np.put_along_axis(level, order, (np.arange(len(size)) < first[..., None]).sum(0, dtype=dtype), axis=1)
        levels, num_kept = step.tensors(level, kept)
        cells = cell_numbers(axes, levels.device)
        return Ordered(levels.gather(1, cells.expand(len(level), -1)).view(-1, *step.spatial), num_kept)


def first_cells(lam: Float64[np.ndarray, "K P"], sizes: Int64[np.ndarray, "P cells"]) -> Int64[np.ndarray, "K P"]:
    """How many cells, in the order of their sizes, hold the share of positions that is nearest to lam."""
    ends = sizes.cumsum(axis=1)
    middle = (ends - sizes / 2) / ends[:, -1:]  # between the shares without and with each cell
    return np.asarray((middle.T[:, None] < lam).sum(0))  # sums along rows are vector code
