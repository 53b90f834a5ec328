"""Where each visible block takes its pixels from: salient blocks move to places that show them.

A source block pays `cost * distance^2` and brings its saliency; it may only go where it brings more than it pays, so
it looks at a small window, and the windows of an image together hold a few times as many places as it has blocks, as
its saliency sums to 1. The authors' auction is a deferred acceptance that is stopped after n rounds: each source
without a place asks for the nearest one it has not lost; each place keeps the best that asked. A dense plan of blocks
times blocks is never made.

Reference: Kim et al., 2020, Puzzle Mix, arXiv 2009.06962, sec. 4.3, algorithm 1.
"""

from jaxtyping import Float, Int32, Int64
from torch import Tensor

from multimix.puzzle.moves import moves, moves_on
from multimix.puzzle.where import CPU, moved_together, solved_here
from multimix.shapes import to_device


def transport(
    kept: Tensor,
    whole: int,
    saliency: Float[Tensor, "B h w"],
    sample: Int64[Tensor, "P"],
    partner: Int64[Tensor, "P"],
    cost: float,
    rule: str = "auction",
) -> Int32[Tensor, "K P 2 places"]:
    """For every mix, image and place the block whose pixels go there: the authors' auction, on every visible place.

    Where all of a visible place's saliency is zero and nobody asks for it, it keeps its own pixels (the authors' code
    leaves it black).

    Args:
        kept: (K, P, rows, columns) integers from 0 to `whole`: how much of the sample a block of the mask keeps.
        whole: 1 with two levels, 2 with three.
        saliency: on the transport's own grid, whose sides are multiples of the mask's; sums to 1 per image.
        sample: rows of saliency that the pairs keep.
        partner: rows of saliency they mix with.
        cost: price of a move across the whole grid, relative to all of an image's saliency.
        rule: `"auction"`, or `"exact"` for the cheapest assignment of blocks to visible places, found on the CPU.

    Returns:
        The block shown at each place, bit for bit the same on every device.
    """
    height, width = saliency.shape[1:]
    device, table = kept.device, moves(height, width, float(cost))
    if rule != "exact" and solved_here(device, height * width):
        from multimix.kernels.triton.auction import transport_pairs  # only where there is Triton

        columns = moves_on(device, height, width, float(cost))
        return transport_pairs(kept, whole, saliency, sample, partner, columns, table.rounds)
    kept, saliency, sample, partner = moved_together([kept, saliency, sample, partner], CPU)
    if rule == "exact":
        from multimix.puzzle.assignment import assign

        return to_device(assign(kept, whole, saliency, sample, partner, table), device)
    from multimix.kernels.cpu.auction import transport_compiled  # numba takes half a second to import

    return to_device(transport_compiled(kept, whole, saliency, sample, partner, table), device)
