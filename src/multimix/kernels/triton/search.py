"""Which nodes open arcs lead to, and how far it is: breadth first, all nodes at once, sweep by sweep.

After each loop its condition, by then 0, is added to something: Triton before 3.5 does not compile a loop whose
condition is not used after it.
"""

from typing import no_type_check

import triton
import triton.language as tl

from multimix.kernels.triton.arcs import around
from multimix.kernels.triton.layers import any_of, filled

FAR = tl.constexpr(1 << 20)  # a distance no path has


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
    """Return the shortest distance over an open arc."""
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
    distance = to_sinks(level, threshold, filled(FAR, tl.int32, LAYERS, LANES), LAYERS)
    sweeps, changed = 0, 1
    while changed != 0:
        near = nearer(arcs, distance, around(distance, after, before), LAYERS)
        near = to_sinks(level, threshold, near, LAYERS)
        changed = differ(near, distance, LAYERS)
        distance = near
        sweeps += 1
    return distance, sweeps + changed


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
    return reached, sweeps + changed
