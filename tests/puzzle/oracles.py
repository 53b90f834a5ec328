"""Slow, obvious answers: energies written out, all masks tried, one max-flow per pair and threshold."""

import itertools

import numpy as np


def binary_energy(z, gain, right, down, threshold):
    """sum_i z_i (threshold - gain_i) + sum_{i~j} w_ij |z_i - z_j|."""
    z = np.asarray(z, dtype=np.float64)
    jumps = (right * np.abs(np.diff(z, axis=1))).sum() + (down * np.abs(np.diff(z, axis=0))).sum()
    return (z * (threshold - gain)).sum() + jumps


def level_energy(z, gain, right, down, threshold, spread):
    """The folded energy of three levels: the prior's two differences are threshold -+ spread."""
    z = np.asarray(z, dtype=np.float64)
    prior = np.where(z > 0, threshold - spread, 0.0) + np.where(z > 0.5, threshold + spread, 0.0)
    jumps = (right * np.diff(z, axis=1) ** 2).sum() + (down * np.diff(z, axis=0) ** 2).sum()
    return (prior - gain * z).sum() + jumps


def smallest_minimiser(energy, shape, levels=2):
    """Try every mask; of those with the least energy (exact arithmetic assumed) the one that keeps least."""
    best, kept = np.inf, None
    for values in itertools.product(np.linspace(0, 1, levels), repeat=int(np.prod(shape))):
        z = np.array(values).reshape(shape)
        e = energy(z)
        if e < best or (e == best and z.sum() < kept.sum()):
            best, kept = e, z
    return kept


def cut(gain, right, down, threshold):
    """PyMaxflow's mask for one pair and one threshold."""
    import maxflow

    height, width = gain.shape
    graph = maxflow.GraphFloat()
    nodes = graph.add_grid_nodes((height, width))
    across = np.zeros((height, width))
    across[:, :-1] = right
    below = np.zeros((height, width))
    below[:-1] = down
    graph.add_grid_edges(nodes, across, np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]]), symmetric=True)
    graph.add_grid_edges(nodes, below, np.array([[0, 0, 0], [0, 0, 0], [0, 1, 0]]), symmetric=True)
    surplus = gain - threshold
    graph.add_grid_tedges(nodes, np.maximum(surplus, 0), np.maximum(-surplus, 0))
    graph.maxflow()
    return ~graph.get_grid_segments(nodes)


def level_cut(gain, right, down, threshold, spread):
    """PyMaxflow's mask with three levels, from Ishikawa's doubled graph, built edge by edge."""
    import maxflow

    height, width = gain.shape
    graph = maxflow.GraphFloat()
    half, whole = graph.add_grid_nodes((height, width)), graph.add_grid_nodes((height, width))
    for nodes, surplus in ((half, gain / 2 - threshold + spread), (whole, gain / 2 - threshold - spread)):
        graph.add_grid_tedges(nodes, np.maximum(surplus, 0), np.maximum(-surplus, 0))
    for i in np.ndindex(height, width):
        graph.add_edge(whole[i], half[i], 1e6, 0)
        for j, weight in (((i[0], i[1] + 1), right), ((i[0] + 1, i[1]), down)):
            if j[0] < height and j[1] < width:
                w = weight[i]
                graph.add_edge(half[i], half[j], w / 4, w / 4)
                graph.add_edge(whole[i], whole[j], w / 4, w / 4)
                graph.add_edge(whole[i], half[j], w / 2, 0)
                graph.add_edge(whole[j], half[i], w / 2, 0)
    graph.maxflow()
    return (~graph.get_grid_segments(half)).astype(float) / 2 + (~graph.get_grid_segments(whole)).astype(float) / 2


def cell_bounds(size, blocks, cells=1):
    """Balanced blocks, and balanced cells within each: (first, one past the last)."""
    bounds = []
    for b in range(blocks):
        low, high = b * size // blocks, (b + 1) * size // blocks
        bounds += [(low + c * (high - low) // cells, low + (c + 1) * (high - low) // cells) for c in range(cells)]
    return bounds


def fold_free_energy(z, images, saliencies, beta, gamma, eta, neighbourhood, lam):
    """Puzzle Mix's energy of a binary mask, term by term as the paper writes it: no folding.

    images: (2, C, H, W), sample and partner, at unit range. saliencies: (2, h, w), each of sum 1.
    """
    n = z.shape[0]
    cells = [max(1, (size // n) // min(neighbourhood, size // n)) for size in images.shape[2:]]
    bounds = [cell_bounds(size, n, m) for size, m in zip(images.shape[2:], cells, strict=True)]

    def cell(image, r, c):
        (a, b), (d, e) = bounds[0][r], bounds[1][c]
        return image[:, a:b, d:e].mean((1, 2))

    def difference(first, second, i, j):
        """Mean over channels and along the border of the difference of the cells that touch it."""
        if i[0] == j[0]:
            at = [
                ((i[0] * cells[0] + m, j[1] * cells[1] - 1), (i[0] * cells[0] + m, j[1] * cells[1]))
                for m in range(cells[0])
            ]
        else:
            at = [
                ((j[0] * cells[0] - 1, i[1] * cells[1] + m), (j[0] * cells[0], i[1] * cells[1] + m))
                for m in range(cells[1])
            ]
        return np.mean([np.abs(cell(first, *a) - cell(second, *b)).mean() for a, b in at])

    strength = beta / (16 * n)
    energy = ((1 - z) * saliencies[0] + z * saliencies[1]).sum()
    energy += eta / n**2 * np.where(z == 1, -np.log(lam), -np.log(1 - lam)).sum()
    for i in np.ndindex(n, n):
        for j in ((i[0], i[1] + 1), (i[0] + 1, i[1])):
            if max(j) < n:
                image = [images[0] if z[k] else images[1] for k in (i, j)]
                energy += strength * (z[i] != z[j]) + strength * gamma * difference(*image, i, j)
    return energy


def auction(visible, saliency, cost, rounds):
    """The authors' auction with a dense table of costs, written from its description, for one mask."""
    height, width = visible.shape
    row, column = np.divmod(np.arange(height * width), width)
    squared = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
    price = np.float32(cost) * (squared.astype(np.float32) / np.float32(max(max(height, width) - 1, 1) ** 2))
    table = price - saliency.ravel().astype(np.float32)[:, None] * visible.ravel().astype(np.float32)
    for _ in range(rounds):
        wanted = table.argmin(1)
        winners = {}
        for block, place in enumerate(wanted):  # the cheapest bidder wins; the first of equals
            if place not in winners or table[block, place] < table[winners[place], place]:
                winners[place] = block
        for block, place in enumerate(wanted):
            if winners[place] != block:
                table[block, place] += 1
    return np.array([winners.get(place, -1) for place in range(height * width)])
