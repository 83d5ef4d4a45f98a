"""Build a hierarchy from the faces of any triangle mesh."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy import sparse

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.adjacency import adjacency_matrix, check_mesh
from pose2mesh.hierarchy.heavy_edge import Order, PaddedTree, coarsen
from pose2mesh.hierarchy.hierarchy import Hierarchy, Pooling
from pose2mesh.hierarchy.laplacian import largest_eigenvalue, normalized_laplacian, skeleton_laplacian
from pose2mesh.hierarchy.quadric import decimate
from pose2mesh.hierarchy.upsampling import barycentric_upsampling
from pose2mesh.skeletons import joint_set as find_joint_set

_SHARES = (8, 32, 128)  # without sizes, `qem` keeps every 8th, 32nd and 128th vertex


def build_hierarchy(
    vertices: np.ndarray,
    faces: np.ndarray,
    pooling: Pooling = "qem",
    *,
    sizes: Sequence[int] | None = None,
    levels: int | None = None,
    order: Order = "stable",
    joint_set: str | None = None,
) -> Hierarchy:
    """Build the levels of a mesh; the same input gives the same hierarchy on every machine.

    `sizes` (vertices per coarse level, falling) goes with `qem`; `levels` (how often to halve) and `order` go with
    `hem`, where `legacy` is the order of the published Pose2Mesh weights. `joint_set` adds that skeleton's Laplacian.

    Shapes: vertices [V, 3]; faces [F, 3]. Raises InputError for a malformed mesh, sizes that cannot be
    reached, or an option that belongs to the other pooling.
    """
    vertices, faces = check_mesh(vertices, faces)
    if pooling == "hem" and sizes is None:
        return _build_hem(faces, len(vertices), levels, order, joint_set)
    if pooling == "qem" and levels is None and order == "stable":
        return _build_qem(vertices, faces, sizes, joint_set)
    raise InputError(
        f"pooling {pooling!r} with sizes={sizes}, levels={levels}, order={order!r}: "
        "`qem` takes sizes only, `hem` takes levels and order only"
    )


def _build_hem(
    faces: np.ndarray, num_vertices: int, levels: int | None, order: Order, joint_set: str | None
) -> Hierarchy:
    tree = coarsen(adjacency_matrix(faces, num_vertices), levels, order)
    permutation = tree.orders[0]  # [N_0]
    inverse = np.argsort(permutation, kind="stable")[:num_vertices]  # [V]
    is_real = tuple(nodes < real for nodes, real in zip(tree.orders, tree.num_real, strict=True))
    laplacians = tuple(normalized_laplacian(adjacency) for adjacency in tree.adjacencies)
    return Hierarchy(
        pooling="hem",
        num_vertices=num_vertices,
        faces=faces,
        laplacians=laplacians,
        lambda_max=tuple(map(largest_eigenvalue, laplacians)),
        upsample=_copies(tree),
        pool=tuple(_pair_means(mask) for mask in is_real[:-1]),
        is_real=is_real,
        permutation=permutation.astype(np.int32),
        inverse=inverse.astype(np.int32),
        **_skeleton(joint_set),
    )


def _copies(tree: PaddedTree) -> tuple[sparse.csr_matrix, ...]:
    """Unpooling of a binary tree: both children take the parent's value."""
    matrices = []
    for nodes in tree.orders[:-1]:
        rows = np.arange(len(nodes))
        shape = (len(nodes), len(nodes) // 2)
        matrices.append(sparse.csr_matrix((np.ones(len(nodes)), (rows, rows // 2)), shape=shape))
    return tuple(matrices)


def _pair_means(is_real: np.ndarray) -> sparse.csr_matrix:
    """Pooling of a binary tree: the mean of the real children; of both where both are fake. [N / 2, N]"""
    pairs = is_real.reshape(-1, 2)  # [N / 2, 2]
    weights = np.where(pairs.any(axis=1, keepdims=True), pairs, True).astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.arange(len(is_real))
    matrix = sparse.csr_matrix((weights.ravel(), (rows // 2, rows)), shape=(len(pairs), len(is_real)))
    matrix.eliminate_zeros()
    return matrix


def _build_qem(
    vertices: np.ndarray, faces: np.ndarray, sizes: Sequence[int] | None, joint_set: str | None
) -> Hierarchy:
    num_vertices = len(vertices)
    wanted = tuple(sizes) if sizes is not None else tuple(max(num_vertices // share, 4) for share in _SHARES)
    center = (vertices.max(axis=0) + vertices.min(axis=0)) / 2
    centered = vertices - center  # quadrics lose digits far from the origin
    everything = (np.arange(num_vertices, dtype=np.int32), faces)
    kept = [everything, *decimate(centered, faces, wanted)]
    graphs = [adjacency_matrix(level_faces, len(ids)) for ids, level_faces in kept]
    laplacians = tuple(map(normalized_laplacian, graphs))
    upsample, pool = [], []
    for (fine_ids, fine_faces), (coarse_ids, coarse_faces) in pairwise(kept):
        within = np.searchsorted(fine_ids, coarse_ids)  # [N_{i+1}] rows of the finer level
        upsample.append(barycentric_upsampling(centered[fine_ids], fine_faces, within, coarse_faces))
        pool.append(
            sparse.csr_matrix(
                (np.ones(len(within)), (np.arange(len(within)), within)), shape=(len(coarse_ids), len(fine_ids))
            )
        )
    return Hierarchy(
        pooling="qem",
        num_vertices=num_vertices,
        faces=faces,
        laplacians=laplacians,
        lambda_max=tuple(map(largest_eigenvalue, laplacians)),
        upsample=tuple(upsample),
        pool=tuple(pool),
        is_real=tuple(np.ones(len(ids), bool) for ids, _ in kept),
        permutation=everything[0],
        inverse=everything[0],
        vertex_ids=tuple(ids for ids, _ in kept),
        level_faces=tuple(level_faces for _, level_faces in kept),
        **_skeleton(joint_set),
    )


def _skeleton(name: str | None) -> dict:
    """The fields of a hierarchy that depend on the joint set."""
    if name is None:
        return {}
    joints = find_joint_set(name)
    return {"joint_set": joints.name, "joint_laplacian": skeleton_laplacian(joints)}
