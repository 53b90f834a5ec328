"""Phase 2: the masks of pairs that phase 1 has not proved, by push-relabel on its rounded flow, all nodes at once.

Thresholds ascend; what could still flow is carried from one to the next. For a threshold, a node above it sends what
it has too much to a neighbour one step nearer to a node below it. Distances are exact at the start of a round, and
lower bounds in its sweeps: they never fall, so the rounds come to an end, as in every push-relabel algorithm. Then the
mask is all that flow can still reach from a node above the threshold: the smallest minimiser.

References:
    Goldberg and Tarjan (1988), A new approach to the maximum-flow problem. Cherkassky and Goldberg (1997), On
    implementing the push-relabel method for the maximum flow problem (global relabelling).
"""

from typing import no_type_check

import triton
import triton.language as tl

from multimix.kernels.triton.arcs import around, open_arcs, pushes, receive, residuals
from multimix.kernels.triton.dual import whole_levels
from multimix.kernels.triton.integers import HEADER
from multimix.kernels.triton.layers import above, any_of, neighbours, store_mask
from multimix.kernels.triton.search import FAR, closure, differ, distances, nearer, spread_out, to_sinks

SWEEPS = tl.constexpr(12)  # per round, found by trying


@no_type_check
@triton.jit
def stranded(level, threshold, distance, LAYERS: tl.constexpr):
    """1 if a node above the threshold could still send something to one below it, else 0."""
    flags = ()
    for layer in tl.static_range(LAYERS):
        flags += ((level[layer] > threshold) & (distance[layer] < FAR),)
    return any_of(flags, LAYERS)


@no_type_check
@triton.jit(do_not_specialize=["num_mixes", "pairs"])
def repair(
    kept,
    amounts,
    weights,
    limits,
    flows,
    steps,
    sweeps,
    num_mixes,
    pairs,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    LANES: tl.constexpr,
    LAYERS: tl.constexpr,
):
    """Fill `kept[:, pair]` where `prove` found no proof, and `sweeps[pair]` with what it took."""
    pair = tl.program_id(0).to(tl.int64)
    if tl.load(steps + pair) >= 0:
        return
    lane = tl.arange(0, LANES)
    after, before = neighbours(lane, LANES, WIDTH)
    limits += pair * (num_mixes + HEADER)
    flows += pair * (2 if LAYERS == 1 else 9) * LANES
    flow, forth, back, between = residuals(
        flows, weights + pair * 2 * LAYERS * LANES, limits, lane, before, LANES, LAYERS
    )
    level = whole_levels(flow, amounts + pair * LAYERS * LANES, before, lane, LANES, LAYERS)
    bottom, top = tl.load(limits), tl.load(limits + 1)
    total = 0
    for k in range(num_mixes):
        threshold = tl.load(limits + HEADER + k)
        mask = above(level, bottom, top, threshold, LAYERS)
        arcs = open_arcs(forth, back, between, LAYERS)
        active = differ(spread_out(mask, arcs, after, before, LAYERS), mask, LAYERS)
        while active != 0:
            distance, taken = distances(level, threshold, arcs, after, before, LANES, LAYERS)
            total += taken
            active = stranded(level, threshold, distance, LAYERS)
            if active != 0:
                for _ in range(SWEEPS):
                    beside = around(distance, after, before)
                    out_forth, out_back, out_between, left = pushes(
                        level, threshold, distance, beside, forth, back, between, LAYERS
                    )
                    level, forth, back, between = receive(
                        out_forth, out_back, out_between, left, forth, back, between, after, before, LAYERS
                    )
                    arcs = open_arcs(forth, back, between, LAYERS)
                    distance = to_sinks(level, threshold, nearer(arcs, distance, beside, LAYERS), LAYERS)
                total += SWEEPS
        mask = above(level, bottom, top, threshold, LAYERS)
        mask, taken = closure(mask, arcs, after, before, LAYERS)
        total += taken + active  # 0 by now; see search.py
        store_mask(mask, kept, k * pairs + pair, lane, HEIGHT * WIDTH, LAYERS)
    tl.store(sweeps + pair, total)
