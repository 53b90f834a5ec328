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
