"""Heavy-edge matching: pair neighbors level by level and lay the levels out as a balanced binary tree.

The matching is that of Graclus (Dhillon, Guan, Kulis 2007), the tree with its fake nodes that of Defferrard et al. 2016
(section 2.3): rows 2i and 2i + 1 of one level are the children of row i of the next, so pooling is a pair mean.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.adjacency import num_nodes
from pose2mesh.hierarchy.legacy_order import legacy_argsort

Order = Literal["stable", "legacy"]

# Without a number of levels, halve until at most this many nodes are left: 9 levels for SMPL, 6 for MANO.
_COARSEST = 32


@dataclass(frozen=True)
class PaddedTree:
    """A graph and its coarser versions, fine to coarse, in tree order."""

    adjacencies: tuple[sparse.csr_matrix, ...]  # per level [N_i, N_i]; fake rows are empty
    orders: tuple[np.ndarray, ...]  # per level [N_i]: row -> node; numbers past the real nodes are fake
    num_real: tuple[int, ...]  # real nodes per level


def coarsen(adjacency: sparse.csr_matrix, levels: int | None, order: Order) -> PaddedTree:
    """Coarsen `levels` times (None: until at most 32 nodes are left) and pad every level to the binary tree.

    `stable` visits nodes by degree, equal ones by number, and reads each node's self loop where it is.
    `legacy` is bit-compatible with the published Pose2Mesh weights; see `legacy_argsort` and `_legacy_rows`.

    Shapes: adjacency [V, V] symmetric with positive weights. Raises InputError for an unknown order or a
    negative number of levels.
    """
    visit = _visiting_orders().get(order)
    if visit is None or (levels is not None and levels < 0):
        raise InputError(f"unknown order {order!r} (known: stable, legacy) or negative number of levels {levels}")
    graphs, parents = [adjacency], []
    degree = _degree(adjacency) - adjacency.diagonal()  # [N]; only the coarser levels count their self loops
    while _goes_on(list(map(num_nodes, graphs)), levels):
        parents.append(_match(graphs[-1], degree, visit(_degree(graphs[-1])), order))
        graphs.append(_merge(graphs[-1], parents[-1]))
        degree = _degree(graphs[-1])
    orders = tree_orders(parents, num_nodes(graphs[-1]))
    padded = tuple(_pad(graph, row_to_node) for graph, row_to_node in zip(graphs, orders, strict=True))
    return PaddedTree(padded, orders, tuple(map(num_nodes, graphs)))


def _goes_on(sizes: list[int], levels: int | None) -> bool:
    """Whether to coarsen once more; a mesh of many components stops where all of them are single nodes."""
    if levels is not None:
        return len(sizes) <= levels
    return sizes[-1] > _COARSEST and (len(sizes) == 1 or sizes[-1] < sizes[-2])


def _visiting_orders() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    return {"stable": lambda keys: np.argsort(keys, kind="stable"), "legacy": legacy_argsort}


def _degree(graph: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(graph.sum(axis=0)).ravel()  # [N]


def _match(graph: sparse.csr_matrix, degree: np.ndarray, visit: np.ndarray, order: Order) -> np.ndarray:
    """Pair every node with the unpaired neighbor of highest score; returns each node's parent [N].

    The score of nodes i and j, the share of their edges that a common parent keeps inside:
    (2 w_ij + w_ii + w_jj) / (d_i + d_j). The first of equal neighbors wins.
    """
    start, stop, self_weight = _legacy_rows(graph) if order == "legacy" else _rows(graph)
    neighbor, weight, total = graph.indices.tolist(), graph.data.tolist(), degree.tolist()
    parent = [-1] * len(total)
    count = 0
    for node in visit.tolist():
        if parent[node] >= 0:
            continue
        parent[node] = count
        best, best_score = -1, 0.0
        for k in range(start[node], stop[node]):
            other = neighbor[k]
            if parent[other] < 0:
                kept = 2.0 * weight[k] + self_weight[node] + self_weight[other]
                score = kept / (total[node] + total[other] + 1e-9)
                if score > best_score:
                    best, best_score = other, score
        if best >= 0:
            parent[best] = count
        count += 1
    return np.array(parent)


def _rows(graph: sparse.csr_matrix) -> tuple[list[int], list[int], list[float]]:
    """Where each row's entries start and stop, and the self loops."""
    return graph.indptr[:-1].tolist(), graph.indptr[1:].tolist(), graph.diagonal().tolist()


def _legacy_rows(graph: sparse.csr_matrix) -> tuple[list[int], list[int], list[float]]:
    """The rows as the published code reads them.

    Its row lengths are off by one at both ends (the first row also reads the first entry of the second, the
    last row misses its last), and what it takes for a node's self loop is the first entry of the node's row.
    """
    start, stop, _ = _rows(graph)
    if len(start) > 1:
        stop[0] += 1
        stop[-1] -= 1
    return start, stop, graph.data[graph.indptr[:-1]].tolist()


def _merge(graph: sparse.csr_matrix, parent: np.ndarray) -> sparse.csr_matrix:
    """Adjacency of the parents: weights between two parents add up, those inside one become its self loop."""
    edges = graph.tocoo()
    size = int(parent.max()) + 1
    merged = sparse.csr_matrix((edges.data, (parent[edges.row], parent[edges.col])), shape=(size, size))
    merged.sum_duplicates()
    return merged


def tree_orders(parents: list[np.ndarray], coarsest: int) -> tuple[np.ndarray, ...]:
    """Row order of every level, fine to coarse, so that rows 2i and 2i + 1 are the children of row i one level up.

    A parent with one child gets a fake second one, a fake parent two; fakes are numbered after the level's real nodes.

    Shapes: parents per level [N_i] -> node of the next level; returns per level an order [2^k × coarsest].
    """
    orders = [np.arange(coarsest)]
    for parent in reversed(parents):
        children: list[list[int]] = [[] for _ in range(len(orders[0]))]
        for node, above in enumerate(parent.tolist()):
            children[above].append(node)
        fake = len(parent)
        rows: list[int] = []
        for above in orders[0].tolist():
            pair = children[above]
            missing = 2 - len(pair)
            rows += [*pair, *range(fake, fake + missing)]
            fake += missing
        orders.insert(0, np.array(rows))
    return tuple(orders)


def _pad(graph: sparse.csr_matrix, row_to_node: np.ndarray) -> sparse.csr_matrix:
    """The graph in tree order, with an empty row and column for every fake node."""
    size = len(row_to_node)
    node_to_row = np.empty(size, np.int64)
    node_to_row[row_to_node] = np.arange(size)
    edges = graph.tocoo()
    padded = sparse.csr_matrix((edges.data, (node_to_row[edges.row], node_to_row[edges.col])), shape=(size, size))
    padded.sort_indices()
    return padded
