"""Steps towards the flow of the total-variation prox, in float32, and that flow in integers.

Accelerated projected gradient, as on the CPU; amounts and flows are in units of 2**BITS of the integers.

Reference: Beck and Teboulle (2009), A fast iterative shrinkage-thresholding algorithm.
"""

from typing import no_type_check

import triton
import triton.language as tl

from multimix.kernels.triton.layers import bounds, load_bounds, loaded, moved, node_levels

SCALE = tl.constexpr(2.0**57)  # of a float to an integer


@no_type_check
@triton.jit
def dual_step(amount, flow, ahead, weight, momentum, after, before, LAYERS: tl.constexpr):
    """One projected step of every flow, and its look ahead."""
    RATE: tl.constexpr = 0.125 if LAYERS == 1 else 1.0 / 18.0  # 1 / twice the largest degree
    level = node_levels(amount, ahead, before, LAYERS)
    next_flow, next_ahead = (), ()
    beyond = moved(level, after[0]) + moved(level, after[1])
    for layer in tl.static_range(LAYERS):
        for axis in tl.static_range(2):
            for other in tl.static_range(LAYERS):
                low, high = bounds(weight[axis], weight[axis] * 2, layer, other)
                step = ahead[len(next_flow)] + RATE * (level[layer] - beyond[axis * LAYERS + other])
                step = tl.minimum(tl.maximum(step, low), high)
                next_ahead += (step + momentum * (step - flow[len(next_flow)]),)
                next_flow += (step,)
    if LAYERS == 2:
        step = tl.minimum(tl.maximum(ahead[8] + RATE * (level[1] - level[0]), 0.0), weight[2])
        next_flow += (step,)
        next_ahead += (step + momentum * (step - flow[8]),)
    return next_flow, next_ahead


@no_type_check
@triton.jit
def whole(flow, low, high, least, most):
    """Return a flow as an integer. A full border stays full: a gap of a rounding error would be a leak."""
    inside = tl.minimum(tl.maximum((flow * SCALE).to(tl.int64), least), most)
    return tl.where(flow >= high, most, tl.where(flow <= low, least, inside))


@no_type_check
@triton.jit
def whole_flows(flow, weight, weights, limits, lane, LANES: tl.constexpr, LAYERS: tl.constexpr):
    """All flows as integers."""
    result = ()
    for layer in tl.static_range(LAYERS):
        for axis in tl.static_range(2):
            single, double = load_bounds(weights, axis, lane, LANES, LAYERS)
            for other in tl.static_range(LAYERS):
                low, high = bounds(weight[axis], weight[axis] * 2, layer, other)
                least, most = bounds(single, double, layer, other)
                result += (whole(flow[len(result)], low, high, least, most),)
    if LAYERS == 2:
        most = tl.load(limits + 2)
        result += (whole(flow[8], 0.0, weight[2], most * 0, most),)
    return result


@no_type_check
@triton.jit
def whole_levels(flow, amounts, before, lane, LANES: tl.constexpr, LAYERS: tl.constexpr):
    """Levels in integers."""
    return node_levels(loaded(amounts, lane, LAYERS, LANES), flow, before, LAYERS)
