"""Phase 1: one flow for all thresholds of a pair, and a proof that its levels are the masks.

Every few steps the flow is rounded to integers. If then no border between a node above a threshold and one not above
it has room for more flow, the nodes above it are a mask, by the theorem of maximum flow and minimum cut; and the
smallest one, since flow from them reaches nothing else. As masks are nested, no mask ends between two nodes that are
above equally many thresholds: one exchange of that count serves all thresholds.
"""

from typing import no_type_check

import triton
import triton.language as tl

from multimix.kernels.triton.dual import SCALE, dual_step, whole_flows, whole_levels
from multimix.kernels.triton.integers import HEADER, store_energy, store_thresholds
from multimix.kernels.triton.layers import above, any_of, bounds, filled, load_bounds, moved, neighbours, store_mask

EVERY = tl.constexpr(8)  # steps from one proof to the next


@no_type_check
@triton.jit
def leak(count, beyond, flow, least, most):
    """Where the mask of some threshold has a border with room for flow out of it."""
    return ((count > beyond) & (flow < most)) | ((count < beyond) & (flow > least))


@no_type_check
@triton.jit
def leaking(flow, level, weights, limits, num_mixes, lane, after, LANES: tl.constexpr, LAYERS: tl.constexpr):
    """1 if a mask has a leak, else 0."""
    bottom, top = tl.load(limits), tl.load(limits + 1)
    count = filled(0, tl.int32, LAYERS, LANES)
    for k in range(num_mixes):
        flags = above(level, bottom, top, tl.load(limits + HEADER + k), LAYERS)
        more = ()
        for layer in tl.static_range(LAYERS):
            more += (count[layer] + flags[layer].to(tl.int32),)
        count = more
    beyond = moved(count, after[0]) + moved(count, after[1])
    leaks = lane < 0
    for layer in tl.static_range(LAYERS):
        for axis in tl.static_range(2):
            single, double = load_bounds(weights, axis, lane, LANES, LAYERS)
            for other in tl.static_range(LAYERS):
                least, most = bounds(single, double, layer, other)
                border = flow[layer * 2 * LAYERS + axis * LAYERS + other]
                leaks |= leak(count[layer], beyond[axis * LAYERS + other], border, least, most)
    if LAYERS == 2:
        leaks |= leak(count[1], count[0], flow[8], flow[8] * 0, tl.load(limits + 2))
    return any_of((leaks,), 1)


@no_type_check
@triton.jit(
    do_not_specialize=["num_mixes", "pairs", "most_steps"],
    do_not_specialize_on_alignment=["spread"],  # a row of another tensor, and only numbers of it are loaded
)
def prove(
    gain,
    spread,
    right,
    down,
    thresholds,
    kept,
    amounts,
    weights,
    limits,
    flows,
    steps,
    sweeps,
    num_mixes,
    pairs,
    most_steps,
    most_momentum,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    LANES: tl.constexpr,
    LAYERS: tl.constexpr,
):
    """Fill `kept[:, pair]`, and `steps[pair]` with the steps it took; -1 if there is no proof. No sweep was made yet.

    The integers of the pair, and its flows if there is no proof, are left in `amounts`, `weights`, `limits`, `flows`
    for `repair`.
    """
    FAMILIES: tl.constexpr = 2 if LAYERS == 1 else 9
    pair = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, LANES)
    after, before = neighbours(lane, LANES, WIDTH)
    amounts += pair * LAYERS * LANES
    weights += pair * 2 * LAYERS * LANES
    limits += pair * (num_mixes + HEADER)
    energy = (gain, spread, right, down)
    lowest, highest, unit = store_energy(energy, pair, lane, amounts, weights, limits, HEIGHT, WIDTH, LANES, LAYERS)
    store_thresholds(thresholds, num_mixes, pairs, pair, unit, lowest, highest, limits)
    tl.debug_barrier()  # other threads read what these have written
    amount = ()
    for layer in tl.static_range(LAYERS):
        amount += (tl.load(amounts + layer * LANES + lane).to(tl.float32) / SCALE,)
    flow = filled(0.0, tl.float32, FAMILIES, LANES)
    ahead = flow
    weight = (
        tl.load(weights + lane).to(tl.float32) / SCALE,
        tl.load(weights + LANES + lane).to(tl.float32) / SCALE,
    )
    if LAYERS == 2:
        weight += (tl.load(limits + 2).to(tl.float32) / SCALE,)
    age = tl.full((), 1.0, tl.float32)
    taken = 0
    leaks = 1
    while (leaks != 0) & (taken < most_steps):
        for _ in range(EVERY):
            following = 0.5 * (1.0 + tl.sqrt(1.0 + 4.0 * age * age))
            momentum = tl.minimum((age - 1.0) / following, most_momentum)
            flow, ahead = dual_step(amount, flow, ahead, weight, momentum, after, before, LAYERS)
            age = following
        taken += EVERY
        integer = whole_flows(flow, weight, weights, limits, lane, LANES, LAYERS)
        level = whole_levels(integer, amounts, before, lane, LANES, LAYERS)
        leaks = leaking(integer, level, weights, limits, num_mixes, lane, after, LANES, LAYERS)
    integer = whole_flows(flow, weight, weights, limits, lane, LANES, LAYERS)
    level = whole_levels(integer, amounts, before, lane, LANES, LAYERS)
    bottom, top = tl.load(limits), tl.load(limits + 1)
    for k in range(num_mixes):
        mask = above(level, bottom, top, tl.load(limits + HEADER + k), LAYERS)
        store_mask(mask, kept, k * pairs + pair, lane, HEIGHT * WIDTH, LAYERS)
    tl.store(steps + pair, tl.where(leaks == 0, taken, -1))
    tl.store(sweeps + pair, 0)
    for family in tl.static_range(FAMILIES):
        tl.store(flows + (pair * FAMILIES + family) * LANES + lane, integer[family], mask=(lane >= 0) & (leaks != 0))
