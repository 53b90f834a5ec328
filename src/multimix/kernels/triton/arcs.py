"""What the arcs of a pair's graph can still take, and what is sent over them.

Arcs that leave a node are in the order (layer, axis, other layer): `forth` to the next block, `back` to the one before,
each the reverse of the other's; with three levels `between[layer]` leads to the other layer of the same block.
"""

from typing import no_type_check

import triton
import triton.language as tl

from multimix.kernels.triton.layers import bounds, load_bounds, moved


@no_type_check
@triton.jit
def residuals(flows, weights, limits, lane, before, LANES: tl.constexpr, LAYERS: tl.constexpr):
    """Return the flow, and what every arc can still take."""
    flow, forth, spare = (), (), ()
    for layer in tl.static_range(LAYERS):
        for axis in tl.static_range(2):
            single, double = load_bounds(weights, axis, lane, LANES, LAYERS)
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
def pushes(level, threshold, distance, beside, forth, back, between, LAYERS: tl.constexpr):
    """Return what every node sends over each of its arcs: all it has too much, if they take it, one step nearer."""
    out_forth, out_back, out_between, left = (), (), (), ()
    for layer in tl.static_range(LAYERS):
        excess = tl.maximum(level[layer] - threshold, 0)
        spare = excess
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
        left += (level[layer] - excess + spare,)
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
