"""Spirals over a mesh: every node's neighborhood in one fixed order (Lim et al. 2018, SpiralNet++ 2019).

Neighbors have no first one by nature. Here it is the one on the shortest way to node 0, which gives near nodes similar
spirals (after Bouritsas et al. 2019, Neural 3D Morphable Models), and depends on the faces alone.
"""

import numpy as np

from pose2mesh.hierarchy.adjacency import adjacency_matrix


def spiral_sequences(faces: np.ndarray, num_nodes: int, length: int) -> np.ndarray:
    """The first `length` nodes on the spiral of every node: itself, the first ring counter-clockwise, the second ...

    Where a component has fewer nodes the row is filled up with `num_nodes`.

    Shapes: faces [F, 3], counter-clockwise from outside; returns [N, length] int64.
    """
    from scipy.sparse.csgraph import dijkstra  # slow to import

    fans = _fans(np.asarray(faces), num_nodes)
    hops = dijkstra(adjacency_matrix(faces, num_nodes), unweighted=True, indices=0)  # [N]
    rows = [_spiral(node, fans, hops, length) for node in range(num_nodes)]
    return np.array([row + [num_nodes] * (length - len(row)) for row in rows], np.int64)


def _fans(faces: np.ndarray, num_nodes: int) -> list[list[int]]:
    """The neighbors of every node, counter-clockwise; at a border from one side to the other."""
    following: list[dict[int, int]] = [{} for _ in range(num_nodes)]
    for a, b, c in faces.tolist():
        following[a][b], following[b][c], following[c][a] = c, a, b
    return [_walk(steps) for steps in following]


def _walk(steps: dict[int, int]) -> list[int]:
    """All nodes of a fan, given the next one after each; several fans come one after the other."""
    beginnings = sorted(steps.keys() - set(steps.values()))  # of open fans
    fan: dict[int, None] = {}  # in order
    for start in [*beginnings, *sorted(steps)]:
        node: int | None = start
        while node is not None and node not in fan:
            fan[node] = None
            node = steps.get(node)
    return list(fan)


def _spiral(node: int, fans: list[list[int]], hops: np.ndarray, length: int) -> list[int]:
    first = min(fans[node], key=lambda other: (hops[other], other), default=None)
    spiral = [node]
    visited = {node}
    ring = [] if first is None else _rotated(fans[node], fans[node].index(first))
    while ring and len(spiral) < length:
        spiral += ring
        visited.update(ring)
        ring = _next_ring(ring, fans, visited)
    return spiral[:length]


def _next_ring(ring: list[int], fans: list[list[int]], visited: set[int]) -> list[int]:
    """The nodes beyond a ring, in its sense of rotation."""
    beyond: dict[int, None] = {}
    for node in ring:
        fan = fans[node]
        # After the nodes already passed comes the outside, seen from the inside in the same sense of rotation.
        ends = [i for i, other in enumerate(fan) if other in visited and fan[(i + 1) % len(fan)] not in visited]
        for other in _rotated(fan, ends[0] + 1 if ends else 0):
            if other not in visited:
                beyond[other] = None
    return list(beyond)


def _rotated(items: list[int], start: int) -> list[int]:
    return items[start:] + items[:start]
