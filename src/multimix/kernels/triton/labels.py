"""Integer labels as soft ones, in one launch."""

from typing import no_type_check

import triton
import triton.language as tl
from torch import Tensor

from multimix.kernels.triton.launch import launch
from multimix.kernels.triton.places import part_of_row

BLOCK = 1024  # classes in a program


def soften(y: Tensor, sample: Tensor | None, partner: Tensor, weight: Tensor, out: Tensor) -> None:
    """Fill `out[k, i] = w onehot(y[sample[i]]) + (1 - w) onehot(y[partner[k, i]])`, with w = `weight[k, i]`.

    A label that is no class makes its rows nan: values cannot be looked at by the host.

    Args:
        y: (B,), integers.
        sample: (P,), or None: pair i keeps row i.
        partner: (P,) or (K, P).
        weight: (K, P), float32.
        out: (K * P, C), float32 or float64.
    """
    pairs = weight.shape[1]
    classes = out.shape[1]
    block = min(BLOCK, max(16, 1 << (classes - 1).bit_length()))
    partner = partner.contiguous()
    launch(
        soften_rows,
        (len(out) * -(-classes // block),),
        *(y.contiguous(), partner if sample is None else sample.contiguous(), partner, weight.contiguous(), out),
        *(pairs, classes),
        SAMPLED=sample is not None,
        FRESH=partner.ndim == 2,
        BLOCK=block,
        num_warps=max(1, min(4, block // 128)),
    )


@no_type_check
@triton.jit(do_not_specialize=["pairs"])
def soften_rows(
    y,
    sample,
    partner,
    weight,
    out,
    pairs,
    classes,
    SAMPLED: tl.constexpr,
    FRESH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Fill a part of a row of `out`."""
    row, c = part_of_row(classes, BLOCK)
    pair = row % pairs
    mine = pair
    if SAMPLED:
        mine = tl.load(sample + pair)
    own = tl.load(y + mine).to(tl.int64)
    other = tl.load(y + tl.load(partner + (row if FRESH else pair))).to(tl.int64)
    kept = tl.load(weight + row).to(out.dtype.element_ty)
    share = tl.where(c == own, kept, 0.0) + tl.where(c == other, 1 - kept, 0.0)
    fine = (own >= 0) & (own < classes) & (other >= 0) & (other < classes)
    tl.store(out + row * classes + c, tl.where(fine, share, float("nan")), mask=c < classes)
