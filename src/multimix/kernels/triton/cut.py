"""Exact masks on a GPU: one program per pair, the masks of the CPU's solver bit for bit."""

from typing import NamedTuple

import torch
from torch import Tensor

from multimix.kernels.triton.available import MOST_PLACES
from multimix.kernels.triton.integers import HEADER
from multimix.kernels.triton.launch import launch
from multimix.kernels.triton.prove import prove
from multimix.kernels.triton.repair import repair


class Effort(NamedTuple):
    """What every pair took; on the device.

    Attributes:
        steps: dual steps to the proof, -1 where there was none.
        sweeps: sweeps over the grid that repaired a pair without proof, else 0.
    """

    steps: Tensor
    sweeps: Tensor


def cut_pairs(gain: Tensor, right: Tensor, down: Tensor, thresholds: Tensor, spread: Tensor | None = None) -> Tensor:
    """As `puzzle.solve.solve_levels`, on grids of up to 256 blocks: exact, of tied masks the smallest.

    No value is read by the host. Raises ValueError for larger grids.
    """
    return cut_with_effort(gain, right, down, thresholds, spread)[0]


def cut_with_effort(
    gain: Tensor, right: Tensor, down: Tensor, thresholds: Tensor, spread: Tensor | None = None
) -> tuple[Tensor, Effort]:
    """`cut_pairs`, and what it took."""
    pairs, height, width = gain.shape
    num_mixes, layers = len(thresholds), 1 if spread is None else 2
    if height * width > MOST_PLACES:
        raise ValueError(
            f"a grid must have at most {MOST_PLACES} blocks, got gain: {tuple(gain.shape)}; "
            f"multimix.puzzle.solve has larger ones solved on the CPU"
        )
    kept = gain.new_empty((num_mixes, pairs, height, width), dtype=torch.uint8)
    # Each in memory of its own: parts of one tensor are not aligned for every P, and a kernel is compiled for either.
    effort = Effort(*(gain.new_empty(pairs, dtype=torch.int32) for _ in range(2)))
    if kept.numel() == 0:
        return kept, effort
    lanes = lanes_of(height * width)
    families = 2 if layers == 1 else 9
    rows = (layers, 2 * layers, families)
    amounts, weights, flows = (gain.new_empty((pairs, n, lanes), dtype=torch.int64) for n in rows)
    limits = gain.new_empty((pairs, num_mixes + HEADER.value), dtype=torch.int64)
    unread = gain  # in place of what two levels have not
    terms = (gain, unread if spread is None else spread, right, down, thresholds)
    energy = [term.detach().contiguous() for term in terms]
    most = most_steps(height, width)
    momentum = most_momentum(height, width, layers)
    shape = {"HEIGHT": height, "WIDTH": width, "LANES": lanes, "LAYERS": layers, "num_warps": lanes // 32}
    scratch = (amounts, weights, limits, flows)
    launch(prove, (pairs,), *energy, kept, *scratch, *effort, num_mixes, pairs, most, momentum, **shape)
    launch(repair, (pairs,), kept, *scratch, *effort, num_mixes, pairs, **shape)
    return kept, effort


def lanes_of(blocks: int) -> int:
    """Return a power of two, at least one warp: an exchange within one needs no shared memory."""
    return max(32, 1 << (blocks - 1).bit_length())


def most_steps(height: int, width: int) -> int:
    """Step after which phase 2 takes over: 256 on a grid of 16, where 99 % of real pairs are proved after 132."""
    return min(max(16 * max(height, width), 32), 512)


def most_momentum(height: int, width: int, layers: int) -> float:
    """As on the CPU: found by trying."""
    return max(1.0 - 1.6 / max(height, width), 0.0) if layers == 1 else 1.0
