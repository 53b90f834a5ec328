"""The mean of every cell of an image."""

from functools import lru_cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor

from multimix.grid import Axis


@lru_cache(maxsize=256)
def _averaging(axis: Axis) -> Float64[Tensor, "cells size"]:
    edges = axis.edges()
    matrix = torch.zeros(axis.total, axis.size, dtype=torch.float64, device="cpu")
    for i, (a, b) in enumerate(pairwise(edges)):
        matrix[i, a:b] = 1 / (b - a)
    return matrix


def cell_means(image: Float[Tensor, "B C H W"], rows: Axis, columns: Axis) -> Float[Tensor, "B C h w"]:
    """Return the mean of every cell. Without the compiled kernel, uneven cells cost two small matrix products."""
    if image.device.type == "cpu" and image.dtype in (torch.float32, torch.float64):
        from multimix.kernels.cpu.pooling import pool  # numba takes half a second to import

        return pool(image, rows.edges(), columns.edges())
    if rows.even and columns.even:
        return F.avg_pool2d(image, (rows.size // rows.total, columns.size // columns.total))
    left, right = (_averaging(axis).to(image.device, image.dtype) for axis in (rows, columns))
    return left @ (image @ right.mT)
