"""Exact masks on the CPU: dual steps towards every threshold at once, then augmenting paths from one to the next.

Both parts work on one object, a flow between neighbouring blocks. Call `gain - outflow` a block's level. The flow
that makes the levels as equal as the capacities allow is the dual of the total-variation prox, and its levels, cut at
any threshold, are the exact mask for that threshold: it knows nothing of lam. So a few projected gradient steps are
taken per pair, in stages, for all thresholds together. Rounded to integers, the flow is valid for every threshold, and
mostly proves all masks. What is still missing at the first is found by augmenting paths, and the residual graph is
carried to the next: a block outside a mask is outside all later ones. Integers make this exact, ties smallest.

References:
    Beck and Teboulle (2009), A fast iterative shrinkage-thresholding algorithm. Dinic (1970), Algorithm for solution
    of a problem of maximum flow in networks with power estimation. Chambolle and Darbon (2009), On total variation
    minimization and surface evolution using parametric maximum flows. Ishikawa (2003), Exact optimization for Markov
    random fields with convex priors.
"""

import math
from typing import no_type_check

import numpy as np

from multimix.kernels.threads import kernel

# One file: numba's cache notices changes in a kernel's own file only. Loops: array expressions take seconds to compile.
BITS = 57  # every number is below 2**57, so that a level, ten of them at most, fits into 63 bits


@no_type_check
@kernel
def next_momentum(age, most):
    """Return the next age of the sequence, and how far to step ahead: not as far as the theory says at a high age.

    With a limit, found by trying, half as many cuts are left with something to repair.
    """
    following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * age * age))
    return following, np.float32(min((age - 1.0) / following, most))


@no_type_check
@kernel
def grid_steps(gain, high, width, steps, age, flow, ahead, level):
    """`dual_steps` for one layer of blocks, its loops merged: three times as fast."""
    n = gain.size
    # Slices, all read from 0 on: an index that could be negative keeps a loop from becoming vector code. A row of zeros
    # is in front of `ahead`: so every block has a flow from the left and from above.
    beside, from_left = ahead[0, width:], ahead[0, width - 1 :]
    below, from_above = ahead[1, width:], ahead[1]
    most = 1.0 - 1.6 / max(width, n // width)
    for _ in range(steps):
        for i in range(n):
            level[i] = gain[i] - beside[i] + from_left[i] - below[i] + from_above[i]
        age, momentum = next_momentum(age, most)
        edge_steps(beside[: n - 1], flow[0, : n - 1], high[0, : n - 1], level[: n - 1], level[1:], momentum)
        edge_steps(below, flow[1, : n - width], high[1, : n - width], level[: n - width], level[width:], momentum)
    return age


@no_type_check
@kernel
def edge_steps(ahead, flow, high, origin, goal, momentum):
    """One projected step of a family of undirected edges, and its look ahead."""
    for i in range(flow.size):
        moved = ahead[i] + np.float32(0.125) * (origin[i] - goal[i])  # 1 / twice the largest degree
        moved = min(max(moved, -high[i]), high[i])
        ahead[i] = moved + momentum * (moved - flow[i])
        flow[i] = moved


@no_type_check
@kernel
def dual_steps(gain, low, high, graph, steps, age, flow, ahead, level):
    """Change `flow`: half the squared length of `gain - outflow` falls with the steps. Gives their next age."""
    rate = np.float32(1.0 / 18.0)  # 1 / twice the largest degree
    most = 1.0
    for _ in range(steps):
        for v in range(level.size):
            level[v] = gain[v]
        for f in range(graph.tail.size):
            n, tail, head = graph.length[f], graph.tail[f], graph.head[f]
            a, origin, goal = ahead[f, :n], level[tail : tail + n], level[head : head + n]
            for i in range(n):
                origin[i] -= a[i]
            for i in range(n):
                goal[i] += a[i]
        age, momentum = next_momentum(age, most)
        for f in range(graph.tail.size):
            n, tail, head = graph.length[f], graph.tail[f], graph.head[f]
            a, x, bottom, top = ahead[f, :n], flow[f, :n], low[f, :n], high[f, :n]
            origin, goal = level[tail : tail + n], level[head : head + n]
            for i in range(n):
                moved = a[i] + rate * (origin[i] - goal[i])
                moved = min(max(moved, bottom[i]), top[i])
                a[i] = moved + momentum * (moved - x[i])
                x[i] = moved
    return age


@no_type_check
@kernel
def is_tight(level, residual, graph, thresholds, count):
    """Whether flow can leave no mask of the ascending thresholds; how many of them each node is above goes to `count`.

    One look serves all of them, as no mask ends between two nodes that are above equally many.
    """
    count.fill(0)
    for k in range(thresholds.size):
        t = thresholds[k]
        for v in range(level.size):
            count[v] += level[v] > t
    leak = False
    for f in range(graph.tail.size):
        n, tail, head = graph.length[f], graph.tail[f], graph.head[f]
        origin, goal = count[tail : tail + n], count[head : head + n]
        first = f * (graph.edges // graph.tail.size)
        forth, back = residual[first : first + n], residual[graph.edges + first : graph.edges + first + n]
        for i in range(n):
            leak |= ((origin[i] > goal[i]) & (forth[i] > 0)) | ((goal[i] > origin[i]) & (back[i] > 0))
    return not leak


@no_type_check
@kernel
def leaks(level, residual, graph, threshold, distance, queue):
    """Queue the nodes above the threshold that could still give flow to a node not above it; how many they are.

    None, as after a good warm start in most cases: then the nodes above the threshold are the mask.
    """
    open_arcs = False
    for f in range(graph.tail.size):
        n, tail, head = graph.length[f], graph.tail[f], graph.head[f]
        origin, goal = level[tail : tail + n], level[head : head + n]
        first = f * (graph.edges // graph.tail.size)
        forth, back = residual[first : first + n], residual[graph.edges + first : graph.edges + first + n]
        for i in range(n):
            above, beyond = origin[i] > threshold, goal[i] > threshold
            open_arcs |= ((above > beyond) & (forth[i] > 0)) | ((beyond > above) & (back[i] > 0))
    if not open_arcs:
        return 0
    count = 0
    for v in range(level.size):
        distance[v] = -1
        if level[v] > threshold:
            for p in range(graph.start[v], graph.start[v + 1]):
                if residual[graph.arc[p]] > 0 and level[graph.target[p]] <= threshold:
                    distance[v] = 0
                    queue[count] = v
                    count += 1
                    break
    return count


@no_type_check
@kernel
def explore(count, level, residual, graph, threshold, distance, queue):
    """Breadth first from the queued nodes through nodes not above the threshold; True if one below it was met.

    The search ends with the distance at which the first is met. `distance` is -1 where it did not go.
    """
    head, tail, last = 0, count, level.size
    while head < tail:
        v = queue[head]
        head += 1
        if distance[v] >= last:
            break
        for p in range(graph.start[v], graph.start[v + 1]):
            w = graph.target[p]
            if distance[w] < 0 and residual[graph.arc[p]] > 0 and level[w] <= threshold:
                distance[w] = distance[v] + 1
                queue[tail] = w
                tail += 1
                if level[w] < threshold:
                    last = distance[w]
    return last < level.size


@no_type_check
@kernel
def send(path, depth, amount, residual, edges):
    """Move flow along a path; the first position at which the path is now full, or its length."""
    cut = depth
    for d in range(depth):
        a = path[d]
        residual[a] -= amount
        residual[a + edges if a < edges else a - edges] += amount
        if cut == depth and residual[a] == 0:
            cut = d
    return cut


@no_type_check
@kernel
def push(source, level, residual, graph, threshold, distance, current, path, trail):
    """Send what one node has above the threshold to nodes below it, along shortest residual paths only."""
    depth, v = 0, source
    while level[source] > threshold:
        if depth > 0 and level[v] < threshold:
            amount = min(level[source] - threshold, threshold - level[v])
            for d in range(depth):
                amount = min(amount, residual[path[d]])
            level[source] -= amount
            level[v] += amount
            cut = send(path, depth, amount, residual, graph.edges)
            if cut < depth:  # go on from where the path broke
                v, depth = trail[cut], cut
            continue
        p, end = current[v], graph.start[v + 1]
        while p < end and (residual[graph.arc[p]] <= 0 or distance[graph.target[p]] != distance[v] + 1):
            p += 1
        current[v] = p
        if p < end:
            path[depth], trail[depth] = graph.arc[p], v
            depth += 1
            v = graph.target[p]
        elif depth == 0:
            return
        else:
            distance[v] = -2  # a dead end for the rest of this round
            depth -= 1
            v = trail[depth]
            current[v] += 1


@no_type_check
@kernel
def cut_all(level, residual, graph, thresholds, distance, queue, current, path, trail, masks):
    """Return the mask of each ascending threshold: all that flow can still reach from a node above it.

    It is the smallest of the exact minimisers. A block outside it gets no flow from it ever again.
    """
    for k in range(thresholds.size):
        t = thresholds[k]
        count = leaks(level, residual, graph, t, distance, queue)
        while count > 0 and explore(count, level, residual, graph, t, distance, queue):
            for v in range(level.size):
                current[v] = graph.start[v]
            for j in range(count):
                push(queue[j], level, residual, graph, t, distance, current, path, trail)
            count = leaks(level, residual, graph, t, distance, queue)
        for v in range(level.size):
            masks[k, v] = level[v] > t
        if count > 0:  # nodes exactly at the threshold that flow can still reach
            for v in range(level.size):
                masks[k, v] |= distance[v] > 0


@no_type_check
@kernel
def fill_grid(right, down, scale, low, high, limit):
    """Two levels: every border may carry its weight either way."""
    height, width = down.shape[0] + 1, right.shape[1] + 1
    for r in range(height):
        for c in range(width):
            i = r * width + c
            high[0, i] = min(right[r, c] / scale, limit) if c + 1 < width else 0.0
            high[1, i] = min(down[r, c] / scale, limit) if r + 1 < height else 0.0
            low[0, i], low[1, i] = -high[0, i], -high[1, i]


@no_type_check
@kernel
def fill_doubled(right, down, scale, low, high, limit):
    """Three levels: a jump by half costs a quarter of the weight, by a whole all of it."""
    height, width = down.shape[0] + 1, right.shape[1] + 1
    low.fill(0.0)
    for r in range(height):
        for c in range(width):
            i = r * width + c
            beside = min(right[r, c] / scale, limit) / 4 if c + 1 < width else 0.0
            below = min(down[r, c] / scale, limit) / 4 if r + 1 < height else 0.0
            high[0, i], high[2, i], low[0, i], low[2, i] = beside, beside, -beside, -beside
            high[1, i], high[3, i], low[1, i], low[3, i] = below, below, -below, -below
            high[4, i], high[5, i], high[6, i], high[7, i] = 2 * beside, 2 * beside, 2 * below, 2 * below
            high[8, i] = limit  # a block that is wholly kept is at least half kept


@no_type_check
@kernel
def to_integers(amount, low, high, unit, flow, size, graph, level, residual):
    """Levels, and what may still be added to the flow, in units of `1 / unit`."""
    for v in range(amount.size):
        level[v] = np.int64(np.rint(amount[v] * unit))
    scale, inverse = size * unit, 1.0 / size  # the flow is in units of the largest number, for the sake of float32
    places = low.shape[1]
    for f in range(graph.tail.size):
        n, tail, head = graph.length[f], graph.tail[f], graph.head[f]
        x, bottom, top = flow[f, :n], low[f, :n], high[f, :n]
        forth = residual[f * places : f * places + n]
        back = residual[graph.edges + f * places : graph.edges + f * places + n]
        for i in range(n):
            most, least = np.rint(top[i] * unit), np.rint(bottom[i] * unit)
            moved = min(max(np.rint(np.float64(x[i]) * scale), least), most)
            # A full border stays full: a gap of a rounding error would be a leak, to be searched and closed.
            moved = most if x[i] >= np.float32(top[i] * inverse) else moved
            moved = least if x[i] <= np.float32(bottom[i] * inverse) else moved
            forth[i] = np.int64(most) - np.int64(moved)
            back[i] = np.int64(moved) - np.int64(least)
        origin, goal = level[tail : tail + n], level[head : head + n]
        for i in range(n):
            origin[i] -= np.int64(np.rint(bottom[i] * unit)) + back[i]
        for i in range(n):
            goal[i] += np.int64(np.rint(bottom[i] * unit)) + back[i]


@no_type_check
@kernel
def integer_threshold(threshold, lowest, highest, unit):
    """Return the threshold in units of `1 / unit`; beyond the range of the gains it keeps all, or nothing."""
    if threshold < lowest:  # by less than a unit, it may be
        return np.int64(np.rint(lowest * unit)) - 1
    return np.int64(min(np.rint(threshold * unit), np.rint(highest * unit)))


@no_type_check
@kernel
def unit_size(gain, spread):
    """The power of two that brings the largest gain or spread into [1, 2): as `puzzle.scaling`, without its copies."""
    size = max(spread, gain.max(), -gain.min())
    return math.ldexp(1.0, math.frexp(size)[1] - 1) if size > 0.0 else 1.0


@no_type_check
@kernel
def set_up(gain, spread, right, down, scale, layers, amount, low, high):
    """Gains of nodes and capacities, in units of `scale`; the largest number, the least gain, the largest gain."""
    blocks = gain.size
    for i in range(blocks):
        amount[i] = gain[i] / scale / layers + spread / scale
        if layers == 2:
            amount[blocks + i] = gain[i] / scale / layers - spread / scale
    lowest, highest = amount.min(), amount.max()
    limit = amount.size * (highest - lowest)  # no flow is larger: a weight above it is as good as infinite
    if layers == 1:
        fill_grid(right, down, scale, low, high, limit)
    else:
        fill_doubled(right, down, scale, low, high, limit)
    size = max(abs(lowest), abs(highest))
    for family in high:
        for number in family:
            size = max(size, number)
    return (size if size > 0.0 else 1.0), lowest, highest


@no_type_check
@kernel
def warm_start(amount, low, high, unit, size, graph, width, stages, integer, floats, level, residual, count):
    """Dual steps, in stages, and their flow in integers; whether it proves all masks: then no later stage is needed."""
    start, bottom, top, flow, ahead, floating = floats
    inverse = 1.0 / size  # steps are in units of the largest number: float32 has few exponents, and is twice as fast
    for v in range(amount.size):
        start[v] = amount[v] * inverse
    for f in range(low.shape[0]):
        for i in range(low.shape[1]):
            bottom[f, i] = low[f, i] * inverse
            top[f, i] = high[f, i] * inverse
    flow.fill(0)
    ahead.fill(0)
    age = 1.0
    for steps in stages:
        if low.shape[0] == 2:
            age = grid_steps(start, top, width, steps, age, flow, ahead, floating)
        else:
            age = dual_steps(start, bottom, top, graph, steps, age, flow, ahead, floating)
        to_integers(amount, low, high, unit, flow, size, graph, level, residual)
        if is_tight(level, residual, graph, integer, count):
            return True
    return False


@no_type_check
@kernel
def solve_pairs(first, last, gain, spread, right, down, thresholds, graph, stages, kept):
    """Fill `kept[:, p]` for the pairs from first to last: per block, how many of its nodes are on the sample's side."""
    num_mixes, blocks, families = thresholds.shape[0], gain.shape[1], graph.tail.size
    layers, width = 2 if families == 9 else 1, right.shape[2] + 1
    nodes = layers * blocks
    amount, low, high = np.empty(nodes), np.empty((families, blocks)), np.empty((families, blocks))
    bottom, top = np.empty(low.shape, np.float32), np.empty(low.shape, np.float32)
    flow, ahead = np.empty(low.shape, np.float32), np.empty((families, blocks + width), np.float32)
    floats = np.empty(nodes, np.float32), bottom, top, flow, ahead, np.empty(nodes, np.float32)
    level, residual = np.empty(nodes, np.int64), np.empty(2 * graph.edges, np.int64)
    integer, count = np.empty(num_mixes, np.int64), np.empty(nodes, np.int64)
    masks = np.empty((num_mixes, nodes), np.bool_)
    distance, queue, current, path, trail = np.empty((5, nodes), np.int32)
    for p in range(first, last):
        scale = unit_size(gain[p], spread[p])
        size, lowest, highest = set_up(gain[p], spread[p], right[p], down[p], scale, layers, amount, low, high)
        unit = math.ldexp(1.0, BITS - math.frexp(size)[1])
        for k in range(num_mixes):
            integer[k] = integer_threshold(thresholds[k, p] / scale, lowest, highest, unit)
        if warm_start(amount, low, high, unit, size, graph, width, stages, integer, floats, level, residual, count):
            for k in range(num_mixes):
                for v in range(nodes):
                    masks[k, v] = count[v] > k
        else:
            cut_all(level, residual, graph, integer, distance, queue, current, path, trail, masks)
        for k in range(num_mixes):
            for i in range(blocks):
                kept[k, p, i] = masks[k, i]
            for i in range(blocks, nodes):
                kept[k, p, i - blocks] += masks[k, i]
