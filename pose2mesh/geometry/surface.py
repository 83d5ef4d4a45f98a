"""Normals and edges of triangle meshes in numpy. Axis letters: V vertices, F faces, E edges."""

import numpy as np


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Normalize the last axis; a zero vector stays zero, so that nothing becomes NaN."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def _area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Normals of the faces with the length of twice the area, [..., F, 3]."""
    origin = vertices[..., faces[:, 0], :]  # [..., F, 3]
    return np.cross(vertices[..., faces[:, 1], :] - origin, vertices[..., faces[:, 2], :] - origin)


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals of the faces, pointing out of a mesh whose faces turn counter-clockwise seen from outside.

    A face without area has the normal zero, never NaN.

    Shapes: vertices [..., V, 3]; faces [F, 3]; returns [..., F, 3] in the vertices' dtype.
    """
    return _unit(_area_vectors(vertices, faces))


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals of the vertices: the mean of the adjoining faces' normals weighted by their areas.

    A vertex without a face, or with degenerate faces only, has the normal zero, never NaN.

    Shapes: vertices [V, 3]; faces [F, 3]; returns [V, 3] in the vertices' dtype.
    """
    weighted = _area_vectors(vertices, faces)  # [F, 3]
    corners = faces.T.ravel()  # [3F]
    sums = [np.bincount(corners, np.tile(weighted[:, axis], 3), len(vertices)) for axis in range(3)]
    return _unit(np.stack(sums, axis=-1).astype(vertices.dtype))  # [V, 3]


def is_closed(vertices: np.ndarray, faces: np.ndarray) -> bool:
    """Whether the surface has no border: then the area vectors of its faces cancel out (divergence theorem).

    Shapes: vertices [V, 3]; faces [F, 3]. A border whose own area vector is zero passes unnoticed.
    """
    areas = _area_vectors(np.asarray(vertices, np.float64), faces)  # [F, 3]
    return bool(np.abs(areas.sum(axis=0)).max() <= 1e-9 * np.abs(areas).sum())


def edges_from_faces(faces: np.ndarray) -> np.ndarray:
    """Every undirected edge once, smaller vertex first, in ascending order.

    An edge from a vertex to itself (a degenerate face) is left out.

    Shapes: faces [F, 3]; returns [E, 2] in the faces' dtype.
    """
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])  # [3F, 2]
    undirected = np.sort(directed, axis=1)
    return np.unique(undirected[undirected[:, 0] != undirected[:, 1]], axis=0)  # [E, 2]
