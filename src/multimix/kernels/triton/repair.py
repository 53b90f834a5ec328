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

from multimix.kernels.triton.integers import HEADER
from multimix.kernels.triton.layers import above, any_of, bounds, moved, neighbours, node_levels, store_mask

SWEEPS = tl.constexpr(12)  # per round, found by trying
FAR = tl.constexpr(1 << 20)

# Arcs that leave a node, in the order (layer, axis, other layer): `forth` to the next block, `back` to the one before;
# with three levels `between[layer]` to the other layer of the same block.


@no_type_check
@triton.jit
def residuals(flows, weights, limits, lane, before, LANES: tl.constexpr, LAYERS: tl.constexpr):
    """The flow, and what every arc can still take."""
    flow, forth, spare = (), (), ()
    for layer in tl.static_range(LAYERS):
        for axis in tl.static_range(2):
            single = tl.load(weights + axis * LANES + lane)
            double = tl.load(weights + (2 * (LAYERS - 1) + axis) * LANES + lane)
            for other in tl.static_range(LAYERS):
                amount = tl.load(flows + len(flow) * LANES + lane)
                least, most = bounds(single, double, layer, other)
                flow += (amount,)
                forth += (most - amount,)
                spare += (amount - least,)
    back = ()
    for layer in tl.static_range(LAYERS):
        for axis in tl.static_range(2):
            for other in tl.static_range(LAYERS):
                back += (tl.gather(spare[other * 2 * LAYERS + axis * LAYERS + layer], before[axis], 0),)
    between = ()
    if LAYERS == 2:
        amount = tl.load(flows + 8 * LANES + lane)
        flow += (amount,)
        between = (amount, tl.load(limits + 2) - amount)
    return flow, forth, back, between


@no_type_check
@triton.jit
def open_arcs(forth, back, between, LAYERS: tl.constexpr):
    """Which arcs of a node can take more, as bits: forth, back, between."""
    result = ()
    for layer in tl.static_range(LAYERS):
        bits = (forth[layer * 2 * LAYERS] > 0).to(tl.int32)
        for arc in tl.static_range(1, 2 * LAYERS):
            bits |= (forth[layer * 2 * LAYERS + arc] > 0).to(tl.int32) << arc
        for arc in tl.static_range(2 * LAYERS):
            bits |= (back[layer * 2 * LAYERS + arc] > 0).to(tl.int32) << (2 * LAYERS + arc)
        if LAYERS == 2:
            bits |= (between[layer] > 0).to(tl.int32) << (4 * LAYERS)
        result += (bits,)
    return result


@no_type_check
@triton.jit
def around(values, after, before):
    """Values of the next blocks along each axis, then of the ones before: (direction, axis, layer)."""
    return moved(values, after[0]) + moved(values, after[1]) + moved(values, before[0]) + moved(values, before[1])


@no_type_check
@triton.jit
def spread_out(reached, arcs, after, before, LAYERS: tl.constexpr):
    """One sweep: also the nodes that an open arc leads to from one already reached."""
    sent = ()
    for layer in tl.static_range(LAYERS):
        sent += (tl.where(reached[layer], arcs[layer], 0),)
    beside = around(sent, after, before)
    result = ()
    for layer in tl.static_range(LAYERS):
        come = reached[layer]
        for axis in tl.static_range(2):
            for other in tl.static_range(LAYERS):
                come |= ((beside[2 * LAYERS + axis * LAYERS + other] >> (axis * LAYERS + layer)) & 1) != 0
                come |= ((beside[axis * LAYERS + other] >> (2 * LAYERS + axis * LAYERS + layer)) & 1) != 0
        if LAYERS == 2:
            come |= ((sent[1 - layer] >> 8) & 1) != 0
        result += (come,)
    return result


@no_type_check
@triton.jit
def nearer(arcs, distance, beside, LAYERS: tl.constexpr):
    """The shortest distance over an open arc."""
    result = ()
    for layer in tl.static_range(LAYERS):
        best = distance[layer] * 0 + FAR
        for arc in tl.static_range(4 * LAYERS):
            best = tl.minimum(best, tl.where(((arcs[layer] >> arc) & 1) != 0, beside[arc] + 1, FAR))
        if LAYERS == 2:
            best = tl.minimum(best, tl.where((arcs[layer] >> 8) != 0, distance[1 - layer] + 1, FAR))
        result += (best,)
    return result


@no_type_check
@triton.jit
def to_sinks(level, threshold, nearest, LAYERS: tl.constexpr):
    """Distances with 0 for the nodes below the threshold."""
    result = ()
    for layer in tl.static_range(LAYERS):
        result += (tl.where(level[layer] < threshold, 0, nearest[layer]),)
    return result


@no_type_check
@triton.jit
def differ(first, second, LAYERS: tl.constexpr):
    """1 if two values of a node differ anywhere, else 0."""
    flags = ()
    for layer in tl.static_range(LAYERS):
        flags += (first[layer] != second[layer],)
    return any_of(flags, LAYERS)


@no_type_check
@triton.jit
def distances(level, threshold, arcs, after, before, LANES: tl.constexpr, LAYERS: tl.constexpr):
    """How many open arcs lead to a node below the threshold, and the sweeps it took."""
    far = ()
    for layer in tl.static_range(LAYERS):
        far += (tl.full([LANES], FAR, tl.int32),)
    distance = to_sinks(level, threshold, far, LAYERS)
    sweeps, changed = 0, 1
    while changed != 0:
        near = nearer(arcs, distance, around(distance, after, before), LAYERS)
        near = to_sinks(level, threshold, near, LAYERS)
        changed = differ(near, distance, LAYERS)
        distance = near
        sweeps += 1
    return distance, sweeps


@no_type_check
@triton.jit
def closure(reached, arcs, after, before, LAYERS: tl.constexpr):
    """All nodes that open arcs lead to, and the sweeps it took."""
    sweeps, changed = 0, 1
    while changed != 0:
        more = spread_out(reached, arcs, after, before, LAYERS)
        changed = differ(more, reached, LAYERS)
        reached = more
        sweeps += 1
    return reached, sweeps


@no_type_check
@triton.jit
def pushes(level, threshold, distance, beside, forth, back, between, LAYERS: tl.constexpr):
    """What every node sends over each of its arcs: all it has too much, if they take it, one step nearer."""
    out_forth, out_back, out_between, left = (), (), (), ()
    for layer in tl.static_range(LAYERS):
        spare = tl.maximum(level[layer] - threshold, 0)
        for arc in tl.static_range(2 * LAYERS):
            sent = tl.minimum(spare, forth[layer * 2 * LAYERS + arc])
            sent = tl.where(distance[layer] == beside[arc] + 1, sent, 0)
            out_forth += (sent,)
            spare -= sent
        for arc in tl.static_range(2 * LAYERS):
            sent = tl.minimum(spare, back[layer * 2 * LAYERS + arc])
            sent = tl.where(distance[layer] == beside[2 * LAYERS + arc] + 1, sent, 0)
            out_back += (sent,)
            spare -= sent
        if LAYERS == 2:
            sent = tl.minimum(spare, between[layer])
            out_between += (tl.where(distance[layer] == distance[1 - layer] + 1, sent, 0),)
            spare -= out_between[layer]
        left += (level[layer] - tl.maximum(level[layer] - threshold, 0) + spare,)
    return out_forth, out_back, out_between, left


@no_type_check
@triton.jit
def receive(out_forth, out_back, out_between, left, forth, back, between, after, before, LAYERS: tl.constexpr):
    """Levels and arcs after the pushes: what comes over an arc may flow back over its reverse."""
    next_level, next_forth, next_back, next_between = (), (), (), ()
    for layer in tl.static_range(LAYERS):
        level = left[layer]
        for axis in tl.static_range(2):
            for other in tl.static_range(LAYERS):
                from_next = tl.gather(out_back[other * 2 * LAYERS + axis * LAYERS + layer], after[axis], 0)
                from_before = tl.gather(out_forth[other * 2 * LAYERS + axis * LAYERS + layer], before[axis], 0)
                next_forth += (forth[len(next_forth)] - out_forth[len(next_forth)] + from_next,)
                next_back += (back[len(next_back)] - out_back[len(next_back)] + from_before,)
                level += from_next + from_before
        if LAYERS == 2:
            next_between += (between[layer] - out_between[layer] + out_between[1 - layer],)
            level += out_between[1 - layer]
        next_level += (level,)
    return next_level, next_forth, next_back, next_between


@no_type_check
@triton.jit
def stranded(level, threshold, distance, LAYERS: tl.constexpr):
    """1 if a node above the threshold could still send something to one below it, else 0."""
    flags = ()
    for layer in tl.static_range(LAYERS):
        flags += ((level[layer] > threshold) & (distance[layer] < FAR),)
    return any_of(flags, LAYERS)


@no_type_check
@triton.jit
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
    amount = ()
    for layer in tl.static_range(LAYERS):
        amount += (tl.load(amounts + (pair * LAYERS + layer) * LANES + lane),)
    level = node_levels(amount, flow, before, LAYERS)
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
        total += taken
        store_mask(mask, kept + (k * pairs + pair) * HEIGHT * WIDTH, lane, HEIGHT * WIDTH, LAYERS)
    tl.store(sweeps + pair, total)
