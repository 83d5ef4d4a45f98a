"""Graph convolutions in torch alone: Chebyshev, the default of the compact network, and spirals.

A spiral (Lim et al. 2018; SpiralNet++, Gong et al. 2019) is a fixed order of neighbors; one matrix weighs it.
"""

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.errors import InputError
from pose2mesh.hierarchy import Hierarchy
from pose2mesh.hierarchy.spirals import spiral_sequences
from pose2mesh.ops import SparseOperator, chebyshev_conv


def finish(y: Tensor, activation: str | None, residual: Tensor | None) -> Tensor:
    """activation(y) + residual; all [B, N, C], `activation` is None or "relu"."""
    y = y.relu() if activation == "relu" else y
    return y if residual is None else y + residual


class _Layer(nn.Module):
    """Weights [C_out, C_in·order] by Glorot's rule, times `scale`, and a bias."""

    def __init__(self, channels_in: int, channels_out: int, order: int, scale: float = 1.0):
        super().__init__()
        bound = scale * (6.0 / (channels_in * order + channels_out)) ** 0.5  # Glorot
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in * order).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels_out))


class ChebyshevLayer(_Layer):
    """One graph layer: sum_k T_k(L) x W_k + b (Defferrard et al. 2016)."""

    @staticmethod
    def operator(hierarchy: Hierarchy, level: int, order: int) -> SparseOperator:
        """The level's scaled Laplacian."""
        return SparseOperator.from_scipy(hierarchy.scaled_laplacian(level, "chebyshev"))

    def forward(self, x: Tensor, operator: SparseOperator, **epilogue) -> Tensor:
        return chebyshev_conv(x, operator, self.weight, self.bias, **epilogue)


class Spirals(nn.Module):
    """The spirals of one level, the operator of `SpiralLayer`. [N, L] node indices; N where a spiral has ended."""

    indices: Tensor

    def __init__(self, indices: np.ndarray):
        super().__init__()
        self.register_buffer("indices", torch.as_tensor(np.asarray(indices, np.int64)), persistent=False)


class SpiralLayer(_Layer):
    """y_i = W [x_i, x_s1(i), x_s2(i), ...] + b; `order` nodes; what lies beyond a spiral's end counts as zero."""

    @staticmethod
    def operator(hierarchy: Hierarchy, level: int, order: int) -> Spirals:
        """The level's spirals of `order` nodes. Raises InputError where it has no faces."""
        if not hierarchy.level_faces:
            raise InputError("network.mesh.conv: spirals need the faces of every level; use a `qem` hierarchy")
        return Spirals(spiral_sequences(hierarchy.level_faces[level], hierarchy.sizes[level], order))

    def forward(
        self, x: Tensor, operator: Spirals, *, activation: str | None = None, residual: Tensor | None = None
    ) -> Tensor:
        """Shapes: x [B, N, C_in]; operator.indices [N, L]; residual and result [B, N, C_out]."""
        nodes, length = operator.indices.shape
        padded = nn.functional.pad(x, (0, 0, 0, 1))  # [B, N + 1, C_in]
        along = padded.index_select(1, operator.indices.flatten()).reshape(len(x), nodes, length * x.shape[2])
        return finish(nn.functional.linear(along, self.weight, self.bias), activation, residual)
