"""Nodes that take the value of a node of a coarser graph: the unpooling of a binary tree."""

import torch
from torch import Tensor, nn

from pose2mesh.errors import InputError
from pose2mesh.ops.sparse import SparseOperator


class Upsampling(nn.Module):
    """Node i of N takes the value of node parents[i] of M coarser ones: [B, M, C] -> [B, N, C].

    Nodes lie in the order of their parents. A graph layer need not wait for it: T_k(L) (copies of x) W_k is
    T_k(L) (copies of x W_k), so `chebyshev_conv` multiplies the M rows by the weights, not the N.
    """

    parents: Tensor  # [N] int64, never decreasing

    def __init__(self, parents: Tensor, coarse_nodes: int):
        """Raises InputError unless every coarse node has children and the parents never decrease."""
        super().__init__()
        if not torch.equal(torch.unique_consecutive(parents).long(), torch.arange(coarse_nodes, device=parents.device)):
            raise InputError(
                f"parents of an upsampling must be 0, 1, ... {coarse_nodes - 1}, none left out and never decreasing"
            )
        self.coarse_nodes = coarse_nodes
        self.register_buffer("parents", parents.long(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.parents)

    def through(self, operator: SparseOperator) -> tuple[Tensor, Tensor, Tensor]:
        """An operator [N, N] times this copying, [N, M], in compressed rows: entries under one parent add up.

        Returns crow [N + 1] int32, col [nnz] int32, values [nnz] float64.
        """
        nodes, coarse = operator.shape[0], self.coarse_nodes
        rows = torch.repeat_interleave(operator.crow.diff().long())  # [nnz]
        keys, place = torch.unique(rows * coarse + self.parents[operator.col.long()], return_inverse=True)
        values = torch.zeros(len(keys), dtype=torch.float64, device=keys.device)
        values.index_add_(0, place, operator.values.double())
        count = torch.bincount(keys // coarse, minlength=nodes)  # [N]
        crow = nn.functional.pad(count.cumsum(0), (1, 0))
        return crow.to(torch.int32), (keys % coarse).to(torch.int32), values
