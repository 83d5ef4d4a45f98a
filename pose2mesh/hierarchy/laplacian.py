"""Normalized graph Laplacians, their largest eigenvalue, and the scalings that networks are trained with."""

from typing import Literal

import numpy as np
from scipy import sparse

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.adjacency import num_nodes
from pose2mesh.skeletons import JointSet, joint_set

Scaling = Literal["chebyshev", "release", "none"]

_DENSE_LIMIT = 400  # up to here all eigenvalues at once cost a few milliseconds
_DECIMALS = 10  # eigenvalues agree to about 1e-14 between linear algebra libraries; what is stored must be equal
_FINGER_JOINTS = 4


def normalized_laplacian(adjacency: sparse.spmatrix) -> sparse.csr_matrix:
    """L = I − D^−½ A D^−½ with D the row sums of A, self loops included (Defferrard et al. 2016, section
    2.1).

    A node without any edge, such as a fake vertex of a padded tree, has the row of the identity.

    Shapes: adjacency [N, N] symmetric, non-negative; returns [N, N] float64.
    """
    adjacency = sparse.csr_matrix(adjacency, dtype=np.float64)
    degree = np.asarray(adjacency.sum(axis=0)).ravel()  # [N]
    inverse_root = np.divide(1.0, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)  # [N]
    scale = sparse.diags(inverse_root)
    laplacian = sparse.csr_matrix(sparse.identity(len(degree)) - scale @ adjacency @ scale)
    laplacian.sort_indices()
    return laplacian


def largest_eigenvalue(laplacian: sparse.csr_matrix) -> float:
    """The largest eigenvalue of a symmetric matrix, the same on every machine (rounded to 1e-10)."""
    size = num_nodes(laplacian)
    if size <= _DENSE_LIMIT:
        return round(float(np.linalg.eigvalsh(laplacian.toarray())[-1]), _DECIMALS)
    from scipy.sparse.linalg import eigsh  # slow to import

    # The start vector is a fixed irregular sequence: a constant one has no part in the leading eigenvector of
    # a symmetric mesh, a random one would make the result depend on the generator.
    start = (np.arange(1, size + 1) * 0.6180339887498949) % 1.0 - 0.5  # [N]
    values = eigsh(laplacian, k=1, which="LA", v0=start, return_eigenvectors=False)
    return round(float(values[0]), _DECIMALS)


def scale_laplacian(laplacian: sparse.csr_matrix, lambda_max: float, scaling: Scaling) -> sparse.csr_matrix:
    """Shift and scale a Laplacian for a Chebyshev expansion. Raises InputError for an unknown scaling.

    `chebyshev`: 2L/λmax − I, spectrum in [−1, 1], what the polynomials are defined on (Defferrard et al.
    2016).
    `release`: L/(2λmax) − I, spectrum in [−1, −½]: what Pose2Mesh's published code computes and its weights
    expect.
    `none`: L itself, as Pose2Mesh's published code leaves the joint graph.

    Shapes: laplacian [N, N]; returns [N, N].
    """
    factors = {"chebyshev": 2.0 / lambda_max, "release": 1.0 / (2.0 * lambda_max)}
    if scaling == "none":
        return laplacian.copy()
    if scaling not in factors:
        raise InputError(f"unknown Laplacian scaling {scaling!r}; known: chebyshev, release, none")
    scaled = sparse.csr_matrix(laplacian * factors[scaling] - sparse.identity(num_nodes(laplacian)))
    scaled.sort_indices()
    return scaled


def skeleton_laplacian(joints: str | JointSet) -> sparse.csr_matrix:
    """Normalized Laplacian of a joint set: bones, left/right partners and self loops, as in Pose2Mesh.

    A hand has no partners; there the same joints of neighboring fingers are joined.

    Shapes: returns [J, J] float64.
    """
    joints = joint_set(joints) if isinstance(joints, str) else joints
    adjacency = sparse.lil_matrix((len(joints), len(joints)))
    for a, b in (*joints.bone_indices, *joints.flip_pairs, *_neighboring_fingers(joints)):
        adjacency[a, b] = adjacency[b, a] = 1.0
    adjacency.setdiag(1.0)
    return normalized_laplacian(adjacency)


def _neighboring_fingers(joints: JointSet) -> list[tuple[int, int]]:
    if joints.flip_pairs or joints.root != "wrist":
        return []
    first = joints.index("wrist") + 1  # fingers follow the wrist, four joints each
    return [(i, i + _FINGER_JOINTS) for i in range(first, len(joints) - _FINGER_JOINTS)]
