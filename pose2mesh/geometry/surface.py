"""Normals and edges of triangle meshes in numpy. Axis letters: V vertices, F faces, E edges."""

import numpy as np


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Normalize the last axis; a zero vector stays zero, so that nothing becomes NaN."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Normals of the faces with the length of twice the area, [..., F, 3], of vertices [..., V, 3] and faces [F, 3]."""
    origin, b, c = (np.take(vertices, faces[:, k], axis=-2) for k in range(3))  # [..., F, 3]; indexing takes longer
    return np.cross(b - origin, c - origin)


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals of the faces, pointing out of a mesh whose faces turn counter-clockwise seen from outside.

    A face without area has the normal zero, never NaN.

    Shapes: vertices [..., V, 3]; faces [F, 3]; returns [..., F, 3] in the vertices' dtype.
    """
    return _unit(area_vectors(vertices, faces))


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals of the vertices: the mean of the adjoining faces' normals weighted by their areas.

    A vertex without a face, or with degenerate faces only, has the normal zero, never NaN.

    Shapes: vertices [V, 3]; faces [F, 3]; returns [V, 3] in the vertices' dtype.
    """
    return mean_normals(area_vectors(vertices, faces), faces, len(vertices))


def mean_normals(areas: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    """`vertex_normals` [V, 3] of `count` vertices from the area vectors [F, 3] of their faces [F, 3]."""
    corners = faces.T.ravel()  # [3F]
    sums = [np.bincount(corners, np.tile(areas[:, axis], 3), count) for axis in range(3)]
    return _unit(np.stack(sums, axis=-1).astype(areas.dtype))


def is_closed(areas: np.ndarray) -> bool:
    """Whether a surface has no border: then the area vectors [F, 3] of its faces cancel out (divergence theorem).

    They have to be float64. A border whose own area vector is zero passes unnoticed.
    """
    return bool(np.abs(areas.sum(axis=0)).max() <= 1e-9 * np.abs(areas).sum())


def edges_from_faces(faces: np.ndarray) -> np.ndarray:
    """Every undirected edge once, smaller vertex first, in ascending order.

    An edge from a vertex to itself (a degenerate face) is left out.

    Shapes: faces [F, 3]; returns [E, 2] in the faces' dtype.
    """
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])  # [3F, 2]
    undirected = np.sort(directed, axis=1)
    return np.unique(undirected[undirected[:, 0] != undirected[:, 1]], axis=0)  # [E, 2]
