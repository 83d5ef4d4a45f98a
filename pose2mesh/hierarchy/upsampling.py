"""From a coarse mesh to a fine one by a fixed sparse matrix: barycentric, or fitted to sampled bodies.

The coarse vertices are a subset of the fine ones and map to themselves exactly; every row sums to one, so a
translation passes through unchanged.
"""

import numpy as np
from scipy import sparse

from pose2mesh.geometry.surface import face_normals, vertex_normals
from pose2mesh.hierarchy.adjacency import edge_lengths, nearest_on_surface

_ANCHORS = 4  # a fine vertex is projected on the coarse faces at its four nearest coarse vertices


def barycentric_upsampling(
    vertices: np.ndarray, faces: np.ndarray, coarse_ids: np.ndarray, coarse_faces: np.ndarray
) -> sparse.csr_matrix:
    """Each fine vertex as the closest point of the coarse surface, in barycentric weights.

    Only coarse faces near it *along the fine surface* are looked at, and one that faces away counts as
    farther by up to its own size, so that a finger is never bound to the next finger nor a palm to the back
    of the hand. (Projection on the coarse surface: Ranjan et al. 2018, section 3.)

    Shapes: vertices [V, 3]; faces [F, 3]; coarse_ids [N] into vertices; coarse_faces [F', 3] into coarse_ids;
    returns [V, N], non-negative, at most 3 entries a row.
    """
    coarse = vertices[coarse_ids]  # [N, 3]
    anchors = nearest_on_surface(edge_lengths(vertices, faces), coarse_ids, _ANCHORS)[0]  # [V, 4]
    fine, face = _candidates(anchors, coarse_faces, len(coarse_ids))  # [M] pairs
    corners = coarse[coarse_faces[face]]  # [M, 3, 3]
    weights = closest_in_triangles(vertices[fine], corners)  # [M, 3]
    missed = vertices[fine] - (weights[:, :, None] * corners).sum(axis=1)  # [M, 3]
    facing = face_normals(coarse, coarse_faces)[face]  # [M, 3]
    agreement = _dot(vertex_normals(vertices, faces)[fine], facing)  # [M] cosines
    span = corners[:, 1:] - corners[:, :1]  # [M, 2, 3] two sides of the face
    size = np.maximum(_dot(span[:, 0], span[:, 0]), _dot(span[:, 1], span[:, 1]))  # [M]
    score = _dot(missed, missed) + size * np.minimum(agreement, 0.0) ** 2  # [M]
    ranked = np.lexsort((face, score, fine))
    best = ranked[np.searchsorted(fine[ranked], np.arange(len(vertices)))]  # [V] each vertex's best pair
    return with_exact_rows(coarse_faces[face[best]], weights[best], coarse_ids)


def _candidates(anchors: np.ndarray, coarse_faces: np.ndarray, num_coarse: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a fine vertex and a coarse face that touches one of the vertex's anchors, each once."""
    face_of_corner = np.repeat(np.arange(len(coarse_faces)), 3)  # [3F']
    touching = sparse.csr_matrix(
        (np.ones(coarse_faces.size), (coarse_faces.ravel(), face_of_corner)), shape=(num_coarse, len(coarse_faces))
    )
    fine = np.nonzero(anchors >= 0)[0]
    near = sparse.csr_matrix((np.ones(len(fine)), (fine, anchors[anchors >= 0])), shape=(len(anchors), num_coarse))
    return sparse.csr_matrix(near @ touching).nonzero()


def closest_in_triangles(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Barycentric weights of the point of each triangle that is closest to the point beside it.

    Shapes: points [M, 3]; corners [M, 3, 3] (triangle, corner, axis); returns [M, 3], non-negative, rows sum to 1.
    """
    options = [_plane_weights(points, corners), *(_edge_weights(points, corners, k) for k in range(3))]
    misses = []
    for weights in options:
        missed = points - (weights[:, :, None] * corners).sum(axis=1)  # [M, 3]
        misses.append(np.where((weights >= 0.0).all(axis=1), _dot(missed, missed), np.inf))
    best = np.argmin(misses, axis=0)  # [M]; the first of equals
    return np.stack(options)[best, np.arange(len(points))]


def _plane_weights(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Weights of the foot of the perpendicular; negative outside the triangle or where it has no area."""
    u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
    uu, uv, vv, wu, wv = _dot(u, u), _dot(u, v), _dot(v, v), _dot(w, u), _dot(w, v)
    scale = uu * vv - uv * uv
    flat = scale <= 1e-14 * uu * vv
    safe = np.where(flat, 1.0, scale)
    second, third = (vv * wu - uv * wv) / safe, (uu * wv - uv * wu) / safe
    weights = np.stack([1.0 - second - third, second, third], axis=1)  # [M, 3]
    return np.where(flat[:, None], -1.0, weights)


def _edge_weights(points: np.ndarray, corners: np.ndarray, k: int) -> np.ndarray:
    """Weights of the closest point on the edge from corner k to the next one."""
    following = (k + 1) % 3
    along = corners[:, following] - corners[:, k]
    squared = _dot(along, along)
    part = _dot(points - corners[:, k], along) / np.where(squared > 0, squared, 1.0)  # [M]
    part = np.clip(part, 0.0, 1.0)
    weights = np.zeros((len(points), 3))
    weights[:, k], weights[:, following] = 1.0 - part, part
    return weights


def with_exact_rows(columns: np.ndarray, weights: np.ndarray, coarse_ids: np.ndarray) -> sparse.csr_matrix:
    """The sparse matrix of the given columns and weights, with a single 1 in the rows of the coarse vertices.

    Shapes: columns [V, k]; weights [V, k], 0 where unused; coarse_ids [N]; returns [V, N].
    """
    weights = weights.copy()
    weights[coarse_ids] = 0.0
    rows = np.concatenate([np.repeat(np.arange(len(columns)), columns.shape[1]), coarse_ids])
    all_columns = np.concatenate([columns.ravel(), np.arange(len(coarse_ids))])
    values = np.concatenate([weights.ravel(), np.ones(len(coarse_ids))])
    used = values != 0.0
    shape = (len(columns), len(coarse_ids))
    matrix = sparse.csr_matrix((values[used], (rows[used], all_columns[used])), shape=shape)
    matrix.sort_indices()
    return matrix


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Inner products [M] of the rows of [M, 3], multiplied out so that every machine rounds alike."""
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]
