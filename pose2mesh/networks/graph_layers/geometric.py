"""Graph convolutions of PyTorch Geometric behind the interface of the Chebyshev layer."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pose2mesh.errors import MissingDependencyError
from pose2mesh.networks.graph_layers.epilogue import finish


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

    Initialized as there, but values times `scale` and without a bias: a new layer of a small scale moves little.
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


def geometric_layer(conv: str, channels_in: int, channels_out: int, heads: int, scale: float = 1.0) -> GeometricLayer:
    """gcn (Kipf and Welling 2017), sage (Hamilton et al. 2017), gat (v2, Brody et al. 2022), feast (Verma et al. 2018).

    `heads` is of gat, where they are averaged, and of feast. Raises MissingDependencyError.
    """
    layers = _import_layers()
    if conv == "gcn":
        return GeometricLayer(layers.GCNConv(channels_in, channels_out), ("lin.weight",), True, scale)
    if conv == "sage":
        return GeometricLayer(layers.SAGEConv(channels_in, channels_out), ("lin_l.weight", "lin_r.weight"), True, scale)
    if conv == "gat":
        gat = layers.GATv2Conv(channels_in, channels_out, heads, concat=False)
        return GeometricLayer(gat, ("lin_l.weight",), False, scale)
    return GeometricLayer(layers.FeaStConv(channels_in, channels_out, heads), ("lin.weight",), False, scale)


def _import_layers() -> Any:
    try:
        import torch_geometric.nn
    except ImportError as error:
        raise MissingDependencyError(
            "network.mesh.conv: gcn, gat, sage and feast need PyTorch Geometric: pip install 'pose2mesh[graph]'"
        ) from error
    return torch_geometric.nn
