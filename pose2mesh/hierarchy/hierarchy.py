"""The value that a graph network is built from: a mesh, its coarser versions, and the maps between them."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import sparse

from pose2mesh.errors import InputError
from pose2mesh.hierarchy.adjacency import num_nodes
from pose2mesh.hierarchy.laplacian import Scaling, scale_laplacian

Pooling = Literal["hem", "qem"]


@dataclass(frozen=True)
class Hierarchy:
    """Levels of a mesh, fine to coarse; level i has N_i nodes.

    `qem`: level 0 is the mesh itself, every coarser level a subset of its vertices with faces of its own.
    `hem`: the levels form a binary tree padded with fake nodes, so N_i = 2 N_{i+1} and level 0 has more rows
    than the mesh has vertices. Fake nodes are isolated and never in `inverse`, hence never in the output.
    """

    pooling: Pooling
    num_vertices: int  # V
    faces: np.ndarray  # [F, 3] int32, of the full mesh
    laplacians: tuple[sparse.csr_matrix, ...]  # per level [N_i, N_i] float64: I − D^−½ A D^−½, unscaled
    lambda_max: tuple[float, ...]  # largest eigenvalue of each Laplacian
    upsample: tuple[sparse.csr_matrix, ...]  # [i] is [N_i, N_{i+1}], level i + 1 to level i; rows sum to 1
    pool: tuple[sparse.csr_matrix, ...]  # [i] is [N_{i+1}, N_i], the way back: pool[i] @ upsample[i] = I
    is_real: tuple[np.ndarray, ...]  # per level [N_i] bool; False for the fake nodes of `hem`
    permutation: np.ndarray  # [N_0] row of level 0 -> vertex; values >= V are fake
    inverse: np.ndarray  # [V] vertex -> row of level 0; `values[inverse]` are the mesh's vertices in order
    vertex_ids: tuple[np.ndarray, ...] = ()  # `qem`: per level [N_i] vertices of the full mesh
    level_faces: tuple[np.ndarray, ...] = ()  # `qem`: per level [F_i, 3] int32 into the level's nodes
    joint_set: str | None = None  # the skeleton that `joint_laplacian` was built from
    joint_laplacian: sparse.csr_matrix | None = None  # [J, J] float64, unscaled

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows per level, N_0 first."""
        return tuple(map(num_nodes, self.laplacians))

    @property
    def real_sizes(self) -> tuple[int, ...]:
        """Nodes per level that are not fake."""
        return tuple(int(mask.sum()) for mask in self.is_real)

    @property
    def num_levels(self) -> int:
        return len(self.laplacians)

    def scaled_laplacian(self, level: int, scaling: Scaling) -> sparse.csr_matrix:
        """Laplacian of a level, scaled as `scale_laplacian` describes; [N_i, N_i]."""
        return scale_laplacian(self.laplacians[level], self.lambda_max[level], scaling)

    def with_upsampling(self, level: int, matrix: sparse.csr_matrix) -> "Hierarchy":
        """A copy that goes from level + 1 to level by another matrix, such as one of `fit_upsampling`.

        Raises InputError where the shape is wrong or a coarse node would not come through unchanged.
        """
        expected = (self.sizes[level], self.sizes[level + 1])
        if matrix.shape != expected:
            raise InputError(f"upsampling to level {level} must be {expected}, got {matrix.shape}")
        kept = self.pool[level] @ matrix - sparse.identity(expected[1])
        if abs(kept).max() > 1e-6:
            raise InputError(f"upsampling to level {level} moves the coarse nodes by up to {abs(kept).max():.1e}")
        matrices = list(self.upsample)
        matrices[level] = sparse.csr_matrix(matrix, dtype=np.float64)
        return replace(self, upsample=tuple(matrices))
