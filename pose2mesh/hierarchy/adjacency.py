"""From triangles to graphs: checked meshes, adjacency, edge lengths and distances over the surface.

Axis letters: V vertices, F faces, N nodes.
"""

import numpy as np
from scipy import sparse

from pose2mesh.errors import InputError
from pose2mesh.geometry.surface import edges_from_faces

_BLOCK = 512  # sources whose distances are held at a time, so that memory stays at _BLOCK × V numbers


def check_mesh(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh as float64 [V, 3] and int32 [F, 3], or an InputError that says what is wrong with it."""
    vertices = np.asarray(vertices, np.float64)  # [V, 3]
    faces = np.asarray(faces)  # [F, 3]
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise InputError(f"vertices must be [V, 3], got {list(vertices.shape)}")
    if faces.ndim != 2 or faces.shape[1] != 3 or len(faces) == 0 or faces.dtype.kind not in "iu":
        raise InputError(f"faces must be integers [F, 3], got {faces.dtype} {list(faces.shape)}; triangulate first")
    if not np.isfinite(vertices).all():
        row = int(np.flatnonzero(~np.isfinite(vertices).all(axis=1))[0])
        raise InputError(f"vertex {row} is not finite: {vertices[row]}")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(f"faces name vertices {faces.min()}..{faces.max()}, the mesh has {len(vertices)}")
    _check_faces(faces, len(vertices))
    return vertices, np.ascontiguousarray(faces, np.int32)


def _check_faces(faces: np.ndarray, num_vertices: int) -> None:
    ordered = np.sort(faces, axis=1)  # [F, 3]
    degenerate = np.flatnonzero((ordered[:, 0] == ordered[:, 1]) | (ordered[:, 1] == ordered[:, 2]))
    if len(degenerate):
        face = int(degenerate[0])
        raise InputError(f"face {face} names a vertex twice: {faces[face].tolist()}; drop such faces")
    unused = np.flatnonzero(np.bincount(faces.ravel(), minlength=num_vertices) == 0)
    if len(unused):
        raise InputError(f"{len(unused)} vertices are in no face, the first is {unused[0]}; remove them first")


def adjacency_matrix(faces: np.ndarray, num_vertices: int) -> sparse.csr_matrix:
    """Symmetric 0/1 adjacency of the mesh's edges, without self loops.

    Shapes: faces [F, 3]; returns [V, V] float64.
    """
    return _symmetric(edges_from_faces(faces), None, num_vertices)


def edge_lengths(vertices: np.ndarray, faces: np.ndarray) -> sparse.csr_matrix:
    """Symmetric matrix of the edges' lengths, the graph that distances over the surface are taken on.

    Shapes: vertices [V, 3]; faces [F, 3]; returns [V, V] float64 in the vertices' unit.
    """
    edges = edges_from_faces(faces)  # [E, 2]
    step = vertices[edges[:, 0]] - vertices[edges[:, 1]]  # [E, 3]
    length = np.sqrt(step[:, 0] ** 2 + step[:, 1] ** 2 + step[:, 2] ** 2)  # [E]
    # An explicit 0 would read as "no edge"; coincident neighbors are a hair apart instead.
    return _symmetric(edges, np.maximum(length, np.finfo(np.float64).tiny), len(vertices))


def num_nodes(graph: sparse.csr_matrix) -> int:
    """Rows of a square sparse matrix."""
    return len(graph.indptr) - 1


def _symmetric(edges: np.ndarray, values: np.ndarray | None, size: int) -> sparse.csr_matrix:
    values = np.ones(len(edges)) if values is None else values  # [E]
    rows = np.concatenate([edges[:, 0], edges[:, 1]])  # [2E]
    columns = np.concatenate([edges[:, 1], edges[:, 0]])  # [2E]
    matrix = sparse.csr_matrix((np.tile(values, 2), (rows, columns)), shape=(size, size))
    matrix.sort_indices()
    return matrix


def nearest_on_surface(lengths: sparse.csr_matrix, targets: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` targets nearest to every vertex, by the shortest path along edges, nearest first.

    Paths do not jump through the air, so a thigh never finds the other thigh. Where a component holds fewer targets the
    row ends in -1 and infinite distances. Equal distances are ordered by the target's position in `targets`.

    Shapes: lengths [V, V]; targets [N] vertex indices; returns positions in `targets` [V, count] and distances.
    """
    from scipy.sparse.csgraph import dijkstra  # slow to import

    count = min(count, len(targets))
    size = num_nodes(lengths)
    best = np.full((size, count), np.inf)  # [V, count]
    which = np.full((size, count), -1)  # [V, count]
    for start in range(0, len(targets), _BLOCK):
        block = targets[start : start + _BLOCK]
        distance = dijkstra(lengths, directed=False, indices=block).T  # [V, block]
        together = np.concatenate([best, distance], axis=1)  # [V, count + block]
        position = np.broadcast_to(np.arange(start, start + len(block)), distance.shape)
        names = np.concatenate([which, position], axis=1)
        order = np.argsort(together, axis=1, kind="stable")[:, :count]  # [V, count]
        best = np.take_along_axis(together, order, axis=1)
        which = np.take_along_axis(names, order, axis=1)
    return np.where(np.isfinite(best), which, -1), best
