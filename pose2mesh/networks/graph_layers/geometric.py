"""Graph convolutions of PyTorch Geometric behind the interface of the Chebyshev layer."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.errors import optional_import
from pose2mesh.hierarchy import Hierarchy
from pose2mesh.networks.graph_layers.plain import finish


class Edges(nn.Module):
    """The directed edges of one level, both ways, the operator of `GeometricLayer`. [2, E], from row 0 to row 1."""

    index: Tensor

    def __init__(self, index: np.ndarray, nodes: int):
        super().__init__()
        self.nodes = nodes
        self.register_buffer("index", torch.as_tensor(np.asarray(index, np.int64)), persistent=False)

    def of_batch(self, batch: int) -> Tensor:
        """The edges of `batch` copies side by side: [2, B·E], nodes of copy b counted from b·N."""
        first = self.nodes * torch.arange(batch, device=self.index.device)  # [B]
        return (self.index[:, None] + first[:, None]).flatten(1)


class GeometricLayer(nn.Module):
    """A convolution of PyTorch Geometric on every sample of a batch, computed in float32.

    Subclasses raise MissingDependencyError without it. Initialized as there, but values times `scale` and without a
    bias: a new layer of a small scale moves little.
    """

    def __init__(self, conv: nn.Module, values: tuple[str, ...], takes_batches: bool, scale: float = 1.0):
        """`values`: names of the weights that the output is linear in; `takes_batches`: x may be [B, N, C]."""
        super().__init__()
        self.conv, self.takes_batches = conv, takes_batches
        with torch.no_grad():
            for name, weight in conv.named_parameters():
                if name in values:
                    weight.mul_(scale)
                elif name.endswith("bias"):
                    weight.zero_()

    @staticmethod
    def operator(hierarchy: Hierarchy, level: int, order: int) -> Edges:
        """The level's edges."""
        laplacian = hierarchy.laplacians[level].tocoo()
        linked = laplacian.row != laplacian.col
        return Edges(np.stack([laplacian.col[linked], laplacian.row[linked]]), hierarchy.sizes[level])

    def forward(
        self, x: Tensor, operator: Edges, *, activation: str | None = None, residual: Tensor | None = None
    ) -> Tensor:
        """Shapes: x [B, N, C_in]; operator.index [2, E]; residual and result [B, N, C_out]."""
        batch, nodes, _ = x.shape
        with torch.autocast(x.device.type, enabled=False):  # sums over neighbors in bfloat16 are slow and coarse
            if self.takes_batches:
                y = self.conv(x.float(), operator.index)  # [B, N, C_out]
            else:  # one graph of B·N nodes
                y = self.conv(x.float().flatten(0, 1), operator.of_batch(batch)).unflatten(0, (batch, nodes))
        return finish(y, activation, residual)


class GCN(GeometricLayer):
    """Kipf and Welling 2017."""

    def __init__(self, channels_in: int, channels_out: int, order: int, scale: float = 1.0):
        super().__init__(_import_layers().GCNConv(channels_in, channels_out), ("lin.weight",), True, scale)


class SAGE(GeometricLayer):
    """Hamilton et al. 2017."""

    def __init__(self, channels_in: int, channels_out: int, order: int, scale: float = 1.0):
        conv = _import_layers().SAGEConv(channels_in, channels_out)
        super().__init__(conv, ("lin_l.weight", "lin_r.weight"), True, scale)


class GAT(GeometricLayer):
    """Version 2, Brody et al. 2022, with `order` heads, which are averaged."""

    def __init__(self, channels_in: int, channels_out: int, order: int, scale: float = 1.0):
        conv = _import_layers().GATv2Conv(channels_in, channels_out, order, concat=False)
        super().__init__(conv, ("lin_l.weight",), False, scale)


class FeaSt(GeometricLayer):
    """Verma et al. 2018, with `order` heads."""

    def __init__(self, channels_in: int, channels_out: int, order: int, scale: float = 1.0):
        conv = _import_layers().FeaStConv(channels_in, channels_out, order)
        super().__init__(conv, ("lin.weight",), False, scale)


def _import_layers() -> Any:
    with optional_import(
        "network.mesh.conv: gcn, gat, sage and feast need PyTorch Geometric: pip install 'pose2mesh[graph]'"
    ):
        import torch_geometric.nn
    return torch_geometric.nn
