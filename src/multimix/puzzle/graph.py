"""Which blocks share a border: the graph that a mask is cut from."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Graph(NamedTuple):
    """A grid's edges as families of shifts, and the table of arcs that a search needs.

    Edge i of family f joins node `tail[f] + i` to node `head[f] + i`, for i below `length[f]`: loops over a family
    have no indirection, which the compiler turns into vector code. Places at which a shift would wrap around the
    grid's edge are in the loops, with capacity 0, and not in the table. The arc from tail to head has the number
    `f * places + i`, its reverse that plus `edges`.

    Attributes:
        tail: first node at the tail, per family.
        head: first node at the head, per family.
        length: number of places per family.
        edges: families times places.
        start: node v's arcs stand at `start[v]` to `start[v + 1]` in the two tables below.
        arc: the number of each arc that leaves.
        target: the node it leads to.
    """

    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    length: NDArray[np.int64]
    edges: int
    start: NDArray[np.int32]
    arc: NDArray[np.int32]
    target: NDArray[np.int32]


@lru_cache(maxsize=64)
def grid_graph(height: int, width: int) -> Graph:
    """One node per block; families: right and down neighbours."""
    blocks = height * width
    families = [(0, 1, _right_places(height, width)), (0, width, np.arange(blocks - width))]
    return _build(blocks, blocks, families)


@lru_cache(maxsize=64)
def doubled_graph(height: int, width: int) -> Graph:
    """Two nodes per block, "at least half" (first) and "whole" (second): Ishikawa's graph for three levels.

    Families: right and down among the first nodes, the same among the second, second to first of the neighbour
    (right, left, down, up), and second to first of the same block.
    """
    blocks = height * width
    right, down = _right_places(height, width), np.arange(blocks - width)
    families = [
        (0, 1, right),
        (0, width, down),
        (blocks, blocks + 1, right),
        (blocks, blocks + width, down),
        (blocks, 1, right),
        (blocks + 1, 0, right),
        (blocks, width, down),
        (blocks + width, 0, down),
        (blocks, 0, np.arange(blocks)),
    ]
    return _build(2 * blocks, blocks, families)


def _right_places(height: int, width: int) -> NDArray[np.int64]:
    places = np.arange(height * width).reshape(height, width)
    return places[:, :-1].ravel()


def _build(nodes: int, places: int, families: list[tuple[int, int, NDArray[np.int64]]]) -> Graph:
    tails = np.concatenate([tail + i for tail, _, i in families])
    heads = np.concatenate([head + i for _, head, i in families])
    numbers = np.concatenate([f * places + i for f, (_, _, i) in enumerate(families)])
    edges = len(families) * places
    origin = np.concatenate([tails, heads])
    order = np.argsort(origin, kind="stable")
    return Graph(
        tail=np.array([tail for tail, _, _ in families], dtype=np.int64),
        head=np.array([head for _, head, _ in families], dtype=np.int64),
        length=np.array([i[-1] + 1 if len(i) else 0 for _, _, i in families], dtype=np.int64),
        edges=edges,
        start=np.searchsorted(origin[order], np.arange(nodes + 1)).astype(np.int32),
        arc=np.concatenate([numbers, edges + numbers])[order].astype(np.int32),
        target=np.concatenate([heads, tails])[order].astype(np.int32),
    )
