"""A fixed sparse matrix as gathers and small dense products: what standard ONNX operators can say, and fast there."""

import copy
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.ops.sparse import SparseOperator

TILE_ROWS = 32  # measured in docs/kernels.md: rows in mesh order share most of their neighbors


class TiledOperator(nn.Module):
    """A constant float32 matrix [N, M], multiplied from the left as `SparseOperator` does: [B, M, C] -> [B, N, C].

    The rows are cut into T tiles; each gathers the U columns that it touches and multiplies them by a dense block.
    """

    columns: Tensor  # [T·U] int64, of all tiles; unused places repeat column 0 with zero weights
    blocks: Tensor  # [T, tile rows, U]

    def __init__(self, operator: SparseOperator, tile_rows: int = TILE_ROWS):
        super().__init__()
        self.shape, self.is_symmetric = operator.shape, operator.is_symmetric
        columns, blocks = _cut(operator, tile_rows)
        self.register_buffer("columns", torch.from_numpy(columns.ravel()), persistent=False)
        self.register_buffer("blocks", torch.from_numpy(blocks), persistent=False)

    @property
    def device(self) -> torch.device:
        return self.blocks.device

    def matmul(self, x: Tensor) -> Tensor:
        """The product with every sample.

        Shapes: x [B, M, C]; returns [B, N, C].
        """
        tiles, rows, width = self.blocks.shape
        batch, _, channels = x.shape
        # A flat index_select becomes one Gather; indexing by [T, U] becomes a GatherND between transposes.
        gathered = x.index_select(1, self.columns).reshape(batch, tiles, width, channels)
        product = torch.matmul(self.blocks.to(x.dtype), gathered)  # [B, T, tile rows, C]
        return product.reshape(batch, tiles * rows, channels)[:, : self.shape[0]]

    def forward(self, x: Tensor) -> Tensor:
        return self.matmul(x)


def with_tiled_operators(network: nn.Module, tile_rows: int = TILE_ROWS) -> nn.Module:
    """A copy of a network in which every SparseOperator is a TiledOperator.

    Its Chebyshev layers must run on the reference backend, the one that needs nothing but `matmul`.
    """
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, SparseOperator):
                setattr(module, name, TiledOperator(child, tile_rows))
    return network


def _cut(operator: SparseOperator, tile_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns [T, U] int64 and blocks [T, tile rows, U] float32, all tiles padded to the widest."""
    crow, col, values = (t.cpu().numpy() for t in (operator.crow, operator.col, operator.values))
    rows = np.repeat(np.arange(operator.shape[0]), np.diff(crow))  # [nnz]
    tiles = -(-operator.shape[0] // tile_rows)
    bounds = crow[np.minimum(np.arange(tiles + 1) * tile_rows, operator.shape[0])]  # [T + 1] into nnz
    used = [np.unique(col[a:b], return_inverse=True) for a, b in pairwise(bounds)]
    width = max(1, *(len(columns) for columns, _ in used))
    columns, blocks = np.zeros((tiles, width), np.int64), np.zeros((tiles, tile_rows, width), np.float32)
    for tile, (unique, place) in enumerate(used):
        inside = slice(bounds[tile], bounds[tile + 1])
        columns[tile, : len(unique)] = unique
        blocks[tile, rows[inside] - tile * tile_rows, place] = values[inside]
    return columns, blocks
