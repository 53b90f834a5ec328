"""Where a block may move to, and what that costs."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multimix.shapes import to_device


class Moves(NamedTuple):
    """Moves on a grid, nearest first, ties in reading order.

    Attributes:
        down: blocks downwards.
        right: blocks to the right.
        price: what the move costs.
        rounds: how often sources may ask.
    """

    down: NDArray[np.int32]
    right: NDArray[np.int32]
    price: NDArray[np.float32]
    rounds: int


@lru_cache(maxsize=64)
def moves(height: int, width: int, cost: float) -> Moves:
    """All moves that can pay on a grid: a block has a saliency of at most 1."""
    side = max(height, width)
    unit = np.float32(max(side - 1, 1) ** 2)
    down, right = np.meshgrid(np.arange(1 - height, height), np.arange(1 - width, width), indexing="ij")
    squared = down**2 + right**2
    price = np.float32(cost) * (squared.astype(np.float32) / unit)
    order = np.lexsort((right.ravel(), down.ravel(), squared.ravel()))
    order = order[price.ravel()[order] < 1]
    downwards, rightwards = (a.ravel()[order].astype(np.int32) for a in (down, right))
    return Moves(downwards, rightwards, price.ravel()[order], side)


@lru_cache(maxsize=64)
def moves_on(device: torch.device, height: int, width: int, cost: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the columns of `moves` on a device, where they stay: nothing is copied in a later step."""
    with torch.inference_mode(False):
        down, right, price = (to_device(torch.from_numpy(a), device) for a in moves(height, width, cost)[:3])
    return down, right, price
