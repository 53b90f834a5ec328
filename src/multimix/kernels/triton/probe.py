"""A first, tiny kernel: whatever is missing for kernels in Triton is missed by it."""

from typing import no_type_check

import torch
import triton
import triton.language as tl

from multimix.kernels.triton.launch import launch

LANES = 32


def run_probe(device: torch.device) -> None:
    """Compile and start the kernel; its result is not waited for."""
    launch(_reverse, (1,), torch.empty(LANES, dtype=torch.int32, device=device), LANES=LANES, num_warps=1)


@no_type_check
@triton.jit
def _reverse(out, LANES: tl.constexpr):
    lane = tl.arange(0, LANES)
    tl.store(out + lane, tl.gather(lane, LANES - 1 - lane, 0))
