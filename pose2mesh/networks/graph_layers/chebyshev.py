"""The Chebyshev graph convolution as a layer, the default of the compact network."""

import torch
from torch import Tensor, nn

from pose2mesh.hierarchy import Hierarchy
from pose2mesh.ops import SparseOperator, chebyshev_conv


class ChebyshevLayer(nn.Module):
    """One graph layer: sum_k T_k(L) x W_k + b (Defferrard et al. 2016)."""

    def __init__(self, channels_in: int, channels_out: int, order: int, scale: float = 1.0):
        super().__init__()
        bound = scale * (6.0 / (channels_in * order + channels_out)) ** 0.5  # Glorot
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in * order).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    @staticmethod
    def operator(hierarchy: Hierarchy, level: int, order: int) -> SparseOperator:
        """The level's scaled Laplacian."""
        return SparseOperator.from_scipy(hierarchy.scaled_laplacian(level, "chebyshev"))

    def forward(self, x: Tensor, operator: SparseOperator, **epilogue) -> Tensor:
        return chebyshev_conv(x, operator, self.weight, self.bias, **epilogue)
