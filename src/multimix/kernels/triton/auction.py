"""The auction on a GPU: one program per image and mix, one thread per block, in the CPU's rounds.

In a round every block without a place asks for the nearest it has not lost, and each place keeps the best offer so far:
the lowest number, of price and block in one integer. Which thread is first does not matter.
"""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from multimix.kernels.triton.cells import next_power
from multimix.kernels.triton.launch import launch

NOBODY = tl.constexpr(0x7FFFFFFFFFFFFFFF)


@no_type_check
@triton.jit
def offer(bid, block):
    """Return an integer that is lower where the bid is, and for equal bids where the block is. Bids are below 0."""
    lower = 0x7FFFFFFF - (bid.to(tl.int32, bitcast=True) & 0x7FFFFFFF)
    return (lower.to(tl.int64) << 32) | block


@no_type_check
@triton.jit
def search(kept, asks, position, amount, row, column, moves, table, mask):
    """Return the next move of each asking block that pays, to a visible place; its place, or none left."""
    down, right, price = table
    height, width, tall, wide, least, most = mask
    searching = asks
    goal = row * 0
    bid = amount * 0
    left = tl.max(searching.to(tl.int32), axis=0)
    while left != 0:
        there = searching & (position < moves)
        bid = tl.where(searching, tl.load(price + position, mask=there, other=float("inf")) - amount, bid)
        pays = there & (bid < 0)
        r = row + tl.load(down + position, mask=pays, other=0)
        c = column + tl.load(right + position, mask=pays, other=0)
        inside = pays & (r >= 0) & (r < height) & (c >= 0) & (c < width)
        share = tl.load(kept + r // tall * (width // wide) + c // wide, mask=inside, other=0).to(tl.int32)
        found = inside & (share >= least) & (share <= most)
        goal = tl.where(found, r * width + c, goal)
        asks &= pays | ~searching
        searching = pays & ~found
        position += searching.to(tl.int32)
        left = tl.max(searching.to(tl.int32), axis=0)
    return asks, position + left, goal, bid  # 0 by now; see search.py


@no_type_check
@triton.jit(do_not_specialize=["pairs", "whole", "height", "width", "tall", "wide", "moves", "rounds"])
def auction(
    kept,
    saliency,
    sample,
    partner,
    down,
    right,
    price,
    best,
    source,
    pairs,
    whole,
    height,
    width,
    tall,
    wide,
    moves,
    rounds,
    LANES: tl.constexpr,
):
    """Fill `source[k, p, image]`: for each place the block that goes there; itself where nobody asked."""
    program = tl.program_id(0).to(tl.int64)
    image, pair = program % 2, program // 2 % pairs
    places = height * width
    block = tl.arange(0, LANES)
    present = block < places
    own = tl.load(tl.where(image == 0, sample, partner) + pair)
    kept += program // 2 * (height // tall) * (width // wide)
    best += program * LANES
    amount = tl.load(saliency + own * places + block, mask=present, other=0).to(tl.float32)
    least, most = tl.where(image == 0, 1, 0), tl.where(image == 0, whole, whole - 1)
    mask = height, width, tall, wide, least, most
    table = down, right, price
    row, column = block // width, block % width
    position = block * 0
    asks = present & (amount > 0)
    held = block < 0
    goal = block * 0
    mine = block.to(tl.int64) * 0
    tl.store(best + block, tl.full([LANES], NOBODY, tl.int64))
    tl.debug_barrier()
    for _ in range(rounds):
        if tl.max(asks.to(tl.int32), axis=0) != 0:
            asks, position, place, bid = search(kept, asks, position, amount, row, column, moves, table, mask)
            goal = tl.where(asks, place, goal)
            mine = tl.where(asks, offer(bid, block), mine)
            tl.atomic_min(best + goal, mine, mask=asks)
            tl.debug_barrier()  # every offer is in
            held |= asks
            won = tl.load(best + goal, mask=held, other=0, cache_modifier=".cg") == mine
            tl.debug_barrier()  # every result is read before the next offers
            asks = held & ~won
            held &= won
            position += asks.to(tl.int32)
    winner = tl.load(best + block, mask=present, other=0, cache_modifier=".cg")
    winner = tl.where(winner == NOBODY, block, (winner & 0xFFFFFFFF).to(tl.int32))
    tl.store(source + program * places + block, winner, mask=present)


def transport_pairs(
    kept: Tensor,
    whole: int,
    saliency: Tensor,
    sample: Tensor,
    partner: Tensor,
    moves: tuple[Tensor, Tensor, Tensor],
    rounds: int,
) -> Tensor:
    """As `multimix.puzzle.transport` with the rule `"auction"`, for up to 256 places.

    The moves are the columns of its table: down, right, price.
    """
    mixes, pairs, *sides = kept.shape
    height, width = saliency.shape[1:]
    places = height * width
    lanes = max(32, next_power(places))
    source = kept.new_empty((mixes, pairs, 2, places), dtype=torch.int32)
    best = kept.new_empty((mixes * pairs * 2, lanes), dtype=torch.int64)
    tensors = kept.contiguous(), saliency.detach().contiguous(), sample, partner, *moves, best, source
    sizes = pairs, whole, height, width, height // sides[0], width // sides[1], len(moves[0]), rounds
    launch(auction, (mixes * pairs * 2,), *tensors, *sizes, LANES=lanes, num_warps=lanes // 32)
    return source
