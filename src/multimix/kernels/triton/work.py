"""A plan as plain tensors and numbers: what `mix` and `spread` take, and what a custom operator can be given."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from multimix.masks import Blocks, Boxes, Bump, Constant, Mask, Ordered, Resized


class Work(NamedTuple):
    """A kind of mask, what it holds, and its grid.

    Attributes:
        kind: as in `mix`.
        tensors: the mask's, in the order of `mask0`, `mask1`, `mask2`, `source`; as many as the kind has.
        spatial: sizes of the spatial axes; empty where the mask fits every size.
        grid: cells down and across, how many of them are in a block, and what a share is divided by.
        averages: whether values are averaged, else copied.
    """

    kind: int
    tensors: list[Tensor]
    spatial: list[int]
    grid: list[int]
    averages: bool

    @property
    def moves(self) -> bool:
        """Whether positions may show others, cell by cell."""
        return len(self.tensors) == 4


NO_GRID = [1, 1, 1, 1, 1]


def _constant(mask: Constant) -> Work:
    return Work(0, [mask.share], [], NO_GRID, True)


def _boxes(mask: Boxes) -> Work:
    return Work(1, [mask.low, mask.high], list(mask.spatial), NO_GRID, False)


def _ordered(mask: Ordered) -> Work:
    return Work(2, [mask.level], list(mask.spatial), NO_GRID, False)


def _bump(mask: Bump) -> Work:
    return Work(3, list(mask.factors), list(mask.spatial), NO_GRID, True)


def _resized(mask: Resized) -> Work:
    return _boxes(mask.boxes)._replace(kind=4)


def _blocks(mask: Blocks) -> Work:
    moved = [] if mask.source is None else [mask.source]
    grid = [*mask.cells, *mask.per_block, mask.whole]
    return Work(5, [mask.kept, mask.rows, mask.columns, *moved], list(mask.spatial), grid, mask.averages)


KERNELS: dict[type, Callable[[Any], Work]] = {
    Constant: _constant,
    Boxes: _boxes,
    Ordered: _ordered,
    Bump: _bump,
    Resized: _resized,
    Blocks: _blocks,
}


def work_of(mask: Mask) -> Work | None:
    """Return what the kernels take of a mask; None: there is none for its kind."""
    found = KERNELS.get(type(mask))
    return None if found is None else found(mask)
