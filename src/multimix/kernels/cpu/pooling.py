"""Means of cells of any size on the CPU, at one pass over the image."""

from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from multimix.kernels.threads import kernel, over_pairs, threads_by_pairs


@no_type_check
@kernel
def pool_planes(first, last, images, row_edges, column_edges, means):
    """Fill `means` for the planes from first to last: lines are summed whole, which is vector code, then cut."""
    line = np.empty(images.shape[2], images.dtype)
    for plane in range(first, last):
        for r in range(row_edges.size - 1):
            line[:] = images[plane, row_edges[r]]
            for y in range(row_edges[r] + 1, row_edges[r + 1]):
                added = images[plane, y]
                for c in range(line.size):
                    line[c] += added[c]
            for c in range(column_edges.size - 1):
                part = line[column_edges[c] : column_edges[c + 1]]
                total = line.dtype.type(0)
                for i in range(part.size):
                    total += part[i]
                means[plane, r, c] = total / ((row_edges[r + 1] - row_edges[r]) * part.size)


def pool(images: Float[Tensor, "B C H W"], rows: list[int], columns: list[int]) -> Float[Tensor, "B C h w"]:
    """Return the mean of every cell, given where cells start and the last ends."""
    means = torch.empty((*images.shape[:2], len(rows) - 1, len(columns) - 1), dtype=images.dtype, device="cpu")
    planes = images.detach().resolve_neg().contiguous().flatten(0, 1)
    numbers = planes.numpy(), np.array(rows), np.array(columns), means.flatten(0, 1).numpy()
    over_pairs(pool_planes, len(planes), threads_by_pairs(len(planes)), *numbers)
    return means
